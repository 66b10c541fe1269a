"""MLflow: one run a trained variant, in the main repository's store, whatever copy of the repository DVC runs in.

`MLFLOW_TRACKING_URI` wins over the store `mlflow.db`. Run ids never enter a file that DVC caches: evaluation finds its
training run by the digest of the model's weights. Tracking never fails a stage: what goes wrong is a warning, since the
metrics files are the truth.
"""

import functools
import hashlib
import json
import logging
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.files import sha256_of
from pipeline.params import Params

log = logging.getLogger(__name__)

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "soundtrack-retrieval"
DIGEST_TAG = "model.digest"
KEY_TAG = "training.key"  # all that decides a training, by which one that was killed is found
PROCESS_TAG = "process"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


def tracking_uri(root: Path) -> str:
    """Return the address of the MLflow store for the repository at `root`."""
    return os.environ.get(URI) or f"sqlite:///{repository(root) / 'mlflow.db'}"


def repository(root: Path) -> Path:
    """Return the absolute path of the main repository, also from a copy that `dvc exp run --temp` works in."""
    return Path(os.environ.get("DVC_ROOT") or root).resolve()


def _never_fails(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except Exception as error:  # whatever a store, a disk or a server may raise: a training must not be lost for it
            log.warning("MLflow: %s failed (%s: %s); going on without it", call.__name__, type(error).__name__, error)
            return None

    return guarded


class TrainingRun:
    """The MLflow run of one training; every method warns instead of raising."""

    @_never_fails
    def __init__(self, root: Path, variant: str, params: Params, dataset_digest: str, logs: bool, gpu: bool) -> None:
        self.run_id = None
        if not logs:
            return
        mlflow = _connected(root)
        inputs, values = params.inputs(variant), _flat_params(params, variant)
        key = hashlib.sha256(json.dumps([values, dataset_digest], sort_keys=True, default=str).encode()).hexdigest()
        interrupted = _interrupted(mlflow, key)
        tags = _tags(root, variant, inputs) | {"dataset.digest": dataset_digest, KEY_TAG: key, PROCESS_TAG: _process()}
        run = mlflow.start_run(interrupted, run_name=variant, tags=tags, log_system_metrics=gpu)
        self.run_id = run.info.run_id
        if interrupted:
            log.info("MLflow: going on with run %s, whose process ended before it did", interrupted)
            return
        source = mlflow.data.sources.LocalArtifactDatasetSource("data/dataset.parquet")
        mlflow.log_input(
            mlflow.data.meta_dataset.MetaDataset(
                source, name=Path(params.corpus.folder).name, digest=dataset_digest[:36]
            ),
            context="training",
        )
        mlflow.log_params(values)

    @_never_fails
    def log_epoch(self, record: Mapping[str, float]) -> None:
        """Log a record of the history as step `epoch`."""
        if self.run_id:
            import mlflow

            mlflow.log_metrics({k: v for k, v in record.items() if k != "epoch"}, step=int(record["epoch"]))

    @_never_fails
    def log_model(self, folder: Path) -> None:
        """Log the files of a model's folder and the digest of its weights, by which evaluation finds this run."""
        if self.run_id:
            import mlflow

            mlflow.log_artifacts(str(folder), "model")
            mlflow.set_tag(DIGEST_TAG, sha256_of(folder / "model.safetensors"))

    @_never_fails
    def end(self, status: str) -> None:
        """End the run as FINISHED or FAILED."""
        if self.run_id:
            import mlflow

            mlflow.end_run(status)


@contextmanager
def training_run(
    root: Path, variant: str, params: Params, dataset_digest: str, logs: bool = True, gpu: bool = False
) -> Iterator[TrainingRun]:
    """Yield the run of one training; it ends as FAILED when the block raises.

    The run of the same training that was killed is gone on with. With `gpu` the memory and power of GPUs are logged as
    well; without `logs`, as in all processes of a training but the first, nothing is.
    """
    run = TrainingRun(root, variant, params, dataset_digest, logs, gpu)
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    finally:
        run.end(status)


@_never_fails
def log_evaluation(root: Path, folder: Path, metrics: Mapping[str, Any]) -> None:
    """Log an evaluation's metrics on the run that trained the model of `folder`.

    Nested metrics get a prefix: `chance/recall_at_10`, `reference/mrr`, `ci95_low/mrr`, `ci95_high/mrr`.
    """
    mlflow = _connected(root)
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string=f"tags.`{DIGEST_TAG}` = '{sha256_of(folder / 'model.safetensors')}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
        output_format="list",
    )
    if not found:
        log.warning("MLflow: no run trained %s (DVC restored it from its cache); its metrics are in metrics/", folder)
        return
    with mlflow.start_run(run_id=found[0].info.run_id):
        mlflow.log_metrics(_flat_metrics(metrics))


def _connected(root: Path) -> ModuleType:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import filelock
    import mlflow

    logging.getLogger("alembic").setLevel(logging.WARNING)
    home, own = repository(root), not os.environ.get(URI)
    mlflow.set_tracking_uri(tracking_uri(root))
    if own:
        os.environ.pop(URI, None)  # which MLflow has just exported: another repository's run would land here
    with filelock.FileLock(home / "mlflow.db.lock"):  # processes that create one database at once crash each other
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            artifacts = (home / "mlartifacts").as_uri() if own else None  # a server knows best where its own go
            mlflow.create_experiment(EXPERIMENT, artifacts)
    mlflow.set_experiment(EXPERIMENT)
    return mlflow


def _interrupted(mlflow: ModuleType, key: str) -> str | None:
    """Return the run of the training `key` that still counts as running though its process has ended, if any."""
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string=f"tags.`{KEY_TAG}` = '{key}' and attributes.status = 'RUNNING'",
        order_by=["attributes.start_time DESC"],
        output_format="list",
    )
    return next((run.info.run_id for run in found if _has_ended(run.data.tags.get(PROCESS_TAG, ""))), None)


def _process() -> str:
    return f"{platform.node()} {os.getpid()}"


def _has_ended(process: str) -> bool:
    """Return whether a process of this machine is there no more; of another machine's nothing is known."""
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


def _tags(root: Path, variant: str, inputs: list[str]) -> dict[str, str]:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    return {
        "variant": variant,
        "modalities": ",".join(inputs),
        "dvc.exp_name": os.environ.get("DVC_EXP_NAME", ""),
        "dvc.stage": os.environ.get("DVC_STAGE", ""),
        "git.commit": commit.stdout.strip(),
    }


def _flat_params(params: Params, variant: str) -> dict[str, Any]:
    values = asdict(params) | {"variant": variant, "variants": {variant: params.inputs(variant)}}
    return dict(_flattened(values, "."))


def _flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    nested = {name: value for name, value in metrics.items() if name != "ci95"}
    nested |= {f"ci95_{end}": {k: v[i] for k, v in metrics["ci95"].items()} for i, end in enumerate(("low", "high"))}
    return {name: float(value) for name, value in _flattened(nested, "/") if isinstance(value, int | float)}


def _flattened(values: Mapping[str, Any], separator: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, separator, f"{prefix}{name}{separator}")
        else:
            yield prefix + name, value
