"""Experiments for DVC's queue, checked first: DVC itself queues any value, and the task fails when it runs.

Tasks also fail if the path of the repository contains characters that DVC cannot copy.
"""

import sys
import tempfile
from pathlib import Path

from pipeline.core.errors import ParamsError, PipelineError
from pipeline.core.fields import read_params
from pipeline.core.interrupt import run
from pipeline.params import load_params

PARAMS = "params.yaml"
REFUSED = "?#{}"  # in a path: DVC uses it in a URL, which ? and # cut off, and in a format string, which {} breaks
WITHOUT = "or run `dvc exp run` without --queue and --temp"


def enqueue(root: Path, changes: list[str], targets: list[str]) -> int:
    """Queue an experiment for each combination of `changes`, and return DVC's exit status.

    Raises `ParamsError` naming the first invalid combination, or `PipelineError` if DVC cannot copy the repository;
    then nothing is queued.
    """
    require_copies(root)
    read_params(root / PARAMS)  # raises `ParamsError` outside the repository's root
    for combination in combinations(changes):
        check_combination(root, combination)
    options = [word for change in changes for word in ("-S", change)]
    command = [sys.executable, "-m", "dvc", "exp", "run", "--queue", *options, *targets]
    return run(command, root)


def require_copies(root: Path) -> None:
    """Raise `PipelineError` if DVC (tested with 3.67) cannot run experiments in copies of the repository."""
    from dvc.config import Config

    folder = root.resolve()
    if characters := [character for character in REFUSED if character in str(folder)]:
        found = f"DVC cannot copy a repository with {' or '.join(characters)} in its path: {folder}"
        raise PipelineError(found, f"rename the folder, {WITHOUT}")
    cache = Config(str(folder / ".dvc"))["cache"].get("dir") or str(folder / ".dvc/cache")
    if not cache.isascii():
        found = f"DVC cannot copy a repository whose cache has non-ASCII characters in its path: {cache}"
        raise PipelineError(found, f"`dvc cache dir --local FOLDER` selects another, or rename the folder, {WITHOUT}")


def combinations(changes: list[str]) -> list[list[str]]:
    """Return the grid of `changes`, with every list of values (`variant=Im,Ta`) expanded as DVC does."""
    from dvc.exceptions import DvcException
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import get_hydra_sweeps
    from hydra.errors import OverrideParseException

    if not changes:
        return [[]]
    try:
        by_file = to_path_overrides(changes)
        if set(by_file) != {PARAMS}:
            raise ParamsError(f"-S: found {', '.join(by_file)}, allowed is {PARAMS}, which has all parameters")
        return [list(combination[PARAMS]) for combination in get_hydra_sweeps(by_file)]
    except (DvcException, OverrideParseException) as error:
        reason = " ".join(str(error).split())
        advice = "write key=value, or key=value,value"
        raise ParamsError(f"-S {' '.join(changes)} is not valid ({reason}): {advice}") from None


def check_combination(root: Path, changes: list[str]) -> None:
    """Raise `ParamsError` if `params.yaml` with `changes` is not valid."""
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
