"""Work in batches, distributed over processes; results are in the order of the items.

Results do not depend on where the work runs, which is therefore not a parameter: in processes of this machine or, if
the environment selects it (`SOUNDTRACK_ENGINE=ray`, or `RAY_ADDRESS`), on a Ray cluster.

    map_in_order    functions of one item: parsing a page, cutting a film, computing spectrograms
    residents       functions of a model and an item: the model is loaded once per process, or per GPU of a cluster

If a process dies, its item is tried again alone, `ATTEMPTS` times in all; other items continue. A process ends at once
when its parent has ended, even if killed: it must not write into the next run's files. Ctrl-C interrupts the parent
only.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from pipeline.core.errors import ParamsError, PipelineError
from pipeline.core.interrupt import uninterrupted_children

Item = TypeVar("Item")
Result = TypeVar("Result")
Model = TypeVar("Model")

ENGINE, ADDRESS = "SOUNDTRACK_ENGINE", "RAY_ADDRESS"  # environment variables
ENGINES = ("local", "ray")
CHUNKS = 8  # per process, at least, to balance the load
MAX_CHUNK = 32  # items
WINDOW = 4  # chunks per process in flight
ATTEMPTS = 3  # at an item on which a process dies


class WorkerDiedError(PipelineError):
    """A process died in every attempt at one item."""

    def __init__(self, item: Any) -> None:
        super().__init__(f"a process died {ATTEMPTS} times on one item, perhaps out of memory")
        self.item = item


def engine() -> str:
    """Return where work runs, one of `ENGINES`; raise `ParamsError` if the environment has another value."""
    name = os.environ.get(ENGINE) or ("ray" if os.environ.get(ADDRESS) else "local")
    if name not in ENGINES:
        raise ParamsError(f"{ENGINE}: found {name!r}, allowed are {', '.join(ENGINES)}; set it in the environment")
    return name


def map_in_order(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    processes: int,
    max_chunk: int = MAX_CHUNK,
    on_death: Callable[[Item], Result] | None = None,
    folders: Sequence[Path] = (),
) -> Iterator[Result]:
    """Yield `work(item)` for each item; with one process, or one item, in this process.

    A process takes up to `max_chunk` items at a time; use 1 if an item takes seconds. `work` must be importable by a
    new process; its exceptions propagate. `on_death` returns the result of an item on which a process died `ATTEMPTS`
    times; without it `WorkerDiedError` is raised. On a cluster, `processes` is the number of its CPUs, and each node
    must see `folders` and the working directory.
    """
    opened: AbstractContextManager[Crew[Item, Result]]
    if engine() == "ray" and items:
        from pipeline.core.cluster.tasks import Tasks  # Ray is an extra

        opened = Tasks(work, folders)
    elif min(processes, len(items)) <= 1:
        yield from map(work, items)
        return
    else:
        opened = _Pool(work, min(processes, len(items)))
    with opened as crew:
        chunk = max(1, min(max_chunk, len(items) // (crew.size() * CHUNKS)))
        yield from in_order(crew, batches(items, chunk), on_death)


def run_on_a_node(module: str, arguments: Sequence[str], processes: int, gpu: bool) -> int | None:
    """Run `python -m module arguments` on a node of the cluster and return the exit status.

    It has `processes` CPUs and, with `gpu` and if the cluster has any, as many GPUs. Returns None without a cluster,
    and in a process started by `torchrun`.
    """
    if engine() != "ray" or "WORLD_SIZE" in os.environ:
        return None
    from pipeline.core.cluster.tasks import run_module

    return run_module(module, arguments, processes, gpu)


@dataclass(frozen=True)
class Resident(Generic[Model]):
    """A model that stays in a process, and the lock for computing with it from several threads."""

    model: Model
    turn: threading.Lock = field(default_factory=threading.Lock)


class Residents(Protocol[Model]):
    """The processes with a resident model."""

    def ask(self, question: Callable[[Model], Result]) -> Result:
        """Return `question(model)` from any process."""
        ...

    def map(self, work: Callable[[Resident[Model], Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield `work(resident, item)` for each item, in order; several run at once in threads."""
        ...


@contextmanager
def residents(
    load: Callable[[], Model], threads: int, gpu: bool, folders: Sequence[Path] = ()
) -> Iterator[Residents[Model]]:
    """Yield the processes with `load()`: this one or, on a cluster, one per GPU, or some per node without `gpu`.

    Each processes `threads` items at once, to read while the model computes; `work` holds `resident.turn` while it
    computes. `load`, the questions and the work must be importable by a new process. `folders` as in `map_in_order`.
    """
    if engine() == "ray":
        from pipeline.core.cluster.actors import Actors

        with Actors(load, threads, gpu, folders) as actors:
            yield actors
    else:
        yield _Here(Resident(load()), threads)


class Crew(Protocol[Item, Result]):
    """Processes that work on chunks of items."""

    def size(self) -> int:
        """Return the number of chunks processed at once."""
        ...

    def submit(self, chunk: list[Item]) -> Future[list[Result]]:
        """Start the work on `chunk`."""
        ...

    def was_lost(self, future: Future[Any]) -> bool:
        """Return whether a process died on this chunk, or on one before it."""
        ...

    def alone(self, item: Item) -> Future[list[Result]]:
        """Start the work on `item` in a process without other work."""
        ...

    def restart(self) -> None:
        """Replace dead processes."""
        ...


def in_order(
    crew: "Crew[Item, Result]", chunks: Iterable[list[Item]], on_death: Callable[[Item], Result] | None
) -> Iterator[Result]:
    """Yield the results of all items of `chunks`; the number of chunks in flight is limited.

    After a process died, the first lost chunk is processed item by item, with all memory available, and other lost
    chunks are submitted again: this finds the item that caused it, and each round completes at least one chunk.
    """
    waiting: deque[tuple[list[Item], Future[list[Result]]]] = deque()

    def first() -> list[Result]:
        chunk, future = waiting.popleft()
        try:
            return future.result()
        except Exception:
            if not crew.was_lost(future):
                raise
        crew.restart()
        results = [_alone(crew, item, on_death) for item in chunk]
        for place, (others, of_others) in enumerate(waiting):
            if crew.was_lost(of_others):
                waiting[place] = others, crew.submit(others)
        return results

    for chunk in chunks:
        while len(waiting) >= WINDOW * crew.size():
            yield from first()
        waiting.append((chunk, crew.submit(chunk)))
    while waiting:
        yield from first()


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield `items` in lists of `size`; the last one may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def of_each(work: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    """Return `work(item)` for each item of a chunk."""
    return [work(item) for item in chunk]


def _alone(crew: "Crew[Item, Result]", item: Item, on_death: Callable[[Item], Result] | None) -> Result:
    for _ in range(1, ATTEMPTS):  # the first attempt was in its chunk
        future = crew.alone(item)
        try:
            return future.result()[0]
        except Exception:
            if not crew.was_lost(future):
                raise
    if on_death is None:
        raise WorkerDiedError(item) from None
    return on_death(item)


class _Pool:
    """Processes of this machine."""

    def __init__(self, work: Callable[[Any], Any], processes: int) -> None:
        self.work, self.processes = work, processes
        self.pool = self._open(processes)

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            for process in list((self.pool._processes or {}).values()):  # terminate_workers() from Python 3.14 on
                process.terminate()  # else the items in work would be awaited
        self.pool.shutdown(cancel_futures=True)

    def size(self) -> int:
        return self.processes

    def submit(self, chunk: list[Any]) -> Future[list[Any]]:
        try:
            with uninterrupted_children():  # starts processes if all are busy
                return self.pool.submit(of_each, self.work, chunk)
        except BrokenProcessPool as error:  # a process has just died
            lost: Future[list[Any]] = Future()
            lost.set_exception(error)
            return lost

    def was_lost(self, future: Future[Any]) -> bool:
        return future.done() and isinstance(future.exception(), BrokenProcessPool)

    def alone(self, item: Any) -> Future[list[Any]]:
        with self._open(1) as pool, uninterrupted_children():
            return pool.submit(of_each, self.work, [item])

    def restart(self) -> None:
        self.pool.shutdown()
        self.pool = self._open(self.processes)

    def _open(self, processes: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent)


@dataclass(frozen=True)
class _Here(Generic[Model]):
    """This process only."""

    resident: Resident[Model]
    threads: int

    def ask(self, question: Callable[[Model], Result]) -> Result:
        return question(self.resident.model)

    def map(self, work: Callable[[Resident[Model], Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        waiting: deque[Future[Result]] = deque()
        pool = ThreadPoolExecutor(self.threads)
        try:
            for item in items:
                if len(waiting) > self.threads:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(partial(work, self.resident), item))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    assert parent is not None, "only called in a process of the pool"
    connection.wait([parent.sentinel])
    os._exit(1)
