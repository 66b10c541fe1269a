"""The MLflow run of a training run: parameters, tags, data set, one curve per column of the history, and model."""

import hashlib
import json
import logging
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.core.files import sha256_of
from pipeline.core.variants import row_of
from pipeline.tracking.flat import flat_params
from pipeline.tracking.logged import log_model
from pipeline.tracking.store import CONFIG, DIGEST_TAG, EXPERIMENT, WEIGHTS, connected, never_fails

log = logging.getLogger(__name__)

KEY_TAG = "training.key"  # of all inputs of a training, to find a killed one
PROCESS_TAG = "process"
DATA_TAG = "dataset.digest"
COLOUR_TAG = "mlflow.runColor"  # of a variant's bars and curves; MLflow's defaults are often similar
COLOURS = (  # Tableau's ten
    "#4e79a7",
    "#f28e2b",
    "#e15759",
    "#76b7b2",
    "#59a14f",
    "#edc948",
    "#b07aa1",
    "#ff9da7",
    "#9c755f",
    "#bab0ac",
)
DIGEST_CHARS = 36  # of a data set's digest, MLflow's limit


class TrainingRun:
    """The MLflow run of a training run; every method logs a warning instead of raising."""

    run_id: str | None = None  # None: nothing is logged

    @never_fails
    def __init__(
        self, root: Path, variant: str, params: Mapping[str, Any], dataset_digest: str, logs: bool, gpu: bool
    ) -> None:
        if not logs:
            return
        mlflow = connected(root)
        values = flat_params(params, variant)
        key = training_key(values, dataset_digest)
        interrupted = interrupted_run(mlflow, key)
        experiment = os.environ.get("DVC_EXP_NAME", "")
        tags = run_tags(root, variant, params["variants"], dataset_digest, experiment)
        tags |= {KEY_TAG: key, PROCESS_TAG: _process()}
        run = mlflow.start_run(interrupted, run_name=run_name(variant, experiment), tags=tags, log_system_metrics=gpu)
        self.run_id, self.variant = run.info.run_id, variant
        if interrupted:
            log.info("MLflow: resuming run %s, whose process has ended", interrupted)
            return
        mlflow.log_input(dataset_of(mlflow, params["corpus"]["folder"], dataset_digest), context="training")
        mlflow.log_params(values)

    @never_fails
    def log_epoch(self, record: Mapping[str, float]) -> None:
        """Log a record of the history as step `epoch`."""
        if self.run_id:
            import mlflow

            mlflow.log_metrics({k: v for k, v in record.items() if k != "epoch"}, step=int(record["epoch"]))

    @never_fails
    def log_model(self, folder: Path) -> None:
        """Log the model of a folder, and the digest of its weights, with which the evaluation finds this run."""
        if self.run_id:
            import mlflow

            attach_model(mlflow, self.run_id, self.variant, folder)

    @never_fails
    def end(self, status: str) -> None:
        """End the run as FINISHED or FAILED."""
        if self.run_id:
            import mlflow

            mlflow.end_run(status)


@contextmanager
def training_run(
    root: Path, variant: str, params: Mapping[str, Any], dataset_digest: str, logs: bool = True, gpu: bool = False
) -> Iterator[TrainingRun]:
    """Yield the MLflow run of a training run; it ends as FAILED if the block raises.

    `params` is the content of params.yaml. If a run with the same inputs was killed, it is resumed. With `gpu`, memory
    and power of GPUs are also logged; without `logs`, as in all processes of a training run except the first, nothing
    is.
    """
    run = TrainingRun(root, variant, params, dataset_digest, logs, gpu)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    finally:
        run.end(status)


def attach_model(mlflow: ModuleType, run_id: str, variant: str, folder: Path) -> None:
    """Log the model of `folder` as the run's output, after the digest, which is needed to find the run."""
    digest = sha256_of(folder / WEIGHTS)
    mlflow.MlflowClient().set_tag(run_id, DIGEST_TAG, digest)
    log_model(
        mlflow, variant, [folder / WEIGHTS, folder / CONFIG], {"variant": variant, DIGEST_TAG: digest}, run_id=run_id
    )


def training_key(values: Mapping[str, Any], dataset_digest: str) -> str:
    """Return the digest of the inputs of a training run: its parameters, from `flat_params`, and its data."""
    return hashlib.sha256(json.dumps([values, dataset_digest], sort_keys=True, default=str).encode()).hexdigest()


def interrupted_run(mlflow: ModuleType, key: str) -> str | None:
    """Return the run of the training `key` that is marked as running although its process has ended, if any.

    It was killed, or lost the server.
    """
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string=f"tags.`{KEY_TAG}` = '{key}' and attributes.status = 'RUNNING'",
        order_by=["attributes.start_time DESC"],
        output_format="list",
    )
    return next((run.info.run_id for run in found if _has_ended(run.data.tags.get(PROCESS_TAG, ""))), None)


def run_name(variant: str, experiment: str) -> str:
    """Return the name of a run in tables and legends: its variant, and DVC's name of the experiment, if any."""
    return f"{variant} · {experiment}" if experiment else variant


def run_tags(
    root: Path, variant: str, variants: Mapping[str, Any], dataset_digest: str, experiment: str
) -> dict[str, str]:
    """Return the tags of the run of a current training; `experiment` is DVC's name of it, if any."""
    inputs = row_of(variants[variant]).inputs
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    tags = {
        "variant": variant,
        "modalities": ",".join(inputs),
        "dvc.exp_name": experiment,
        "dvc.stage": os.environ.get("DVC_STAGE", ""),
        "git.commit": commit.stdout.strip(),
        DATA_TAG: dataset_digest,
        "mlflow.note.content": f"M-{variant}: music by {', '.join(name.replace('_', ' and ') for name in inputs)}. "
        "Averages over the films of the test set; `chance/…` is the value of a random ranking, "
        "`ci95_low/…` and `ci95_high/…` are the ends of 95 % intervals.",
    }
    if not experiment:  # the runs of one variant in a grid would all have the same colour
        tags[COLOUR_TAG] = COLOURS[list(variants).index(variant) % len(COLOURS)]
    return tags


def dataset_of(mlflow: ModuleType, corpus: str, digest: str) -> Any:
    """Return the data set of a run: only the digest of its audio features is recorded."""
    source = mlflow.data.sources.LocalArtifactDatasetSource("data/dataset.parquet")
    return mlflow.data.meta_dataset.MetaDataset(source, name=Path(corpus).name, digest=digest[:DIGEST_CHARS])


def _process() -> str:
    return f"{platform.node()} {os.getpid()}"


def _has_ended(process: str) -> bool:
    """Return whether a process of this machine has ended; False for another machine's."""
    machine, _, number = process.rpartition(" ")
    if machine != platform.node():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
