"""Libraries brought up to date while a server answers: one at a time, in a thread of its own.

Only what `--library` named can be indexed. Searches use what was there before until the new tables are written; a run
that is killed resumes the next time, as `update_library` does.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.apps.library.library import read_contents
from pipeline.apps.library.opening import Source, Update, put_libraries
from pipeline.apps.library.progress import Step
from pipeline.apps.library.report import Changes, changes_of
from pipeline.apps.library.table import read_files
from pipeline.apps.library.walk import walk
from pipeline.apps.recommend.recommender import Recommender
from pipeline.core.errors import ModelError, PipelineError

log = logging.getLogger(__name__)

FRESH_SECONDS = 30.0  # for which what has changed in a folder is not looked for again
UNFORESEEN = "it failed; what it was stands in the log of the server"

State = Literal["idle", "waiting", "done", "failed"] | Step


class BusyError(PipelineError):
    """Something is being indexed already."""


@dataclass(frozen=True)
class Progress:
    """How far the indexing of a library has come."""

    state: State = "idle"  # nothing was asked for since the start
    label: str = ""  # of the step: the model's name while files are embedded
    done: int = 0  # files in this step
    total: int = 0
    reason: str = ""  # why it failed

    @property
    def is_running(self) -> bool:
        """Whether it is being indexed, or will be."""
        return self.state not in ("idle", "done", "failed")


class Background:
    """The libraries that can be indexed, and what becomes of that. For many threads at once."""

    def __init__(
        self, recommender: Recommender, update: Update | None = None, sources: Mapping[str, Source] | None = None
    ) -> None:
        """Take music by the names of its libraries, and what indexes it; what was indexed can be searched."""
        self.sources = dict(sources or {})
        self._update, self._recommender = update, recommender
        put_libraries(recommender, {name: source for name, source in self.sources.items() if source.made})
        self._lock = threading.Lock()  # held for moments only
        self._progress = dict.fromkeys(self.sources, Progress())
        self._changes: dict[str, tuple[float, Changes]] = {}  # and when they were looked for, in seconds
        self._looking: set[str] = set()

    def progress(self, name: str) -> Progress:
        """Return how far it is with the library `name`, which must be one of `sources`."""
        with self._lock:
            return self._progress[name]

    def begin_missing(self) -> None:
        """Index, one after another, what cannot be searched by all models; look for what has changed in the others."""
        models = self._recommender.models.values()
        self._begin([name for name, of in self.sources.items() if of.was_folder and not of.is_made_by(models)], False)
        for name in self.sources:
            self.changes(name, look=True)

    def begin(self, name: str, rescan: bool) -> None:
        """Bring the library `name` up to date; with `rescan` files that look unchanged are read again, too.

        Raises `BusyError` while any is being indexed, `ModelError` where it cannot be.
        """
        if refusal := self.sources[name].refusal:
            raise ModelError(f"{name} cannot be indexed from here: {refusal}")
        self._begin([name], rescan)

    def changes(self, name: str, look: bool) -> Changes | None:
        """Return what has changed in the folder of the library `name` since it was indexed; None: not known yet.

        With `look` it is looked for meanwhile unless it is fresh. Of a folder that is not there it stays unknown.
        """
        with self._lock:
            found = self._changes.get(name)
            is_fresh = found is not None and time.monotonic() - found[0] < FRESH_SECONDS
            if look and not is_fresh and name not in self._looking and not self._progress[name].is_running:
                self._looking.add(name)
                threading.Thread(target=self._look, args=(name,), name=f"looking {name}", daemon=True).start()
            return found[1] if found else None

    def _begin(self, names: list[str], rescan: bool) -> None:
        with self._lock:
            busy = next((name for name, progress in self._progress.items() if progress.is_running), None)
            if busy is not None:
                raise BusyError(f"{busy} is being indexed: wait until it is done")
            self._progress |= dict.fromkeys(names, Progress("waiting"))
        if names:
            threading.Thread(target=self._run, args=(names, rescan), name="indexing", daemon=True).start()

    def _run(self, names: list[str], rescan: bool) -> None:
        for name in names:
            end = self._indexed(name, rescan)
            with self._lock:
                self._changes.pop(name, None)
                self._progress[name] = end

    def _indexed(self, name: str, rescan: bool) -> Progress:
        """Return how the indexing of a library ended."""

        def report(step: Step, label: str, done: int, total: int) -> None:
            with self._lock:
                self._progress[name] = Progress(step, label, done, total)

        assert self._update is not None, "there is music to be indexed"
        try:
            self._update(self.sources[name], rescan, report)
            self._take_over(name)
        except PipelineError as error:
            log.warning("%s: %s", name, error)
            return Progress("failed", reason=str(error))
        except Exception:
            log.exception("%s: indexing failed", name)
            return Progress("failed", reason=UNFORESEEN)
        return Progress("done")

    def _take_over(self, name: str) -> None:
        """Let the new tables of a library be searched, and those that are open go."""
        source = self.sources[name]
        with self._lock:
            self.sources[name] = replace(source, made=read_contents(source.place).variants)
        known = self._recommender.libraries | {name: source.library()}
        self._recommender.libraries = {of: known[of] for of in dict.fromkeys([*self.sources, *known]) if of in known}
        self._recommender.forget(name)

    def _look(self, name: str) -> None:
        source = self.sources[name]
        try:
            if source.music.is_dir():
                rows = walk(source.music.resolve(), source.place.resolve())
                found = changes_of(rows, {row["path"]: row for row in read_files(source.place)})
                with self._lock:
                    if not self._progress[name].is_running:
                        self._changes[name] = time.monotonic(), found
        finally:
            with self._lock:
                self._looking.discard(name)
