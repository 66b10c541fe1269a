"""The number of stages at once: one per core; of those that compute tensors, one per GPU if there are GPUs."""

import os
from pathlib import Path

from pipeline.core.machine import Machine

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = Path("/dev")  # the driver lists GPUs here


def cores() -> int:
    """Return the number of CPU cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shares_of_gpus(machine: Machine) -> list[str]:
    """Return the values of CUDA_VISIBLE_DEVICES for stages that run at once; empty if they run on the CPU.

    A share has `machine.train_processes` GPUs.
    """
    if machine.device == "cpu":
        return []
    given, size = os.environ.get(VISIBLE), machine.train_processes
    gpus = [str(i) for i, _ in enumerate(DEVICES.glob("nvidia[0-9]*"))] if given is None else given.split(",")
    gpus = [gpu.strip() for gpu in gpus if gpu.strip() not in ("", "-1", "NoDevFiles")]
    full = [gpus[i : i + size] for i in range(0, len(gpus) - size + 1, size)]
    return [",".join(share) for share in full or [gpus] if share]
