"""Checks of the machine: Python, packages, PyTorch and its device, memory and cores."""

import os
import platform
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.apps.doctor.report import ACTIVATE, INSTALL, Check, missing, ok, warning
from pipeline.core.errors import ParamsError
from pipeline.core.machine import Device, choose_device

OLDEST_PYTHON = (3, 11)
REQUIREMENTS = ("requirements.txt", "requirements-weights.txt")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s#]+)", re.MULTILINE)


def check_python() -> Check:
    """Python's version, and whether the `python` with which DVC runs stages is this one."""
    found = f"{platform.python_version()}, {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        return missing("Python", found, "everything", "install Python 3.11 or newer, or `make PYTHON=python3.12 run`")
    on_path = shutil.which("python")
    if on_path is None or Path(on_path).parent != Path(sys.executable).parent:
        found += f"; `python` is {on_path or 'not on the PATH'}"
        return warning(
            "Python", found, "`dvc repro` in this shell: its stages would run without the packages", ACTIVATE
        )
    return ok("Python", found)


def check_packages(root: Path) -> Check:
    """The versions of the packages in the requirements files."""
    try:
        pinned = PINNED.findall("\n".join((root / name).read_text(encoding="utf-8") for name in REQUIREMENTS))
    except OSError as error:
        name = Path(error.filename).name
        return warning("packages", f"{name}: {error.strerror}", "this check", "run it in the repository's root")
    absent, others = [], []
    for name, wanted in pinned:
        try:
            if (here := version(name).partition("+")[0]) != wanted:  # 2.11.0+cu128 is a build of 2.11.0
                others.append(f"{name} {here} instead of {wanted}")
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        return missing("packages", f"{_few(absent)} not installed", "the stages that import them", INSTALL)
    if others:
        return warning("packages", _few(others), "the same results as with the pinned versions", INSTALL)
    return ok("packages", f"all {len(pinned)} of {' and '.join(REQUIREMENTS)}")


def check_torch(device: Device) -> Check:
    """PyTorch, and a sum on the device of `machine.device` in params.yaml."""
    stages = "features, train, evaluate and publish"
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library cannot be loaded
        return missing("PyTorch", _first_line(error), stages, INSTALL)
    found = f"{torch.__version__}, device: {device}"
    try:
        chosen = choose_device(device)
        torch.ones(2, device=chosen).sum().item()
    except ParamsError:
        remedy = "set machine.device to auto or cpu in params.yaml"
        return missing("PyTorch", f"{found}, but no CUDA device was found", stages, remedy)
    except RuntimeError as error:
        remedy = "set machine.device to cpu in params.yaml, or install a build of PyTorch for this driver"
        return missing("PyTorch", f"{found} does not work: {_first_line(error)}", stages, remedy)
    if chosen.type == "cuda":
        return ok("PyTorch", f"{found} → {torch.cuda.get_device_name(chosen)}")
    return ok("PyTorch", f"{found} → {chosen.type}")


def check_machine() -> Check:
    """Cores and memory, for information."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB of memory"
    except (AttributeError, OSError, ValueError):  # not available on every system
        memory = ""
    return ok("machine", f"{platform.system()} {platform.machine()}, {cores} cores{memory}")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
