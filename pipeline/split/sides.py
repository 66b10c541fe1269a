"""Which film goes to which side.

A film's place in the shuffle depends on the seed and its own id only: a corpus that grows leaves most films where they
are.
"""

import hashlib
from collections.abc import Iterable, Sequence

from pipeline.errors import StageError
from pipeline.sections import Split

SIDES = ("train", "valid", "eval")
MIN_TRAINING_FILMS = 2  # a contrastive loss needs a pair


def assign_sides(fids: Iterable[str], settings: Split) -> dict[str, list[str]]:
    """Return the film ids of each side, sorted.

    Raises `StageError` when a side with a share is left without a film, or training with fewer than two.
    """
    shuffled = sorted(set(fids), key=lambda fid: hashlib.sha256(f"{settings.seed}:{fid}".encode()).digest())
    shares = [settings.train, settings.valid, settings.eval]
    counts = dict(zip(SIDES, largest_remainder(len(shuffled), shares), strict=True))
    _require_films(counts, dict(zip(SIDES, shares, strict=True)))
    sides, start = {}, 0
    for side, count in counts.items():
        sides[side] = sorted(shuffled[start : start + count])
        start += count
    return sides


def largest_remainder(total: int, shares: Sequence[float]) -> list[int]:
    """Return whole counts that add up to `total`, as near to `shares` (sum 1) as can be; ties go to the earlier."""
    quotas = [round(share * total, 9) for share in shares]  # 0.3 · 10 is not 3 in binary
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda i: (counts[i] - quotas[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def _require_films(counts: dict[str, int], shares: dict[str, float]) -> None:
    empty = [side for side in SIDES if counts[side] == 0 and shares[side] > 0]
    found = ", ".join(f"{counts[side]} {side}" for side in SIDES)
    if empty:
        raise StageError(
            f"split: {sum(counts.values())} usable films leave {' and '.join(empty)} without one ({found}); add films "
            f"to the corpus, or raise {' and '.join(f'split.{side}' for side in empty)}"
        )
    if counts["train"] < MIN_TRAINING_FILMS:
        raise StageError(
            f"split: training needs {MIN_TRAINING_FILMS} films ({found}); add films to the corpus, or raise split.train"
        )
