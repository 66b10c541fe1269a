"""The results of training and evaluating every variant, read and checked for consistency."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from pipeline.core.errors import MissingFileError, ParamsError, StageError
from pipeline.core.variants import Input, Method, Variant, apart
from pipeline.evaluate.rankings import read_rankings

FIXED = ("pool", "paragraphs", "unit", "queries", "candidates", "dataset")  # the same for all variants of a comparison
KEYS = (
    *FIXED,
    "ci95",
    "chance",
    "ceiling",
    "segments",
    "recordings",
    "music_to_film",
    "hubness",
    "slices",
    "baselines",
)
LOSSES = ("epoch", "train_loss", "valid_loss")
RISE = 1.05  # of the validation loss over its minimum, above which a training run overfits


@dataclass(frozen=True)
class Result:
    """One variant's results: its metrics file, its rankings (one row per film) and its history (one row per epoch)."""

    variant: str
    inputs: list[Input]
    method: Method
    metrics: dict[str, Any]
    rankings: pandas.DataFrame
    history: list[dict[str, float]]


def read_results(root: Path, variants: Mapping[str, Variant], metric: str) -> list[Result]:
    """Return the results of `variants` in order.

    Raises `MissingFileError` if a file is missing or damaged, `ParamsError` if `metric` is not measured per film, and
    `StageError` if variants were evaluated on different data.
    """
    _require_files(root, variants)
    results = [_read_result(root, name, row) for name, row in variants.items()]
    for result in results:
        _require_metric(result, metric)
    _require_same_data(results)
    return results


def ranked(results: list[Result], metric: str) -> list[Result]:
    """Return `results` in descending order of `metric`; ties keep their order."""
    return sorted(results, key=lambda result: -result.metrics[metric])


def overfits(result: Result) -> bool:
    """Whether the validation loss rises by more than 5 % after its minimum while the training loss falls."""
    if not result.history:
        return False
    best, last = min(result.history, key=lambda record: record["valid_loss"]), result.history[-1]
    return last["valid_loss"] > RISE * best["valid_loss"] and last["train_loss"] < best["train_loss"]


def answered_by_others(result: Result, results: Iterable[Result]) -> dict[str, dict[str, Any]]:
    """Return the figures of models trained with dropped inputs, evaluated on the inputs of `result` only, by variant.

    They are averages and intervals, the key `subsets` of a metrics file (`pipeline.evaluate.evaluation`).
    """
    given = set(apart(result.inputs))
    return {
        other.variant: figures
        for other in results
        for figures in other.metrics.get("subsets", [])
        if other.variant != result.variant and set(figures["inputs"]) == given
    }


def _require_files(root: Path, variants: Iterable[str]) -> None:
    missing, commands = [], []
    for variant in variants:
        files = {
            f"train@{variant}": [f"models/{variant}/history.csv"],
            f"evaluate@{variant}": [f"metrics/evaluate/{variant}.json", f"metrics/rankings/{variant}.parquet"],
        }
        for stage, names in files.items():
            absent = [name for name in names if not (root / name).is_file()]
            missing += absent
            commands += [stage] if absent else []
    if missing:
        raise MissingFileError(f"{', '.join(missing)} missing: run `dvc repro {' '.join(commands)}`")


def _read_result(root: Path, variant: str, row: Variant) -> Result:
    path = root / f"metrics/evaluate/{variant}.json"
    advice = f"remove it and run `dvc repro evaluate@{variant}`"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MissingFileError(f"{path} is not JSON ({error}): {advice}") from None
    absent = [key for key in KEYS if key not in metrics]
    if absent:
        raise MissingFileError(f"{path} lacks {', '.join(absent)}: {advice}")
    rankings = read_rankings(root / f"metrics/rankings/{variant}.parquet")
    history = _read_history(root / f"models/{variant}/history.csv")
    return Result(variant, list(row.inputs), row.method, metrics, rankings, history)


def _read_history(path: Path) -> list[dict[str, float]]:
    """Return one record per epoch; an imported model has none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            complete = set(LOSSES) <= set(reader.fieldnames or ())
            rows = [{name: float(row[name]) for name in LOSSES} for row in reader]
    except (KeyError, TypeError, ValueError):
        complete = False
    if not complete:
        advice = f"remove it and run `dvc repro train@{path.parent.name}`"
        raise MissingFileError(f"{path} is not a table with the columns {', '.join(LOSSES)}: {advice}")
    return rows


def _require_metric(result: Result, metric: str) -> None:
    allowed = [name for name in result.metrics["ci95"] if name in result.rankings]
    if metric not in allowed:
        raise ParamsError(f"params.yaml: compare.metric: found {metric!r}, allowed are {', '.join(allowed)}")
    if len(result.rankings) != result.metrics["queries"] or not np.isclose(
        result.rankings[metric].mean(), result.metrics[metric], rtol=0, atol=1e-6
    ):
        name = result.variant
        raise StageError(
            f"metrics/evaluate/{name}.json and metrics/rankings/{name}.parquet come from different evaluations: "
            f"run `dvc repro -f -s evaluate@{name}`"
        )


def _require_same_data(results: list[Result]) -> None:
    for key in FIXED:
        groups: dict[Any, list[str]] = {}
        for result in results:
            groups.setdefault(result.metrics[key], []).append(result.variant)
        if len(groups) > 1:
            found = "; ".join(f"{value} for {', '.join(names)}" for value, names in groups.items())
            raise StageError(f"variants were evaluated on different data ({key}: {found}): run `dvc repro evaluate`")
    first = results[0]
    for other in results[1:]:
        if _films_of_slices(first) != _films_of_slices(other):
            raise StageError(
                f"metrics/evaluate: {first.variant} and {other.variant} have different slices: run `dvc repro evaluate`"
            )
        for column in ("fid", "relevant", "candidates"):
            if first.rankings[column].tolist() != other.rankings[column].tolist():
                raise StageError(
                    f"metrics/rankings: {first.variant} and {other.variant} rank for different films "
                    f"(column {column}): run `dvc repro evaluate`"
                )


def _films_of_slices(result: Result) -> dict[str, list[tuple[str, int, int]]]:
    return {
        kind: [(name, part["films"], part["tracks"]) for name, part in slices.items()]
        for kind, slices in result.metrics["slices"].items()
    }
