"""Detection of shared music among 74,000 segments by the index of landmarks, against pairwise comparison.

A segment of 30 s has 280 landmarks with the collision rate of the embedded corpus. In one film in a hundred, a segment
is a re-encoded segment of another film, with one in five landmarks unchanged. Pairwise comparison is timed on some
pairs and extrapolated.

    python -m benchmarks.sounds
"""

import json
import sys
import time

import numpy as np

from benchmarks.report import figure, in_own_process, peak_megabytes, publish
from pipeline.core.sharing import packed
from pipeline.segment.fingerprint import Reference
from pipeline.split.sounds import same_sounds

FILMS, EACH = 7771, 10
LANDMARKS, FRAMES = 280, 640  # of 30 s
WORDS = 5_800_000  # uniform, for the collision rate of different music: 1.7e-7
KEPT = 0.2  # share of unchanged landmarks after re-encoding
SHARED = FILMS // 100
PAIRS = 300  # compared directly
LIMIT = 0.25


def main() -> None:
    """Run both ways and print the figures."""
    found = in_own_process("benchmarks.sounds", "index")
    segments = FILMS * EACH
    every = segments * (segments - 1) / 2 * two_by_two()
    publish(
        "sounds",
        [
            figure(f"{segments:,} segments", found["seconds"], "s", every, "pairwise, estimated"),
            figure("memory, including rows", found["megabytes"], "MB"),
            figure("shared segments found", found["found"], "of 1", goal="1"),
            figure("false matches", found["wrong"], "pairs", goal="0"),
        ],
    )


def index() -> dict[str, float]:
    """Return the time of the index, and its matches."""
    rng = np.random.default_rng(0)
    rows = []
    for film in range(FILMS):
        for number in range(EACH):
            frames = np.sort(rng.choice(FRAMES, LANDMARKS, replace=False))
            words = rng.integers(WORDS, size=LANDMARKS).astype(np.uint32)
            rows.append({"fid": f"{film:05d}", "landmarks": (words, frames), "number": number})
    shared = {(n * EACH, (FILMS // 2 + n) * EACH) for n in range(SHARED)}
    for one, other in shared:
        words, frames = rows[one]["landmarks"]
        again = rng.integers(WORDS, size=LANDMARKS).astype(np.uint32)
        kept = rng.random(LANDMARKS) < KEPT
        rows[other]["landmarks"] = np.where(kept, words, again), frames + 17
    for row in rows:
        row["landmarks"] = packed(*row["landmarks"])
    start = time.perf_counter()
    found = set(same_sounds(rows))
    seconds = time.perf_counter() - start
    share = len(found & shared) / len(shared)
    return {"seconds": seconds, "megabytes": peak_megabytes(), "found": share, "wrong": len(found - shared)}


def two_by_two() -> float:
    """Return the seconds of comparing two fingerprints of 30 s."""
    rng = np.random.default_rng(0)
    prints = [rng.integers(2**32, size=(2, FRAMES), dtype=np.uint32) for _ in range(PAIRS)]
    references = [Reference((signs, counts), [slice(0, FRAMES)]) for signs, counts in prints[::2]]
    start = time.perf_counter()
    for reference, (signs, counts) in zip(references, prints[1::2], strict=True):
        reference.match((signs, counts), None, LIMIT)
    return (time.perf_counter() - start) / len(references)


if __name__ == "__main__":
    if sys.argv[1:] == ["index"]:
        print(json.dumps(index()))
    else:
        main()
