"""The audio table at the size of the published data: 74,000 tracks of 7,771 films.

1. Short rows: builds data/features/audio.parquet of 74,000 generated tracks from a full cache, opens it, and reads an
   epoch as training does. A rerun has nothing to compute.
2. Rows of 30 s at the paper's settings, 57 GB, in sparse shards that use no disk space, read as in training. This
   measures memory, but not the time of a real disk.
3. The text table: 74,000 texts, all cached (their vectors are random).

Each part runs in a separate process and reports its peak memory.

    python -m benchmarks.paper_scale
"""

import hashlib
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from safetensors.numpy import save

from benchmarks.report import figure, in_own_process, peak_megabytes, publish
from benchmarks.settings import log_mel_settings
from pipeline.core.workers import batches
from pipeline.encoders.log_mel import LogMel
from pipeline.encoders.text import TextEncoder
from pipeline.features.audio_frames import write_frames
from pipeline.features.text import write_text_features
from pipeline.params import load_params
from pipeline.store.audio_table import AudioTable, open_audio
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.films import FeatureStore, FilmFeatures
from pipeline.train.sampling import epoch_plans

FILMS, TRACKS = 7771, 74_000
SHARD_TRACKS = 64
BATCH_FILMS = 512
SHORT_FRAMES, SHORT_MELS = 60, 16
WINDOW_SECONDS = 9.92
GB = 1e9
MACHINE = load_params(Path(__file__).parent.parent / "params.yaml").machine


def main() -> None:
    """Run each part in a separate process and print the figures."""
    short, long, text = (in_own_process("benchmarks.paper_scale", part) for part in ("short", "long", "text"))
    publish(
        "paper_scale",
        [
            figure(f"audio table of {TRACKS:,} short tracks: written from the cache", short["build"], "s"),
            figure("the same again, nothing to compute", short["again"], "s", goal="under 10"),
            figure("opened for training", short["open"], "s"),
            figure("read as in training", short["rate"], "tracks/s"),
            figure("memory, writing and reading", short["memory"], "MB", goal="under 2,000"),
            figure(f"{TRACKS:,} tracks of 30 s, {long['gigabytes']:.0f} GB: open", long["open"], "s"),
            figure("read as in training", long["rate"], "tracks/s"),
            figure("memory, reading", long["memory"], "MB", goal="under 2,000"),
            figure(f"text table of {text['rows']:,} rows, nothing to compute", text["again"], "s", goal="under 10"),
            figure("memory, writing it", text["memory"], "MB"),
        ],
    )


def short_rows(root: Path) -> dict:
    """Build the table of short tracks twice and read an epoch of it."""
    default = log_mel_settings()
    params = replace(default, n_mels=SHORT_MELS)
    seconds = (SHORT_FRAMES - 1) * params.hop_length / params.sample_rate
    dataset = [
        {"fid": fid_of(n % FILMS), "number": n // FILMS, "seconds": seconds, "path": "", "file_sha256": key(n)}
        for n in range(TRACKS)
    ]
    about = {"spec": LogMel(params).spec, "versions": versions("torch", "torchaudio", "av")}
    cache = open_cache(root, "audio", about)
    rng = np.random.default_rng(0)
    for group in batches(range(TRACKS), SHARD_TRACKS):
        frames = rng.normal(-40, 15, (len(group), SHORT_FRAMES, SHORT_MELS)).astype(np.float16)
        write_shard(cache.folder, {key(track): of_track for track, of_track in zip(group, frames, strict=True)})
    found = {}
    for name in ("build", "again"):
        start = time.perf_counter()
        assert write_frames(root, root / "audio.parquet", dataset, params, MACHINE) == 0
        found[name] = time.perf_counter() - start
    start = time.perf_counter()
    table = open_audio(root / "audio.parquet")
    found["open"] = time.perf_counter() - start
    return found | {"rate": rate(table, SHORT_FRAMES // 2), "memory": peak_megabytes()}


def long_rows(root: Path) -> dict:
    """Read an epoch of tracks of 30 s at the paper's settings."""
    default = log_mel_settings()
    params = replace(default, n_fft=1024, hop_length=220, n_mels=128)
    frames = LogMel(params).frame_count(30 * params.sample_rate)
    for group in batches(range(TRACKS), SHARD_TRACKS):
        write_hollow(root / f"{group[0]}.safetensors", [key(track) for track in group], (frames, params.n_mels))
    start = time.perf_counter()
    cache = FeatureCache(root)
    index = {(fid_of(track % FILMS), track // FILMS): track for track in range(TRACKS)}
    keys = tuple(map(key, range(TRACKS)))
    about = {"spec": LogMel(params).spec}
    table = AudioTable(index, keys, np.full(TRACKS, frames), params.n_mels, about, cache)
    opened = time.perf_counter() - start
    window = 1 + int(WINDOW_SECONDS * params.sample_rate / params.hop_length)
    gigabytes = TRACKS * frames * params.n_mels * 2 / GB
    return {"open": opened, "rate": rate(table, window), "memory": peak_megabytes(), "gigabytes": gigabytes}


def text_rows(root: Path) -> dict:
    """Write the text table with as many rows, all cached."""
    params = load_params(Path(__file__).parent.parent / "params.yaml").features.text
    paragraphs = (TRACKS // FILMS - 1) // 2
    dataset = [
        {"fid": fid_of(film), "tags": f"tags of {film}", "plot": "\n".join(f"{film}, {n}" for n in range(paragraphs))}
        for film in range(TRACKS // (1 + 2 * paragraphs))
    ]
    rng = np.random.default_rng(0)

    def drawn(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
        return rng.normal(size=(len(texts), encoder.width)).astype(np.float32)

    with mock.patch.object(TextEncoder, "encode", drawn):
        write_text_features(root / "text.parquet", dataset, params, MACHINE)
    (root / "text.parquet").unlink()
    start = time.perf_counter()
    assert write_text_features(root / "text.parquet", dataset, params, MACHINE) == 0
    again = time.perf_counter() - start
    return {"again": again, "memory": peak_megabytes(), "rows": len(dataset) * (1 + 2 * paragraphs)}


def rate(table: AudioTable, window: int) -> float:
    """Return the tracks per second of an epoch of batches, one track per film."""
    of_film: dict[str, list[int]] = {}
    for (fid, _), track in table.index.items():
        of_film.setdefault(fid, []).append(track)
    films = [FilmFeatures(fid, (), tuple(tracks), {}, {}) for fid, tracks in of_film.items()]
    store, rng = FeatureStore((), table, {}), np.random.default_rng(0)
    params = replace(load_params(Path(__file__).parent.parent / "params.yaml").train, batch_size=BATCH_FILMS)
    start = time.perf_counter()
    for plan in epoch_plans(films, store, window, params, rng):
        store.batch(plan.read(store, window), torch.device("cpu"))
    return len(films) / (time.perf_counter() - start)


def write_hollow(path: Path, keys: list[str], shape: tuple[int, int]) -> None:
    """Write a sparse shard of float16 zeros: its header, and a hole."""
    size = shape[0] * shape[1] * 2
    header = {
        name: {"dtype": "F16", "shape": shape, "data_offsets": [n * size, n * size + size]}
        for n, name in enumerate(keys)
    }
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(len(save({})[:8]), "little") + text)
        file.truncate(file.tell() + size * len(keys))


def fid_of(number: int) -> str:
    """Return a film's three letters."""
    return chr(65 + number // 676) + chr(65 + number // 26 % 26) + chr(65 + number % 26)


def key(track: int) -> str:
    """Return a made-up digest for a track's file."""
    return hashlib.sha256(str(track).encode()).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        with tempfile.TemporaryDirectory() as folder:
            part = {"short": short_rows, "long": long_rows, "text": text_rows}[sys.argv[1]]
            print(json.dumps(part(Path(folder))))
