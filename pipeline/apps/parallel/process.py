"""A process for one stage, forked with its libraries imported; its output is read line by line.

In a small run, a stage that computes tensors spends most of its time importing PyTorch and MLflow. On Linux its process
is forked from one that has imported them and computed nothing (Python's fork server), and runs the stage's module as
`python -m` does. Changes of global state end with the process. Each process leads its own process group: Ctrl-C reaches
only the scheduler, which ends the group; if the scheduler is killed, the group ends itself.
"""

import atexit
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import connection, forkserver, get_context, parent_process
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from pipeline.core.interrupt import uninterrupted_children
from pipeline.core.stage import run_module
from pipeline.tracking.store import QUIET

PLAIN = re.compile(r"python -m (stages\.\w+)((?: [\w@%+=:,./-]+)*)")  # a command that needs no shell
LIBRARIES = ("torch", "torch._dynamo", "mlflow", "mlflow.store.tracking.sqlalchemy_store", "pandas", "scipy.stats")
GRACE_SECONDS = 10.0  # from Ctrl-C until processes are killed
LAST_LINES_SECONDS = 1.0  # processes that a stage left running may keep its output open


def share_imports() -> None:
    """Start the process from which stages are forked; it imports in the background."""
    for name, value in QUIET.items():  # read by MLflow on import
        os.environ.setdefault(name, value)
    forkserver.set_forkserver_preload(list(LIBRARIES))
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C must not interrupt the imports
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, handler)


class StageProcess:
    """The process of a stage; `show` receives each line of its output."""

    def __init__(
        self,
        name: str,
        root: Path,
        commands: Sequence[str],
        environment: Mapping[str, str],
        forked: bool,
        show: Callable[[str], None],
    ) -> None:
        context: ForkServerContext | SpawnContext = get_context("forkserver") if forked else get_context("spawn")
        reader, writer = context.Pipe(duplex=False)
        self.process = context.Process(target=_main, args=(root, commands, environment, writer), name=name)
        with uninterrupted_children():
            self.process.start()
        writer.close()
        self.sentinel = self.process.sentinel
        self._output = threading.Thread(target=_show_lines, args=(reader, show), daemon=True)
        self._output.start()

    def status(self) -> int:
        """Wait for the process and return its exit status, negative for a signal."""
        self.process.join()
        self._output.join(LAST_LINES_SECONDS)
        assert self.process.exitcode is not None, "it has been joined"
        return self.process.exitcode

    def interrupt(self) -> None:
        """Send SIGINT to the process and its children; kill it if it has not begun."""
        if not self._signal(signal.SIGINT):
            self.process.kill()

    def end(self) -> None:
        """Wait `GRACE_SECONDS` for the process, then kill it and its children."""
        self.process.join(GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        self.process.kill()  # if it does not lead a group yet
        self.process.join()

    def _signal(self, number: int) -> bool:
        """Return whether the process leads a group, which received the signal."""
        with suppress(ProcessLookupError, PermissionError):  # already ended; PermissionError on macOS
            os.killpg(self.process.pid or 0, number)
            return True
        return False


def run_stage(root: Path, commands: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a stage's commands in `root` and return the exit status; a plain command runs in this process.

    Changes the working directory, the environment and the arguments of the process.
    """
    os.chdir(root)
    os.environ.update(environment)
    plain = PLAIN.fullmatch(commands[0])
    if plain and len(commands) == 1:
        try:
            return run_module(plain[1], shlex.split(plain[2]))
        finally:
            atexit._run_exitfuncs()  # a forked process ends without them
    shell = os.environ.get("SHELL", "/bin/sh")  # as DVC does
    bare = {"zsh": ["--no-rcs"], "bash": ["--noprofile", "--norc"]}.get(Path(shell).name, [])
    statuses = (subprocess.run([shell, *bare, "-c", command], check=False).returncode for command in commands)
    return next(filter(None, statuses), 0)


def _main(root: Path, commands: Sequence[str], environment: Mapping[str, str], output: connection.Connection) -> None:
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        os.dup2(output.fileno(), number)
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    output.close()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(run_stage(root, commands, environment))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "only called in a stage's process"
    connection.wait([parent.sentinel])
    os.killpg(0, signal.SIGKILL)


def _show_lines(reader: connection.Connection, show: Callable[[str], None]) -> None:
    with reader, os.fdopen(os.dup(reader.fileno()), errors="replace") as lines:
        for line in lines:
            show(line.rstrip("\n"))
