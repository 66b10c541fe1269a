"""Segmenting: CPU seconds per hour of audio, against ffmpeg with the same cuts and encoding; and several processes.

Films with two recordings each, generated music as stereo m4a, so that all of it is fingerprinted and compared. The
stage's figure includes all its work (decoding, mixing, resampling, cutting, loudness, peak, digests, fingerprints, MP3,
table), but not the start of Python. ffmpeg only decodes, mixes, resamples, cuts every 30 s and encodes.

    python -m benchmarks.segment [--films 6] [--minutes 5]
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from benchmarks.report import figure, publish
from pipeline.media import sandbox
from pipeline.params import load_params
from pipeline.segment.films import segment_all
from pipeline.segment.section import Segment

ROOT = Path(__file__).resolve().parent.parent
RATE = 44100  # Hz, of the recordings
LIMIT = 1.3  # times ffmpeg's CPU time


def main(films: int, minutes: float) -> None:
    """Run all and print the figures."""
    settings = replace(load_params(ROOT / "params.yaml").segment, max_per_film=None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        downloads = [recording(folder, film, number, minutes) for film in range(films) for number in range(2)]
        hours = len(downloads) * minutes / 60
        ffmpeg = min(bare_ffmpeg(folder, downloads, settings) for _ in range(2)) / hours
        several = min(stage(folder, downloads, settings)[0] for _ in range(2)) / hours
        alone = min(stage(folder, downloads[::2], settings)[0] for _ in range(2)) / hours * 2
        unit, goal = "CPU s per hour of audio", f"at most {LIMIT} times"
        figures = [
            figure("films with one recording", alone, unit, ffmpeg, "ffmpeg", goal),
            figure("films with several recordings: with fingerprints", several, unit, ffmpeg, "ffmpeg", goal),
        ]
        walls: dict[int, float] = {}
        for processes in (n for n in (1, 2, 4, 8) if n <= os.cpu_count()):
            walls[processes] = min(stage(folder, downloads, settings, processes)[1] for _ in range(3))
            what = f"{hours:.2g} h of audio, processes: {processes}"
            figures.append(figure(what, walls[processes], "s of wall time", walls[1], "one process"))
    publish("segment", figures)


def recording(folder: Path, film: int, number: int, minutes: float) -> dict[str, object]:
    """Write a recording and return its row of the downloads table."""
    path = folder / f"data/downloads/{fid(film)}/{number:03d}.m4a"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = av.AudioFrame.from_ndarray(music(2 * film + number, minutes), format="fltp", layout="stereo")
    frame.sample_rate = RATE
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo")
        stream.bit_rate = 128_000
        container.mux(stream.encode(frame) + stream.encode(None))
    known = {"fid": fid(film), "number": number, "entry": None, "status": "ok", "title": "", "chapters": []}
    return known | {"path": path.relative_to(folder).as_posix(), "video_url": "", "sha256": f"{film} {number}"}


def music(seed: int, minutes: float) -> np.ndarray:
    """Return stereo samples [2, t]: plucked notes with overtones at various pan positions, and a drum."""
    dice = np.random.default_rng(seed)
    beat = RATE // 4
    t = np.arange(4 * beat, dtype=np.float32) / RATE
    scale = [110 * 2 ** (step / 12) for step in range(36)]
    notes = [sum(np.sin(2 * np.pi * hertz * n * t) / n for n in range(1, 6)) * np.exp(-t / 0.4) for hertz in scale]
    drum = dice.standard_normal(beat).astype(np.float32) * np.exp(-t[:beat] / 0.03)
    length = round(minutes * 60 * RATE)
    wave = np.zeros((2, length + len(t)), np.float32)
    for begin in range(0, length, beat):
        for note in dice.integers(len(notes), size=2):
            side, drummed = dice.random(2).astype(np.float32)
            wave[0, begin : begin + len(t)] += side * notes[note]
            wave[1, begin : begin + len(t)] += (1 - side) * notes[note]
        wave[:, begin : begin + beat] += drummed / 2 * drum
    return np.ascontiguousarray(wave[:, :length] / np.abs(wave).max() / 2)


def bare_ffmpeg(folder: Path, downloads: list[dict], settings: Segment) -> float:
    """Return the CPU seconds of the ffmpeg program over all recordings."""
    out = folder / "ffmpeg"
    out.mkdir(exist_ok=True)
    before = cpu(resource.RUSAGE_CHILDREN)
    for row in downloads:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(folder / row["path"])]
        command += ["-ac", "1", "-ar", str(settings.sample_rate), "-b:a", str(settings.bit_rate)]
        command += ["-f", "segment", "-segment_time", str(settings.seconds), str(out / "%d.mp3")]
        subprocess.run(command, check=True)
    return cpu(resource.RUSAGE_CHILDREN) - before


def stage(folder: Path, downloads: list[dict], settings: Segment, processes: int = 1) -> tuple[float, float]:
    """Segment from nothing; return the CPU seconds of this process and of the decoding one, and the wall seconds."""
    for path in (folder / "data").glob("segments.parquet"):
        path.unlink()
    before, start = cpu_of_all(), time.monotonic()
    rows = segment_all(folder, downloads, settings, processes)
    wall = time.monotonic() - start
    sandbox.close()
    assert {row["status"] for row in rows} == {"ok"}
    return cpu_of_all() - before, wall


def cpu_of_all() -> float:
    """Return the CPU seconds used so far by this process and its finished children."""
    return cpu(resource.RUSAGE_SELF) + cpu(resource.RUSAGE_CHILDREN)


def cpu(who: int) -> float:
    """Return the CPU seconds used so far."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def fid(film: int) -> str:
    """Return the id of a film."""
    return "AA" + chr(65 + film)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=5)
    arguments = parser.parse_args()
    main(arguments.films, arguments.minutes)
