"""A model's folder, and a process that has ended."""

import json
import platform
import subprocess
import sys
from pathlib import Path


def make_model(root: Path, variant: str = "Im") -> Path:
    """Create a model's folder with files that cannot be loaded, as logging must not try to."""
    folder = root / "models" / variant
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(f"weights of {variant}")
    (folder / "config.json").write_text(json.dumps({"variant": variant}))
    return folder


def ended_process() -> str:
    """Return the tag of a run whose process on this machine has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{platform.node()} {process.pid}"
