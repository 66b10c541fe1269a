"""Indexing a music library: a first run, a run with nothing new, one new file, and memory by the length of a file.

Many distinct short files, with the audio encoder and an untrained network of params.yaml as one variant. The time to
hash all files is a lower bound for a run that ignores size and modification time; real songs are a hundred times as
large.

    python -m benchmarks.library [--files 10000]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.report import figure, in_own_process, peak_megabytes, publish
from benchmarks.segment import music, recording
from pipeline.apps.library.indexing import update_library
from pipeline.core.files import sha256_of
from pipeline.encoders.audio import load_audio_encoder
from pipeline.media.audio import mono
from pipeline.model.store import build_model, model_config, save_model
from pipeline.params import load_params

PARAMS = load_params(Path(__file__).parent.parent / "params.yaml")
RATE = 22050  # Hz
SHORT_SECONDS = 1.2
SONGS, MINUTES = 8, 4
LENGTHS = (10, 200)  # minutes of the files for the comparison of memory
GOAL_SECONDS = 10


def main(files: int) -> None:
    """Run all and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        model(root)
        many = in_own_process("benchmarks.library", "many", name, str(files), threads=2)
        songs = in_own_process("benchmarks.library", "songs", name, threads=2)
        short, long = (in_own_process("benchmarks.library", "long", name, str(n)) for n in LENGTHS)
    publish(
        "library",
        [
            figure(f"{files:,} files of {SHORT_SECONDS} s: first run", many["first"], "s"),
            figure("… nothing new", many["again"], "s", many["first"], "the first run", f"under {GOAL_SECONDS} s"),
            figure("… nothing new", many["again"], "s", many["hashing"], "hashing all files"),
            figure("… one new file", many["one"], "s", many["first"], "the first run"),
            figure("… one new file", many["one"], "s", many["again"], "nothing new"),
            figure("… peak memory", many["memory"], "MB"),
            figure(
                "songs: first run", songs["first"], "s per hour of audio", songs["decoding"], "decoding, one process"
            ),
            figure("songs: the cache", songs["cache"], "MB per hour of audio"),
            figure(
                f"a file of {LENGTHS[1]} minutes: memory", long["memory"], "MB", short["memory"], f"{LENGTHS[0]} min"
            ),
        ],
    )


def model(root: Path) -> None:
    """Write an untrained model of tags."""
    encoder = load_audio_encoder(PARAMS.features.audio, torch.device("cpu"), "auto")
    specs = {"audio": encoder.spec | {"width": encoder.width}, "tags": {"encoder": "none", "width": 384}}
    config = model_config("Any", ["tags"], PARAMS.model, specs, 1)
    torch.manual_seed(0)
    save_model(root / "models/Any", build_model(config), config)


def many(root: Path, count: int) -> dict[str, float]:
    """Index many short files four times."""
    folder, out = root / "many", root / "library"
    dice = np.random.default_rng(0)
    for number in range(count):
        write_short(folder / f"{number // 100:03}/{number:05}.wav", dice)
    first = timed(lambda: update(root, folder, out))
    again = min(timed(lambda: update(root, folder, out)) for _ in range(3))
    hashing = timed(lambda: [sha256_of(path) for path in folder.rglob("*.wav")])
    write_short(folder / "new.wav", dice)
    one = timed(lambda: update(root, folder, out))
    return {"first": first, "again": again, "hashing": hashing, "one": one, "memory": peak_megabytes()}


def songs(root: Path) -> dict[str, float]:
    """Index a few songs, stereo m4a."""
    rows = [recording(root, number, 0, MINUTES) for number in range(SONGS)]
    folder, hours = root / "data/downloads", SONGS * MINUTES / 60
    first = timed(lambda: update(root, folder, root / "songs"))
    paths = [root / str(row["path"]) for row in rows]
    decoding = timed(lambda: [sum(map(len, mono(path, RATE))) for path in paths])
    cache = sum(path.stat().st_size for path in (root / "songs/.cache").rglob("*.safetensors"))
    return {"first": first / hours, "decoding": decoding / hours, "cache": cache / 1e6 / hours}


def long(root: Path, minutes: int) -> dict[str, float]:
    """Index one file of the given minutes in one process."""
    wave = (music(0, 1)[0] * 32767).astype(np.int16)
    path = root / f"long{minutes}/long.flac"
    path.parent.mkdir()
    with soundfile.SoundFile(path, "w", 44100, 1) as file:
        for _ in range(minutes):
            file.write(wave)
    update(root, path.parent, root / f"of {minutes}")
    return {"memory": peak_megabytes()}


def update(root: Path, folder: Path, out: Path) -> None:
    """Update a library."""
    update_library(root, replace(PARAMS, machine=replace(PARAMS.machine, device="cpu")), folder, out, None)


def write_short(path: Path, dice: np.random.Generator) -> None:
    """Write a tone with noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(round(SHORT_SECONDS * RATE)) / RATE
    wave = np.sin(2 * np.pi * dice.uniform(100, 1000) * t) + 0.1 * dice.standard_normal(len(t))
    soundfile.write(path, (8000 * wave).astype(np.int16), RATE)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of wall time for `work`."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] in ("many", "songs", "long"):
        work = {"many": many, "songs": songs, "long": long}[sys.argv[1]]
        print(json.dumps(work(Path(sys.argv[2]), *map(int, sys.argv[3:]))))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--files", type=int, default=10_000)
        main(parser.parse_args().files)
