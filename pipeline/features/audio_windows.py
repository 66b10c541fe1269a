"""The audio table as vectors of a pretrained encoder: one row per window, tracks in the order of the data set.

Windows are on a fixed grid, every `window_hop_seconds`, the last one ending with the track; a track shorter than a
window is one window. Threads decode tracks while the encoder computes, on this machine or on the GPUs of a cluster.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from pipeline.core.errors import ModelError
from pipeline.core.machine import Machine, choose_device
from pipeline.core.workers import Resident, batches, residents
from pipeline.encoders.audio import AudioEncoder, libraries_of, load_audio_encoder
from pipeline.encoders.section import WindowFeatures
from pipeline.media.tracks import stated_samples, track_samples
from pipeline.store.audio_table import window_starts
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.table import WINDOW_KEYS, write_features

GROUP_TRACKS = 32  # decoded, encoded and cached at a time
GROUP_ROWS = 1024  # tracks per row group

Row = dict[str, Any]


def write_windows(root: Path, path: Path, dataset: list[Row], params: WindowFeatures, machine: Machine) -> int:
    """Write the windows' vectors of the tracks of `dataset` to `path`; return the number of tracks encoded.

    Raises `MissingFileError` if a track is missing, damaged, or differs in length from `dataset`, `ModelError` if the
    encoder is unusable.
    """
    load = partial(_load, params, machine)
    with residents(load, machine.processes + 1, machine.device != "cpu") as encoders:
        known = encoders.ask(_known)
        about = {"spec": known.spec, "versions": versions(*libraries_of(params.encoder))}
        cache = open_cache(path.parent, path.stem, about)
        by_key = {row["file_sha256"]: row for row in dataset}
        missing = [by_key[key] for key in cache.missing(by_key)]
        groups = list(batches(missing, GROUP_TRACKS))
        done = encoders.map(partial(_compute, root, cache.folder, params, known.spec), groups)
        with tqdm(total=len(missing), desc="tracks", unit="", disable=None) as progress:
            for group, shard in zip(groups, done, strict=True):
                cache.add(shard)
                progress.update(len(group))
    rows = _groups(cache, dataset, params, known.sample_rate)
    write_features(path, WINDOW_KEYS, rows, known.width, np.float32, about, known.tags)
    return len(missing)


class _Known(NamedTuple):
    """Properties of the encoder, local or remote, for the table."""

    spec: dict[str, Any]
    sample_rate: int
    width: int
    tags: Sequence[str]


def _load(params: WindowFeatures, machine: Machine) -> AudioEncoder:
    return load_audio_encoder(params, choose_device(machine.device), machine.audio_batch_size)


def _known(encoder: AudioEncoder) -> _Known:
    return _Known(encoder.spec, encoder.sample_rate, encoder.width, encoder.tags)


def _compute(
    root: Path,
    folder: Path,
    params: WindowFeatures,
    spec: dict[str, Any],
    resident: Resident[AudioEncoder],
    rows: list[Row],
) -> Path:
    """Write the vectors of the tracks of `rows` as a shard of the cache and return its path."""
    encoder = resident.model
    if encoder.spec != spec:
        raise ModelError("features.audio: the nodes have different precisions: set machine.device to cpu")
    tracks = [track_samples(root, row, encoder.sample_rate) for row in rows]
    with resident.turn:
        vectors = _encode(encoder, tracks, params)
    return write_shard(folder, {row["file_sha256"]: vector for row, vector in zip(rows, vectors, strict=True)})


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
