"""Decode files once: their segments, features and tags are cached by the SHA-256 of their content.

The cache of a recipe has, for each decoded file: its facts (JSON as bytes [1, n]: status, reason, seconds, tags, and
the first sample, length and most probable music tags of each segment) by digest; the landmarks of its segments (JSON);
their audio descriptors with the peaks of the file (JSON); the probabilities of their tags, uint8 [segments, tags]; and
the features [steps, width] of each segment, by digest and first sample. Facts are written last, so a file with facts is
complete. Unusable files also have facts, and are not decoded again.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.apps.library.progress import Report, progress
from pipeline.apps.library.recipe import Extract, Recipe, extractor, load_encoder
from pipeline.apps.library.segments import UnusableError, cut_file
from pipeline.apps.library.table import OK, Row
from pipeline.apps.library.tags import tags_of
from pipeline.apps.library.walk import stamp
from pipeline.core.machine import Machine, choose_device, cpu_threads
from pipeline.core.workers import ATTEMPTS, Resident, batches, map_in_order, residents
from pipeline.encoders.audio import AudioEncoder, likeliest
from pipeline.encoders.vocals import vocals_of
from pipeline.features.peaks import Peaks
from pipeline.features.sound import describe
from pipeline.segment.fingerprint import landmarks_of
from pipeline.store.cache import FeatureCache, write_shard
from pipeline.store.index import as_bytes

GROUP_FILES = 16  # maximum number of files per task; a killed run loses at most one task per process
STEPS = 50  # minimum number of progress reports
TOGETHER = 32  # segments of a file per call of an encoder
SHARD_BYTES = 1 << 25  # of features per shard, even within a file

Trouble = dict[str, tuple[str, str]]  # status and reason of unreadable files, by digest


class Done(NamedTuple):
    """The results of a process for some files."""

    shards: list[Path]
    trouble: Trouble


def segment_key(sha256: str, start: int) -> str:
    """Return the key of the features of the segment that starts at sample `start`."""
    return f"{sha256}:{start}"


def read_facts(cache: FeatureCache, sha256: str) -> Row:
    """Return the facts of the file with this digest."""
    return json.loads(cache.read(sha256).tobytes())


def read_landmarks(cache: FeatureCache, sha256: str) -> list[str]:
    """Return the landmarks of the segments of the file with this digest, packed by `pipeline.core.sharing`."""
    return json.loads(cache.read(_landmarks_key(sha256)).tobytes())


def read_sounds(cache: FeatureCache, sha256: str) -> tuple[bytes, list[Row]]:
    """Return the peaks of the file with this digest, and the descriptor columns of each of its segments."""
    found = json.loads(cache.read(_sounds_key(sha256)).tobytes())
    return bytes.fromhex(found["peaks"]), found["segments"]


def read_tags(cache: FeatureCache, sha256: str) -> np.ndarray:
    """Return the tag probabilities of the segments of the file with this digest, uint8 [segments, tags].

    They exist only if the encoder has tags.
    """
    return cache.read(_tags_key(sha256))


def _landmarks_key(sha256: str) -> str:
    return f"{sha256}:landmarks"


def _sounds_key(sha256: str) -> str:
    return f"{sha256}:sounds"


def _tags_key(sha256: str) -> str:
    return f"{sha256}:tags"


def _as_array(value: Any) -> np.ndarray:
    """Return a value as JSON bytes [1, n]."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8)[np.newaxis]


def decode_files(
    folder: Path,
    rows: Sequence[Row],
    recipe: Recipe,
    cache: FeatureCache,
    machine: Machine,
    report: Report,
) -> Trouble:
    """Decode the files of `rows` below `folder` into `cache`; return those that cannot be read.

    Spectrograms are computed in worker processes; a pretrained encoder runs in this process, or on the GPUs of a
    cluster, while files are read. A file on which a process dies `ATTEMPTS` times gets the status `crashed`.
    Raises `ModelError` as `load_encoder` does.
    """
    groups = list(batches(rows, max(1, min(GROUP_FILES, len(rows) // STEPS))))
    places = folder.absolute(), cache.folder.absolute()
    with ExitStack() as stack:
        if recipe.is_log_mel:
            _load(recipe, machine)  # only to check it against the models' features
            work = partial(_frames_of, *places, recipe)
            given_up = partial(_file_by_file, work, machine.processes, places)
            done = map_in_order(work, groups, machine.processes, max_chunk=1, on_death=given_up, folders=places)
        else:
            load, on_gpu = partial(_load, recipe, machine), choose_device(machine.device).type == "cuda"
            encoders = stack.enter_context(residents(load, machine.processes, on_gpu, places))
            done = encoders.map(partial(_vectors_of, *places, recipe), groups)
        return _kept(rows, groups, done, cache, report)


def _kept(
    rows: Sequence[Row], groups: Sequence[list[Row]], done: Iterator[Done], cache: FeatureCache, report: Report
) -> Trouble:
    trouble: Trouble = {}
    with progress(report, "decoding", "files decoded", len(rows)) as update:
        for group, found in zip(groups, done, strict=True):
            for shard in found.shards:
                cache.add(shard)
            trouble |= found.trouble
            update(len(group))
    return trouble


def _load(recipe: Recipe, machine: Machine) -> AudioEncoder | None:
    return load_encoder(recipe, choose_device(machine.device), machine.audio_batch_size)


def _frames_of(folder: Path, cache: Path, recipe: Recipe, rows: Sequence[Row]) -> Done:
    with cpu_threads(1):  # a spectrogram is the same in any process
        return _hear(folder, cache, recipe, extractor(recipe, None), rows)


def _vectors_of(
    folder: Path, cache: Path, recipe: Recipe, resident: Resident[AudioEncoder], rows: Sequence[Row]
) -> Done:
    vectors = extractor(recipe, resident.model)

    def extract(segments: Sequence[np.ndarray]) -> list[tuple[np.ndarray, dict[str, float]]]:
        with resident.turn:
            return vectors(segments)

    return _hear(folder, cache, recipe, extract, rows)


def _file_by_file(work: Callable[[list[Row]], Done], processes: int, places: Sequence[Path], rows: list[Row]) -> Done:
    """Decode the files of a group on which a process died one at a time, so that only the culprit fails."""
    shards: list[Path] = []
    trouble: Trouble = {}
    for done in map_in_order(work, [[row] for row in rows], processes, 1, _crashed, places):
        shards += done.shards
        trouble |= done.trouble
    return Done(shards, trouble)


def _crashed(rows: list[Row]) -> Done:
    reason = f"a process died {ATTEMPTS} times on it, possibly out of memory: lower machine.processes"
    return Done([], {row["sha256"]: ("crashed", reason) for row in rows})


def _hear(folder: Path, cache: Path, recipe: Recipe, extract: Extract, rows: Sequence[Row]) -> Done:
    """Decode some files and write their results as shards."""
    group, trouble = _Shards(cache), {}
    for row in rows:
        path, sha256, own = folder / row["path"], row["sha256"], _Shards(cache)
        facts = _facts(path, sha256, recipe, extract, own)
        if facts["status"] == "unreadable" or not _is_as_listed(path, row):
            own.remove()
            why = facts["reason"] or "changed or removed while it was read: run again"
            trouble[sha256] = ("unreadable", why)
            continue
        if facts["status"] != OK:
            own.remove()
        group.take(own)
        group.put(sha256, _as_array(facts))
    group.write()
    return Done(group.paths, trouble)


def _facts(path: Path, sha256: str, recipe: Recipe, extract: Extract, own: "_Shards") -> Row:
    """Return the facts of a file, and add the features of its segments to `own`."""
    segments: list[tuple[int, int, str]] = []
    waiting: list[tuple[int, np.ndarray]] = []
    landmarks: list[str] = []
    sounds: list[Row] = []
    probabilities: list[np.ndarray] = []
    peaks, rate = Peaks(), recipe.cutting.sample_rate

    def extract_waiting() -> None:
        found = extract([samples for _, samples in waiting]) if waiting else []
        for (start, samples), (features, tags) in zip(waiting, found, strict=True):
            own.put(segment_key(sha256, start), features)
            segments.append((start, len(samples), likeliest(tags)))
            sounds.append(describe(samples, rate, recipe.sound)._asdict() | {"vocals": vocals_of(tags)})
            probabilities.append(as_bytes(tags.values()))
        waiting.clear()

    def keep(start: int, samples: np.ndarray) -> None:
        waiting.append((start, samples.copy()))
        landmarks.append(landmarks_of(samples, rate))
        if len(waiting) == TOGETHER:
            extract_waiting()

    facts: Row = {"status": OK, "reason": "", "seconds": None, "tags": {}, "segments": []}
    try:
        seconds = cut_file(path, recipe.cutting, keep, peaks)
        extract_waiting()
        own.put(_landmarks_key(sha256), _as_array(landmarks))
        own.put(_sounds_key(sha256), _as_array({"peaks": peaks.bytes().hex(), "segments": sounds}))
        if recipe.music_tags:
            own.put(_tags_key(sha256), np.stack(probabilities))
    except UnusableError as error:
        return facts | {"status": error.status, "reason": error.reason}
    return facts | {"seconds": seconds, "tags": tags_of(path), "segments": segments}


def _is_as_listed(path: Path, row: Row) -> bool:
    try:
        return stamp(path.stat()).items() <= row.items()
    except OSError:
        return False


class _Shards:
    """Buffers arrays by key, and writes them as shards of a cache."""

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
