"""`dvc repro` with several stages at once: a stage starts when its dependencies are up to date.

`dvc repro` runs one stage at a time. `dvc exp run --queue` with several workers does not help: each experiment is a
copy of the workspace with its own commit and dvc.lock, and eight of them would have to be merged. Here stages run in
the workspace itself, each in its own process. DVC decides and records in this process, each stage as soon as it ends:
a killed run loses only the stages that were running. The result equals that of `dvc repro`, including the order of
dvc.lock.
"""

import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe, connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.apps.parallel import graph
from pipeline.apps.parallel.devices import VISIBLE, cores, shares_of_gpus
from pipeline.apps.parallel.process import StageProcess, share_imports
from pipeline.core.errors import StageError
from pipeline.core.fields import load_sections
from pipeline.core.machine import Machine

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

INTERRUPTED = 130  # exit status after Ctrl-C
FORKS = sys.platform == "linux"  # system libraries of macOS are not fork-safe


def reproduce(root: Path, targets: Sequence[str], parallel: int | None, allow_missing: bool = False) -> int:
    """Bring `targets` (default: all stages) up to date, `parallel` stages at once, and return the exit status.

    `parallel` defaults to the number of cores; `allow_missing` is that of `dvc repro`. Stages that do not depend on a
    failed one still run. Raises `StageError` naming the failed stages and those that were therefore not run.
    """
    from dvc.repo import Repo, lock_repo

    logging.getLogger("dvc").setLevel(logging.WARNING)  # progress is shown here,
    logging.getLogger("dvc.progress").setLevel(logging.CRITICAL)  # without bars between the lines
    graph.require_lock(root)
    (machine,) = load_sections(root / "params.yaml", {"machine": Machine})
    with graph.explained(), Repo(str(root), _wait_for_lock=True) as repo, repo.scm_context(), stop_signals() as stop:
        with lock_repo(repo):
            order, before = graph.order(repo, targets), graph.recorded(root)
        run = Run(repo, order, parallel or cores(), shares_of_gpus(machine), allow_missing)
        try:
            while run.advance():
                if stop in connection.wait([stop, *run.running]):
                    print(f"\nInterrupted: stopped {run.end()}; run the same command to resume")
                    return INTERRUPTED
        finally:
            run.end()
            with lock_repo(repo):
                graph.sort_lock(root, before, [stage.addressing for stage in order])
    run.report()
    return 0


@dataclass
class Work:
    """A running stage."""

    stage: "Stage"
    gpus: str | None
    reserved: ExitStack
    process: StageProcess
    started: float


class Run:
    """The state of each stage; `upstream` has the stages in DVC's order, each with those on which it depends."""

    def __init__(
        self,
        repo: "Repo",
        upstream: "dict[Stage, set[Stage]]",
        parallel: int,
        gpus: list[str],
        allow_missing: bool,
    ) -> None:
        self.repo, self.upstream, self.parallel, self.gpus = repo, upstream, parallel, gpus
        self.allow_missing = allow_missing
        self.on_gpus = bool(gpus)
        self.waiting = list(upstream)
        self.running: dict[Any, Work] = {}  # by the sentinel of the process
        self.done: set[Stage] = set()
        self.failed: list[str] = []
        self.counts: Counter[str] = Counter()
        self.started, self.importing, self.quiet = time.monotonic(), False, False
        self.width = max((len(stage.addressing) for stage in upstream), default=0)

    def advance(self) -> bool:
        """Record the stages that have ended, start those that are ready, and return whether any is running."""
        from dvc.repo import lock_repo

        with lock_repo(self.repo):
            for sentinel in connection.wait(list(self.running), timeout=0):
                self._finish(self.running.pop(sentinel))
            for stage in list(self.waiting):  # in order: a stage that is up to date may free later ones
                on_gpus = self.on_gpus and graph.computes_tensors(stage)
                free = len(self.running) < self.parallel and (self.gpus or not on_gpus)
                if free and self.upstream[stage] <= self.done:
                    self.waiting.remove(stage)
                    self._begin(stage, self.gpus[0] if on_gpus else None)
        return bool(self.running)

    def end(self) -> str:
        """Stop the running stages, as Ctrl-C does, and return their names."""
        self.quiet = True
        for work in self.running.values():
            work.process.interrupt()
        names = []
        while self.running:
            _, work = self.running.popitem()
            work.process.end()
            work.reserved.close()
            names.append(work.stage.addressing)
        return ", ".join(names)

    def report(self) -> None:
        """Print the counts; raise `StageError` if a stage failed."""
        counts = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        print(f"{len(self.done)} stages in {time.monotonic() - self.started:.0f} s: {counts or 'nothing to do'}")
        if self.failed:
            skipped = ", ".join(stage.addressing for stage in self.waiting) or "none"
            raise StageError(f"failed: {', '.join(self.failed)}; therefore not run: {skipped}")

    def _begin(self, stage: "Stage", gpus: str | None) -> None:
        """Bring a stage up to date by DVC, or start its process."""
        with self._failure(stage), ExitStack() as reserved:
            settled = graph.settle(stage, self.upstream[stage], self.allow_missing)
            if settled:
                self._done(stage, settled)
                return
            reserved.enter_context(graph.reserved(stage))
            if FORKS and not self.importing and any(map(graph.computes_tensors, [stage, *self.waiting])):
                share_imports()
                self.importing = True
            process = self._start(stage, gpus)
            self.running[process.sentinel] = Work(stage, gpus, reserved.pop_all(), process, time.monotonic())
            if gpus is not None:
                self.gpus.remove(gpus)

    def _start(self, stage: "Stage", gpus: str | None) -> StageProcess:
        commands = stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines()
        environment = {"DVC_STAGE": stage.addressing, "DVC_ROOT": os.environ.get("DVC_ROOT", self.repo.root_dir)}
        if gpus is not None:
            environment[VISIBLE] = gpus
        for command in commands:
            self._show(stage, f"> {command}")
        forked = FORKS and graph.computes_tensors(stage)
        return StageProcess(
            stage.addressing, Path(stage.wdir), commands, environment, forked, lambda line: self._show(stage, line)
        )

    def _finish(self, work: Work) -> None:
        """Record a stage whose process has ended."""
        if work.gpus is not None:
            self.gpus.append(work.gpus)
        with self._failure(work.stage), work.reserved:
            status = work.process.status()
            if status:
                raise StageError(f"exit status {status}" if status > 0 else f"killed by signal {-status}")
            graph.record(work.stage)
            self._done(work.stage, "computed", f" in {time.monotonic() - work.started:.1f} s")

    def _done(self, stage: "Stage", what: str, more: str = "") -> None:
        self.done.add(stage)
        self.counts[what] += 1
        self._show(stage, f"{what}{more}")

    @contextmanager
    def _failure(self, stage: "Stage") -> Iterator[None]:
        """Record exceptions in the block as the stage's failure."""
        from dvc.exceptions import DvcException

        try:
            yield
        except (DvcException, StageError, OSError) as error:
            self.failed.append(stage.addressing)
            self._show(stage, f"FAILED: {error}")

    def _show(self, stage: "Stage", line: str) -> None:
        if not self.quiet:
            sys.stdout.write(f"{stage.addressing:<{self.width}} | {line}\n")  # one write per line, for threads
            sys.stdout.flush()


@contextmanager
def stop_signals() -> Iterator[connection.Connection]:
    """Yield a connection that is ready after Ctrl-C or SIGTERM, to finish writing; a second signal ends at once."""
    reader, writer = Pipe(duplex=False)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _: Any) -> None:
        signal.signal(number, before[number])
        writer.send(number)

    for number in before:
        signal.signal(number, stop)
    try:
        yield reader
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
