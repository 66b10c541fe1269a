"""The files of another revision or experiment, from Git and DVC's cache, without changing the workspace."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.core.errors import PipelineError
from pipeline.params import load_params

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem

MODEL_FILES = ("model.safetensors", "config.json", "history.csv")


@contextmanager
def files_of(root: Path, revision: str) -> Iterator[Path]:
    """Yield a folder with params.yaml, dvc.lock, models and metrics of `revision`, a commit or an experiment's name.

    Files that are not in the revision or DVC's cache are missing. Raises `PipelineError` for an unknown revision.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError

    try:
        files = DVCFileSystem(str(root.resolve()), rev=revision)
        files.ls("")
    except (DvcException, SCMError) as error:
        raise PipelineError(
            f"--rev: {revision!r} is not a commit, branch, tag or experiment of this repository ({error}): "
            "`dvc exp list --all` lists experiments"
        ) from None
    with TemporaryDirectory() as name:
        folder = Path(name)
        for path in ("params.yaml", "dvc.lock"):
            _fetch(files, path, folder)
        for variant in load_params(folder / "params.yaml").variants:
            for path in (*(f"models/{variant}/{file}" for file in MODEL_FILES), f"metrics/evaluate/{variant}.json"):
                _fetch(files, path, folder)
        yield folder


def tags_of(root: Path, revision: str) -> dict[str, str]:
    """Return the tags of a run of `revision`: its commit, and its name if it is an experiment."""
    listed = _git(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    for line in listed.splitlines():
        commit, ref = line.split(" ", 1)
        if ref.endswith(f"/{revision}"):
            return {"git.commit": commit, "dvc.exp_name": revision}
    return {"git.commit": _git(root, "rev-parse", f"{revision}^{{commit}}").strip()}


def _fetch(files: "DVCFileSystem", path: str, folder: Path) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        files.get_file(path, str(target))
    except FileNotFoundError:
        target.unlink(missing_ok=True)


def _git(root: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=False).stdout
