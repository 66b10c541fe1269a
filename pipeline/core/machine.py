"""The machine that the work runs on: the section `machine` of params.yaml, and the device that tensors are computed on.

It holds what results do not depend on, so no stage of dvc.yaml lists it: another machine makes nothing stale.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainValidator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from pipeline.core.errors import ParamsError
from pipeline.core.fields import STRICT, Count

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]
Batched = Literal["audio", "image", "text", "embed"]  # windows, posters, texts; windows and films of a trained model

# What `auto` stands for. A CPU is fastest with what its caches hold. A GPU's memory has room for so much of the largest
# models known: windows of 30 s through wav2vec 2.0, ViT-L, texts of 512 tokens, windows through the paper's tower.
CPU_BATCHES: dict[Batched, int] = {"audio": 1, "image": 4, "text": 32, "embed": 32}
GPU_BATCHES: dict[Batched, int] = {"audio": 16, "image": 64, "text": 64, "embed": 32}  # per `GPU_SHARE`
GPU_SHARE = 16 * 2**30  # bytes of memory


def _checked(value: Any) -> Any:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    raise PydanticCustomError("batch_size", "should be auto or a whole number of 1 or more")


BatchSize = Annotated[int | Literal["auto"], PlainValidator(_checked)]


@dataclass(frozen=True, config=STRICT)
class Machine:
    """How much is done at once, and where."""

    device: Device
    processes: Count
    train_processes: Count
    compile: bool
    audio_batch_size: BatchSize
    image_batch_size: BatchSize
    text_batch_size: BatchSize
    embed_batch_size: BatchSize


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


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let PyTorch compute in `count` threads of the CPU within the block: with another number its sums differ."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def batch_size_on(device: "torch.device", of: Batched, wanted: BatchSize) -> int:
    """Return how many `device` takes at once: the number `wanted`, or what `auto` stands for there."""
    if wanted != "auto":
        return wanted
    if device.type == "cpu":
        return CPU_BATCHES[of]
    import torch

    return GPU_BATCHES[of] * max(1, torch.cuda.get_device_properties(device).total_memory // GPU_SHARE)
