"""The MLflow store: that of the main repository, also for copies in which DVC runs.

`MLFLOW_TRACKING_URI` takes precedence over `mlflow.db`. Run ids are never written to files that DVC caches: a run is
found by the digest of its model's weights. Tracking never fails a stage: errors are warnings, because the files are the
primary record.
"""

import functools
import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.tracking.locations import artifact_root, database, relocate

log = logging.getLogger(__name__)

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "soundtrack-retrieval"
DIGEST_TAG = "model.digest"
WEIGHTS, CONFIG = "model.safetensors", "config.json"  # of a model's folder
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
CHATTY = {"alembic": logging.WARNING, "mlflow.pyfunc": logging.WARNING, "mlflow.store": logging.WARNING}
CHATTY |= {"urllib3.connectionpool": logging.ERROR}  # one line is enough for an unreachable server
TIMEOUT, RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"  # 120 s and 7 by default
FIRST = {TIMEOUT: "5", RETRIES: "0"}  # of the first call, to detect an unreachable server
LATER = {TIMEOUT: "20", RETRIES: "1"}  # of all other calls
LEFT = {TIMEOUT: "1", RETRIES: "0"}  # of MLflow's own calls at exit if the server was unreachable
SECRETS = re.compile(r"(?<=//)[^/]*@|[?#].*")  # of a URI: name and password, and its query

_unreachable: set[str] = set()  # servers that this process no longer calls


def tracking_uri(root: Path) -> str:
    """Return the URI of the MLflow store for the repository at `root`."""
    return os.environ.get(URI) or _database_uri(database(repository(root)))


def public_address(uri: str) -> str:
    """Return a URI without name, password and query."""
    return SECRETS.sub("", uri)


def repository(root: Path) -> Path:
    """Return the absolute path of the main repository, also from a copy of `dvc exp run --temp`."""
    return Path(os.environ.get("DVC_ROOT") or root).resolve()


def never_fails(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` as a function that logs a warning and returns None if `call` raises.

    An unreachable server is not called again by this process.
    """

    @functools.wraps(call)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        uri = os.environ.get(URI, "")
        if uri in _unreachable:
            return None
        try:
            return call(*args, **kwargs)
        except Exception as error:  # a store, disk or server may raise anything; a training run must not fail for it
            if uri and (reason := _why_unreachable(error)):
                _unreachable.add(uri)
                os.environ.update(LEFT)
                log.warning(
                    "MLflow: %s cannot be reached (%s); nothing more is logged: "
                    "run `python -m pipeline sync-mlflow` later to log it",
                    public_address(uri),
                    reason,
                )
            else:
                kind = type(error).__name__
                log.warning("MLflow: %s failed (%s: %s); continuing without it", call.__name__, kind, error)
            return None

    return guarded


def connected(root: Path) -> ModuleType:
    """Return mlflow, set to the store and to the experiment, which is created or restored if needed."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import filelock
    import mlflow

    for name, level in CHATTY.items():
        logging.getLogger(name).setLevel(level)
    home, own = repository(root), not os.environ.get(URI)
    mlflow.set_tracking_uri(tracking_uri(root))
    if own:
        os.environ.pop(URI, None)  # just exported by MLflow: runs of another repository would be logged here
    with filelock.FileLock(home / "mlflow.db.lock"):  # concurrent creation of the database fails
        if own and (count := relocate(home, EXPERIMENT)):
            log.warning("MLflow: this repository was moved or copied: corrected %d locations of artifacts", count)
        with _settings(FIRST):
            experiment = mlflow.get_experiment_by_name(EXPERIMENT)
        for name, value in LATER.items():
            os.environ.setdefault(name, value)
        if experiment is None:
            artifacts = artifact_root(home) if own else None  # a server has its own location
            mlflow.create_experiment(EXPERIMENT, artifacts)
        elif experiment.lifecycle_stage == "deleted":
            mlflow.MlflowClient().restore_experiment(experiment.experiment_id)
            log.warning("MLflow: restored the deleted experiment %s with its runs", EXPERIMENT)
    mlflow.set_experiment(EXPERIMENT)
    return mlflow


@contextmanager
def explained() -> Iterator[None]:
    """Raise exceptions of MLflow in the block as `PipelineError`: commands, unlike stages, require it."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        if (uri := os.environ.get(URI)) and (reason := _why_unreachable(error)):
            found = f"MLflow: {public_address(uri)} cannot be reached ({reason})"
            raise PipelineError(f"{found}: start the server, or unset {URI}") from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        advice = "run `python -m pipeline doctor` to check the store"
        raise PipelineError(f"MLflow: {lines[0]}: {advice}") from error


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Lock the block, which searches for runs and logs missing ones, against other processes of the repository."""
    import filelock

    with filelock.FileLock(repository(root) / "mlflow.db.write.lock"):
        yield


def find_run(mlflow: ModuleType, digest: str) -> Any | None:
    """Return the latest run whose model's weights have the SHA-256 `digest`; None if there is none."""
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string=f"tags.`{DIGEST_TAG}` = '{digest}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
        output_format="list",
    )
    return found[0] if found else None


def _database_uri(path: Path) -> str:
    """Return the URI of an SQLite database, for any path.

    SQLAlchemy decodes %XX and ends the path at ?. Without the driver's name, MLflow would create the folder of the
    encoded path.
    """
    return f"sqlite+pysqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


@contextmanager
def _settings(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables in the block, except those already set."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


def _why_unreachable(error: BaseException | None) -> str:
    """Return the reason, without the URI, if a server could not be reached, else ""."""
    from requests.exceptions import ConnectionError, RetryError, Timeout

    while error is not None:
        if isinstance(error, ConnectionError | RetryError | Timeout):
            return type(error).__name__
        error = error.__cause__ or error.__context__
    return ""
