"""Which film goes to which split.

A film's place in the shuffle depends on the seed and its own id only: a corpus that grows leaves most films where they
are.
"""

import hashlib
from collections.abc import Iterable, Sequence

from pipeline.core.errors import StageError
from pipeline.split.section import Split

SPLITS = ("train", "valid", "eval")
MIN_TRAINING_FILMS = 2  # a contrastive loss needs a pair


def assign_splits(fids: Iterable[str], settings: Split) -> dict[str, list[str]]:
    """Return the film ids of each split, sorted.

    Raises `StageError` when a split with a share is left without a film, or training with fewer than two.
    """
    shuffled = sorted(set(fids), key=lambda fid: hashlib.sha256(f"{settings.seed}:{fid}".encode()).digest())
    shares = [settings.train, settings.valid, settings.eval]
    counts = dict(zip(SPLITS, largest_remainder(len(shuffled), shares), strict=True))
    _require_films(counts, dict(zip(SPLITS, shares, strict=True)))
    splits, start = {}, 0
    for split, count in counts.items():
        splits[split] = sorted(shuffled[start : start + count])
        start += count
    return splits


def largest_remainder(total: int, shares: Sequence[float]) -> list[int]:
    """Return whole counts that add up to `total`, as near to `shares` (sum 1) as can be; ties go to the earlier."""
    quotas = [round(share * total, 9) for share in shares]  # 0.3 · 10 is not 3 in binary
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda i: (counts[i] - quotas[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def _require_films(counts: dict[str, int], shares: dict[str, float]) -> None:
    empty = [split for split in SPLITS if counts[split] == 0 and shares[split] > 0]
    found = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
    if empty:
        raise StageError(
            f"split: {sum(counts.values())} usable films leave {' and '.join(empty)} without one ({found}); add films "
            f"to the corpus, or raise {' and '.join(f'split.{split}' for split in empty)}"
        )
    if counts["train"] < MIN_TRAINING_FILMS:
        raise StageError(
            f"split: training needs {MIN_TRAINING_FILMS} films ({found}); add films to the corpus, or raise split.train"
        )
