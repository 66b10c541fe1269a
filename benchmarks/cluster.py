"""The data stages on a Ray cluster of one and two nodes with one CPU each, against one process; identical outputs.

    python -m benchmarks.cluster          # needs the outputs of `dvc repro` in data/, and two cores; 6 minutes

Each stage starts from nothing: `parse` of the pages, `segment` of the recordings, `features` of some tracks by the
encoder of params.yaml, and of all tracks as log-mel. Times are those of the whole command. Fixed costs are measured
separately: connecting and checking the nodes, and the number of tasks per second that a driver submits. Without a
network Ray needs a network namespace with loopback only: `unshare --net sh -c "ip link set lo up && python -m
benchmarks.cluster"`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from ruamel.yaml import YAML

from benchmarks.report import figure, publish
from pipeline.core.tables import DATASET, read_table, write_table
from pipeline.core.workers import ADDRESS, ENGINE, map_in_order

ROOT = Path(__file__).resolve().parent.parent
STORE = 200 * 2**20  # bytes of a node's object store
TASKS = 2000
TRACKS = 96  # read by the encoder
STAGES = {  # name: inputs, outputs
    "parse": (["data/pages", "data/posters", "data/pages.parquet"], ["data/films.parquet", "data/image"]),
    "segment": (["data/downloads", "data/downloads.parquet"], ["data/segments.parquet", "data/audio"]),
    "features": (["data/audio", "data/dataset.parquet"], ["data/features/audio.parquet"]),
    "log-mel": (["data/audio", "data/dataset.parquet"], ["data/features/audio.parquet"]),
}


def main() -> None:
    """Run each stage in one process, on one node and on two, and print the figures."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="cluster-") as name:
        folder = Path(name)
        alone = {stage: timed(folder, stage, {ENGINE: "local"}) for stage in STAGES}
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE},
        )
        for nodes in (1, 2):
            cluster.add_node(num_cpus=1, object_store_memory=STORE)
            for stage, (seconds, digest) in alone.items():
                ours, found = timed(folder, stage, {ADDRESS: cluster.address})
                if found != digest:
                    sys.exit(f"{stage}: the outputs of {nodes} nodes differ from those of one process")
                figures.append(figure(f"{stage}, nodes: {nodes}", ours, "s", seconds, "one process"))
                print(figures[-1], flush=True)
        os.environ[ADDRESS] = cluster.address
        begin = time.perf_counter()
        list(map_in_order(int, [0], 1))
        figures.append(figure("connecting, checking the nodes, one task", time.perf_counter() - begin, "s"))
        begin = time.perf_counter()
        list(map_in_order(int, range(TASKS), 1, max_chunk=1))
        figures.append(figure("empty tasks", TASKS / (time.perf_counter() - begin), "tasks/s"))
        ray.shutdown()
        cluster.shutdown()
    publish("cluster", figures)


def timed(folder: Path, stage: str, environment: dict[str, str]) -> tuple[float, str]:
    """Run a stage from nothing and return its seconds and the digest of its outputs."""
    reads, writes = STAGES[stage]
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    (root / "data").mkdir(parents=True)
    shutil.copytree(ROOT / "data/sample", root / "data/sample")
    for name in reads:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    if stage == "features":
        rows = read_table(root / "data/dataset.parquet", DATASET, "split")
        write_table(root / "data/dataset.parquet", rows[:TRACKS], DATASET)
    params = YAML().load((ROOT / "params.yaml").read_text())
    params["machine"]["processes"] = 1
    if stage == "log-mel":
        params["features"]["audio"]["encoder"] = "log-mel"
    with (root / "params.yaml").open("w") as file:
        YAML().dump(params, file)
    words = ["features", "--kind", "audio"] if stage in ("features", "log-mel") else [stage]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", f"stages.{words[0]}", *words[1:]],
        cwd=root,
        env=variables,
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin, digest_of(root, writes)


def digest_of(root: Path, names: Sequence[str]) -> str:
    """Return a digest of files, and of all files in folders."""
    digest = hashlib.sha256()
    for name in names:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
