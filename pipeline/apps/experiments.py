"""Experiments for DVC's queue, each checked first: DVC itself queues any value, and the task fails at its turn.

So it does where the repository lies in a place that DVC makes no copies of.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.core.errors import ParamsError, PipelineError
from pipeline.params import load_params

PARAMS = "params.yaml"
REFUSED = "?#{}"  # characters of a path: DVC copies by a URL that they end, and shows it as a format that they spoil
WITHOUT = "or run `dvc exp run` without --queue and --temp"


def enqueue(root: Path, changes: list[str], targets: list[str]) -> int:
    """Queue an experiment for each combination of `changes`, and return DVC's exit status.

    Raises `ParamsError` naming the first combination that the stages would refuse, or `PipelineError` where DVC could
    run none in a copy; then nothing is queued.
    """
    require_copies(root)
    for combination in combinations(changes):
        check_combination(root, combination)
    options = [word for change in changes for word in ("-S", change)]
    command = [sys.executable, "-m", "dvc", "exp", "run", "--queue", *options, *targets]
    return subprocess.run(command, cwd=root, check=False).returncode


def require_copies(root: Path) -> None:
    """Raise `PipelineError` where DVC (tried with 3.67) fails to run experiments in copies of the repository."""
    from dvc.config import Config

    folder = root.resolve()
    if characters := [character for character in REFUSED if character in str(folder)]:
        found = f"DVC makes no copies of a repository with {' or '.join(characters)} in its path: {folder}"
        raise PipelineError(found, f"rename the folder, {WITHOUT}")
    cache = Config(str(folder / ".dvc"))["cache"].get("dir") or str(folder / ".dvc/cache")
    if not cache.isascii():
        found = f"DVC makes no copies of a repository whose cache has letters outside of ASCII in its path: {cache}"
        raise PipelineError(found, f"`dvc cache dir --local FOLDER` names another, or rename the folder, {WITHOUT}")


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
