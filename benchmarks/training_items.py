"""Training items from the cache, against decoding an MP3 file per item as the published implementation does.

An item is a random window of 9.92 s of a random track: log-mel frames at the paper's settings, or samples in the
published implementation. One process, one thread, files of 30 s and of three minutes.

    OMP_NUM_THREADS=1 python -m benchmarks.training_items
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.report import Figure, figure, publish
from benchmarks.settings import log_mel_settings
from pipeline.core.files import sha256_of
from pipeline.encoders.section import LogMelFeatures
from pipeline.features.audio_frames import write_frames
from pipeline.media.audio import write_mp3
from pipeline.params import load_params
from pipeline.store.audio_table import open_audio
from pipeline.store.films import FeatureStore

RATE, WINDOW_SECONDS = 22050, 9.92
FILES = 12
LEAST_SECONDS = 3.0  # of timing each way
MACHINE = load_params(Path(__file__).parent.parent / "params.yaml").machine


def main() -> None:
    """Run all and print the figures."""
    default = log_mel_settings()
    params = replace(default, n_fft=1024, hop_length=220, n_mels=128)
    publish("training_items", [measure(30, params, ""), measure(180, params, "500 or more")])


def measure(seconds: int, params: LogMelFeatures, goal: str) -> Figure:
    """Return the line for files of the given length in seconds."""
    window = 1 + int(WINDOW_SECONDS * RATE) // params.hop_length
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        dataset = list(tracks(root, seconds))
        write_frames(root, root / "audio.parquet", dataset, params, MACHINE)
        table = open_audio(root / "audio.parquet")
        store = FeatureStore((), table, {})

        def cached() -> torch.Tensor:
            track = int(rng.integers(FILES))
            start = int(rng.integers(table.steps[track] - window + 1))
            return store.windows([track], [start], window, torch.device("cpu"))

        def decoded() -> np.ndarray:
            samples, _ = soundfile.read(root / dataset[rng.integers(FILES)]["path"], dtype="float32")
            length = round(WINDOW_SECONDS * RATE)
            start = rng.integers(len(samples) - length + 1)
            return samples[start : start + length]

        ours, theirs = items_a_second(cached), items_a_second(decoded)
    return figure(f"files of {seconds} s", ours, "items/s", theirs, "decoding each time", goal)


def items_a_second(item: Callable[[], object]) -> float:
    """Return the number of calls of `item` per second."""
    item()
    start, calls = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < LEAST_SECONDS:
        item()
        calls += 1
    return calls / elapsed


def tracks(root: Path, seconds: int) -> Iterator[dict]:
    """Write MP3 files of noise and yield their rows of the data set."""
    rng = np.random.default_rng(0)
    for number in range(FILES):
        path = root / f"{number}.mp3"
        write_mp3(path, rng.integers(-9000, 9000, seconds * RATE, dtype=np.int16), RATE, 96000)
        known = {"fid": "AAA", "number": number, "path": path.name, "seconds": float(seconds)}
        yield known | {"file_sha256": sha256_of(path)}


if __name__ == "__main__":
    main()
