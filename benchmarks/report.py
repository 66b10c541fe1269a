"""Output of benchmarks: a table on the terminal, and the same figures as JSON."""

import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One line: a measurement, compared with an alternative in the same run or a goal."""

    what: str
    ours: float
    unit: str
    alternative: float | None
    alternative_name: str
    ratio: float | None
    goal: str


def figure(
    what: str, ours: float, unit: str, alternative: float | None = None, name: str = "", goal: str = ""
) -> Figure:
    """Return a line, with the ratio of ours to the alternative."""
    ratio = ours / alternative if alternative else None
    return Figure(what, ours, unit, alternative, name, ratio, goal)


def publish(name: str, figures: list[Figure]) -> None:
    """Print `figures` and write them to benchmarks/results/<name>.json."""
    table = Table("what", "ours", "unit", "alternative", "", "ratio", "goal", title=name)
    for line in figures:
        ours, alternative, ratio = map(_readable, (line.ours, line.alternative, line.ratio))
        table.add_row(line.what, ours, line.unit, alternative, line.alternative_name, ratio, line.goal)
    Console(width=150).print(table)
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine,
        "figures": [asdict(line) for line in figures],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the minimum CPU seconds of this process for `work`, after one warm-up call."""
    work()
    seconds = []
    for _ in range(repeats):
        start = process_time()
        work()
        seconds.append(process_time() - start)
    return min(seconds)


def peak_megabytes() -> float:
    """Return the peak memory of this process so far, including mapped files."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def in_own_process(module: str, *arguments: str, threads: int = 1) -> dict:
    """Run `python -m module arguments` with `threads` threads and return the JSON object on its last line of output."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:  # a killed process, e.g. out of memory, has no message of its own
        sys.exit(f"{done.stderr}\n{module} exited with status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def _readable(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
