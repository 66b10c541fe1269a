"""The section `machine` of params.yaml, and the device for tensors.

Results depend on it up to rounding only. No stage of dvc.yaml lists it: a change makes no stage stale.
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

# Values of `auto`. A CPU is fastest with batches that fit its caches. A GPU's memory has room for these with the
# largest known models: windows of 30 s in wav2vec 2.0, ViT-L, texts of 512 tokens, windows in the paper's tower.
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
    """Devices, processes and batch sizes."""

    device: Device
    processes: Count
    train_processes: Count
    compile: bool
    audio_batch_size: BatchSize
    image_batch_size: BatchSize
    text_batch_size: BatchSize
    embed_batch_size: BatchSize


def choose_device(name: Device) -> "torch.device":
    """Return the device of `machine.device`; `auto` is CUDA if available, else the CPU.

    Raises `ParamsError` if CUDA is requested but not available.
    """
    import torch  # not needed by stages without tensors

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ParamsError(
            "machine.device: found 'cuda', but PyTorch finds no CUDA device; set it to auto or cpu in params.yaml"
        )
    return torch.device(name)


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Set PyTorch's CPU threads to `count` in the block; another number changes the order of sums."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def batch_size_on(device: "torch.device", of: Batched, wanted: BatchSize) -> int:
    """Return the batch size on `device`: `wanted`, or the value of `auto`."""
    if wanted != "auto":
        return wanted
    if device.type == "cpu":
        return CPU_BATCHES[of]
    import torch

    return GPU_BATCHES[of] * max(1, torch.cuda.get_device_properties(device).total_memory // GPU_SHARE)
