"""The machine that the work runs on: the section `machine` of params.yaml, and the device that tensors are computed on.

It holds what results do not depend on, so no stage of dvc.yaml lists it: another machine makes nothing stale.
"""

from typing import TYPE_CHECKING, Literal

from pydantic.dataclasses import dataclass

from pipeline.core.errors import ParamsError
from pipeline.core.fields import STRICT, Count

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, config=STRICT)
class Machine:
    """How much is done at once, and where."""

    device: Device
    processes: Count
    train_processes: Count
    compile: bool
    audio_batch_size: Count
    image_batch_size: Count
    text_batch_size: Count
    embed_batch_size: Count


def choose_device(name: Device) -> "torch.device":
    """Return the device that `machine.device` asks for; `auto` is CUDA where there is one, else the CPU.

    Raises `ParamsError` when CUDA is asked for and absent.
    """
    import torch  # which stages that compute no tensors do without

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ParamsError(
            "machine.device: found 'cuda', but PyTorch finds no CUDA device here; set it to auto or cpu in params.yaml"
        )
    return torch.device(name)
