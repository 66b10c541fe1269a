"""The audio table, with random access to any stretch of any track.

A track is an array [steps, width]: log-mel frames, or one vector of a pretrained encoder per window, followed in the
cache by the probabilities of the encoder's tags. Tracks are read from the cache. Frames are stored in the table in
readable form, and the cache links to it. Vectors in Parquet can only be read by row group; if the table was computed on
another machine, the cache is filled from it. Memory holds only the keys and the tracks being read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from torch import Tensor

from pipeline.encoders.log_mel import decibels
from pipeline.encoders.section import is_log_mel
from pipeline.store.cache import FeatureCache, open_cache, write_shard
from pipeline.store.table import TAGS, open_parquet, read_keys, read_vectors


@dataclass(frozen=True)
class AudioTable:
    """The tracks of the audio table, in order."""

    index: dict[tuple[str, int], int]  # track by film and number
    sha256: tuple[str, ...]  # of each track's file
    steps: np.ndarray  # number of frames or windows of each track
    width: int  # mel bands, or values of a vector
    about: dict[str, Any]  # settings, versions, digest
    cache: FeatureCache

    @property
    def spec(self) -> dict[str, Any]:
        """The settings of the features, which must match those of a model."""
        return self.about["spec"]

    @property
    def is_log_mel(self) -> bool:
        """Whether a step is a log-mel frame, not the vector of a window."""
        return is_log_mel(self.spec["encoder"])

    @property
    def dtype(self) -> np.dtype:
        """The dtype of stored steps."""
        return self.cache.dtype(self.sha256[0])

    @property
    def tags(self) -> list[str]:
        """The names of the encoder's tags; empty if it does not tag."""
        return self.about.get("tags", [])

    def read(self, track: int) -> np.ndarray:
        """Return all steps of a track [steps, width], as stored."""
        return self.cache.read(self.sha256[track])[:, : self.width]

    def read_tags(self, track: int) -> np.ndarray:
        """Return the probabilities [tags] of a track's tags, averaged over its windows."""
        return self.cache.read(self.sha256[track])[:, self.width :].mean(0)

    def read_into(self, steps: np.ndarray, track: int, start: int) -> None:
        """Fill `steps` [n, width], of `dtype`, with the steps of a track from `start` on, which must exist."""
        stored = np.empty((len(steps), self.width + len(self.tags)), self.dtype) if self.tags else steps
        self.cache.read_into(stored, self.sha256[track], start)
        if self.tags:
            steps[:] = stored[:, : self.width]

    def values(self, stored: Tensor) -> Tensor:
        """Return stored steps [..., width] as float32: frames in dB, or vectors."""
        return decibels(stored, self.spec)


def open_audio(path: Path) -> AudioTable:
    """Open the table at `path`; raise `MissingFileError` if it is missing or damaged."""
    with open_parquet(path) as (file, about):
        keys = read_keys(file, path)
        cache = open_cache(path.parent, path.stem, {name: about[name] for name in ("spec", "versions")})
        if is_log_mel(about["spec"]["encoder"]):
            cache.take_in(path)
        elif missing := set(cache.missing(keys["sha256"])):
            _fill(cache, missing, file, path, keys, about)
    firsts = np.flatnonzero(_begins(keys))
    sha256 = tuple(keys["sha256"][firsts])
    named = zip(keys["fid"][firsts].tolist(), keys["number"][firsts].tolist(), strict=True)
    return AudioTable(
        index={key: track for track, key in enumerate(named)},
        sha256=sha256,
        steps=np.array([cache.count(key) for key in sha256]),
        width=cache.width(sha256[0]) - len(about.get("tags", ())),
        about=about,
        cache=cache,
    )


def steps_per_second(spec: Mapping[str, Any]) -> float:
    """Return the number of frames or vectors per second of audio of features with `spec`."""
    return spec["sample_rate"] / spec["hop_length"] if is_log_mel(spec["encoder"]) else 1 / spec["window_hop_seconds"]


def hop_steps(spec: Mapping[str, Any], seconds: float) -> int:
    """Return the number of steps between windows every `seconds`, rounded, at least 1."""
    return max(1, round(seconds * steps_per_second(spec)))


def window_starts(length: int, window: int, hop: int) -> list[int]:
    """Return the starts of the windows of a recording of `length`: every `hop`, the last window ending with it."""
    last = max(length - window, 0)
    return sorted({*range(0, last + 1, hop), last})


def window_of(track: np.ndarray, start: int, length: int) -> np.ndarray:
    """Return `length` steps of a track [steps, width] from `start` on, repeating a shorter track."""
    if start + length <= len(track):
        return track[start : start + length]
    return track[np.arange(start, start + length) % len(track)]


def _begins(keys: dict[str, np.ndarray]) -> np.ndarray:
    """Return whether each row is the first of its track."""
    return keys["window"] == 0 if "window" in keys else np.ones(len(keys["fid"]), bool)


def _fill(
    cache: FeatureCache,
    missing: set[str],
    file: pq.ParquetFile,
    path: Path,
    keys: dict[str, np.ndarray],
    about: dict[str, Any],
) -> None:
    for arrays in _tracks(file, path, keys, about):
        if wanted := {key: array for key, array in arrays.items() if key in missing}:
            cache.add(write_shard(cache.folder, wanted))


def _tracks(
    file: pq.ParquetFile, path: Path, keys: dict[str, np.ndarray], about: dict[str, Any]
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the tracks of each row group by key; a track is never split over row groups."""
    row = 0
    for group in range(file.num_row_groups):
        vectors = read_vectors(file, path, group)
        if "tags" in about:
            vectors = np.concatenate([vectors, read_vectors(file, path, group, TAGS)], 1)
        rows = slice(row, row + len(vectors))
        names = keys["sha256"][rows]
        row = rows.stop
        begins = keys["window"][rows] == 0
        yield dict(zip(names[begins], np.split(vectors, np.flatnonzero(begins)[1:]), strict=True))
