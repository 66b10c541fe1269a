"""The engine on a Ray cluster: tasks for functions of one item, actors for models that stay.

The variable `RAY_ADDRESS` names the cluster; without it Ray takes the one that runs on this machine, or starts one. Its
nodes share a file system: before any work each proves that it sees the same folders, and that it has the same versions
of what results depend on. What a node that dies was at work on is done by others; a driver that dies ends its tasks.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from pipeline.core import node
from pipeline.core.errors import PipelineError
from pipeline.core.node import Evidence, evidence_of
from pipeline.core.workers import ADDRESS, ENGINE, Resident, in_order, of_each

try:
    import ray
    from ray import cloudpickle, exceptions
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ModuleNotFoundError as error:
    raise PipelineError(
        f"{ENGINE}: the environment asks for Ray, which is not installed ({error.name}): `pip install -r "
        f"requirements-ray.txt` on every node, or unset {ENGINE} and {ADDRESS}"
    ) from None

cloudpickle.register_pickle_by_value(node)

Item = TypeVar("Item")
Result = TypeVar("Result")
Model = TypeVar("Model")

CPUS_EACH = 4  # of an actor without a GPU, at most; its model is in memory once for all of them
CHECK_SECONDS = 120.0  # that a node may take to start a process and answer
LOST = (  # what Ray raises where a process, or its node, died
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.OutOfMemoryError,
    exceptions.ObjectLostError,
    exceptions.RayActorError,
)

_proved: set[str] = set()  # tokens that this process of a node has seen


class Tasks(Generic[Item, Result]):
    """A crew of tasks: one CPU each, spread over the nodes."""

    def __init__(self, work: Callable[[Item], Result], folders: Sequence[Path]) -> None:
        self.work, self.folders, self.open = work, folders, ExitStack()
        self.refs: dict[Future[Any], ray.ObjectRef] = {}

    def __enter__(self) -> "Tasks[Item, Result]":
        evidence = self.open.enter_context(_proven(self.folders))
        self.shared = ray.put((evidence, self.work))
        self.task = ray.remote(_work_on).options(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")
        self.open.callback(lambda: [ray.cancel(ref, force=True) for ref in list(self.refs.values())])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.open.close()

    def size(self) -> int:
        return _count("CPU")

    def submit(self, chunk: list[Item]) -> Future[list[Result]]:
        ref = self.task.remote(self.shared, chunk)
        future = _future(ref)
        self.refs[future] = ref
        future.add_done_callback(self.refs.pop)
        return future

    def was_lost(self, future: Future[Any]) -> bool:
        return _was_lost(future)

    def alone(self, item: Item) -> Future[list[Result]]:
        return self.submit([item])

    def restart(self) -> None:
        """Do nothing: Ray starts another process by itself."""


class Actors(Generic[Model]):
    """Actors that keep a model: one per GPU, or of up to `CPUS_EACH` CPUs where there is none."""

    def __init__(self, load: Callable[[], Model], threads: int, gpu: bool, folders: Sequence[Path]) -> None:
        self.load, self.threads, self.gpu, self.folders, self.open = load, threads, gpu, folders, ExitStack()
        self.members: list[_Member] = []
        self.changed = threading.Condition()

    def __enter__(self) -> "Actors[Model]":
        self.shared = ray.put((self.open.enter_context(_proven(self.folders)), self.load))
        self.open.callback(lambda: [ray.kill(member.actor) for member in self.members])
        for options in _places(self.gpu):
            self._add(options)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.open.close()

    def ask(self, question: Callable[[Model], Result]) -> Result:
        """Return `question(model)` of any actor's model."""
        return next(in_order(_Crew(self, _answer), [[question]], None))

    def map(self, work: Callable[[Resident[Model], Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield `work(resident, item)` of each item, in order."""
        return in_order(_Crew(self, work), ([item] for item in items), None)

    def submit(self, work: Any, chunk: list[Any], to_idle: bool) -> Future[list[Any]]:
        """Give `chunk` to the actor that has least to do, or wait for one that has nothing to do."""
        member = self._free(to_idle)
        future = _future(member.actor.run.remote(work, chunk))

        def ended(future: Future[Any]) -> None:
            with self.changed:
                member.busy -= 1
                member.is_dead = member.is_dead or _was_lost(future)
                self.changed.notify_all()

        future.add_done_callback(ended)
        return future

    def replace(self) -> None:
        """Start another actor for each that has died."""
        with self.changed:
            dead = [member for member in self.members if member.is_dead]
            self.members = [member for member in self.members if not member.is_dead]
        for member in dead:
            self._add(member.options)

    def _add(self, options: dict[str, Any]) -> None:
        remote: Any = ray.remote(_Actor)
        actor = remote.options(max_concurrency=self.threads, **options).remote(self.shared)
        member = _Member(options, actor, _future(actor.load.remote()))
        with self.changed:
            self.members.append(member)

        def loaded(future: Future[None]) -> None:
            with self.changed:
                member.is_dead = member.is_dead or _was_lost(future)
                self.changed.notify_all()

        member.loaded.add_done_callback(loaded)

    def _free(self, to_idle: bool) -> "_Member":
        """Wait for an actor with a model, and count one more chunk for it."""
        while True:
            with self.changed:
                for member in self.members:
                    if member.loaded.done() and not _was_lost(member.loaded):
                        member.loaded.result()  # an error in loading comes out
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
    """The actors at one kind of work."""

    def __init__(self, actors: Actors[Any], work: Callable[[Resident[Any], Item], Result]) -> None:
        self.actors, self.work = actors, ray.put(work)

    def size(self) -> int:
        return len(self.actors.members)

    def submit(self, chunk: list[Item]) -> Future[list[Result]]:
        return self.actors.submit(self.work, chunk, to_idle=False)

    def was_lost(self, future: Future[Any]) -> bool:
        return _was_lost(future)

    def alone(self, item: Item) -> Future[list[Result]]:
        return self.actors.submit(self.work, [item], to_idle=True)

    def restart(self) -> None:
        self.actors.replace()


class _Actor:
    """What runs in the process of an actor."""

    def __init__(self, shared: tuple[Evidence, Callable[[], Any]]) -> None:
        self.evidence, self.make = shared

    def load(self) -> None:
        _require_same(self.evidence)
        self.resident = Resident(self.make())

    def run(self, work: Callable[[Any, Any], Any], chunk: list[Any]) -> list[Any]:
        return [work(self.resident, item) for item in chunk]


def _answer(resident: Resident[Any], question: Callable[[Any], Any]) -> Any:
    return question(resident.model)


def _work_on(shared: tuple[Evidence, Callable[[Any], Any]], chunk: list[Any]) -> list[Any]:
    """Work on a chunk in a process of a node."""
    evidence, work = shared
    _require_same(evidence)
    return of_each(work, chunk)


def _places(gpu: bool) -> list[dict[str, Any]]:
    """Return the options of the actors that the cluster has room for."""
    if gpu and (gpus := _count("GPU")):
        return [{"num_gpus": 1, "num_cpus": 1, "scheduling_strategy": "SPREAD"}] * gpus
    places = []
    for member in _nodes():
        cpus = int(member["Resources"].get("CPU", 0))
        for _ in range(cpus // min(cpus, CPUS_EACH) if cpus else 0):
            places.append({"num_cpus": min(cpus, CPUS_EACH), "scheduling_strategy": "SPREAD"})
    return places


def _count(resource: str) -> int:
    return int(ray.cluster_resources().get(resource, 0))


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _future(ref: Any) -> Future[Any]:
    """Return the future of a task, which raises what the work raised, and no wrapper of it."""
    made: Future[Any] = Future()

    def ended(future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            made.set_result(future.result())
        elif isinstance(error, exceptions.RayTaskError):
            cause = error.cause if isinstance(error.cause, Exception) else PipelineError(str(error))
            cause.__cause__ = PipelineError(str(error))  # where it was raised
            made.set_exception(cause)
        elif isinstance(error, LOST):
            made.set_exception(error)
        else:
            made.set_exception(PipelineError(f"Ray: {error}; run again, what is done is kept"))

    ref.future().add_done_callback(ended)
    return made


def _was_lost(future: Future[Any]) -> bool:
    return future.done() and not future.cancelled() and isinstance(future.exception(), LOST)


@contextmanager
def _proven(folders: Sequence[Path]) -> Iterator[Evidence]:
    """Connect to the cluster and yield what every node has proved to have in common with this process.

    Raises `PipelineError` naming the node and what it lacks.
    """
    _connect()
    with evidence_of(folders) as evidence:
        _check_nodes(evidence)
        yield evidence


def _connect() -> None:
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    library = str(Path(__file__).parents[2])
    paths = [library, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    variables = {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), ENGINE: "local"}  # work starts no work elsewhere
    address = os.environ.get(ADDRESS)
    try:
        ray.init(address, runtime_env={"env_vars": variables}, logging_level=logging.WARNING, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise PipelineError(
            f"{ADDRESS}: found {address!r}, no Ray cluster answers there ({error}): start one with "
            "`ray start --head` (docs/cluster.md)"
        ) from None
    if not _count("CPU"):
        raise PipelineError(f"{ADDRESS}: the Ray cluster has no CPUs: add a node with `ray start --address=…`")


def _check_nodes(evidence: Evidence) -> None:
    """Let every node that may work prove itself; the proof is sent whole, as a node may not see this library."""
    names = {}
    for member in _nodes():
        if member["Resources"].get("CPU") or member["Resources"].get("GPU"):
            pinned = NodeAffinitySchedulingStrategy(member["NodeID"], soft=False)
            task = ray.remote(node.lacking).options(num_cpus=0, max_retries=1, scheduling_strategy=pinned)
            names[task.remote(evidence)] = f"{member['NodeManagerHostname']} ({member['NodeManagerAddress']})"
    for ref, name in names.items():
        try:
            lacks = ray.get(ref, timeout=CHECK_SECONDS)
        except exceptions.GetTimeoutError:
            lacks = f"gives no answer within {CHECK_SECONDS:.0f} s"
        except exceptions.RayError as error:
            lacks = f"cannot work: {str(error).strip().splitlines()[-1]}"
        if lacks:
            raise _refusal(name, lacks)


def _require_same(evidence: Evidence) -> None:
    """Make sure of a process of a node, also of one that joined later, that it may work here.

    Folders were compared at the start: meanwhile work goes into them.
    """
    if evidence.token not in _proved:
        if lacks := node.lacking(replace(evidence, listings={})):
            raise _refusal(os.uname().nodename, lacks)
        os.chdir(evidence.place)
        _proved.add(evidence.token)


def _refusal(name: str, lacks: str) -> PipelineError:
    return PipelineError(f"the node {name} {lacks}, or take it out of the cluster (docs/cluster.md)")
