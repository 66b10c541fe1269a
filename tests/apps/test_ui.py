"""MLflow's user interface: on loopback, quiet, with the view of the variants."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import psutil
import pytest

from pipeline.apps import ui
from pipeline.apps.ui import save_view, serve
from pipeline.tracking.store import tracking_uri

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_store")]
ROOT = Path(__file__).parents[2]
UI = """
import os, signal, sys
from pathlib import Path
from pipeline.apps import ui

MLFLOW = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
SERVER = "import os, time; open('server', 'w').write(str(os.getpid())); time.sleep(100)"
signal.siginterrupt(signal.SIGINT, False)  # as after MLflow's import
sys.exit(ui.run_group([sys.executable, "-c", MLFLOW, SERVER], os.environ, Path()))
"""  # MLflow's command starts its server in another process


@pytest.fixture(autouse=True)
def no_outside_store(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"):
        monkeypatch.delenv(name, raising=False)


def tags(root) -> dict[str, str]:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri(root)).get_experiment_by_name("soundtrack-retrieval").tags


def test_view_shows_the_figures_that_runs_have(tmp_path):
    page = save_view(tmp_path)
    path, _, query = page.partition("?")
    assert path == "/#/experiments/1/runs"
    assert set(query.split("&")) == {
        "workflowType=machine_learning",
        "compareRunsMode=CHART",
        "viewStateShareKey=variants",
    }
    saved = json.loads(tags(tmp_path)["mlflow.sharedViewState.variants"])
    state = json.loads(zlib.decompress(base64.b64decode(saved["state"].removeprefix("deflate;"))))
    assert "metrics.`recall_at_10`" in state["selectedColumns"]
    assert "tags.`variant`" in state["selectedColumns"]
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections
    assert {chart["metricKey"] for chart in state["compareRunCharts"]} >= {"recall_at_10", "mrr", "valid_loss"}


def test_view_is_saved_once(tmp_path):
    save_view(tmp_path)
    before = tags(tmp_path)
    save_view(tmp_path)
    assert tags(tmp_path) == before


def test_server_is_on_loopback_without_telemetry_and_jobs(tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(ui, "run_group", lambda *given: calls.append(given) or 3)
    assert serve(tmp_path, 5123) == 3
    ((command, environment, _),) = calls
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == tracking_uri(tmp_path)
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert "http://127.0.0.1:5123/#/experiments/1/runs?" in capsys.readouterr().out


def test_store_that_fails_leaves_the_bare_address(tmp_path, monkeypatch, capsys):
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database" * 100)
    monkeypatch.setattr(ui, "run_group", lambda *_: 1)
    serve(tmp_path, 5123)
    assert "MLflow: http://127.0.0.1:5123 (" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_too(tmp_path, number):
    file = tmp_path / "server"
    with subprocess.Popen(
        [sys.executable, "-c", UI], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as process:
        wait_for(lambda: file.exists() and file.read_text())
        server = psutil.Process(int(file.read_text()))
        process.send_signal(number)
        assert process.wait(30) == 0
    wait_for(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
