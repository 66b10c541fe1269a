"""DVC's command line in forks of one process that has imported it: the imports take most of a short command's time.

    python tests/dvc_forks.py        reads one command per line as JSON and answers each with its exit status

A fork runs what the program `dvc` runs, in a process, folder and environment of its own.
"""

import atexit
import gc
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

IMPORTED = (
    "dulwich.ignore",
    "dulwich.worktree",
    "dvc.cachemgr",
    "dvc.cli.parser",
    "dvc.data_cloud",
    "dvc.dvcfile",
    "dvc.fs.dvc",
    "dvc.parsing",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.experiments",
    "dvc.repo.index",
    "dvc.repo.open_repo",
    "dvc.repo.plots",
    "dvc.repo.reproduce",
    "dvc.repo.stage",
    "dvc.stage.cache",
    "dvc.ui.table",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile.db.local",
    "dvc_data.index",
    "networkx",
    "ruamel.yaml",
    "scmrepo.git",
)


def run_dvc(words: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path) -> int:
    """Run `dvc` with `words` in `folder`, its output in a file, and return its exit status."""
    server = _server(os.getpid())
    assert server.stdin and server.stdout
    server.stdin.write(f"{json.dumps([words, str(folder), dict(environment), str(output)])}\n")
    server.stdin.flush()
    return int(server.stdout.readline())


@cache
def _server(_: int) -> subprocess.Popen[str]:
    """Start the process for the tests of one process; it ends with it."""
    command, pipe = [sys.executable, __file__], subprocess.PIPE
    server = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    for name in IMPORTED:
        import_module(name)
    gc.freeze()  # or a fork's first collection copies all of it
    for line in sys.stdin:
        command = json.loads(line)
        if (child := os.fork()) == 0:
            _run(*command)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(words: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    """Run a command in this process, a fork, and end it without taking its modules apart, which takes a second."""
    from dvc.cli import main

    for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY | os.O_APPEND)):
        os.dup2(os.open(path, flags), number)
    os.dup2(1, 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["dvc", *words]
    try:
        status = main()
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve()
