import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from pipeline.core import workers
from pipeline.core.errors import ParamsError, PipelineError
from pipeline.core.workers import ATTEMPTS, WINDOW, WorkerDiedError, engine, map_in_order, residents

ROOT = Path(__file__).parents[2]
WORK = """
import os, sys, time
from pathlib import Path
from pipeline.core.workers import map_in_order

def work(number):
    Path(f"{os.getpid()}.pid").touch()
    time.sleep(60)

if __name__ == "__main__":
    list(map_in_order(work, range(100), 2))
"""


def pid_of(number):
    return number, os.getpid()


def fails_at_three(number):
    if number == 3:
        raise ValueError("three")
    return number


def interrupts_itself(number):
    os.kill(os.getpid(), signal.SIGINT)
    return number


def dies_at(deadly, folder, number):
    with (folder / str(number)).open("a") as file:
        file.write("x")
    if number in deadly:
        os._exit(1)
    return number


def dies_once(folder, number):
    if number == 5 and not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(1)
    return number


def minus(number):
    return -number


def test_order_is_kept_and_several_processes_work():
    results = list(map_in_order(pid_of, range(40), 2))
    assert [number for number, _ in results] == list(range(40))
    assert os.getpid() not in {pid for _, pid in results}


def test_ctrl_c_does_not_reach_the_processes():
    assert list(map_in_order(interrupts_itself, range(4), 2)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("items", "processes"), [(range(3), 1), (range(1), 4), (range(0), 4)])
def test_no_process_is_started_without_work(items, processes):
    assert list(map_in_order(pid_of, items, processes)) == [(number, os.getpid()) for number in items]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_is_raised(processes):
    results = map_in_order(fails_at_three, range(200), processes)
    with pytest.raises(ValueError, match="three"):
        list(results)


@pytest.mark.parametrize("max_chunk", [1, 32])
def test_an_item_that_kills_its_process_is_lost_alone(max_chunk, tmp_path):
    work = partial(dies_at, (3, 50), tmp_path)
    results = list(map_in_order(work, range(64), 2, max_chunk, on_death=minus))
    assert results == [-n if n in (3, 50) else n for n in range(64)]
    assert len((tmp_path / "50").read_text()) >= ATTEMPTS


def test_without_a_substitute_result_a_death_is_an_error_with_the_item(tmp_path):
    with pytest.raises(WorkerDiedError) as info:
        list(map_in_order(partial(dies_at, (2,), tmp_path), range(4), 2))
    assert info.value.item == 2
    assert len((tmp_path / "2").read_text()) >= ATTEMPTS


def test_a_process_that_dies_once_costs_nothing(tmp_path):
    assert list(map_in_order(partial(dies_once, tmp_path), range(40), 2, 1)) == list(range(40))


def test_submitted_work_is_bounded(monkeypatch):
    """A list of millions is not submitted at once before the first result is taken."""
    submitted = []

    class Pool(workers._Pool):
        def submit(self, chunk):
            submitted.append(chunk)
            return super().submit(chunk)

    monkeypatch.setattr(workers, "_Pool", Pool)
    results = map_in_order(minus, range(10_000), 2, 1)
    assert next(results) == 0
    assert len(submitted) <= WINDOW * 2 + 1
    results.close()


def test_residents_load_once_and_keep_the_order():
    loads = []

    def load():
        loads.append(1)
        return {"factor": 10}

    def times(resident, number):
        time.sleep(0.01 * (number % 3))  # later items finish earlier
        with resident.turn:
            return resident.model["factor"] * number

    with residents(load, 3, gpu=True) as models:
        assert models.ask(lambda model: model["factor"]) == 10
        assert list(models.map(times, range(20))) == [10 * number for number in range(20)]
    assert loads == [1]


def test_an_error_of_a_resident_is_raised():
    with residents(dict, 2, gpu=False) as models, pytest.raises(KeyError, match="factor"):
        list(models.map(lambda resident, number: resident.model["factor"], range(3)))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "local"),
        ({"SOUNDTRACK_ENGINE": ""}, "local"),
        ({"SOUNDTRACK_ENGINE": "ray"}, "ray"),
        ({"RAY_ADDRESS": "a:1"}, "ray"),
        ({"RAY_ADDRESS": "a:1", "SOUNDTRACK_ENGINE": "local"}, "local"),
    ],
)
def test_the_environment_decides_where_work_runs(variables, expected, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert engine() == expected


def test_an_unknown_engine_is_named(monkeypatch):
    monkeypatch.setenv("SOUNDTRACK_ENGINE", "dask")
    with pytest.raises(ParamsError, match=r"SOUNDTRACK_ENGINE.*'dask'.*local, ray"):
        list(map_in_order(minus, range(3), 2))


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setenv("SOUNDTRACK_ENGINE", "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "pipeline.core.cluster.connection", raising=False)
    with pytest.raises(PipelineError, match=r"SOUNDTRACK_ENGINE.*requirements-ray\.txt"):
        list(map_in_order(minus, range(3), 2))


def test_processes_end_with_a_killed_parent(tmp_path):
    (tmp_path / "work.py").write_text(WORK)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "work.py"], cwd=tmp_path, env=environment)
    try:
        wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
    wait_until(lambda: not any(map(runs, pids)))


def runs(pid):
    """Return whether the process exists and is not an unreaped zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
