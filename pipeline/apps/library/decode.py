"""Files decoded once: their segments, features and tags, kept by the SHA-256 of their content.

In the cache of a recipe lie for each file that was decoded its facts (JSON as bytes [1, n]: status, reason, seconds,
tags, and each segment's first sample, length and likeliest tags of the music), under its digest, and the features
[steps, width] of each segment, under digest and first sample. Facts are written after the features, so a file whose
facts are here is whole. A file that cannot be used has facts as well, and is not decoded again.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from pipeline.apps.library.recipe import Extract, Recipe, extractor, load_encoder
from pipeline.apps.library.segments import UnusableError, cut_file
from pipeline.apps.library.table import OK, Row
from pipeline.apps.library.tags import tags_of
from pipeline.apps.library.walk import stamp
from pipeline.core.errors import StageError
from pipeline.core.machine import Machine
from pipeline.core.workers import batches, map_in_order
from pipeline.encoders.audio import AudioEncoder
from pipeline.store.cache import FeatureCache, write_shard

GROUP_FILES = 16  # that a process takes at a time; what a kill loses
SHARD_BYTES = 1 << 25  # of features, after which a shard is written, also within a file

Trouble = dict[str, tuple[str, str]]  # status and reason by digest, of files that could not be read


class Done(NamedTuple):
    """What a process made of some files."""

    shards: list[Path]
    trouble: Trouble


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let PyTorch compute in `count` threads of the CPU within the block: with another number its sums differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def segment_key(sha256: str, start: int) -> str:
    """Return the key of the features of the segment that begins at sample `start`."""
    return f"{sha256}:{start}"


def read_facts(cache: FeatureCache, sha256: str) -> Row:
    """Return what was found in the file of this content."""
    return json.loads(cache.read(sha256).tobytes())


def decode_files(
    folder: Path, rows: Sequence[Row], recipe: Recipe, cache: FeatureCache, machine: Machine, device: torch.device
) -> Trouble:
    """Decode the files of `rows` below `folder` and keep what they hold in `cache`; return those that cannot be read.

    Spectrograms are computed in processes of their own, a pretrained encoder works on `device` in this one. Raises
    `ModelError` as `load_encoder` does, `StageError` when a process dies.
    """
    encoder = load_encoder(recipe, device, machine.audio_batch_size)
    groups = list(batches(rows, GROUP_FILES))
    work = partial(_hear, folder, cache.folder, recipe, encoder)
    trouble: Trouble = {}
    try:
        with tqdm(total=len(rows), desc="files decoded", unit="", disable=None) as progress:
            done = map_in_order(work, groups, 1 if encoder else machine.processes, max_chunk=1)
            for group, found in zip(groups, done, strict=True):
                for shard in found.shards:
                    cache.add(shard)
                trouble |= found.trouble
                progress.update(len(group))
    except BrokenProcessPool:
        raise StageError(
            f"index: a process died, perhaps out of memory; lower machine.processes ({machine.processes}) and run "
            "again: it goes on where it was"
        ) from None
    return trouble


def _hear(folder: Path, cache: Path, recipe: Recipe, encoder: AudioEncoder | None, rows: Sequence[Row]) -> Done:
    """Hear some files and write what they hold as shards."""
    group, trouble = _Shards(cache), {}
    with threads(1 if encoder is None else torch.get_num_threads()):  # a spectrogram is the same in any process
        extract = extractor(recipe, encoder)
        for row in rows:
            path, sha256, own = folder / row["path"], row["sha256"], _Shards(cache)
            facts = _facts(path, sha256, recipe, extract, own)
            if facts["status"] == "unreadable" or not _is_as_listed(path, row):
                own.remove()
                why = facts["reason"] or "it was changed or taken away while it was read: run again"
                trouble[sha256] = ("unreadable", why)
                continue
            if facts["status"] != OK:
                own.remove()
            group.take(own)
            group.put(sha256, np.frombuffer(json.dumps(facts).encode(), np.uint8)[np.newaxis])
        group.write()
    return Done(group.paths, trouble)


def _facts(path: Path, sha256: str, recipe: Recipe, extract: Extract, own: "_Shards") -> Row:
    """Return the facts of a file, and put the features of its segments into `own`."""
    segments: list[tuple[int, int, str]] = []

    def keep(start: int, samples: np.ndarray) -> None:
        features, music_tags = extract(samples)
        own.put(segment_key(sha256, start), features)
        segments.append((start, len(samples), music_tags))

    facts: Row = {"status": OK, "reason": "", "seconds": None, "tags": {}, "segments": []}
    try:
        seconds = cut_file(path, recipe.cutting, keep)
    except UnusableError as error:
        return facts | {"status": error.status, "reason": error.reason}
    return facts | {"seconds": seconds, "tags": tags_of(path), "segments": segments}


def _is_as_listed(path: Path, row: Row) -> bool:
    try:
        return stamp(path.stat()).items() <= row.items()
    except OSError:
        return False


class _Shards:
    """Arrays by key on their way into a cache, so many bytes at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays: dict[str, np.ndarray] = {}
        self.paths: list[Path] = []

    def put(self, key: str, array: np.ndarray) -> None:
        self.arrays[key] = array
        if sum(array.nbytes for array in self.arrays.values()) >= SHARD_BYTES:
            self.write()

    def take(self, other: "_Shards") -> None:
        self.paths += other.paths
        for key, array in other.arrays.items():
            self.put(key, array)

    def write(self) -> None:
        if self.arrays:
            self.paths.append(write_shard(self.folder, self.arrays))
            self.arrays = {}

    def remove(self) -> None:
        for path in self.paths:
            path.unlink()
        self.arrays, self.paths = {}, []
