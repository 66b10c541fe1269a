"""`python -m pipeline ui`: serve MLflow on loopback."""

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SERVER = "mlflow"


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "ui",
        help="serve MLflow on this machine",
        description="Serve MLflow on this machine, with a view for comparing variants.",
    )
    parser.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1 (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.ui import serve

    if find_spec(SERVER) is None:  # it runs in a separate process
        raise ModuleNotFoundError(f"No module named {SERVER!r}", name=SERVER)
    return serve(Path(), options.port)
