"""The MLflow store: one for the main repository, whatever copy of the repository DVC runs in.

`MLFLOW_TRACKING_URI` wins over the store `mlflow.db`. Run ids never enter a file that DVC caches: a run is found by the
digest of its model's weights. Tracking never fails a stage: what goes wrong is a warning, since the files are the
truth.
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
CHATTY |= {"urllib3.connectionpool": logging.ERROR}  # of a server out of reach one line is enough
TIMEOUT, RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"  # 120 s and 7 by default
FIRST = {TIMEOUT: "5", RETRIES: "0"}  # of the first call to a server, by which it is seen whether it can be reached
LATER = {TIMEOUT: "20", RETRIES: "1"}  # of all others
LEFT = {TIMEOUT: "1", RETRIES: "0"}  # of what MLflow itself calls at exit when the server could not be reached
SECRETS = re.compile(r"(?<=//)[^/]*@|[?#].*")  # of an address: name and password, and its query

_unreachable: set[str] = set()  # addresses of servers that this process calls no more


def tracking_uri(root: Path) -> str:
    """Return the address of the MLflow store for the repository at `root`."""
    return os.environ.get(URI) or _database_uri(database(repository(root)))


def public_address(uri: str) -> str:
    """Return an address without name, password and query."""
    return SECRETS.sub("", uri)


def repository(root: Path) -> Path:
    """Return the absolute path of the main repository, also from a copy that `dvc exp run --temp` works in."""
    return Path(os.environ.get("DVC_ROOT") or root).resolve()


def never_fails(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` as a function that warns and returns None where `call` raises.

    A server that cannot be reached is not called again by this process.
    """

    @functools.wraps(call)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        uri = os.environ.get(URI, "")
        if uri in _unreachable:
            return None
        try:
            return call(*args, **kwargs)
        except Exception as error:  # whatever a store, a disk or a server may raise: a training must not be lost for it
            if uri and (reason := _why_unreachable(error)):
                _unreachable.add(uri)
                os.environ.update(LEFT)
                log.warning(
                    "MLflow: %s cannot be reached (%s); nothing is logged from here on: "
                    "`python -m pipeline sync-mlflow` logs it later",
                    public_address(uri),
                    reason,
                )
            else:
                kind = type(error).__name__
                log.warning("MLflow: %s failed (%s: %s); continuing without it", call.__name__, kind, error)
            return None

    return guarded


def connected(root: Path) -> ModuleType:
    """Return mlflow, set to the store and to the experiment, which is made where it is missing, or restored."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import filelock
    import mlflow

    for name, level in CHATTY.items():
        logging.getLogger(name).setLevel(level)
    home, own = repository(root), not os.environ.get(URI)
    mlflow.set_tracking_uri(tracking_uri(root))
    if own:
        os.environ.pop(URI, None)  # which MLflow has just exported: another repository's run would land here
    with filelock.FileLock(home / "mlflow.db.lock"):  # processes that create one database at once crash each other
        if own and (count := relocate(home, EXPERIMENT)):
            log.warning("MLflow: this repository was moved or copied: %d records name its artifacts here now", count)
        with _settings(FIRST):
            experiment = mlflow.get_experiment_by_name(EXPERIMENT)
        for name, value in LATER.items():
            os.environ.setdefault(name, value)
        if experiment is None:
            artifacts = artifact_root(home) if own else None  # a server knows best where its own go
            mlflow.create_experiment(EXPERIMENT, artifacts)
        elif experiment.lifecycle_stage == "deleted":
            mlflow.MlflowClient().restore_experiment(experiment.experiment_id)
            log.warning("MLflow: the experiment %s had been deleted: it is restored, with its runs", EXPERIMENT)
    mlflow.set_experiment(EXPERIMENT)
    return mlflow


@contextmanager
def explained() -> Iterator[None]:
    """Turn what MLflow raises in the block into a `PipelineError`: a command, unlike a stage, is nothing without it."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        if (uri := os.environ.get(URI)) and (reason := _why_unreachable(error)):
            found = f"MLflow: {public_address(uri)} cannot be reached ({reason})"
            raise PipelineError(f"{found}: start the server, or unset {URI}") from error
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


def _database_uri(path: Path) -> str:
    """Return the address of an SQLite database whatever its path.

    SQLAlchemy takes %XX for a character and ? for the path's end. Without the driver's name MLflow would make the
    folder that the address spells before it is decoded.
    """
    return f"sqlite+pysqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


@contextmanager
def _settings(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment in the block, those apart that are set already."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


def _why_unreachable(error: BaseException | None) -> str:
    """Return the reason, without an address, if a server could not be reached, else nothing."""
    from requests.exceptions import ConnectionError, RetryError, Timeout

    while error is not None:
        if isinstance(error, ConnectionError | RetryError | Timeout):
            return type(error).__name__
        error = error.__cause__ or error.__context__
    return ""
