"""Update libraries in the background of a server: one at a time, in a thread of its own.

Only libraries of `--library` can be indexed. Searches use the previous tables until the new ones are written; a killed
run resumes the next time, as in `update_library`.
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

FRESH_SECONDS = 30.0  # minimum time between two scans of a folder for changes
UNFORESEEN = "internal error; see the server log"

State = Literal["idle", "waiting", "done", "failed"] | Step


class BusyError(PipelineError):
    """A library is already being indexed."""


@dataclass(frozen=True)
class Progress:
    """The indexing progress of a library."""

    state: State = "idle"  # not indexed since the server started
    label: str = ""  # of the step: the model's name while files are embedded
    done: int = 0  # files processed in this step
    total: int = 0
    reason: str = ""  # why it failed

    @property
    def is_running(self) -> bool:
        """Whether it is being indexed, or waiting to be."""
        return self.state not in ("idle", "done", "failed")


class Background:
    """The libraries that can be indexed, and their progress. Thread-safe."""

    def __init__(
        self, recommender: Recommender, update: Update | None = None, sources: Mapping[str, Source] | None = None
    ) -> None:
        """Take sources by library name, and the function that indexes them; indexed ones can be searched at once."""
        self.sources = dict(sources or {})
        self._update, self._recommender = update, recommender
        put_libraries(recommender, {name: source for name, source in self.sources.items() if source.made})
        self._lock = threading.Lock()  # held for moments only
        self._progress = dict.fromkeys(self.sources, Progress())
        self._changes: dict[str, tuple[float, Changes]] = {}  # with the time of the scan, in seconds
        self._looking: set[str] = set()

    def progress(self, name: str) -> Progress:
        """Return the progress of the library `name`, which must be one of `sources`."""
        with self._lock:
            return self._progress[name]

    def begin_missing(self) -> None:
        """Index, one after another, the music folders that lack an index for a model; scan all folders for changes."""
        models = self._recommender.models.values()
        self._begin([name for name, of in self.sources.items() if of.was_folder and not of.is_made_by(models)], False)
        for name in self.sources:
            self.changes(name, look=True)

    def begin(self, name: str, rescan: bool) -> None:
        """Start to update the library `name`; with `rescan`, files that look unchanged are also read.

        Raises `BusyError` while any library is being indexed, `ModelError` if this one cannot be indexed.
        """
        if refusal := self.sources[name].refusal:
            raise ModelError(f"{name} cannot be indexed here: {refusal}")
        self._begin([name], rescan)

    def changes(self, name: str, look: bool) -> Changes | None:
        """Return the changes in the folder of the library `name` since it was indexed; None if not known yet.

        With `look`, a scan starts in the background unless the last one is recent. Changes in a missing folder stay
        unknown.
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
                raise BusyError(f"{busy} is being indexed: wait until it has finished")
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
        """Index a library and return its final progress."""

        def report(step: Step, label: str, done: int, total: int) -> None:
            with self._lock:
                self._progress[name] = Progress(step, label, done, total)

        assert self._update is not None, "only called with sources"
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
        """Make the new tables of a library searchable, and release the old ones."""
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
