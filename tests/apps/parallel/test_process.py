"""A stage's process: its command, environment, output and end."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from multiprocessing import connection
from pathlib import Path

import pytest

from pipeline.apps.parallel.process import PLAIN, StageProcess, run_stage
from tests.test_architecture import PIPELINE

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with a package `stages`, which a new process imports."""
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/__init__.py").touch()
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "stages"]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def write_stage(root: Path, text: str) -> None:
    (root / "stages/work.py").write_text(textwrap.dedent(text))


def started(root: Path, *commands: str, environment: dict | None = None) -> tuple[StageProcess, list[str]]:
    """Return a running process and the list that receives its lines."""
    lines: list[str] = []
    return StageProcess("stage", root, commands, environment or {}, False, lines.append), lines


def wait_for(condition) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_every_stage_of_the_pipeline_is_a_plain_command():
    commands = [stage.get("do", stage)["cmd"].replace("${key}", "Im") for stage in PIPELINE.values()]
    assert [command for command in commands if not PLAIN.fullmatch(command)] == []


@pytest.mark.parametrize(
    "command", ["python -m stages.a > b", "python -m stages.a $B", "python -m other", "python -m stages.a; c"]
)
def test_shell_commands_are_not_plain(command):
    assert PLAIN.fullmatch(command) is None


def test_a_module_runs_as_python_runs_it(root):
    write_stage(
        root,
        """
        import os, sys
        print(__name__, sys.modules["__main__"].__spec__.name, *sys.argv[1:], os.environ["WORD"], os.getcwd())
        print("to stderr", file=sys.stderr)
        print("not ended", end="")
        """,
    )
    process, lines = started(root, "python -m stages.work --variant Im", environment={"WORD": "given"})
    assert process.status() == 0
    assert lines == [f"__main__ stages.work --variant Im given {root}", "to stderr", "not ended"]


@pytest.mark.parametrize(
    ("end", "status", "printed"),
    [
        ("sys.exit(3)", 3, []),
        ("sys.exit()", 0, []),
        ("sys.exit('ERROR: what is wrong')", 1, ["ERROR: what is wrong"]),
        ("import atexit; atexit.register(print, 'at the end')", 0, ["at the end"]),
    ],
)
def test_status_and_last_lines_come_from_the_module(root, end, status, printed):
    write_stage(root, f"import sys\n{end}")
    process, lines = started(root, "python -m stages.work")
    assert process.status() == status
    assert lines == printed


def test_an_exception_is_shown_with_its_traceback(root):
    write_stage(root, "raise ValueError('of this stage')")
    process, lines = started(root, "python -m stages.work")
    assert process.status() == 1
    assert lines[-1] == "ValueError: of this stage"


def test_other_commands_run_in_the_shell_until_one_fails(root, monkeypatch):
    monkeypatch.setattr(os, "chdir", lambda path: None)
    assert run_stage(root, ["echo a > a; echo $WORD > b", "exit 4", "touch c"], {"WORD": "given"}) == 4
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("a\n", "given\n")
    assert not (root / "c").exists()


def test_interrupting_ends_what_a_stage_has_started_too(root):
    write_stage(
        root,
        """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        print(child.pid)
        child.wait()
        """,
    )
    process, lines = started(root, "python -m stages.work")
    wait_for(lambda: lines)
    process.interrupt()
    process.end()
    assert process.process.exitcode != 0
    wait_for(lambda: not alive(int(lines[0])))


def test_a_process_interrupted_before_it_starts_ends_silently(root):
    write_stage(root, "import time; time.sleep(60)")
    process, lines = started(root, "python -m stages.work")
    process.interrupt()
    process.process.join(5)
    assert process.process.exitcode is not None
    process.end()
    assert lines == []


def test_a_process_that_ignores_interrupts_is_killed(root, monkeypatch):
    monkeypatch.setattr("pipeline.apps.parallel.process.GRACE_SECONDS", 0.1)
    write_stage(
        root,
        """
        import signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("deaf")
        time.sleep(1000)
        """,
    )
    process, lines = started(root, "python -m stages.work")
    wait_for(lambda: lines)
    process.interrupt()
    process.end()
    assert process.status() == -signal.SIGKILL
    assert connection.wait([process.sentinel], timeout=0)


def test_a_stage_ends_with_a_scheduler_that_is_killed(root):
    write_stage(root, "import os, time; print(os.getpid()); time.sleep(1000)")
    scheduler = f"""
import sys, time
from pathlib import Path
sys.path.append({str(ROOT)!r})
from pipeline.apps.parallel.process import StageProcess
if __name__ == "__main__":
    StageProcess("stage", Path(), ["python -m stages.work"], {{}}, False, lambda line: print(line, flush=True))
    time.sleep(1000)
"""
    (root / "scheduler.py").write_text(scheduler)
    parent = subprocess.Popen([sys.executable, "scheduler.py"], stdout=subprocess.PIPE, text=True, cwd=root)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not alive(pid))
