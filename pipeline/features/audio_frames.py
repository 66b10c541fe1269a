"""The audio table as log-mel frames: one row per track, in the order of the data set.

`vector` is the track's dB [frames · n_mels], frame by frame, float16 or uint8 codes. It is always computed on the CPU,
so that it does not depend on a GPU; decoding dominates the time. Results are cached as shards until the table is
complete: while it is written the disk holds two copies of the frames, at the end of the stage one.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from pipeline.core.errors import StageError
from pipeline.core.machine import Machine
from pipeline.core.workers import WorkerDiedError, batches, map_in_order
from pipeline.encoders.audio import libraries_of
from pipeline.encoders.log_mel import LogMel
from pipeline.encoders.section import LogMelFeatures
from pipeline.media.tracks import track_samples
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.frames import write_frames_table

GROUP_ROWS = 64  # tracks decoded and written at a time; 5 MB of frames by default, 49 MB with the paper's settings
GROUP_BYTES = 2**28  # written at a time, for long tracks
NEEDED = ("path", "seconds", "file_sha256")  # columns that a worker process needs

Row = dict[str, Any]


def write_frames(root: Path, path: Path, dataset: list[Row], params: LogMelFeatures, machine: Machine) -> int:
    """Write the log-mel frames of the tracks of `dataset` to `path`; return the number of tracks computed.

    Raises `MissingFileError` if a track is missing, damaged, or differs in length from `dataset`.
    """
    log_mel = LogMel(params)
    about = {"spec": log_mel.spec, "versions": versions(*libraries_of(params.encoder))}
    cache = open_cache(path.parent, path.stem, about)
    by_key = {row["file_sha256"]: {name: row[name] for name in NEEDED} for row in dataset}
    missing = [by_key[key] for key in cache.missing(by_key)]
    _compute_missing(root, cache, missing, params, machine.processes)
    write_frames_table(path, _groups(cache, dataset), params.dtype, about)
    cache.take_in(path)
    return len(missing)


def _compute_missing(root: Path, cache: FeatureCache, rows: list[Row], params: LogMelFeatures, processes: int) -> None:
    groups = list(batches(rows, GROUP_ROWS))
    compute = partial(_compute, root, cache.folder, params)
    try:
        with tqdm(total=len(rows), desc="tracks", unit="", disable=None) as progress:
            for group, shard in zip(groups, map_in_order(compute, groups, processes, max_chunk=1), strict=True):
                cache.add(shard)
                progress.update(len(group))
    except WorkerDiedError as error:
        raise StageError(
            f"features: {error} ({error.item[0]['path']} and others); lower machine.processes ({processes})"
        ) from None


def _compute(root: Path, folder: Path, params: LogMelFeatures, rows: list[Row]) -> Path:
    """Write the frames of `rows` as a shard of the cache and return its path; runs in a worker process."""
    torch.set_num_threads(1)
    log_mel = LogMel(params)
    frames = {row["file_sha256"]: log_mel.stored(log_mel(track_samples(root, row, params.sample_rate))) for row in rows}
    return write_shard(folder, frames)


def _groups(cache: FeatureCache, dataset: list[Row]) -> Iterator[tuple[list[Row], list[np.ndarray]]]:
    for rows in batches(dataset, GROUP_ROWS):
        keys: list[Row] = []
        tracks: list[np.ndarray] = []
        for row in rows:
            track = cache.read(row["file_sha256"])
            if keys and sum(one.nbytes for one in tracks) + track.nbytes > GROUP_BYTES:
                yield keys, tracks
                keys, tracks = [], []
            known = {"fid": row["fid"], "number": row["number"], "sha256": row["file_sha256"]}
            keys.append(known | {"frames": len(track)})
            tracks.append(track)
        yield keys, tracks
