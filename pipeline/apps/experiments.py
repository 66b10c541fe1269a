"""Experiments for DVC's queue, each checked first: DVC itself queues any value, and the task fails at its turn."""

import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.core.errors import ParamsError
from pipeline.params import load_params

PARAMS = "params.yaml"


def enqueue(root: Path, changes: list[str], targets: list[str]) -> int:
    """Queue an experiment for each combination of `changes`, and return DVC's exit status.

    Raises `ParamsError` naming the first combination that the stages would refuse; then nothing is queued.
    """
    for combination in combinations(changes):
        check_combination(root, combination)
    options = [word for change in changes for word in ("-S", change)]
    command = [sys.executable, "-m", "dvc", "exp", "run", "--queue", *options, *targets]
    return subprocess.run(command, cwd=root, check=False).returncode


def combinations(changes: list[str]) -> list[list[str]]:
    """Return `changes` with every list of values (`variant=Im,Ta`) expanded to a grid, as DVC does."""
    from dvc.exceptions import DvcException
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import get_hydra_sweeps
    from hydra.errors import OverrideParseException

    if not changes:
        return [[]]
    try:
        by_file = to_path_overrides(changes)
        if set(by_file) != {PARAMS}:
            raise ParamsError(f"-S: found {', '.join(by_file)}, allowed is {PARAMS}, which all parameters are in")
        return [list(combination[PARAMS]) for combination in get_hydra_sweeps(by_file)]
    except (DvcException, OverrideParseException) as error:
        reason = " ".join(str(error).split())
        advice = "write key=value, or key=value,value"
        raise ParamsError(f"-S {' '.join(changes)} cannot be read ({reason}): {advice}") from None


def check_combination(root: Path, changes: list[str]) -> None:
    """Raise `ParamsError` when `params.yaml` with `changes` is not valid."""
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PARAMS
        path.write_bytes((root / PARAMS).read_bytes())
        try:
            apply_overrides(path, changes)
            load_params(path)
        except DvcException as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise ParamsError(f"{reason} (with {' '.join(changes)}); nothing is queued") from None
        except ParamsError as error:
            raise ParamsError(f"{error} (with {' '.join(changes)}); nothing is queued") from None
