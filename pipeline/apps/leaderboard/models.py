"""The entries of a leaderboard: the workspace's variants, and MLflow's runs of other models."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pipeline.core.errors import ParamsError, PipelineError
from pipeline.core.variants import short_form
from pipeline.params import Params, load_params
from pipeline.tracking.evaluation import EVALUATED_TAG, KEY_TAG, POOL_TAG, ROWS_TAG, UNIT_TAG, evaluation_tags
from pipeline.tracking.flat import flat_metrics, flat_params, flattened
from pipeline.tracking.store import DIGEST_TAG, EXPERIMENT, URI, WEIGHTS, connected, explained, repository

WORKSPACE, BASELINE = "workspace", "baseline"  # in place of a run's name
SECTIONS = ("corpus", "parse", "segment", "split", "features", "model", "train", "evaluate", "variants")
SEGMENT = "segment"
SHOWN = 2  # changed parameters of a run; others are counted
LONGEST = 24  # characters of a value


class EvaluationData(NamedTuple):
    """The data of an evaluation; only metrics of the same data are compared."""

    dataset: str  # digest of the rows of the data set
    pool: str  # eval or all; empty if unknown
    unit: str  # of the ranking: segment or recording; segment for earlier runs, which did not record it
    films: int  # queries
    tracks: int  # candidates, by the unit


@dataclass(frozen=True)
class EvaluatedModel:
    """One evaluated model."""

    variant: str
    run: str  # `WORKSPACE`, the experiment's name, or the run's id
    changed: str  # against the committed params.yaml
    data: EvaluationData
    metrics: Mapping[str, float]  # by their names in MLflow


def evaluated_models(root: Path, params: Params) -> tuple[list[EvaluatedModel], str]:
    """Return the evaluated models of the workspace and of MLflow's runs, and a note on the runs.

    Raises `PipelineError` if there are none.
    """
    base = committed(root, params)
    models, digests = from_files(root, params, base)
    if not (os.environ.get(URI) or (repository(root) / "mlflow.db").is_file()):
        return _require_any(models), "MLflow has no runs: the table shows only the workspace."
    try:
        with explained():
            runs = connected(root).search_runs(
                experiment_names=[EXPERIMENT], order_by=["attributes.start_time DESC"], output_format="list"
            )
    except PipelineError as error:
        return _require_any(models), f"{error}\nThe table shows only the workspace."
    others, without = from_runs(runs, base, digests)
    note = f"MLflow: {len(runs)} runs, {len(others)} evaluated models besides those of the workspace"
    return _require_any(models + others), note + (f"; {without} not evaluated." if without else ".")


def _require_any(models: list[EvaluatedModel]) -> list[EvaluatedModel]:
    if not models:
        raise PipelineError("nothing has been evaluated: run `dvc repro`")
    return models


def require_metric(name: str, models: list[EvaluatedModel]) -> None:
    """Raise `PipelineError` if the models have no averaged metric `name`."""
    allowed = [key.partition("/")[2] for key in models[0].metrics if key.startswith("ci95_low/")]
    if name not in allowed:
        raise PipelineError(f"--metric: found {name!r}, allowed are {', '.join(sorted(allowed))}")


def committed(root: Path, params: Params) -> Params:
    """Return the params.yaml of Git's HEAD, which `dvc exp apply` does not change; `params` without a valid one."""
    try:
        text = subprocess.run(["git", "show", "HEAD:./params.yaml"], cwd=root, capture_output=True, check=True).stdout
        with TemporaryDirectory() as folder:
            path = Path(folder) / "params.yaml"
            path.write_bytes(text)
            return load_params(path)
    except (OSError, subprocess.CalledProcessError, ParamsError):
        return params


def from_files(root: Path, params: Params, base: Params) -> tuple[list[EvaluatedModel], set[str]]:
    """Return the workspace's models, and the digests of their weights and evaluations."""
    models: list[EvaluatedModel] = []
    digests: set[str] = set()
    for variant in params.variants:
        path = root / f"metrics/evaluate/{variant}.json"
        if not path.is_file():
            continue
        try:
            metrics = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            advice = f"remove it and run `dvc repro evaluate@{variant}`"
            raise PipelineError(f"{path} cannot be read ({error}): {advice}") from None
        digests |= {metrics.get("model", {}).get(WEIGHTS, ""), evaluation_tags(metrics)[EVALUATED_TAG]}
        data = EvaluationData(
            dataset=metrics.get("dataset", ""),
            pool=metrics.get("pool", ""),
            unit=metrics.get("unit") or SEGMENT,
            films=metrics["queries"],
            tracks=metrics["candidates"],
        )
        values = {name: str(value) for name, value in flat_params(asdict(params), variant).items()}
        models.append(EvaluatedModel(variant, WORKSPACE, changes(values, base), data, flat_metrics(metrics)))
        for name, figures in metrics.get("baselines", {}).items():
            beside = flat_metrics(figures | {"chance": metrics["chance"]})
            models.append(EvaluatedModel(f"{variant}, {name}", BASELINE, "", data, beside))
    return models, digests


def from_runs(runs: Iterable[Any], params: Params, digests: set[str]) -> tuple[list[EvaluatedModel], int]:
    """Return each model of `runs` that is not in `digests`, and the number of runs without an evaluation.

    `runs` are sorted latest first; among runs with the same model, the latest counts. A run that only evaluated a model
    with other settings is a separate entry, unless its evaluation is in `digests`.
    """
    models: list[EvaluatedModel] = []
    seen, without = set(digests), 0
    for run in runs:
        tags = run.data.tags
        digest = tags.get(EVALUATED_TAG) if KEY_TAG in tags else tags.get(DIGEST_TAG)
        if digest is None or digest in seen:
            continue
        seen.add(digest)
        if "queries" not in run.data.metrics:
            without += 1
            continue
        films, tracks = (int(run.data.metrics[name]) for name in ("queries", "candidates"))
        pool, unit = tags.get(POOL_TAG, ""), tags.get(UNIT_TAG) or SEGMENT
        data = EvaluationData(tags.get(ROWS_TAG, ""), pool, unit, films, tracks)
        name = tags.get("dvc.exp_name") or run.info.run_id[:8]
        models.append(EvaluatedModel(tags["variant"], name, changes(run.data.params, params), data, run.data.metrics))
    return models, without


def changes(values: Mapping[str, str], params: Params) -> str:
    """Return the parameters of a run that differ from `params`, e.g. `learning_rate=0.0003, seed=7 and 2 more`.

    A parameter that only one of them has is not compared, except for a variant that `params` does not have.
    """
    now = {name: str(value) for name, value in flattened(asdict(params))}
    row = params.variants.get(values.get("variant", ""))
    now["variants"] = str(short_form(row) if row else None)
    found = [
        f"{name.removeprefix('train.')}={_short(value)}"
        for name, value in sorted(values.items())
        if name.partition(".")[0] in SECTIONS and value != now.get(name, value)
    ]
    more = len(found) - SHOWN
    return ", ".join(found[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _short(value: str) -> str:
    value = value.replace("'", "")  # quotes in a list
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
