"""Which pieces of a film are kept, and their numbers and places."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from pathlib import Path

FOLDER = Path("data/audio")  # below the root


def segment_path(fid: str, number: int, format: str) -> Path:
    """Return the path of a segment below the root, as the reference nests it: data/audio/A/A/A/0.mp3."""
    return FOLDER.joinpath(*fid) / f"{number}.{format}"


def spread(total: int, most: int | None) -> list[int]:
    """Return at most `most` of the positions 0 … total - 1, spread evenly."""
    if most is None or total <= most:
        return list(range(total))
    return [(2 * index + 1) * total // (2 * most) for index in range(most)]


def number_pieces(digests: list[str], before: Iterable[tuple[str, int]]) -> list[int]:
    """Return a number a piece: those that were there `before`, (digest, number), keep theirs."""
    known = defaultdict(list)
    for digest, number in sorted(before, reverse=True):
        known[digest].append(number)
    numbers = [known[digest].pop() if known.get(digest) else None for digest in digests]
    taken = {number for number in numbers if number is not None}
    free = (number for number in count() if number not in taken)
    return [next(free) if number is None else number for number in numbers]
