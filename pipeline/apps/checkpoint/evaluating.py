"""Evaluating imported checkpoints like trained models: features, dvc.lock, evaluation, comparison.

Other variants of params.yaml are neither evaluated nor compared, as DVC would train them first. After a killed run each
step resumes.
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
WIDTH = 100  # columns of the table if the output is not a terminal
RETURN = "git checkout params.yaml dvc.lock metrics && dvc checkout --force"


def announce(root: Path, variants: Sequence[str]) -> None:
    """Print the changes made by evaluating the imported `variants`, and how to undo them."""
    changes = preset_changes(root, PRESET)
    print("--evaluate changes params.yaml:" if changes else "--evaluate needs no change to params.yaml.")
    for key, before, after in changes:
        print(f"  {key}: {before} → {after}")
    print(
        f"It replaces models/{{{','.join(variants)}}}, the features and the metrics. To return to the state of your "
        f"last commit:\n  {RETURN}"
    )
    if changes and (dirty := _uncommitted(root)):
        print(f"{' and '.join(dirty)}: uncommitted changes will be lost; commit them first.")


def evaluate_imported(root: Path, variants: Sequence[str]) -> int:
    """Evaluate and compare the models of `variants`, print the results and return the exit status.

    Raises `PipelineError` if a stage fails.
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
    """Print one row per variant of the paper: averages over films with intervals, and the pooled figures."""
    names = columns_beside(params.compare.metric)
    found: dict[str, dict[str, Any]] = {
        name: json.loads((root / f"metrics/evaluate/{name}.json").read_text(encoding="utf-8")) for name in variants
    }
    first = next(iter(found.values()))
    films, tracks = counted(first["queries"], "film"), counted(first["candidates"], unit_noun(first["unit"]))
    table = Table(
        title=f"The published checkpoints: {films}, {tracks} of {pool_name(first['pool'])}; averages over films with\n"
        "95 % intervals, and pooled over the ranks of all tracks, as in the reference",
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
    """Record the models as outputs of training, as `dvc commit -f train@VARIANT` does, but not in DVC's run cache.

    Otherwise a later training with these parameters would restore the imported models.
    """
    from dvc.repo import Repo, lock_repo

    with explained(), Repo(str(root), _wait_for_lock=True) as repo, repo.scm_context(), lock_repo(repo):
        for variant in variants:
            for stage in repo.stage.collect(f"train@{variant}"):
                stage.save(run_cache=False)
                stage.commit()
                stage.dump(update_pipeline=False)


def _compare(root: Path, variants: Variants, params: Params) -> None:
    """Write the outputs of the stage `compare` for some of the variants."""
    from stages.compare import main

    main(root, variants, params.evaluate, params.compare)
    others = ", ".join(name for name in params.variants if name not in variants)
    print(
        f"metrics/report.html compares the imported variants. `dvc repro compare` adds {others}, but first trains them "
        "on the checkpoints' features."
    )


def _uncommitted(root: Path) -> list[str]:
    """Return the files changed by `--evaluate` that have uncommitted changes."""
    files = ("params.yaml", "dvc.lock")
    command = ["git", "diff", "--name-only", "HEAD", "--", *files]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [file for file in files if file in done.stdout.split()]
