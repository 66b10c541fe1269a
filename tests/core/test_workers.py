import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from pipeline.core.workers import map_in_order

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


def dies(number):
    os._exit(1)


def test_order_is_kept_and_several_processes_work():
    results = list(map_in_order(pid_of, range(40), 2))
    assert [number for number, _ in results] == list(range(40))
    assert os.getpid() not in {pid for _, pid in results}


@pytest.mark.parametrize(("items", "processes"), [(range(3), 1), (range(1), 4), (range(0), 4)])
def test_no_process_is_started_for_nothing(items, processes):
    assert list(map_in_order(pid_of, items, processes)) == [(number, os.getpid()) for number in items]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_comes_out(processes):
    results = map_in_order(fails_at_three, range(200), processes)
    with pytest.raises(ValueError, match="three"):
        list(results)


def test_a_process_that_dies_is_an_error():
    with pytest.raises(BrokenProcessPool):
        list(map_in_order(dies, range(4), 2))


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
    """Say whether the process is there and not a zombie that nobody waits for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds, seconds=20):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
