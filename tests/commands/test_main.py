"""`python -m pipeline`: one file per command, all listed in the help, which imports nothing heavy."""

import itertools
import json
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

from pipeline.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[2]
ALL = [*itertools.chain(*COMMANDS.values())]
HEAVY = {"torch", "torchaudio", "transformers", "mlflow", "matplotlib", "pandas", "yt_dlp", "av", "fastapi", "dvc"}
HELP = """
import json, sys
from pipeline.__main__ import main
try:
    main(["--help"])
except SystemExit as ended:
    print(json.dumps([ended.code, sorted(sys.modules)]))
"""


def word_of(command) -> str:
    """Return the name of a command from its file name."""
    return command.__name__.rpartition(".")[2].replace("_", "-")


def test_every_file_is_the_command_that_it_is_named_after():
    files = {path.stem for path in (ROOT / "pipeline/commands").glob("*.py")} - {"__init__"}
    assert {word_of(command) for command in ALL} == {name.replace("_", "-") for name in files}
    for command in ALL:
        subparsers = ArgumentParser().add_subparsers()
        command.register(subparsers)
        assert word_of(command) in subparsers.choices


def test_without_a_command_the_commands_are_listed(capsys):
    assert main([]) == 2
    assert {f"{group}:" for group in COMMANDS} <= set(capsys.readouterr().out.splitlines())


def test_help_lists_the_commands_and_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, check=True)
    printed, _, last = done.stdout.rstrip().rpartition("\n")
    status, modules = json.loads(last)
    assert status == 0
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")][2:] == [word_of(command) for command in ALL]
    assert {f"{group}:" for group in COMMANDS} <= set(lines)
    assert HEAVY & set(modules) == set()
