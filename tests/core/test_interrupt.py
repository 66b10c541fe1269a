"""Ctrl-C in a terminal signals this process and all of its workers: one line, exit status 130."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WORK = """
import time
from pathlib import Path
import stages
from pipeline.core.stage import launch
from pipeline.core.workers import map_in_order

def work(number):
    if number == 0:
        Path("1.pid").touch()
        time.sleep(60)
    if number == 1:
        Path("2.pid").touch()  # then this process waits for work

def main(root):
    for _ in map_in_order(work, range(2), 2):
        pass

if __name__ == "__main__":
    launch(main, {})
"""
COMMAND = """
import sys, time
from pathlib import Path
from pipeline import __main__ as commands

def wait(options):
    Path("1.pid").touch()
    time.sleep(60)

commands.COMMANDS["experiments"][0]._run = wait
sys.exit(commands.main(["repro"]))
"""

PROGRAM = """
import sys
from pathlib import Path
import stages
from pipeline.core.interrupt import run

PROGRAM = '''
import time
from pathlib import Path
try:
    Path("1.pid").touch()
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1.0)
    Path("written").touch()
'''
run([sys.executable, "-c", PROGRAM], Path())
"""


def interrupted(code: str, folder: Path, processes: int) -> tuple[int, str]:
    """Run `code`, signal its process group once its processes are at work, and return its status and output."""
    (folder / "work.py").write_text(code)
    (folder / "params.yaml").write_text("{}")
    child = subprocess.Popen(
        [sys.executable, "work.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 30
    while len(list(folder.glob("*.pid"))) < processes and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    try:
        output, _ = child.communicate(timeout=30)
    finally:
        os.killpg(child.pid, signal.SIGKILL) if child.poll() is None else None
    return child.returncode, output


@pytest.mark.parametrize(("code", "processes"), [(WORK, 2), (COMMAND, 1)])
def test_one_line(code, processes, tmp_path):
    status, output = interrupted(code, tmp_path, processes)
    assert (status, len(output.splitlines())) == (130, 1), output
    assert output.startswith("stopped; ")


def test_a_program_may_finish_writing(tmp_path):
    status, _ = interrupted(PROGRAM, tmp_path, 1)
    assert status == 130 and (tmp_path / "written").exists()
