"""The audio table as vectors of a pretrained encoder: a row a window, tracks in the order of the data set.

Windows lie on a fixed grid, every `window_hop_seconds`, the last one ending with the track; a track shorter than a
window is one window. Tracks are decoded in threads while the encoder is at work.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.core.machine import Machine, choose_device
from pipeline.core.workers import batches
from pipeline.encoders.audio import AudioEncoder, libraries_of, load_audio_encoder
from pipeline.encoders.section import WindowFeatures
from pipeline.media.tracks import stated_samples, track_samples
from pipeline.store.audio_table import window_starts
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.table import WINDOW_KEYS, write_features

GROUP_TRACKS = 32  # decoded ahead, encoded and kept at a time
GROUP_ROWS = 1024  # tracks whose windows are a row group

Row = dict[str, Any]


def write_windows(root: Path, path: Path, dataset: list[Row], params: WindowFeatures, machine: Machine) -> int:
    """Write the windows' vectors of the tracks of `dataset` to `path`; return how many tracks had to be encoded.

    Raises `MissingFileError` for a track that is missing, damaged, or not as long as `dataset` says, `ModelError` for
    an encoder that cannot be used.
    """
    encoder = load_audio_encoder(params, choose_device(machine.device), machine.audio_batch_size)
    about = {"spec": encoder.spec, "versions": versions(*libraries_of(params.encoder))}
    cache = open_cache(path.parent, path.stem, about)
    by_key = {row["file_sha256"]: row for row in dataset}
    missing = [by_key[key] for key in cache.missing(by_key)]
    progress = tqdm(total=len(missing), desc="tracks", unit="", disable=None)
    with ThreadPoolExecutor(machine.processes) as pool, progress:
        for rows, tracks in _decoded(pool, root, missing, encoder.sample_rate):
            vectors = _encode(encoder, tracks, params)
            cache.add(write_shard(cache.folder, {r["file_sha256"]: v for r, v in zip(rows, vectors, strict=True)}))
            progress.update(len(rows))
    groups = _groups(cache, dataset, params, encoder.sample_rate)
    write_features(path, WINDOW_KEYS, groups, encoder.width, np.float32, about, encoder.tags)
    return len(missing)


def _decoded(
    pool: ThreadPoolExecutor, root: Path, rows: list[Row], sample_rate: int
) -> Iterator[tuple[list[Row], list[np.ndarray]]]:
    """Yield groups of rows with their samples, the next group being decoded meanwhile."""
    waiting = None
    for group in batches(rows, GROUP_TRACKS):
        futures = [pool.submit(track_samples, root, row, sample_rate) for row in group]
        if waiting:
            yield waiting[0], [future.result() for future in waiting[1]]
        waiting = group, futures
    if waiting:
        yield waiting[0], [future.result() for future in waiting[1]]


def _encode(encoder: AudioEncoder, tracks: list[np.ndarray], params: WindowFeatures) -> list[np.ndarray]:
    """Return the vectors [windows, f + tags] of each track."""
    length = round(params.window_seconds * encoder.sample_rate)
    starts = [_starts(len(track), params, encoder.sample_rate) for track in tracks]
    windows = [track[s : s + length] for track, of_track in zip(tracks, starts, strict=True) for s in of_track]
    ends = np.cumsum([len(of_track) for of_track in starts])
    return np.split(encoder.encode(windows), ends[:-1])


def _starts(samples: int, params: WindowFeatures, sample_rate: int) -> list[int]:
    length, hop = (round(s * sample_rate) for s in (params.window_seconds, params.window_hop_seconds))
    return window_starts(samples, length, max(1, hop))


def _groups(
    cache: FeatureCache, dataset: list[Row], params: WindowFeatures, sample_rate: int
) -> Iterator[tuple[list[Row], np.ndarray]]:
    for rows in batches(dataset, GROUP_ROWS):
        vectors = [cache.read(row["file_sha256"]) for row in rows]
        keys = [
            {
                "fid": row["fid"],
                "number": row["number"],
                "window": window,
                "start_seconds": start / sample_rate,
                "sha256": row["file_sha256"],
            }
            for row in rows
            for window, start in enumerate(_starts(stated_samples(row, sample_rate), params, sample_rate))
        ]
        yield keys, np.concatenate(vectors)
