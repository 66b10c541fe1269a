"""Models of small spectrograms, and music of known content for them to hear."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from pipeline.core.files import sha256_of
from pipeline.core.tables import DATASET, write_table
from pipeline.encoders.log_mel import LogMel
from pipeline.encoders.section import LogMelFeatures, WindowFeatures
from pipeline.features.audio_frames import write_frames
from pipeline.features.audio_windows import write_windows
from pipeline.features.sound_table import write_sounds
from pipeline.media.audio import write_mp3
from pipeline.model.store import build_model, model_config, save_model
from pipeline.params import Params
from pipeline.store.films import open_store
from tests.evaluate.small_world import MODEL, dataset_rows, make_world
from tests.features.small import AUDIO, SOUND
from tests.segment import sounds
from tests.segment.sounds import RATE
from tests.small_machine import MACHINE

music = cache(sounds.music)  # int16 samples [t] by seed and seconds; made once
CPU = torch.device("cpu")
SMALL = replace(MODEL, audio=replace(MODEL.audio, positions=64))
WINDOW_STEPS = 1 + int(0.8 * RATE / 512)
VARIANTS = {"Words": ["tags"], "Story": ["plot"]}
LIBRARY = {  # files of a folder of music, and the seed and seconds of each
    "Dawn/01 storm.mp3": (1, 6.0),
    "Dawn/02 calm.mp3": (2, 13.0),
    "Dusk/fire.mp3": (3, 5.5),
    "single.mp3": (4, 2.0),
}


def small(params: Params, audio: LogMelFeatures | WindowFeatures = AUDIO) -> Params:
    """Return parameters for small sounds: segments of 5 s, one process."""
    return replace(
        params,
        machine=replace(params.machine, device="cpu", processes=1),
        features=replace(params.features, audio=audio),
        segment=replace(params.segment, seconds=5.0, hop_seconds=5.0, min_seconds=2.0),
    )


def train(
    root: Path, variant: str, inputs: Sequence[str], seed: int = 0, audio: LogMelFeatures | WindowFeatures = AUDIO
) -> None:
    """Write an untrained model of spectrograms below `root`."""
    features = {name: {"encoder": "test", "width": 6} for name in inputs}
    features["audio"] = LogMel(audio).spec | {"width": audio.n_mels}
    torch.manual_seed(seed)
    config = model_config(variant, inputs, SMALL, features, WINDOW_STEPS)
    save_model(root / "models" / variant, build_model(config), config)


def fill(folder: Path, files: dict[str, tuple[int, float]]) -> Path:
    """Write music into `folder`."""
    for name, (seed, seconds) in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_mp3(folder / name, music(seed, seconds), RATE, 96000)
    return folder


def make_heard_world(root: Path, audio: LogMelFeatures | WindowFeatures) -> list[dict[str, Any]]:
    """Write a data set with real sound, its features, and a model `Heard` below `root`; return the data set's rows."""
    make_world(root)
    rows = dataset_rows()
    for number, row in enumerate(rows):
        wave = music(number, 1.2 + 0.1 * number)
        (root / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        write_mp3(root / row["path"], wave, RATE, 96000)
        row |= {"seconds": len(wave) / RATE, "file_sha256": sha256_of(root / row["path"])}
    write_table(root / "data/dataset.parquet", rows, DATASET)
    table = root / "data/features/audio.parquet"
    if isinstance(audio, LogMelFeatures):
        write_frames(root, table, rows, audio, MACHINE)
    else:
        write_windows(root, table, rows, audio, MACHINE)
    write_sounds(root, root / "data/features/sound.parquet", rows, SOUND, MACHINE)
    store = open_store(root / "data/features", ["tags"])
    config = model_config("Heard", ["tags"], SMALL, store.specs(), store.window_steps(0.8))
    torch.manual_seed(0)
    save_model(root / "models/Heard", build_model(config), config)
    return rows
