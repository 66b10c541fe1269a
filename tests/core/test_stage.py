"""Launching a stage."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def test_python_without_the_packages_is_named_in_one_line():
    """`.venv/bin/dvc repro` runs this Python if the environment is not active."""
    command = [sys.executable, "-S", "-m", "stages.split"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert sys.executable in line and "source .venv/bin/activate" in line
