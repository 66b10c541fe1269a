"""Checks of DVC, which runs the stages, and MLflow, which records the runs."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import unquote

from pipeline.apps.doctor.report import ACTIVATE, INSTALL, Check, missing, ok, warning
from pipeline.apps.experiments import require_copies
from pipeline.apps.parallel.graph import require_lock
from pipeline.core.errors import PipelineError
from pipeline.tracking.locations import database, read_experiment
from pipeline.tracking.store import EXPERIMENT, URI, public_address, repository, tracking_uri

MENDS = "`python -m pipeline sync-mlflow`, or the next training, fixes it"
SERVER_SECONDS = 3.0  # to wait for an MLflow server's answer
SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///([^?]*)")


def check_dvc(root: Path) -> Check:
    """DVC, its folder in a Git repository, and whether it is on the PATH."""
    try:
        found = version("dvc")
    except PackageNotFoundError:
        return missing("DVC", "not installed", "`dvc repro`", INSTALL)
    if not (root / ".dvc").is_dir():
        return missing("DVC", f"{found}; no .dvc folder here", "`dvc repro`", "`dvc init` in the repository's root")
    try:
        inside = ["git", "-C", str(root), "rev-parse", "--is-inside-work-tree"]
        is_repository = subprocess.run(inside, capture_output=True, check=False).returncode == 0
    except OSError:
        return missing("DVC", f"{found}; Git is not installed", "`dvc repro`", "install git")
    if not is_repository:
        remedy = "`git init`, or clone the repository instead of copying it"
        return missing("DVC", f"{found}; not a Git repository", "`dvc repro`", remedy)
    try:
        require_lock(root)
    except PipelineError as error:
        return missing("DVC", f"{found}; {error.found}", "`dvc repro`", error.remedy)
    if shutil.which("dvc"):
        try:
            require_copies(root)
        except PipelineError as error:
            return warning("DVC", error.found, "`queue`, `dvc exp run --temp`", error.remedy)
        return ok("DVC", f"{found}, in a Git repository")
    beside = Path(sys.executable).parent / "dvc"
    if beside.exists():
        return warning("DVC", f"{found}; {beside} is not on the PATH", "`dvc repro` in this shell", ACTIVATE)
    return missing("DVC", f"{found}; the program `dvc` is missing", "`dvc repro`", INSTALL)


def check_mlflow(root: Path) -> Check:
    """The store of MLflow; at most a warning, because tracking never fails a stage."""
    disables = "the record of runs in MLflow; metrics/ has all metrics"
    try:
        found = version("mlflow")
    except PackageNotFoundError:
        return warning("MLflow", "not installed", disables, INSTALL)
    uri = tracking_uri(root)
    foreign = bool(os.environ.get(URI))
    remedy = f"fix or unset {URI}" if foreign else "make it writable, or move it away: the next run creates a new one"
    named = f"{found}, " + (f"by {URI} at {public_address(uri)}" if foreign else "mlflow.db")
    try:
        state = _state(uri)
    except (OSError, ValueError, sqlite3.Error, ImportError) as error:
        return warning("MLflow", f"{named}: {_why(error)}", disables, remedy)
    if not foreign and database(repository(root)).exists():
        deleted, elsewhere = read_experiment(repository(root), EXPERIMENT)
        if elsewhere is not None:
            found = f"{named}: its artifacts are in {elsewhere}: the repository was moved or copied"
            return warning("MLflow", found, "loading models from MLflow by name", MENDS)
        if deleted:
            return warning("MLflow", f"{named}: the experiment {EXPERIMENT} was deleted", "its pages", MENDS)
    return ok("MLflow", f"{named}{state}")


def _state(uri: str) -> str:
    """Return the state of a working store; raise one of several errors if it does not work."""
    if uri.startswith(("http://", "https://")):
        import requests

        answer = requests.get(f"{uri.rstrip('/')}/health", timeout=SERVER_SECONDS)
        if not answer.ok:
            raise OSError(f"its server returned HTTP {answer.status_code}")
        return ", reachable"
    if not (sqlite := SQLITE.fullmatch(uri)):
        return ", not tested"
    path = Path(unquote(sqlite[1]))
    if not path.exists():
        if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise OSError("its folder is not writable")
        return ", created at the first run"
    if not os.access(path, os.W_OK):
        raise OSError("it is not writable")
    with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True) as connection:
        connection.execute("SELECT name FROM sqlite_master").fetchone()
    return ", readable"


def _why(error: Exception) -> str:
    """Return the reason without the URL, which may contain a password."""
    own = isinstance(error, sqlite3.Error) or type(error) is OSError
    return str(error) if own else f"cannot be reached ({type(error).__name__})"
