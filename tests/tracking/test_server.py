"""A team's MLflow server: runs of all variants, their models and the registered one."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.core.files import sha256_of
from pipeline.publish.registry import registered
from pipeline.tracking.evaluation import log_evaluation
from pipeline.tracking.store import EXPERIMENT, connected, find_run
from pipeline.tracking.training import training_run
from tests.tracking.small import make_model

pytestmark = pytest.mark.slow
START_SECONDS = 60.0
SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(process: subprocess.Popen, is_up) -> None:
    end = time.monotonic() + START_SECONDS
    while not is_up():
        assert process.poll() is None and time.monotonic() < end, process.args
        time.sleep(0.1)


@contextmanager
def postgresql() -> Iterator[str]:
    """Yield the address of a new database; skip the test if none can be created."""
    initdb = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    account = next((entry.pw_name for entry in pwd.getpwall() if entry.pw_name == "postgres"), None)
    driver = next(filter(find_spec, ("psycopg", "psycopg2")), None)
    if initdb is None or driver is None or (os.geteuid() == 0 and account is None):
        pytest.skip("there is no PostgreSQL, or no driver for it")
    as_other = {"user": account} if os.geteuid() == 0 else {}  # PostgreSQL refuses to run as root
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        if as_other:
            shutil.chown(name, account)
        options = ["-D", f"{name}/data", "-A", "trust", "-U", "mlflow", "--no-sync"]
        subprocess.run([initdb, *options], check=True, capture_output=True, cwd=name, **as_other)
        options = ["-D", f"{name}/data", "-h", "127.0.0.1", "-p", str(port), "-k", name, "-F"]
        command = [str(Path(initdb).with_name("postgres")), *options]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=name, **as_other) as process:
            try:
                wait_for(process, lambda: Path(f"{name}/.s.PGSQL.{port}").exists())
                yield f"postgresql+{driver}://mlflow@127.0.0.1:{port}/postgres"
            finally:
                process.terminate()


@contextmanager
def mlflow_server(folder: Path, store: str) -> Iterator[str]:
    """Yield the address of a server with runs in `store` and artifacts below `folder`."""
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    options += ["--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts")]
    command = [sys.executable, "-m", "mlflow", "server", *options]
    address = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        try:
            return urllib.request.urlopen(f"{address}/health", timeout=1).status == 200
        except OSError:
            return False

    log = (folder / "server.log").open("wb")
    with log, subprocess.Popen(command, cwd=folder, env=os.environ | SETTINGS, stdout=log, stderr=log) as process:
        try:
            wait_for(process, is_up)
            yield address
        finally:
            process.terminate()


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_server_takes_runs_models_and_the_registry(tmp_path, params, monkeypatch, caplog, kind):
    database = postgresql() if kind == "postgresql" else nullcontext(f"sqlite:///{tmp_path}/server.db")
    with database as store, mlflow_server(tmp_path, store) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        root = tmp_path / "repository"
        folders = {}
        for variant in list(params.variants)[: 7 if kind == "postgresql" else 1]:
            folder = folders[variant] = make_model(root, variant)
            with training_run(root, variant, asdict(params), "00") as run:
                run.log_epoch({"epoch": 1, "train_loss": 2.0})
                run.log_model(folder)
            log_evaluation(root, folder, {"mrr": 0.5, "pool": params.evaluate.pool})
        published = folders["Im"]
        (published / "tracks.parquet").write_bytes(b"tracks")
        mlflow = connected(root)
        version, is_new = registered(root, mlflow, published, {"variant": "Im"})
        assert (str(version), is_new) == ("1", True)
        for variant, folder in folders.items():
            run = find_run(mlflow, sha256_of(folder / "model.safetensors"))
            assert (run.data.tags["variant"], run.info.status) == (variant, "FINISHED")
            assert (run.data.metrics["mrr"], run.data.metrics["train_loss"]) == (0.5, 2.0)
            assert len(run.outputs.model_outputs) == 1 + (variant == "Im")
        place = mlflow.artifacts.download_artifacts(
            f"models:/{EXPERIMENT}@published", dst_path=str(tmp_path / "loaded")
        )
        assert (Path(place) / "artifacts/model.safetensors").read_bytes() == b"weights of Im"
    assert {path.name for path in root.iterdir()} == {"models", "mlflow.db.lock", "mlflow.db.write.lock"}
    assert not [record for record in caplog.records if record.name.startswith("pipeline")]
