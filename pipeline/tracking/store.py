"""The MLflow store: one for the main repository, whatever copy of the repository DVC runs in.

`MLFLOW_TRACKING_URI` wins over the store `mlflow.db`. Run ids never enter a file that DVC caches: a run is found by the
digest of its model's weights. Tracking never fails a stage: what goes wrong is a warning, since the files are the
truth.
"""

import functools
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.core.errors import PipelineError

log = logging.getLogger(__name__)

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "soundtrack-retrieval"
DIGEST_TAG = "model.digest"
WEIGHTS, CONFIG = "model.safetensors", "config.json"  # of a model's folder
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


def tracking_uri(root: Path) -> str:
    """Return the address of the MLflow store for the repository at `root`."""
    return os.environ.get(URI) or f"sqlite:///{repository(root) / 'mlflow.db'}"


def repository(root: Path) -> Path:
    """Return the absolute path of the main repository, also from a copy that `dvc exp run --temp` works in."""
    return Path(os.environ.get("DVC_ROOT") or root).resolve()


def never_fails(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` as a function that warns and returns None where `call` raises."""

    @functools.wraps(call)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except Exception as error:  # whatever a store, a disk or a server may raise: a training must not be lost for it
            log.warning("MLflow: %s failed (%s: %s); continuing without it", call.__name__, type(error).__name__, error)
            return None

    return guarded


def connected(root: Path) -> ModuleType:
    """Return mlflow, set to the store and to the experiment, which is made where it is not there."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import filelock
    import mlflow

    for chatty in ("alembic", "mlflow.pyfunc", "mlflow.store"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
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


@contextmanager
def explained() -> Iterator[None]:
    """Turn what MLflow raises in the block into a `PipelineError`: a command, unlike a stage, is nothing without it."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        advice = "`python -m pipeline doctor` looks at the store"
        raise PipelineError(f"MLflow: {lines[0]}: {advice}") from error


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Keep other processes of the repository from looking for what this block looks for and then logs."""
    import filelock

    with filelock.FileLock(repository(root) / "mlflow.db.write.lock"):
        yield


def find_run(mlflow: ModuleType, digest: str) -> Any | None:
    """Return the latest run whose model's weights have the SHA-256 `digest`, None without one."""
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string=f"tags.`{DIGEST_TAG}` = '{digest}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
        output_format="list",
    )
    return found[0] if found else None
