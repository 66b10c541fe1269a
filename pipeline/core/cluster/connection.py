"""The connection to a Ray cluster, and the checks of its nodes.

The variable `RAY_ADDRESS` selects the cluster; without it Ray uses the one that runs on this machine, or starts one.
Nodes share a file system: before any work, each is checked for the same folders and the same versions of packages that
affect results. The work of a dead node is repeated by others; when the driver dies, its tasks end.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.cluster import node
from pipeline.core.cluster.node import Evidence, evidence_of
from pipeline.core.errors import PipelineError
from pipeline.core.workers import ADDRESS, ENGINE

try:
    import ray
    from ray import cloudpickle, exceptions
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ModuleNotFoundError as error:
    raise PipelineError(
        f"{ENGINE}: the environment selects Ray, which is not installed ({error.name}): run `pip install -r "
        f"requirements-ray.txt` on every node, or unset {ENGINE} and {ADDRESS}"
    ) from None

cloudpickle.register_pickle_by_value(node)

CHECK_SECONDS = 120.0  # for a node to start a process and answer
LOST = (  # raised by Ray when a process, or its node, died
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.OutOfMemoryError,
    exceptions.ObjectLostError,
    exceptions.RayActorError,
)

_proved: set[str] = set()  # tokens checked by this process of a node


@contextmanager
def proven(folders: Sequence[Path]) -> Iterator[Evidence]:
    """Connect to the cluster, check every node, and yield the evidence that they share with this process.

    Raises `PipelineError` naming the node and the difference.
    """
    _connect()
    with evidence_of(folders) as evidence:
        _check_nodes(evidence)
        yield evidence


def _connect() -> None:
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    library = str(Path(__file__).parents[3])
    paths = [library, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    variables = {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), ENGINE: "local"}  # no nested work on the cluster
    address = os.environ.get(ADDRESS)
    try:
        ray.init(address, runtime_env={"env_vars": variables}, logging_level=logging.WARNING, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise PipelineError(
            f"{ADDRESS}: found {address!r}, but no Ray cluster is reachable there ({error}): start one with "
            "`ray start --head` (docs/cluster.md)"
        ) from None
    if not count_of("CPU"):
        raise PipelineError(f"{ADDRESS}: the Ray cluster has no CPUs: add a node with `ray start --address=…`")


def _check_nodes(evidence: Evidence) -> None:
    """Check every node with CPUs or GPUs; the code of the check is sent along, as a node may not see this library."""
    names = {}
    for member in alive_nodes():
        if member["Resources"].get("CPU") or member["Resources"].get("GPU"):
            pinned = NodeAffinitySchedulingStrategy(member["NodeID"], soft=False)
            task = ray.remote(node.lacking).options(num_cpus=0, max_retries=1, scheduling_strategy=pinned)
            names[task.remote(evidence)] = f"{member['NodeManagerHostname']} ({member['NodeManagerAddress']})"
    for ref, name in names.items():
        try:
            lacks = ray.get(ref, timeout=CHECK_SECONDS)
        except exceptions.GetTimeoutError:
            lacks = f"did not answer within {CHECK_SECONDS:.0f} s"
        except exceptions.RayError as error:
            lacks = f"cannot work: {str(error).strip().splitlines()[-1]}"
        if lacks:
            raise _refusal(name, lacks)


def require_same(evidence: Evidence) -> None:
    """Check a process of a node, possibly one that joined later; raise `PipelineError` if it differs.

    Folders are only compared at the start: work changes them.
    """
    if evidence.token not in _proved:
        if lacks := node.lacking(replace(evidence, listings={})):
            raise _refusal(os.uname().nodename, lacks)
        os.chdir(evidence.place)
        _proved.add(evidence.token)


def _refusal(name: str, lacks: str) -> PipelineError:
    return PipelineError(f"the node {name} {lacks}; fix this, or remove the node from the cluster (docs/cluster.md)")


def count_of(resource: str) -> int:
    """Return the number of CPUs or GPUs (`resource`) in the cluster."""
    return int(ray.cluster_resources().get(resource, 0))


def alive_nodes() -> list[dict[str, Any]]:
    """Return Ray's records of the nodes that are alive."""
    return [member for member in ray.nodes() if member["Alive"]]


def future_of(ref: Any) -> Future[Any]:
    """Return the future of a task, which raises the original exceptions of the work, unwrapped."""
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
            made.set_exception(PipelineError(f"Ray: {error}; run again to resume"))

    ref.future().add_done_callback(ended)
    return made


def was_lost(future: Future[Any]) -> bool:
    """Return whether `future` ended because its process or node died."""
    return future.done() and not future.cancelled() and isinstance(future.exception(), LOST)
