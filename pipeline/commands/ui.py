"""`python -m pipeline ui`: MLflow's pages, on loopback, without telemetry and without its runner of jobs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.apps.ui.view import save_view
from pipeline.tracking.store import QUIET, repository, tracking_uri


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser("ui", help="open MLflow's pages on this machine")
    parser.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1 (default: %(default)s)")
    parser.set_defaults(run=lambda options: serve(Path(), options.port))


def serve(root: Path, port: int) -> int:
    """Serve the pages at http://127.0.0.1:`port` until interrupted; return the server's exit status."""
    settings = QUIET | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", tracking_uri(root)]
    print(f"MLflow: http://127.0.0.1:{port}{save_view(root) or ''} (Ctrl-C ends it)", flush=True)
    try:
        command = [sys.executable, "-m", "mlflow", "ui", *where, *store]
        return subprocess.run(command, env=settings | os.environ, cwd=repository(root), check=False).returncode
    except KeyboardInterrupt:
        return 0
