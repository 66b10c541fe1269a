"""How many stages run at once: one per core, and of those that compute tensors one per GPU where there are any."""

import os
from pathlib import Path

from pipeline.core.machine import Machine

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = Path("/dev")  # where the driver lists GPUs


def cores() -> int:
    """Return how many cores of the CPU this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shares_of_gpus(machine: Machine) -> list[str]:
    """Return what stages that run at once are given as CUDA_VISIBLE_DEVICES; none where they work on the CPU.

    A share is one GPU, or as many as `machine.train_processes`.
    """
    if machine.device == "cpu":
        return []
    given, size = os.environ.get(VISIBLE), machine.train_processes
    gpus = [str(i) for i, _ in enumerate(DEVICES.glob("nvidia[0-9]*"))] if given is None else given.split(",")
    gpus = [gpu.strip() for gpu in gpus if gpu.strip() not in ("", "-1", "NoDevFiles")]
    full = [gpus[i : i + size] for i in range(0, len(gpus) - size + 1, size)]
    return [",".join(share) for share in full or [gpus] if share]
