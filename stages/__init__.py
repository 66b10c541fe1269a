"""The stages of dvc.yaml, one module each: read files, call `pipeline`, write files."""

import sys
from importlib.util import find_spec

from pipeline.core.interrupt import end_on_interrupt

end_on_interrupt("stopped; `dvc repro` resumes")

for _package in (
    "pyarrow",
    "torch",
):  # `.venv/bin/dvc repro` runs the `python` on the PATH, maybe another one
    if find_spec(_package) is None:
        sys.exit(
            f"ERROR: {_package} is not installed for {sys.executable}: "
            "activate the environment (`source .venv/bin/activate`), or run `make run`"
        )
