"""The sound table: tempo, key, loudness and peaks of each track, in the order of the data set.

It is used for searching and showing tracks, not by models. Tracks are processed by `machine.processes` processes and
cached by the content of their files, so that a killed run resumes.
"""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from pipeline.core.errors import StageError
from pipeline.core.files import remove_strays, whole_file
from pipeline.core.machine import Machine
from pipeline.core.tables import SOUND
from pipeline.core.workers import WorkerDiedError, batches, map_in_order
from pipeline.encoders.section import SoundFeatures
from pipeline.features.peaks import peaks_of
from pipeline.features.sound import VERSION, describe
from pipeline.media.tracks import INT16_SCALE, track_samples
from pipeline.store.cache import FeatureCache, open_cache, versions, write_shard
from pipeline.store.table import METADATA_KEY

GROUP_ROWS = 32  # tracks processed and cached at a time; the most that a kill loses
TABLE_ROWS = 8192  # per row group
NEEDED = ("path", "seconds", "file_sha256")  # columns that a worker process needs

Row = dict[str, Any]


def write_sounds(root: Path, path: Path, dataset: list[Row], params: SoundFeatures, machine: Machine) -> int:
    """Write the sound table of the tracks of `dataset` to `path`; return the number of tracks computed.

    Raises `MissingFileError` if a track is missing, damaged, or differs in length from `dataset`.
    """
    about = {"spec": asdict(params) | {"version": VERSION}, "versions": versions("librosa", "av")}
    cache = open_cache(path.parent, path.stem, about)
    by_key = {row["file_sha256"]: {name: row[name] for name in NEEDED} for row in dataset}
    missing = [by_key[key] for key in cache.missing(by_key)]
    groups = list(batches(missing, GROUP_ROWS))
    work = partial(_described, root, cache.folder, params)
    try:
        with tqdm(total=len(missing), desc="tracks", unit="", disable=None) as progress:
            for group, shard in zip(groups, map_in_order(work, groups, machine.processes, max_chunk=1), strict=True):
                cache.add(shard)
                progress.update(len(group))
    except WorkerDiedError as error:
        raise StageError(
            f"features: {error} ({error.item[0]['path']} and others); lower machine.processes ({machine.processes})"
        ) from None
    remove_strays(path)
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, SOUND, compression="zstd") as writer:
        for rows in batches(dataset, TABLE_ROWS):
            writer.write_table(pa.Table.from_pylist([_row(cache, row) for row in rows], schema=SOUND))
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(about)})
    return len(missing)


def _described(root: Path, folder: Path, params: SoundFeatures, rows: list[Row]) -> Path:
    """Write the values of the tracks of `rows` as a shard of the cache and return its path."""
    return write_shard(folder, {row["file_sha256"]: _packed(root, params, row) for row in rows})


def _packed(root: Path, params: SoundFeatures, row: Row) -> np.ndarray:
    """Return the values of a track as JSON, uint8 [1, bytes]."""
    samples = (track_samples(root, row, params.sample_rate) * INT16_SCALE).astype(np.int16)
    sound = describe(samples, params.sample_rate, params)._asdict() | {"peaks": peaks_of(samples).hex()}
    return np.frombuffer(json.dumps(sound).encode(), np.uint8)[np.newaxis]


def _row(cache: FeatureCache, row: Row) -> Row:
    """Return the table's row for a row of the data set."""
    sound = json.loads(cache.read(row["file_sha256"]).tobytes())
    keys = {"fid": row["fid"], "number": row["number"], "sha256": row["file_sha256"]}
    return keys | sound | {"peaks": bytes.fromhex(sound["peaks"])}
