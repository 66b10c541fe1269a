"""Resident models: each in an actor of Ray, which keeps the model and receives items."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from pipeline.core.cluster.connection import alive_nodes, count_of, future_of, proven, ray, require_same, was_lost
from pipeline.core.cluster.node import Evidence
from pipeline.core.workers import Resident, in_order

Item = TypeVar("Item")
Result = TypeVar("Result")
Model = TypeVar("Model")

CPUS_EACH = 4  # of an actor without a GPU, at most; they share one copy of the model


class Actors(Generic[Model]):
    """Actors with a model: one per GPU or, without GPUs, one per `CPUS_EACH` CPUs."""

    def __init__(self, load: Callable[[], Model], threads: int, gpu: bool, folders: Sequence[Path]) -> None:
        self.load, self.threads, self.gpu, self.folders, self.open = load, threads, gpu, folders, ExitStack()
        self.members: list[_Member] = []
        self.changed = threading.Condition()

    def __enter__(self) -> "Actors[Model]":
        self.shared = ray.put((self.open.enter_context(proven(self.folders)), self.load))
        self.open.callback(lambda: [ray.kill(member.actor) for member in self.members])
        for options in _places(self.gpu):
            self._add(options)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.open.close()

    def ask(self, question: Callable[[Model], Result]) -> Result:
        """Return `question(model)` from any actor."""
        return next(in_order(_Crew(self, _answer), [[question]], None))

    def map(self, work: Callable[[Resident[Model], Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield `work(resident, item)` for each item, in order."""
        return in_order(_Crew(self, work), ([item] for item in items), None)

    def submit(self, work: Any, chunk: list[Any], to_idle: bool) -> Future[list[Any]]:
        """Submit `chunk` to the least busy actor, or with `to_idle` wait for an idle one."""
        member = self._free(to_idle)
        future = future_of(member.actor.run.remote(work, chunk))

        def ended(future: Future[Any]) -> None:
            with self.changed:
                member.busy -= 1
                member.is_dead = member.is_dead or was_lost(future)
                self.changed.notify_all()

        future.add_done_callback(ended)
        return future

    def replace(self) -> None:
        """Start a new actor for each that has died."""
        with self.changed:
            dead = [member for member in self.members if member.is_dead]
            self.members = [member for member in self.members if not member.is_dead]
        for member in dead:
            self._add(member.options)

    def _add(self, options: dict[str, Any]) -> None:
        remote: Any = ray.remote(_Actor)
        actor = remote.options(max_concurrency=self.threads, **options).remote(self.shared)
        member = _Member(options, actor, future_of(actor.load.remote()))
        with self.changed:
            self.members.append(member)

        def loaded(future: Future[None]) -> None:
            with self.changed:
                member.is_dead = member.is_dead or was_lost(future)
                self.changed.notify_all()

        member.loaded.add_done_callback(loaded)

    def _free(self, to_idle: bool) -> "_Member":
        """Wait for an actor with a loaded model, and count one more chunk for it."""
        while True:
            with self.changed:
                for member in self.members:
                    if member.loaded.done() and not was_lost(member.loaded):
                        member.loaded.result()  # raises an error in loading
                ready = [m for m in self.members if m.loaded.done() and not m.is_dead and not (to_idle and m.busy)]
                if ready:
                    member = min(ready, key=lambda member: member.busy)
                    member.busy += 1
                    return member
                if not any(member.is_dead for member in self.members):
                    self.changed.wait()
                    continue
            self.replace()


@dataclass(eq=False)
class _Member:
    options: dict[str, Any]
    actor: Any
    loaded: Future[None]
    busy: int = 0  # chunks
    is_dead: bool = False


class _Crew(Generic[Item, Result]):
    """The actors for one kind of work."""

    def __init__(self, actors: Actors[Any], work: Callable[[Resident[Any], Item], Result]) -> None:
        self.actors, self.work = actors, ray.put(work)

    def size(self) -> int:
        return len(self.actors.members)

    def submit(self, chunk: list[Item]) -> Future[list[Result]]:
        return self.actors.submit(self.work, chunk, to_idle=False)

    def was_lost(self, future: Future[Any]) -> bool:
        return was_lost(future)

    def alone(self, item: Item) -> Future[list[Result]]:
        return self.actors.submit(self.work, [item], to_idle=True)

    def restart(self) -> None:
        self.actors.replace()


class _Actor:
    """The code that runs in the process of an actor."""

    def __init__(self, shared: tuple[Evidence, Callable[[], Any]]) -> None:
        self.evidence, self.make = shared

    def load(self) -> None:
        require_same(self.evidence)
        self.resident = Resident(self.make())

    def run(self, work: Callable[[Any, Any], Any], chunk: list[Any]) -> list[Any]:
        return [work(self.resident, item) for item in chunk]


def _answer(resident: Resident[Any], question: Callable[[Any], Any]) -> Any:
    return question(resident.model)


def _places(gpu: bool) -> list[dict[str, Any]]:
    """Return the options of as many actors as fit in the cluster."""
    if gpu and (gpus := count_of("GPU")):
        return [{"num_gpus": 1, "num_cpus": 1, "scheduling_strategy": "SPREAD"}] * gpus
    places = []
    for member in alive_nodes():
        cpus = int(member["Resources"].get("CPU", 0))
        for _ in range(cpus // min(cpus, CPUS_EACH) if cpus else 0):
            places.append({"num_cpus": min(cpus, CPUS_EACH), "scheduling_strategy": "SPREAD"})
    return places
