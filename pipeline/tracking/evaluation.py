"""The metrics of an evaluation: logged on the run that trained its model, or on a child run if its settings differ.

Metrics are thus never logged with parameters that do not apply to them.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.core.files import sha256_of
from pipeline.tracking.flat import flat_metrics
from pipeline.tracking.store import DIGEST_TAG, EXPERIMENT, WEIGHTS, connected, find_run, never_fails
from pipeline.tracking.training import DATA_TAG, run_name

log = logging.getLogger(__name__)

WAYS = ("pool", "paragraphs", "unit")  # settings of the ranking, in a metrics file and in `evaluate`
EVALUATED_TAG = "evaluation.digest"  # of the logged metrics
POOL_TAG, UNIT_TAG, ROWS_TAG = "evaluation.pool", "evaluation.unit", "evaluation.dataset"  # equal if comparable
KEY_TAG = "evaluation.key"  # of a separate run: the model and the settings
PARENT_TAG = "mlflow.parentRunId"
KEPT_TAGS = ("variant", "modalities", "git.commit", DATA_TAG)  # of the run that trained the model


@never_fails
def log_evaluation(root: Path, folder: Path, metrics: Mapping[str, Any]) -> None:
    """Log a metrics file's content on the run that trained the model of `folder`, or on a child run."""
    mlflow = connected(root)
    run = find_run(mlflow, sha256_of(folder / WEIGHTS))
    if run is None:
        advice = "run `python -m pipeline sync-mlflow` to log it"
        log.warning("MLflow: there is no run for %s (DVC restored it from its cache): %s", folder, advice)
        return
    log_figures(mlflow, run, metrics, os.environ.get("DVC_EXP_NAME", ""))


def log_figures(mlflow: ModuleType, trained: Any, metrics: Mapping[str, Any], experiment: str) -> bool:
    """Log a metrics file's content on `trained` or on a child run; return False if it was already logged.

    `experiment` is DVC's name of the current experiment, if any.
    """
    run = _run_of(mlflow, trained, metrics, experiment)
    tags = evaluation_tags(metrics)
    if run.data.tags.get(EVALUATED_TAG) == tags[EVALUATED_TAG]:
        return False
    _attach(mlflow, run, flat_metrics(metrics), tags)
    return True


def evaluation_tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that identify an evaluation, and with which others it can be compared."""
    digest = hashlib.sha256(json.dumps(flat_metrics(metrics), sort_keys=True).encode()).hexdigest()
    return {
        EVALUATED_TAG: digest,
        POOL_TAG: metrics.get("pool", ""),
        UNIT_TAG: metrics.get("unit", ""),
        ROWS_TAG: metrics.get("dataset", ""),
    }


def _run_of(mlflow: ModuleType, trained: Any, metrics: Mapping[str, Any], experiment: str) -> Any:
    way = {f"evaluate.{name}": metrics[name] for name in WAYS if name in metrics}
    if all(trained.data.params.get(name, value) == value for name, value in way.items()):
        return trained
    key = hashlib.sha256(json.dumps([trained.data.tags[DIGEST_TAG], way], sort_keys=True).encode()).hexdigest()
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT], filter_string=f"tags.`{KEY_TAG}` = '{key}'", max_results=1, output_format="list"
    )
    if found:
        return found[0]
    tags = {name: trained.data.tags.get(name, "") for name in KEPT_TAGS}
    tags |= {"dvc.exp_name": experiment, "dvc.stage": os.environ.get("DVC_STAGE", "")}
    tags |= {KEY_TAG: key, PARENT_TAG: trained.info.run_id}
    with mlflow.start_run(run_name=run_name(tags["variant"], experiment), tags=tags) as run:
        mlflow.log_params(trained.data.params | way)
    return mlflow.get_run(run.info.run_id)


def _attach(mlflow: ModuleType, run: Any, values: Mapping[str, float], tags: Mapping[str, str]) -> None:
    """Log metrics on `run` and its models."""
    from mlflow.entities import Metric, RunTag

    now = int(time.time() * 1000)
    models = [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
    mlflow.MlflowClient().log_batch(
        run.info.run_id,
        [
            Metric(name, value, now, step=0, model_id=model, run_id=run.info.run_id)
            for name, value in values.items()
            for model in models or [None]
        ],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
