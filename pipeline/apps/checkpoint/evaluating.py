"""Imported checkpoints evaluated as models that were trained here are: features, dvc.lock, evaluation, comparison.

Other variants of params.yaml are left alone, since DVC would first train them: neither are they evaluated, nor does the
comparison have them. Each step finds done what an earlier, killed run has done.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pipeline.apps.checkpoint.deciding import published_variants
from pipeline.apps.parallel.graph import explained
from pipeline.apps.parallel.repro import reproduce
from pipeline.apps.presets import apply_preset, preset_changes
from pipeline.compare.wording import (
    chance,
    columns_beside,
    counted,
    interval,
    metric_label,
    number,
    pool_name,
    unit_noun,
)
from pipeline.core.variants import Variants
from pipeline.params import Params, load_params

PRESET = "reference-checkpoint"
WIDTH = 100  # of the table where no terminal gives its own
RETURN = "git checkout params.yaml dvc.lock metrics && dvc checkout --force"


def announce(root: Path, variants: Sequence[str]) -> None:
    """Print what evaluating the imported `variants` changes, and the way back."""
    changes = preset_changes(root, PRESET)
    print("--evaluate changes params.yaml:" if changes else "--evaluate finds params.yaml as it needs it.")
    for key, before, after in changes:
        print(f"  {key}: {before} → {after}")
    print(
        f"It replaces models/{{{','.join(variants)}}}, the features and metrics. Back to what dvc.lock of your last "
        f"commit has:\n  {RETURN}"
    )
    if changes and (dirty := _uncommitted(root)):
        print(f"{' and '.join(dirty)}: changes that are not committed to git do not come back with it.")


def evaluate_imported(root: Path, variants: Sequence[str]) -> int:
    """Evaluate and compare the models of `variants`, print them beside the others of the paper, return the exit status.

    Raises `PipelineError` naming what failed.
    """
    apply_preset(root, PRESET)
    params = load_params(root / "params.yaml")
    if status := reproduce(root, ["features"], parallel=1):
        return status
    _commit(root, variants)
    every = set(variants) == set(params.variants)
    targets = [f"evaluate@{variant}" for variant in variants] + (["compare"] if every else [])
    if status := reproduce(root, targets, parallel=1):
        return status
    if not every:
        _compare(root, {name: row for name, row in params.variants.items() if name in variants}, params)
    print_results(root, variants, params)
    return 0


def print_results(root: Path, variants: Sequence[str], params: Params) -> None:
    """Print a row per variant of the paper: averages over films with their intervals, and the reference's figures."""
    names = columns_beside(params.compare.metric)
    found: dict[str, dict[str, Any]] = {
        name: json.loads((root / f"metrics/evaluate/{name}.json").read_text(encoding="utf-8")) for name in variants
    }
    first = next(iter(found.values()))
    films, tracks = counted(first["queries"], "film"), counted(first["candidates"], unit_noun(first["unit"]))
    table = Table(
        title=f"The published checkpoints: {films}, {tracks} of {pool_name(first['pool'])}; averages over films with\n"
        "95 % intervals, and pooled over the ranks of all tracks, as the reference counts",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title_justify="left",
        title_style="bold",
    )
    table.add_column("variant", no_wrap=True)
    for name in names:
        table.add_column(metric_label(name), justify="right", no_wrap=True)
    for name in names:
        table.add_column(f"pooled\n{metric_label(name)}", justify="right", no_wrap=True)
    for variant in dict.fromkeys([*published_variants(params.variants), *variants]):
        if variant not in found:
            table.add_row(variant, "no checkpoint", style="dim")
            continue
        metrics = found[variant]
        ours = (f"{number(name, metrics[name])} {interval(metrics, name):>11}" for name in names)
        pooled = (
            number(name, value) if (value := metrics["reference"].get(name)) is not None else "" for name in names
        )
        table.add_row(variant, *ours, *pooled)
    table.add_section()
    table.add_row("chance", *(f"{chance(first, name)} {'':>11}" for name in names), style="dim")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table)


def _commit(root: Path, variants: Sequence[str]) -> None:
    """Record the models as what training leaves, as `dvc commit -f train@VARIANT` does, but not in DVC's run cache.

    Whoever trains with these parameters later is thus not given the imported models instead.
    """
    from dvc.repo import Repo, lock_repo

    with explained(), Repo(str(root), _wait_for_lock=True) as repo, repo.scm_context(), lock_repo(repo):
        for variant in variants:
            for stage in repo.stage.collect(f"train@{variant}"):
                stage.save(run_cache=False)
                stage.commit()
                stage.dump(update_pipeline=False)


def _compare(root: Path, variants: Variants, params: Params) -> None:
    """Write what the stage `compare` writes, for some of the variants."""
    from stages.compare import main

    main(root, variants, params.evaluate, params.compare)
    others = ", ".join(name for name in params.variants if name not in variants)
    print(
        f"metrics/report.html compares the imported variants. `dvc repro compare` would add {others}, which it trains "
        "first on the checkpoints' features."
    )


def _uncommitted(root: Path) -> list[str]:
    """Return which of the files that change have changes that git does not have."""
    files = ("params.yaml", "dvc.lock")
    command = ["git", "diff", "--name-only", "HEAD", "--", *files]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [file for file in files if file in done.stdout.split()]
