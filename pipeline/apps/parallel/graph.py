"""DVC's part of a run: the stages, whether one is stale, restoring outputs, and recording them.

Each function calls DVC's own functions as `dvc repro` does at that point of a stage; the results of a run are the same.
All are called in the one process that holds DVC's lock: dvc.lock has one writer.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import ParamsError, PipelineError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

LOCK = "dvc.lock"
TENSORS = "pipeline/encoders"  # a dependency of stages that compute tensors


@contextmanager
def explained() -> Iterator[None]:
    """Raise exceptions of DVC in the block as `PipelineError`."""
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as error:
        raise PipelineError(" ".join(str(error.__cause__ or error).split())) from error


def require_lock(root: Path) -> None:
    """Raise `PipelineError` if DVC cannot read dvc.lock, e.g. after it was killed while writing it."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils.serialize import EncodingError, YAMLFileCorruptedError, load_yaml
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(load_yaml(root / LOCK))
    except FileNotFoundError:
        return
    except (YAMLFileCorruptedError, EncodingError, Invalid):
        empty = not (root / LOCK).read_bytes().strip()
        found = f"{LOCK} is {'empty' if empty else 'damaged'}"
        raise PipelineError(found, f"run `git checkout {LOCK}`, then `dvc repro`: files are kept") from None


def order(repo: "Repo", targets: Sequence[str]) -> "dict[Stage, set[Stage]]":
    """Return the stages that `targets` (default: all) need, in the order of `dvc repro`, each with its upstream stages.

    Raises `ParamsError` naming the known stages.
    """
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
    from dvc.stage.exceptions import StageFileDoesNotExistError, StageNotFound

    graph = get_active_graph(repo.index.graph)
    try:
        wanted = collect_stages(repo, targets or ["dvc.yaml"])
    except (StageFileDoesNotExistError, StageNotFound):
        names = dict.fromkeys(name for stage in repo.index.stages for name in (stage.addressing, group_of(stage)))
        unknown = [target for target in targets if target not in names]
        raise ParamsError(f"STAGE: found {', '.join(unknown)}, allowed are {', '.join(names)}") from None
    return {stage: set(graph.successors(stage)) for stage in plan_repro(graph, wanted)}


def group_of(stage: "Stage") -> str:
    """Return the name of a stage without the key of its `foreach`."""
    return stage.addressing.partition("@")[0]


def computes_tensors(stage: "Stage") -> bool:
    """Return whether a stage imports PyTorch, and uses a GPU if available."""
    return any(dep.def_path == TENSORS for dep in stage.deps)


def settle(stage: "Stage", upstream: "set[Stage]", allow_missing: bool) -> str | None:
    """Return how DVC brought a stage up to date, or None if its command must run; its outputs are then removed.

    Stages without a command and frozen stages are left to DVC. With `allow_missing`, missing files that are otherwise
    as in dvc.lock make no stage stale.
    """
    from dvc.stage.cache import RunCacheNotFoundError

    if stage.frozen or not stage.cmd:
        if not stage.reproduce(allow_missing=allow_missing, upstream=list(upstream)):
            return "up to date"
        stage.dump(update_pipeline=False)
        return "done by DVC"
    if not stage.changed(allow_missing=allow_missing, upstream=list(upstream)):
        return "up to date"
    stage.remove_outs(ignore_remove=False, force=False)  # except those that persist
    try:
        stage.repo.stage_cache.restore(stage)
    except RunCacheNotFoundError:
        stage.save_deps()
        return None
    record(stage)
    return "restored from the run cache"


@contextmanager
def reserved(stage: "Stage") -> Iterator[None]:
    """Lock the inputs and outputs of a stage against other commands of DVC while its process runs."""
    from dvc.rwlock import rwlock

    repo, command = stage.repo, " ".join(sys.argv)
    hardlink = repo.config["core"].get("hardlink_lock", False)
    read, write = ([item.fs_path for item in items] for items in (stage.deps, stage.outs))
    with rwlock(repo.tmp_dir, repo.fs, command, read, write, hardlink):
        yield


def record(stage: "Stage") -> None:
    """Write a stage's outputs to DVC's cache, and its state to dvc.lock."""
    cached = all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs)
    stage.save(run_cache=cached)
    stage.commit()
    stage.dump(update_pipeline=False)


def recorded(root: Path) -> list[str]:
    """Return the names of the stages in dvc.lock, in its order."""
    from dvc.utils.serialize import load_yaml

    with suppress(FileNotFoundError):
        return list(load_yaml(root / LOCK).get("stages", {}))
    return []


def sort_lock(root: Path, before: Sequence[str], names: Sequence[str]) -> None:
    """Sort the entries of dvc.lock that are not in `before` by `names`, the order in which `dvc repro` appends them."""
    from dvc.utils.serialize import modify_yaml

    now = recorded(root)
    new = [name for name in names if name in now and name not in before]
    if now[len(now) - len(new) :] == new:
        return
    with tempfile.TemporaryDirectory(dir=root / ".dvc/tmp") as folder:
        copy = shutil.copy(root / LOCK, folder)
        with modify_yaml(copy) as lock:
            for name in new:
                lock["stages"][name] = lock["stages"].pop(name)
        os.replace(copy, root / LOCK)
