"""MLflow for this repository's runs, on loopback, with a saved view for comparing variants.

The view defines the columns of the table of runs and the first charts. By default MLflow shows none of a run's hundred
metrics in the table, and those of chance first among the charts. A view is a tag of the experiment, in the format that
MLflow 3 writes when a user saves a view.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.tracking.store import EXPERIMENT, QUIET, connected, never_fails, repository, tracking_uri

KEY = "variants"
PAGE = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={KEY}"
VIEW_TAG = "mlflow.sharedViewState."
KIND_TAG = "mlflow.experimentKind"  # selects MLflow's pages for models, not for agents
COLUMNS = (
    "metrics.`recall_at_10`",
    "metrics.`hit_rate_at_10`",
    "metrics.`mrr`",
    "metrics.`median_rank`",
    "metrics.`valid_loss`",
    "tags.`variant`",
    "tags.`dvc.exp_name`",
    "tags.`dataset.digest`",
    "tags.`git.commit`",
)
SORTED_BY = "metrics.`recall_at_10`"
CHARTS: dict[str, dict[str, tuple[str, ...]]] = {  # by section and kind
    "Evaluation": {"BAR": ("recall_at_10", "hit_rate_at_10", "mrr", "median_rank")},
    "Training": {"LINE": ("valid_loss", "train_loss", "valid_recall_at_10")},
}
CHARTS_PER_ROW = 2
CHART_PX = 340  # high
SHOWN = {"display": True, "isReordered": True, "deleted": False, "isGenerated": False}
RUNS = 20  # per chart


def serve(root: Path, port: int) -> int:
    """Serve MLflow at http://127.0.0.1:`port` until interrupted; return the server's exit status.

    MLflow runs without telemetry and without its job runner.
    """
    settings = QUIET | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    address = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", tracking_uri(root)]
    print(f"MLflow: http://127.0.0.1:{port}{save_view(root) or ''} (press Ctrl-C to stop)", flush=True)
    command = [sys.executable, "-m", "mlflow", "ui", *address, *store]
    return run_group(command, settings | os.environ, repository(root))


def run_group(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run a program until it ends or this process is interrupted; end its processes; return its status, else 0."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: after MLflow's import it does not interrupt waiting
        signal.signal(number, signal.default_int_handler)
    with subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True) as program:
        try:
            return program.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            with suppress(ProcessLookupError):  # all have ended
                os.killpg(program.pid, signal.SIGTERM)  # MLflow does not pass signals on to its server


@never_fails
def save_view(root: Path) -> str:
    """Save the view in the store of `root` if it is missing; return the path of its page."""
    mlflow = connected(root)
    client, experiment = mlflow.MlflowClient(), mlflow.get_experiment_by_name(EXPERIMENT)
    for name, value in {KIND_TAG: "custom_model_development", VIEW_TAG + KEY: _view()}.items():
        if experiment.tags.get(name) != value:
            client.set_experiment_tag(experiment.experiment_id, name, value)
    return f"/#/experiments/{experiment.experiment_id}/runs?{PAGE}"


def _view() -> str:
    """Return the view as the value of its tag."""
    state = base64.b64encode(zlib.compress(json.dumps(_state()).encode())).decode()
    return json.dumps({"name": "Variants", "createdAt": 0, "updatedAt": 0, "state": f"deflate;{state}"})


def _state() -> dict[str, Any]:
    return {
        "orderByKey": SORTED_BY,
        "orderByAsc": False,
        "selectedColumns": COLUMNS,
        "runsHiddenMode": "SHOWALL",
        "hideEmptyCharts": True,
        "isAccordionReordered": True,
        "compareRunSections": [
            {"uuid": name, "name": name, "columns": CHARTS_PER_ROW, "cardHeight": CHART_PX, **SHOWN}
            for name, kinds in CHARTS.items()
        ],
        "compareRunCharts": [
            _chart(section, kind, metric)
            for section, kinds in CHARTS.items()
            for kind, metrics in kinds.items()
            for metric in metrics
        ],
    }


def _chart(section: str, kind: str, metric: str) -> dict[str, Any]:
    chart = {
        "uuid": f"{section} {metric}",
        "type": kind,
        "runsCountToCompare": RUNS,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        "displayName": metric,
        "metricKey": metric,
    }
    if kind == "BAR":
        return chart
    return chart | {
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }
