"""Speed of the default encoders on generated data, each against an alternative in the same run.

    python -m benchmarks.embedding                      # on the CPU, one thread
    python -m benchmarks.embedding --gpu                # on a GPU
    python -m benchmarks.embedding --gpu --device cpu --tiny    # the same code, as a smoke test

On the CPU: texts of 5 to 250 words, sorted by length as in the stage, against unsorted batches; images of 224 × 330 px;
windows of music. Items per second and memory.

On a GPU: tracks, posters and texts through the default encoders, and log-mel frames through the paper's audio tower as
in evaluation. Items per second as in the stages, against sequential batches (prepare, copy, compute, fetch).
`input wait` is the share of time in which the device is idle.

Each case runs in a separate process.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.report import Figure, figure, in_own_process, peak_megabytes, publish
from benchmarks.training_generated import paper_params
from pipeline.core.ahead import ahead
from pipeline.core.on_device import computed, preparers
from pipeline.core.workers import batches
from pipeline.encoders.audio import load_audio_encoder
from pipeline.encoders.groups import encode_groups
from pipeline.encoders.image import load_image_encoder
from pipeline.encoders.log_mel import LogMel
from pipeline.encoders.section import LogMelFeatures
from pipeline.encoders.text import load_text_encoder
from pipeline.features.audio_windows import GROUP_TRACKS
from pipeline.features.image import GROUP_FILMS
from pipeline.features.text import GROUP_TEXTS
from pipeline.model.embed import Tracks, embed_tracks
from pipeline.model.store import build_model, model_config
from pipeline.params import load_params
from pipeline.store.inputs import read_poster

ROOT = Path(__file__).parent.parent
MODULE = "benchmarks.embedding"
WAYS = [("text", "whole"), ("text", "as given"), ("image", "whole"), ("audio", "whole")]
KINDS = {"audio": "tracks", "image": "posters", "text": "texts", "log-mel": "tracks"}
GROUPS = {"audio": GROUP_TRACKS, "image": GROUP_FILMS, "text": GROUP_TEXTS}  # as in the stage `features`
MOST = {"audio": 64, "image": 1000, "text": 5000}  # distinct items, which are repeated
DIFFERENT = 64  # distinct images and spectrograms on disk or in memory
MUSIC_RATE = 16000  # Hz, of the default encoder
WORDS = ["the", "a", "film", "of", "war", "love", "night", "city", "man", "woman", "returns", "away", "from", "her"]
OVERLAPPED = ("pipeline.encoders.groups.computed", "pipeline.model.embed.computed")  # cover all computation


@dataclass(frozen=True)
class Sizes:
    """The number of items."""

    audio: int  # tracks
    image: int  # posters
    text: int
    log_mel: int  # tracks
    track_seconds: float


ON_CPU = Sizes(6, 150, 600, 0, 30.0)
ON_GPU = Sizes(4096, 16384, 65536, 2048, 30.0)
TINY = Sizes(3, 6, 20, 4, 3.0)

Work = Callable[[int], Iterable[Any]]  # embeds that many items


def main(gpu: bool, device: str, tiny: bool) -> None:
    """Run all cases and print the figures; those of toy sizes are not saved."""
    if gpu and device == "cuda" and not torch.cuda.is_available():
        sys.exit("--gpu: PyTorch finds no CUDA device; add `--device cpu --tiny` for a smoke test without one")
    lines = list(_gpu_lines(device, tiny) if gpu else _cpu_lines())
    if tiny:
        print(*lines, sep="\n")
    else:
        publish("embedding-gpu" if gpu else "embedding", lines)


def _cpu_lines() -> Iterator[Figure]:
    whole, given, image, audio = (in_own_process(MODULE, "--run", json.dumps(way)) for way in WAYS)
    yield figure(f"text: {whole['encoder']}", whole["rate"], "texts/s", given["rate"], "unsorted batches")
    yield figure("text: peak memory", whole["memory"], "MB", given["memory"], "unsorted batches")
    for kind, found in (("image", image), ("audio", audio)):
        yield figure(f"{kind}: {found['encoder']}", found["rate"], f"{KINDS[kind]}/s")
        yield figure(f"{kind}: peak memory", found["memory"], "MB")


def _gpu_lines(device: str, tiny: bool) -> Iterator[Figure]:
    for kind, items in KINDS.items():
        found = in_own_process(MODULE, "--run", json.dumps([kind, device, tiny]))
        title = f"{kind}: {found['encoder']}"
        yield figure(title, found["rate"], f"{items}/s", found["in_turn"], "sequential batches")
        yield figure(f"{title}: input wait", found["wait"], "of the time", goal="under 0.05")
        yield figure(f"{title}: peak memory", found["memory"], "MB")


def on_cpu(kind: str, way: str) -> dict[str, Any]:
    """Encode all items in one call, or batch by batch."""
    torch.set_num_threads(1)
    encoder, items = _encoder(kind, torch.device("cpu")), _items(kind, ON_CPU)
    encoder.encode(items[: encoder.batch_size])
    start = time.perf_counter()
    for part in batches(items, len(items) if way == "whole" else encoder.batch_size):
        encoder.encode(part)
    seconds = time.perf_counter() - start
    return {"rate": len(items) / seconds, "memory": peak_megabytes(), "encoder": encoder.spec["encoder"]}


def on_gpu(kind: str, device_name: str, tiny: bool) -> dict[str, Any]:
    """Return items per second, pipelined and sequential, the share of input wait, and the peak memory."""
    device, sizes = torch.device(device_name), TINY if tiny else ON_GPU
    count = getattr(sizes, kind.replace("-", "_"))
    with tempfile.TemporaryDirectory() as folder:
        name, overlapped, in_turn = (_tower if kind == "log-mel" else _encoded)(kind, device, sizes, Path(folder))
        fewer = count // 8 + 1
        for work in (overlapped, in_turn):  # to warm up
            _seconds(work, fewer)
        with busy(device) as seconds_busy:
            seconds = _seconds(overlapped, count)
        memory = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else peak_megabytes()
        wait = max(0.0, 1 - seconds_busy() / seconds)
        found = {"rate": count / seconds, "in_turn": fewer / _seconds(in_turn, fewer), "wait": wait, "memory": memory}
        return found | {"encoder": name}


@contextmanager
def busy(device: torch.device) -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds for which `device` computed batches in the block."""
    spans: list[Callable[[], float]] = []

    def counted(given: Any, compute: Callable[[Any], Tensor], on: torch.device) -> Iterator[Any]:
        def timed(inputs: Any) -> Tensor:
            begin = _now(device)
            found = compute(inputs)
            end = _now(device)
            spans.append(lambda: _between(begin, end))
            return found

        return computed(given, timed, on)

    with mock.patch(OVERLAPPED[0], counted), mock.patch(OVERLAPPED[1], counted):
        yield lambda: sum(span() for span in spans)


def _now(device: torch.device) -> Any:
    if device.type != "cuda":
        return time.perf_counter()
    return torch.cuda.current_stream(device).record_event(torch.cuda.Event(enable_timing=True))


def _between(begin: Any, end: Any) -> float:
    if isinstance(begin, float):
        return end - begin
    end.synchronize()
    return begin.elapsed_time(end) / 1000


def _seconds(work: Work, count: int) -> float:
    start = time.perf_counter()
    for _ in work(count):
        pass
    return time.perf_counter() - start


def _encoder(kind: str, device: torch.device) -> Any:
    """Return the encoder of params.yaml, with automatic batch size."""
    features = load_params(ROOT / "params.yaml").features
    load: Any = {"text": load_text_encoder, "image": load_image_encoder, "audio": load_audio_encoder}[kind]
    return load(getattr(features, kind), device, "auto")


def _encoded(kind: str, device: torch.device, sizes: Sizes, folder: Path) -> tuple[str, Work, Work]:
    """Return an encoder's name and functions that embed items as in its stage, and in sequential batches."""
    encoder = _encoder(kind, device)
    items = _items(kind, sizes)
    if kind == "image":  # as files, like in the stage
        for number, picture in enumerate(items[:DIFFERENT]):
            picture.save(folder / f"{number}.jpg", quality=92)
        items = sorted(folder.glob("*.jpg"))

    def read(item: Any) -> Any:
        return read_poster(item) if kind == "image" else item

    def overlapped(count: int) -> Iterable[Any]:
        groups = batches(ahead(read, islice(cycle(items), count), preparers(device)), GROUPS[kind])
        if kind == "audio":  # a CPU would use another code path
            return encode_groups(groups, encoder.plan, encoder.vectors, encoder.columns, device)
        return encoder.encode_groups(groups)

    def in_turn(count: int) -> Iterable[Any]:
        for batch in batches(map(read, islice(cycle(items), count)), encoder.batch_size):
            yield encoder.encode(batch)

    return encoder.spec["encoder"], overlapped, in_turn


def _tower(kind: str, device: torch.device, sizes: Sizes, folder: Path) -> tuple[str, Work, Work]:
    """Return the same for log-mel frames through the paper's audio tower, with several windows per track."""
    params = paper_params(tiny=sizes == TINY)
    audio = params.features.audio
    assert isinstance(audio, LogMelFeatures), "presets/paper.yaml says so"
    log_mel = LogMel(audio)
    frames = log_mel.frame_count(int(sizes.track_seconds * audio.sample_rate))
    features = {"tags": {"encoder": "none", "width": 8}, "audio": log_mel.spec | {"width": audio.n_mels}}
    steps = log_mel.frame_count(int(params.model.audio.window_seconds * audio.sample_rate))
    config = model_config("paper", ["tags"], params.model, features, steps)
    model = build_model(config)
    noise = np.random.default_rng(0).normal(-40, 15, (frames, audio.n_mels)).astype(np.float32)
    stored = [log_mel.stored(np.roll(noise, 10 * number, axis=0)) for number in range(DIFFERENT)]

    def overlapped(count: int) -> Iterable[Any]:
        arrays = (array.copy() for array in islice(cycle(stored), count))
        return embed_tracks(model, Tracks([""] * count, arrays), config, "auto", device)

    def in_turn(count: int) -> Iterable[Any]:
        with (
            mock.patch("pipeline.model.embed.overlaps", lambda device: False),
            mock.patch("pipeline.core.on_device.LATE", 0),
        ):
            return overlapped(count)

    return f"{audio.encoder}, the paper's tower", overlapped, in_turn


def _items(kind: str, sizes: Sizes) -> list[Any]:
    """Return generated texts, images or tracks: all items, or on a GPU the distinct ones."""
    count, rng = min(getattr(sizes, kind), MOST[kind]), np.random.default_rng(0)
    if kind == "text":
        return [" ".join(rng.choice(WORDS, rng.integers(5, 250))) for _ in range(count)]
    if kind == "image":
        return [Image.fromarray(rng.integers(0, 256, (330, 224, 3), dtype=np.uint8)) for _ in range(count)]
    length = round(sizes.track_seconds * MUSIC_RATE)
    return [0.1 * rng.standard_normal(length).astype(np.float32) for _ in range(count)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true", help="on a GPU")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="of --gpu")
    parser.add_argument("--tiny", action="store_true", help="toy sizes, a smoke test of --gpu; writes nothing")
    parser.add_argument("--run", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run is None:
        main(asked.gpu, asked.device, asked.tiny)
    else:
        print(json.dumps((on_gpu if len(asked.run) == 3 else on_cpu)(*asked.run)))
