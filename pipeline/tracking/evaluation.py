"""An evaluation's figures, on the run that trained its model."""

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.files import sha256_of
from pipeline.tracking.flat import flat_metrics
from pipeline.tracking.store import WEIGHTS, connected, find_run, never_fails

log = logging.getLogger(__name__)

EVALUATED_TAG = "evaluation.digest"  # of the figures, by which it is seen that they are there
POOL_TAG, ROWS_TAG = "evaluation.pool", "evaluation.dataset"  # whose figures may be compared: those where both agree


@never_fails
def log_evaluation(root: Path, folder: Path, metrics: Mapping[str, Any]) -> None:
    """Log a metrics file's content on the run that trained the model of `folder`, and on that run's model."""
    mlflow = connected(root)
    run = find_run(mlflow, sha256_of(folder / WEIGHTS))
    if run is None:
        advice = "`python -m pipeline sync-mlflow` logs it"
        log.warning("MLflow: no run trained %s (DVC restored it from its cache): %s", folder, advice)
        return
    attach_metrics(mlflow, run, metrics)


def attach_metrics(mlflow: ModuleType, run: Any, metrics: Mapping[str, Any]) -> None:
    """Log a metrics file's content on `run` and on the models that it led to."""
    from mlflow.entities import Metric, RunTag

    now, values = int(time.time() * 1000), flat_metrics(metrics)
    models = [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
    mlflow.MlflowClient().log_batch(
        run.info.run_id,
        [
            Metric(name, value, now, step=0, model_id=model, run_id=run.info.run_id)
            for name, value in values.items()
            for model in models or [None]
        ],
        tags=[RunTag(name, value) for name, value in evaluation_tags(metrics).items()],
    )


def evaluation_tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return what tells an evaluation's figures apart, and which figures they may be compared with."""
    digest = hashlib.sha256(json.dumps(flat_metrics(metrics), sort_keys=True).encode()).hexdigest()
    return {EVALUATED_TAG: digest, POOL_TAG: metrics.get("pool", ""), ROWS_TAG: metrics.get("dataset", "")}
