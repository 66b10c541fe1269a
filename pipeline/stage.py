"""How a stage script starts: parameters, logging, and errors without a traceback."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.params import Params, load_params


def launch(run: Callable[[Path, Params], None]) -> None:
    """Call `run(root, params)` in the working directory; on bad input exit with 1 and a plain message."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    root = Path()
    try:
        run(root, load_params(root / "params.yaml"))
    except PipelineError as error:
        sys.exit(f"ERROR: {error}")
