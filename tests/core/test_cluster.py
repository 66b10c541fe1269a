"""The engine on a cluster of two raylets of one CPU each: the same results as one process, whatever dies.

The cluster runs in its own network namespace with only loopback, so nothing outside can be reached; where
the system does not support this, Ray uses this machine's own address.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.core.tables import DATASET, DOWNLOADS, SEGMENTS, read_table, write_table
from tests.segment.sounds import music, write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FILMS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the roots `local` and `root`: results of one process, and of the cluster."""
    folder = tmp_path_factory.mktemp("cluster")
    local = folder / "local"
    write_inputs(local)
    shutil.copytree(local, folder / "root")
    run(local, "stages.segment")
    write_dataset(local)
    shutil.copy(local / "data/dataset.parquet", folder / "root/data")
    run(local, "stages.features", "--kind", "audio")
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """The results of the scenes."""
    namespace = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else []), "sh", "-c"]
    command = [sys.executable, "-m", "tests.core.cluster_scenes", str(folder)]
    if may_unshare(namespace):
        command = [*namespace, f"ip link set lo up && exec {shlex.join(command)}"]
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as files:  # a short path, as it contains sockets
        environment = os.environ | {"RAY_TMPDIR": files}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((folder / "found.json").read_text()) | {"printed": done.stderr}


def test_order_is_kept_and_both_nodes_work(found):
    assert [square for square, _ in found["order"]] == [number**2 for number in range(40)]
    assert len({process for _, process in found["order"]}) == 2
    assert found["nothing"] == []


def test_an_error_is_raised_unchanged(found):
    assert found["error"] == "ValueError: three"


def test_an_item_that_kills_three_processes_is_lost_alone(found, folder):
    assert found["deaths"] == [0, 1, 2, -3, 4, 5, 6, 7]
    assert (folder / "deaths").read_text() == "xxx"


def test_results_larger_than_the_object_store_arrive(found):
    assert found["large"] == list(range(24))


def test_a_model_is_loaded_once_per_actor_and_the_order_is_kept(found):
    results = found["residents"]["results"]
    assert [number for number, _ in results] == [10 * number for number in range(12)]
    assert 1 <= len({process for _, process in results} | {found["residents"]["asked"]}) <= 2


def test_a_dead_actors_work_is_done_by_another(found):
    assert found["residents"]["one died"] == [10 * number for number in range(8)]


def test_an_error_in_loading_a_model_is_raised(found):
    assert found["no model"] == "ValueError: no such model"


def test_a_module_on_a_node_returns_output_and_status(found):
    assert found["module"] == [3, 1]
    assert found["printed"].count("told by __main__ with 3") == 1 and "ValueError: raised" in found["printed"]


@pytest.mark.parametrize(
    ("case", "what"),
    [("unseen", "storage"), ("another version", "instead of 1.0"), ("another folder", "files in / ")],
)
def test_a_node_that_differs_from_the_driver_is_named_with_the_cause(case, what, found):
    assert found[case].startswith("PipelineError: the node ") and what in found[case]


def test_a_killed_driver_and_a_removed_node_lose_nothing(found, folder):
    """The driver is killed during the first run, and a node removed during the second."""
    assert found["killed driver"] == -9 and found["removed node"] == 0
    *_, killed, removed = found["finished"]
    assert 2 <= killed < removed < FILMS, "each happened while films were being cut"
    expected = left(folder / "local")
    assert len(expected) > FILMS
    assert left(folder / "root") == expected


def test_features_equal_those_of_one_process(found, folder):
    assert found["features"] == 0
    table = "data/features/audio.parquet"
    assert (folder / "root" / table).read_bytes() == (folder / "local" / table).read_bytes()


def test_no_token_is_left(found, folder):
    assert not [*(folder / "root").glob(".node-*"), *ROOT.glob(".node-*"), *(ROOT / ".dvc" / "tmp").glob(".node-*")]


def may_unshare(namespace: list[str]) -> bool:
    """Return whether network namespaces are available: some containers and systems have none."""
    try:
        return subprocess.run([*namespace, "ip link set lo up"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def write_inputs(root: Path) -> None:
    """Write parameters and the downloads of some films."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["segment"] |= {"seconds": 5.0, "hop_seconds": 5.0}
    params["machine"]["processes"] = 1
    root.mkdir()
    with (root / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    rows = []
    for number in range(FILMS):
        fid, path = f"AA{chr(ord('A') + number)}", f"data/downloads/AA{chr(ord('A') + number)}/000.wav"
        (root / path).parent.mkdir(parents=True)
        write(root / path, music(number, 20.0), 22050, ".wav", "mono", None)
        row = dict.fromkeys(DOWNLOADS.names, "") | {"fid": fid, "number": 0, "entry": None, "chapters": []}
        row |= {"status": "ok", "path": path, "sha256": f"{number:064x}", "bytes": 1}
        rows.append(row | dict.fromkeys(("expected_seconds", "decoded_seconds")))
    write_table(root / "data/downloads.parquet", rows, DOWNLOADS)


def write_dataset(root: Path) -> None:
    """Write the outputs of `split` for the first segment of each film."""
    rows = []
    for segment in read_table(root / "data/segments.parquet", SEGMENTS, "segment"):
        if segment["status"] == "ok" and segment["number"] == 0:
            row = dict.fromkeys(DATASET.names, "") | {"year": 1950, "compared": True}
            rows.append(row | {name: segment[name] for name in ("fid", "number", "path", "seconds", "file_sha256")})
    write_table(root / "data/dataset.parquet", rows, DATASET)


def run(root: Path, module: str, *arguments: str) -> None:
    """Run a stage in processes of this machine."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=root, env=environment, check=True)


def left(root: Path) -> dict[str, bytes]:
    """Return the outputs of `segment`."""
    paths = [root / "data/segments.parquet", *sorted((root / "data/audio").rglob("*.*"))]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
