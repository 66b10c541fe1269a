"""Where tensors are computed."""

from typing import Literal

import torch

from pipeline.core.errors import ParamsError

Device = Literal["auto", "cpu", "cuda"]  # the key `device` of params.yaml


def choose_device(name: Device) -> torch.device:
    """Return the device that `device` in params.yaml asks for; `auto` is CUDA where there is one, else the CPU.

    Raises `ParamsError` when CUDA is asked for and absent.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ParamsError(
            "device: found 'cuda', but PyTorch finds no CUDA device here; set device to auto or cpu in params.yaml"
        )
    return torch.device(name)
