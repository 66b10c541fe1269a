"""Scenes on a cluster of two raylets, recorded as JSON for `test_cluster.py`.

    python -m tests.core.cluster_scenes FOLDER       in its own network namespace, with only loopback

FOLDER holds `root`, for the stages `segment` and `features`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from pipeline.core.cluster import connection
from pipeline.core.errors import PipelineError
from pipeline.core.workers import ADDRESS, map_in_order, residents, run_on_a_node
from tests.core import cluster_work as work

STORE = 80 * 2**20  # bytes, of each node
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300, "health_check_failure_threshold": 3}
ROOT = Path(__file__).parents[2]


def main(folder: Path) -> None:
    """Play all scenes and write their results."""
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": False,
            "object_store_memory": STORE,
            "_system_config": QUICK,
        },
    )
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(2)]
    os.environ[ADDRESS] = cluster.address
    found = {
        "order": list(map_in_order(work.square, range(40), 2)),
        "error": outcome(lambda: list(map_in_order(work.fails_at_three, range(40), 2))),
        "nothing": list(map_in_order(work.square, [], 2)),
        "deaths": list(map_in_order(partial(work.dies_at_three, folder), range(8), 2, on_death=work.minus)),
        "large": [int(array[-1]) for array in map_in_order(work.large, range(24), 2, 1)],
        "residents": of_residents(folder),
        "no model": outcome(lambda: ask(work.no_model)),
        "unseen": refused("token", "/nowhere/token"),
        "another version": refused("versions", {"torch": "1.0"}),
        "another folder": refused("listings", {"/": "another"}),
    }
    found["module"] = [run_on_a_node("tests.core.cluster_work", [word], 1, gpu=True) for word in ("3", "raise")]
    root, killed, removed = folder / "root", [], []

    def kill(process: subprocess.Popen[bytes]) -> None:
        if journals(root) >= 2:
            killed.append(journals(root))
            process.kill()

    def remove_a_node(process: subprocess.Popen[bytes]) -> None:
        if journals(root) > killed[-1] and not removed:
            removed.append(journals(root))
            cluster.remove_node(nodes[1], allow_graceful=False)

    found["killed driver"] = stage(root, "segment", during=kill)
    found["removed node"] = stage(root, "segment", during=remove_a_node)
    found["finished"] = [*killed, *removed]
    cluster.add_node(num_cpus=1, object_store_memory=STORE)
    found["features"] = stage(root, "features", "--kind", "audio")
    (folder / "found.json").write_text(json.dumps(found))
    ray.shutdown()
    cluster.shutdown()


def of_residents(folder: Path) -> dict[str, Any]:
    with residents(work.load, 2, gpu=True) as models:
        return {
            "asked": models.ask(work.process_of),
            "results": list(models.map(work.times, range(12))),
            "one died": list(models.map(partial(work.dies_once, folder), range(8))),
        }


def ask(load: Any) -> Any:
    with residents(load, 2, gpu=False) as models:
        return models.ask(work.process_of)


def outcome(call: Any) -> str:
    try:
        return f"no error: {call()}"
    except (ValueError, PipelineError) as error:
        return f"{type(error).__name__}: {error}"


def refused(name: str, value: Any) -> str:
    """Return what happens to work if the driver's environment differs from that of the nodes."""
    true = connection.evidence_of

    @contextmanager
    def forged(folders: Any) -> Iterator[Any]:
        with true(folders) as evidence:
            yield replace(evidence, **{name: value})

    connection.evidence_of = forged
    try:
        return outcome(lambda: list(map_in_order(work.square, range(3), 2)))
    finally:
        connection.evidence_of = true


def stage(root: Path, *words: str, during: Callable[[subprocess.Popen[bytes]], None] = lambda process: None) -> int:
    """Run a stage in `root` on the cluster, calling `during` repeatedly while it runs."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", f"stages.{words[0]}", *words[1:]], cwd=root, env=environment
    ) as process:
        while process.poll() is None:
            during(process)
            time.sleep(0.05)
        return process.returncode


def journals(root: Path) -> int:
    """Return how many films `segment` has finished."""
    return len(list((root / "data/.segments").glob("*.json")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
