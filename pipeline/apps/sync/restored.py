"""Runs from files: find the run that trained each variant's model, or log it if there is none."""

import csv
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.apps.sync.locked import PARAMS, dataset_digest, produced_by, read_stages
from pipeline.apps.sync.revision import files_of, tags_of
from pipeline.core.errors import PipelineError
from pipeline.core.files import sha256_of
from pipeline.core.variants import row_of
from pipeline.params import load_params
from pipeline.publish.registry import ALIAS, NAME, registered
from pipeline.store.index import INDEX
from pipeline.tracking.evaluation import log_figures
from pipeline.tracking.flat import flat_params
from pipeline.tracking.store import WEIGHTS, connected, explained, find_run, one_at_a_time
from pipeline.tracking.training import (
    DATA_TAG,
    attach_model,
    dataset_of,
    interrupted_run,
    run_name,
    run_tags,
    training_key,
)

FROM_TAG = "params.from"  # the file with a run's parameters
BATCH = 1000  # metrics per request, MLflow's limit

EXISTS, LOGGED, EVALUATED, NO_MODEL = "there already", "logged", "metrics added", "no model"
UNCHANGED = (EXISTS, NO_MODEL)  # where nothing was done


@dataclass(frozen=True)
class Outcome:
    """The result for one variant."""

    variant: str
    action: str  # one of the four above
    run: str  # its name and id in MLflow
    note: str  # missing files and remarks


@dataclass(frozen=True)
class Registration:
    """The published model in MLflow's registry."""

    name: str  # and alias
    version: str
    is_new: bool


def sync_repository(root: Path, revision: str | None) -> tuple[list[Outcome], Registration | None]:
    """Log the missing runs of the workspace, or of `revision`; return the outcomes and the published model's version.

    The model of a revision is not published.
    """
    with explained():
        mlflow = connected(root)
        if revision is None:
            return sync(mlflow, root, root, {}), _register_published(mlflow, root)
        with files_of(root, revision) as source:
            return sync(mlflow, root, source, tags_of(root, revision)), None


def sync(mlflow: ModuleType, root: Path, source: Path, extra: Mapping[str, str]) -> list[Outcome]:
    """Log the missing runs of the variants in `source`, and return the outcome for each.

    `source` is the repository `root`, or a folder with files of one of its revisions. `extra` are tags of the logged
    runs; they override the tags that a training run would get now.
    """
    params, stages = load_params(source / PARAMS), read_stages(source)
    outcomes = []
    with one_at_a_time(root):
        for variant in params.variants:
            folder = source / "models" / variant
            if not (folder / WEIGHTS).is_file():
                outcomes.append(Outcome(variant, NO_MODEL, "", f"models/{variant}/{WEIGHTS} is missing"))
                continue
            digest = sha256_of(folder / WEIGHTS)
            metrics, note = _metrics_of(source / f"metrics/evaluate/{variant}.json", digest)
            run, action, notes = find_run(mlflow, digest), EXISTS, [note]
            if run is not None:
                action = EVALUATED if _add_curves(mlflow, run, folder) else EXISTS
            else:
                values, origin = produced_by(stages, folder / WEIGHTS, variant, params)
                data = dataset_digest(stages, variant, root)
                tags = run_tags(root, variant, params.variants, data, extra.get("dvc.exp_name", "")) | dict(extra)
                tags |= {
                    "modalities": ",".join(row_of(values["variants"]).inputs),
                    "restored": "true",
                    FROM_TAG: origin,
                }
                begun = interrupted_run(mlflow, training_key(flat_params(asdict(params), variant), data))
                run, action = _logged(mlflow, folder, variant, values, tags, begun), LOGGED
                notes += [f"parameters are from the current {PARAMS}"] if origin == PARAMS else []
            if metrics and log_figures(mlflow, run, metrics, extra.get("dvc.exp_name", "")):
                action = LOGGED if action == LOGGED else EVALUATED
            name = f"{run.info.run_name} {run.info.run_id[:8]}"
            outcomes.append(Outcome(variant, action, name, "; ".join(filter(None, notes))))
    return outcomes


def _register_published(mlflow: ModuleType, root: Path) -> Registration | None:
    """Register the published model unless its version exists; return None if nothing is published."""
    folder, headline = root / "models/published", root / "metrics/retrieval.json"
    if not ((folder / INDEX).is_file() and headline.is_file()):
        return None
    version, is_new = registered(root, mlflow, folder, json.loads(headline.read_text(encoding="utf-8")))
    return Registration(f"{NAME}@{ALIAS}", version, is_new)


def _logged(
    mlflow: ModuleType,
    folder: Path,
    variant: str,
    values: Mapping[str, Any],
    tags: Mapping[str, str],
    begun: str | None,
) -> Any:
    """Log the run of the files in `folder` and return it; continues the run `begun` by its training, if given."""
    client = mlflow.MlflowClient()
    with mlflow.start_run(begun, run_name=run_name(variant, tags["dvc.exp_name"]), tags=dict(tags)) as run:
        if not run.data.params:
            if tags[DATA_TAG]:
                corpus = values.get("corpus.folder", "data")
                mlflow.log_input(dataset_of(mlflow, corpus, tags[DATA_TAG]), context="training")
            mlflow.log_params(dict(values))
        _add_curves(mlflow, run, folder)
        attach_model(mlflow, run.info.run_id, variant, folder)
    return client.get_run(run.info.run_id)


def _add_curves(mlflow: ModuleType, run: Any, folder: Path) -> bool:
    """Log the points of the history in `folder` that `run` lacks, and return whether there were any."""
    client, points = mlflow.MlflowClient(), _curves(folder / "history.csv")
    there = {
        (name, point.step)
        for name in {point.key for point in points} & set(run.data.metrics)
        for point in client.get_metric_history(run.info.run_id, name)
    }
    missing = [point for point in points if (point.key, point.step) not in there]
    for start in range(0, len(missing), BATCH):
        client.log_batch(run.info.run_id, missing[start : start + BATCH])
    return bool(missing)


def _curves(path: Path) -> list[Any]:
    """Return every value of a history as a metric of MLflow; empty without a history."""
    from mlflow.entities import Metric

    if not path.is_file():
        return []
    now = int(time.time() * 1000)
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Metric(name, float(value), now, int(row["epoch"]))
            for row in csv.DictReader(file)
            for name, value in row.items()
            if name != "epoch" and value
        ]


def _metrics_of(path: Path, digest: str) -> tuple[dict[str, Any], str]:
    """Return the metrics of the model of `digest`, or the reason why there are none."""
    advice = f"run `dvc repro evaluate@{path.stem}`"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, f"not evaluated: {advice}"
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path} cannot be read ({error}): remove it and {advice}") from None
    if metrics.get("model", {}).get(WEIGHTS) != digest:
        return {}, f"the evaluation is of another model: {advice}"
    return metrics, ""
