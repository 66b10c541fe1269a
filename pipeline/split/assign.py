"""Assignment of films to the training, validation or test set (train, valid, eval).

Films that share a recording form a group, and a group is assigned as a whole. A hash of the seed and of its least film
id gives a number from 0 to 1, and each split covers a range as wide as its share. Adding films thus moves no film,
unless a new one links two groups, or a split of a small corpus has too few films: then the groups nearest to its range
are moved to it, or exchanged.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import StageError
from pipeline.split.section import Split

SPLITS = ("train", "valid", "eval")
NEEDED = {"train": 2, "valid": 1, "eval": 1}  # films, or the stage fails; a contrastive loss needs a pair
WANTED = {"train": 2, "valid": 2, "eval": 1}  # if possible: the validation loss needs a pair too


@dataclass
class _Group:
    fids: list[str]
    films: int  # number of counted films
    place: float
    side: str


def assign_splits(
    groups: Mapping[str, str], counted: Collection[str], settings: Split, given: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return the film ids of each split, sorted.

    `groups` maps each film to the least film of its group, `given` films to their given split; other films of the group
    are assigned to the same. `counted` are the films with the inputs of every variant. Raises `StageError` if a split
    with a share has none of these, or the training set fewer than two.
    """
    shares = [settings.train, settings.valid, settings.eval]
    ranges = {split: (sum(shares[:i]), sum(shares[: i + 1])) for i, split in enumerate(SPLITS) if shares[i]}
    found = _groups(groups, counted, settings.seed, ranges, given)
    if not given:
        for least in (NEEDED, WANTED):
            for split in ranges:
                _fill(split, ranges, found, least)
    counts = _counts(found)
    _require_films(counts, [split for split in ranges if not given or split != "valid"])
    return {split: sorted(fid for group in found if group.side == split for fid in group.fids) for split in SPLITS}


def split_by_given(groups: Mapping[str, str], given: Mapping[str, str]) -> list[list[str]]:
    """Return the groups that `given` assigns to more than one split, each sorted."""
    members: dict[str, list[str]] = {}
    for fid in sorted(groups.keys() & given.keys()):
        members.setdefault(groups[fid], []).append(fid)
    return [fids for fids in members.values() if len({given[fid] for fid in fids}) > 1]


def _groups(
    groups: Mapping[str, str],
    counted: Collection[str],
    seed: int,
    ranges: Mapping[str, tuple[float, float]],
    given: Mapping[str, str],
) -> list[_Group]:
    """Return the groups with their splits; a group that `given` divides is two."""
    held: dict[str, str] = {}  # by least film: the split of the first given film
    for fid in sorted(groups.keys() & given.keys()):
        held.setdefault(groups[fid], given[fid])
    members: dict[tuple[str, str], list[str]] = {}
    for fid, least in sorted(groups.items()):
        members.setdefault((least, given.get(fid, held.get(least, ""))), []).append(fid)
    found = []
    for (least, side), fids in members.items():
        place = int.from_bytes(hashlib.sha256(f"{seed}:{least}".encode()).digest()) / 2**256
        side = side or next((split for split, (_, end) in ranges.items() if place < end), list(ranges)[-1])
        found.append(_Group(fids, sum(fid in counted for fid in fids), place, side))
    return found


def _fill(
    split: str, ranges: Mapping[str, tuple[float, float]], groups: Sequence[_Group], least: Mapping[str, int]
) -> None:
    """Move groups to a split until it has `least` films, as long as the others keep theirs.

    If no group can be moved, one is exchanged for all of the split's own.
    """
    begin, end = ranges[split]

    def distance(group: _Group) -> tuple[float, float]:
        return max(begin - group.place, group.place - end), group.place

    while (counts := _counts(groups))[split] < least[split]:
        others = [group for group in groups if group.side != split and group.films]
        spare = [group for group in others if counts[group.side] - group.films >= least[group.side]]
        if spare:
            min(spare, key=distance).side = split
            continue
        large = [
            group
            for group in others
            if group.films >= least[split] and counts[group.side] - group.films + counts[split] >= least[group.side]
        ]
        if not large:
            return
        chosen = min(large, key=distance)
        for group in groups:
            if group.side == split:
                group.side = chosen.side
        chosen.side = split


def _counts(groups: Iterable[_Group]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.side] += group.films
    return counts


def _require_films(counts: Mapping[str, int], splits: Iterable[str]) -> None:
    found = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
    lacking = [split for split in splits if counts[split] < NEEDED[split]]
    if lacking:
        needs = " and ".join(f"{split} needs {NEEDED[split]}" for split in lacking)
        raise StageError(
            f"split: {sum(counts.values())} films have the inputs of all variants ({found}), but {needs}: add films, "
            f"raise {' and '.join(f'split.{split}' for split in lacking)}, or remove a variant whose inputs are rare"
        )
