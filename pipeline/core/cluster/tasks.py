"""Functions of one item, and whole modules, as tasks of Ray."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Generic, TypeVar

from pipeline.core import stage
from pipeline.core.cluster.connection import count_of, future_of, proven, ray, require_same, was_lost
from pipeline.core.cluster.node import Evidence
from pipeline.core.errors import PipelineError
from pipeline.core.workers import ATTEMPTS, of_each

Item = TypeVar("Item")
Result = TypeVar("Result")

PASSED = ("DVC_", "MLFLOW_", "OMP_", "HF_")  # prefixes of the environment variables passed to a module
OMP = "OMP_NUM_THREADS"
POLL_SECONDS = 0.5  # between two reads of a module's output


class Tasks(Generic[Item, Result]):
    """A crew of tasks: one CPU each, spread over the nodes."""

    def __init__(self, work: Callable[[Item], Result], folders: Sequence[Path]) -> None:
        self.work, self.folders, self.open = work, folders, ExitStack()
        self.refs: dict[Future[Any], ray.ObjectRef] = {}

    def __enter__(self) -> "Tasks[Item, Result]":
        evidence = self.open.enter_context(proven(self.folders))
        self.shared = ray.put((evidence, self.work))
        self.task = ray.remote(_work_on).options(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")
        self.open.callback(lambda: [ray.cancel(ref, force=True) for ref in list(self.refs.values())])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.open.close()

    def size(self) -> int:
        return count_of("CPU")

    def submit(self, chunk: list[Item]) -> Future[list[Result]]:
        ref = self.task.remote(self.shared, chunk)
        future = future_of(ref)
        self.refs[future] = ref
        future.add_done_callback(self.refs.pop)
        return future

    def was_lost(self, future: Future[Any]) -> bool:
        return was_lost(future)

    def alone(self, item: Item) -> Future[list[Result]]:
        return self.submit([item])

    def restart(self) -> None:
        """Do nothing: Ray starts new processes itself."""


def _work_on(shared: tuple[Evidence, Callable[[Any], Any]], chunk: list[Any]) -> list[Any]:
    """Process a chunk in a process of a node."""
    evidence, work = shared
    require_same(evidence)
    return of_each(work, chunk)


def run_module(module: str, arguments: Sequence[str], processes: int, gpu: bool) -> int:
    """Run `python -m module arguments` on a node and return the exit status; its output is shown live.

    If a node dies, another attempt resumes the work. Raises `PipelineError` if all attempts fail.
    """
    with proven(()) as evidence, TemporaryDirectory(prefix=".node-", dir=Path(evidence.token).parent) as folder:
        gpus = processes if gpu and count_of("GPU") else 0
        options: dict[str, Any] = {"num_cpus": processes, "num_gpus": gpus, "max_retries": ATTEMPTS - 1, "max_calls": 1}
        task = ray.remote(**options, scheduling_strategy="SPREAD")(_run_module)
        shown = Path(folder) / "output"
        shown.touch()
        environment = {name: value for name, value in os.environ.items() if name.startswith(PASSED)}
        future = future_of(ref := task.remote(evidence, str(shown), module, list(arguments), environment))
        try:
            with shown.open(errors="replace") as output:
                while True:
                    ended = bool(wait([future], POLL_SECONDS).done)
                    sys.stderr.write(output.read())
                    sys.stderr.flush()
                    if ended:
                        return _status(future)
        finally:
            ray.cancel(ref, force=True)


def _status(future: Future[int]) -> int:
    if was_lost(future):
        raise PipelineError(f"{ATTEMPTS} processes died, possibly out of memory ({future.exception()}); run again")
    return future.result()


def _run_module(evidence: Evidence, shown: str, module: str, arguments: list[str], environment: dict[str, str]) -> int:
    """Run a module in this process, changing its output, environment and path, and return the exit status."""
    require_same(evidence)
    with open(shown, "ab") as output:
        for number in (1, 2):
            os.dup2(output.fileno(), number)
    if OMP not in environment:  # Ray sets it to the number of CPUs of the task
        os.environ.pop(OMP, None)
    os.environ.update(environment)
    sys.path.insert(0, evidence.place)
    try:
        return stage.run_module(module, arguments)
    except Exception:
        traceback.print_exc()
        return 1
