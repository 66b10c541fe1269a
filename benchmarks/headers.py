"""Damaged headers of every container that PyAV can write: each file must end as a row of the table.

Files of one second of music are changed in their first kilobyte, with a fixed seed: single bits and bytes, extreme
integers, parts deleted, repeated or taken from another file, truncation. Each file is processed as a recording by
`download`, `segment` and `index`. Decoding runs in separate processes with the time and memory limits of
`pipeline.media.sandbox`; crashes, hangs and out-of-memory errors are counted as reasons.

    python -m benchmarks.headers [--files 1500] [--seed 0]
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from tqdm import tqdm

from benchmarks.report import peak_megabytes
from pipeline.apps.library.segments import UnusableError, cut_file, cutting_of
from pipeline.apps.library.tags import tags_of
from pipeline.download.check import check
from pipeline.media import sandbox
from pipeline.media.audio import SUFFIXES, NotAudioError
from pipeline.params import load_params
from pipeline.segment.films import segment_all
from pipeline.segment.section import Segment

ROOT = Path(__file__).resolve().parent.parent
RATE = 44100  # Hz
HEADER = 1024  # bytes at the start of a file that are changed
SECONDS = 20.0  # timeout per file
MAX_SECONDS = 3600.0  # of a recording
FILM_FILES = 50
CODECS = (
    *("pcm_s16le", "pcm_s16be", "pcm_u8", "pcm_f32le", "aac", "libmp3lame", "libopus", "vorbis", "flac", "alac"),
    *("ac3", "eac3", "mp2", "wmav2", "wavpack", "tta", "dca", "amr_nb", "adpcm_ms"),
)
MUXERS = {"aac": ["adts"], "mpeg": ["vob"], "matroska,webm": ["matroska"], "mov,mp4,m4a,3gp,3g2,mj2": ["mov", "mp4"]}
FAILURES = ("crashed", "killed", "takes more than", "too much memory", "ended with status")

Row = dict[str, Any]


def main(files: int, seed: int) -> int:
    """Run all, print the outcomes, and return 1 if a file did not end as a row."""
    sandbox.SECONDS, sandbox.SECONDS_PER_MB = SECONDS, 0.0
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        wholes = seeds(Path(name))
        containers = {name.split()[0] for name in wholes}
        print(f"{len(wholes)} kinds of files in {len(containers)} containers: {', '.join(sorted(containers))}")
        damaged = mutated(wholes, files, seed)
        counts, wrong = run(Path(name) / "run", tqdm(damaged, total=files, unit="file", disable=None))
    for stage, found in counts.items():
        print(f"{stage}: {', '.join(f'{count} {outcome}' for outcome, count in found.most_common())}")
    print(f"{files} files in {time.monotonic() - begin:.0f} s; memory {peak_megabytes():.0f} MB")
    print("\n".join(wrong) if wrong else "every file ended as a row in every stage")
    return 1 if wrong else 0


def seeds(folder: Path) -> dict[str, bytes]:
    """Return an intact file of each container and codec that PyAV can write and we read, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for formats, suffix in SUFFIXES.items():
        for format in MUXERS.get(formats, [formats]):
            for codec in CODECS:
                path = folder / f"{format} {codec}{suffix}"
                if _written(path, format, codec):
                    found[path.name] = path.read_bytes()
                path.unlink(missing_ok=True)
    return found


def mutated(wholes: dict[str, bytes], files: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of damaged files, cycling through the intact ones."""
    dice = np.random.default_rng(seed)
    names = list(wholes)
    for number in range(files):
        name = names[number % len(names)]
        data = bytearray(wholes[name])
        for _ in range(dice.integers(1, 5)):
            _damage(data, wholes[names[dice.integers(len(names))]], dice)
        yield f"{number:05d}{Path(name).suffix}", bytes(data)


def run(root: Path, damaged: Any) -> tuple[dict[str, Counter[str]], list[str]]:
    """Return counts of the outcomes of each stage, and a line for each file that did not end as a row."""
    params = load_params(ROOT / "params.yaml")
    segment = replace(params.segment, seconds=0.5, hop_seconds=0.5, min_seconds=0.2, max_per_film=None)
    cutting = cutting_of(segment, segment.sample_rate, MAX_SECONDS)
    counts: dict[str, Counter[str]] = {"download": Counter(), "segment": Counter(), "index": Counter()}
    wrong: list[str] = []
    film: list[Row] = []
    for name, data in damaged:
        path = root / f"data/downloads/AAA/{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        for stage, work in (("download", _checked), ("index", _indexed)):
            try:
                counts[stage][work(path, cutting)] += 1
            except Exception as error:  # this benchmark looks for these
                wrong.append(f"{stage}: {name}: {type(error).__name__}: {error}")
        film.append(_recording(root, path))
        if len(film) == FILM_FILES:
            _segmented(root, film, segment, counts["segment"], wrong)
            film = []
    _segmented(root, film, segment, counts["segment"], wrong)
    return counts, wrong


def _written(path: Path, format: str, codec: str) -> bool:
    wave = np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE) * np.linspace(0.2, 0.9, RATE)
    try:
        with av.open(str(path), "w", format=format) as container:
            rate = 8000 if codec == "amr_nb" else 48000 if codec == "libopus" else RATE
            stream = container.add_stream(codec, rate=rate, layout="mono" if codec == "amr_nb" else "stereo")
            assert isinstance(stream, av.AudioStream), "it is an audio codec"
            stream.codec_context.options = {"strict": "experimental"}
            frame = av.AudioFrame.from_ndarray((wave * 32767).astype(np.int16)[np.newaxis], format="s16", layout="mono")
            frame.sample_rate = RATE
            container.metadata.update({"title": "Title", "artist": "Artist", "date": "20190412"})
            container.mux(stream.encode(frame) + stream.encode(None))
        return sum(len(block) for block in sandbox.mono(path, RATE)) > RATE // 2
    except (av.FFmpegError, ValueError, NotAudioError, OSError):  # not in this build, or not in this container
        return False


def _damage(data: bytearray, other: bytes, dice: np.random.Generator) -> None:
    end = max(1, min(len(data), HEADER))
    place, size = int(dice.integers(end)), int(dice.choice([1, 2, 4, 8]))
    kind = dice.integers(8)
    if kind == 0 and data:
        data[min(place, len(data) - 1)] ^= 1 << int(dice.integers(8))
    elif kind == 1:
        data[place : place + size] = dice.bytes(size)
    elif kind == 2:
        data[place : place + size] = bytes([int(dice.choice([0x00, 0x7F, 0x80, 0xFF]))]) * size
    elif kind == 3:
        data[place : place + size] = int(dice.integers(256)).to_bytes(size, dice.choice(["big", "little"]))
    elif kind == 4:
        del data[place : place + int(dice.integers(1, 64))]
    elif kind == 5:
        data[place:place] = data[place : place + int(dice.integers(1, 64))]
    elif kind == 6:
        data[place : place + 64] = other[place : place + 64]
    elif dice.random() < 0.2:
        del data[place:]


def _checked(path: Path, cutting: Any) -> str:
    try:
        result = check(path, None, cutting.max_seconds)
    except NotAudioError as error:
        return _named("skipped", str(error))
    return "truncated" if result.truncated else "ok"


def _indexed(path: Path, cutting: Any) -> str:
    tags_of(path)
    try:
        cut_file(path, cutting, lambda start, samples: None)
    except UnusableError as error:
        return _named(error.status, error.reason)
    return "ok"


def _segmented(root: Path, film: list[Row], segment: Segment, counts: Counter[str], wrong: list[str]) -> None:
    (root / "data/segments.parquet").unlink(missing_ok=True)  # start each film from nothing
    try:
        rows = segment_all(root, film, segment, 1)
    except Exception as error:  # this benchmark looks for these
        wrong.append(f"segment: one of {film[0]['path']} …: {type(error).__name__}: {error}")
        return
    first = {row["source"]: row for row in reversed(rows)}
    counts.update(_named(row["status"], row["reason"]) for row in first.values())
    wrong += [f"segment: {row['path']} has no row" for row in film if row["path"] not in first]


def _recording(root: Path, path: Path) -> Row:
    known = {"fid": "AAA", "number": int(path.stem), "entry": None, "status": "ok", "title": "", "chapters": []}
    return known | {"path": path.relative_to(root).as_posix(), "video_url": "", "sha256": path.stem}


def _named(status: str, reason: str) -> str:
    """Return the status, with the failure of a process."""
    return next((f"{status} ({failure})" for failure in FAILURES if failure in reason), status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.files, arguments.seed))
