"""Stages side by side in a repository of five that compute nothing: the result is that of `dvc repro` in any case.

first ── left ──┐
    └─── right ─┴── last      alone
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.apps.parallel import graph
from tests.small_repository import Repository
from tests.test_architecture import PIPELINE

ROOT = Path(__file__).parents[3]
REPRO = ("python", "-m", "pipeline", "repro", "--parallel", "2")
DVC_YAML = """
stages:
  first: {cmd: python -m stages.work first, deps: [stages/work.py], outs: [first.txt]}
  side:
    foreach: [left, right]
    do: {cmd: "python -m stages.work ${item}", deps: [first.txt], outs: ["${item}.txt"]}
  last:
    cmd:
      - python -m stages.work last
      - echo "$DVC_STAGE of $DVC_ROOT" >> stage.log
    deps: [left.txt, right.txt]
    outs: [last.txt]
    metrics: [last.json: {cache: false}]
  alone: {cmd: python -m stages.work alone, deps: [stages/work.py], outs: [alone.txt: {persist: true}]}
"""
WORK = """
import os, sys, time
from pathlib import Path

def write(line):
    with open("ran", "a") as ran:
        ran.write(f"{line}\\n")

name, mode = sys.argv[1], Path("mode").read_text()
write(name)
print("begins", name)
if mode == f"fail {name}":
    sys.exit(f"ERROR: {name} is to fail")
if mode == "meet" and name in ("left", "right"):  # each ends when the other has begun
    Path(f"{name}.begun").touch()
    while not (Path("left.begun").exists() and Path("right.begun").exists()):
        time.sleep(0.01)
if mode == f"hang {name}":
    Path("hangs").write_text(str(os.getpid()))
    time.sleep(1000)
needed = {"left": ["first"], "right": ["first"], "last": ["left", "right"]}.get(name, [])
Path(f"{name}.txt").write_text("".join(Path(f"{other}.txt").read_text() for other in needed) + f"{name}\\n")
if name == "last":
    Path("last.json").write_text("{}")
write(f"/{name}")
"""
ALL = ["alone", "first", "last", "left", "right"]
PATIENCE_SECONDS = 120
pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path) -> Repository:
    """The repository before any run."""
    for name in ("stages", ".dvc/tmp"):
        (tmp_path / name).mkdir(parents=True)
    for name, text in {
        "dvc.yaml": DVC_YAML,
        "stages/work.py": WORK,
        "stages/__init__.py": "",
        "mode": "quick",
        ".dvc/config": "[core]\n    analytics = false\n",
        ".dvcignore": "__pycache__\n",
        "params.yaml": (ROOT / "params.yaml").read_text(),
    }.items():
        (tmp_path / name).write_text(text)
    repository = Repository(tmp_path)
    repository.environment |= {"PYTHONPATH": str(ROOT), "SHELL": "/bin/sh"}
    repository.succeed("git", "init", "-q", "-b", "main")
    return repository


def set_mode(repository: Repository, mode: str) -> None:
    (repository.folder / "mode").write_text(mode)


def steps(repository: Repository) -> list[str]:
    """Return the stages started and, with a slash, ended since the last call."""
    path = repository.folder / "ran"
    names = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return names


def ran(repository: Repository) -> list[str]:
    """Return the names of the stages that have run since the last call."""
    return sorted(step for step in steps(repository) if not step.startswith("/"))


def kept(repository: Repository) -> dict[str, bytes]:
    """Return dvc.lock and all outputs."""
    names = ["dvc.lock", "last.json", *(f"{name}.txt" for name in ALL)]
    return {name: (repository.folder / name).read_bytes() for name in names}


def assert_nothing_is_stale(repository: Repository) -> None:
    output = repository.succeed("dvc", "repro")
    assert repository.ran(output) == []
    assert "up to date" in output


def test_gives_the_result_of_dvc_repro_and_repeats_nothing(repository):
    repository.succeed("dvc", "repro")
    expected, environment = kept(repository), (repository.folder / "stage.log").read_text()
    assert ran(repository) == ALL
    shutil.rmtree(repository.folder / ".dvc/cache")
    for name in (*expected, "stage.log"):
        (repository.folder / name).unlink()
    output = repository.succeed(*REPRO)
    assert ran(repository) == ALL
    assert kept(repository) == expected
    assert (repository.folder / "stage.log").read_text() == environment
    assert re.search(r"^side@left +\| begins left$", output, re.MULTILINE)
    assert_nothing_is_stale(repository)

    for name in expected:
        if name != "alone.txt":  # persistent: DVC's run cache has no such outputs
            (repository.folder / name).unlink()
    repository.succeed(*REPRO)
    assert ran(repository) == ["alone"]
    assert kept(repository) == expected
    repository.succeed(*REPRO)
    assert ran(repository) == []


def test_stages_run_side_by_side_and_after_what_they_depend_on(repository):
    set_mode(repository, "meet")
    repository.succeed(*REPRO, "last")
    found = steps(repository)
    assert found[:2] == ["first", "/first"]
    assert set(found[2:4]) == {"left", "right"}
    assert set(found[4:6]) == {"/left", "/right"}
    assert found[6:] == ["last", "/last"]


def test_failures_are_named_and_the_rest_continues(repository):
    set_mode(repository, "fail left")
    done = repository.run(*REPRO)
    assert done.returncode == 1
    assert "ERROR: left is to fail" in done.stdout
    assert done.stdout.splitlines()[-1] == "ERROR: failed: side@left; therefore not run: last"
    assert ran(repository) == ["alone", "first", "left", "right"]
    assert graph.recorded(repository.folder) == ["first", "side@right", "alone"]
    set_mode(repository, "quick")
    repository.succeed(*REPRO)
    assert ran(repository) == ["last", "left"]
    assert_nothing_is_stale(repository)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_loses_only_running_stages(repository, number):
    set_mode(repository, "hang left")
    log, end = repository.folder / "log.out", time.monotonic() + PATIENCE_SECONDS
    with log.open("w") as output:
        streams = {"stdout": output, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(
            [sys.executable, *REPRO[1:]], cwd=repository.folder, env=repository.environment, **streams
        )
        while not {"alone", "first", "side@right"} <= set(graph.recorded(repository.folder)):
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        process.send_signal(number)
        status = process.wait(PATIENCE_SECONDS)
    if number == signal.SIGINT:
        assert status == 130
        assert " side@left;" in log.read_text().splitlines()[-1]
        assert "Traceback" not in log.read_text()
    stage = int((repository.folder / "hangs").read_text())
    while psutil.pid_exists(stage):
        assert time.monotonic() < end
        time.sleep(0.1)
    set_mode(repository, "quick")
    ran(repository)
    repository.succeed(*REPRO)
    assert ran(repository) == ["last", "left"]
    assert_nothing_is_stale(repository)


def test_one_at_a_time_on_request_and_no_stage_locked_by_another_command(repository):
    busy = {str(repository.folder / "alone.txt"): {"pid": os.getpid(), "cmd": "dvc repro alone"}}
    (repository.folder / ".dvc" / "tmp" / "rwlock").write_text(json.dumps({"write": busy, "read": {}}))
    done = repository.run(*REPRO[:-1], "1")
    assert done.returncode == 1
    assert "dvc repro alone" in done.stdout
    assert done.stdout.splitlines()[-1] == "ERROR: failed: alone; therefore not run: none"
    found = steps(repository)
    assert found[1::2] == [f"/{name}" for name in found[::2]]
    assert sorted(found[::2]) == ["first", "last", "left", "right"]


def test_unknown_names_are_answered_with_the_known(repository):
    done = repository.run("python", "-m", "pipeline", "repro", "sid")
    assert done.returncode == 1
    assert "STAGE: found sid, allowed are first, side@left, side, side@right, last, alone" in done.stdout
    done = repository.run("python", "-m", "pipeline", "train", "Nope")
    assert done.returncode == 1
    assert "variant: found 'Nope', allowed are Im, Ta" in done.stdout
    assert ran(repository) == []


def test_stages_that_compute_tensors_are_those_that_depend_on_encoders():
    found = {name for name, stage in PIPELINE.items() if graph.TENSORS in stage.get("do", stage)["deps"]}
    assert found == {"features", "train", "evaluate", "publish"}
