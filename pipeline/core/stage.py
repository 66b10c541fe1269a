"""Launching a stage script: its sections of the parameters, logging, and errors without a traceback."""

import logging
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.fields import load_sections


def launch(run: Callable[..., None], sections: Mapping[str, Any], *arguments: str) -> None:
    """Call `run(root, *arguments, *sections)` in the working directory; on invalid input exit with 1 and a message.

    `sections` maps the dotted name of each section of `params.yaml` that the stage reads to its type.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    root = Path()
    try:
        run(root, *arguments, *load_sections(root / "params.yaml", sections))
    except PipelineError as error:
        sys.exit(f"ERROR: {error}")


def run_module(module: str, arguments: Sequence[str]) -> int:
    """Run a module in this process as `python -m` does and return the exit status; exceptions propagate."""
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
