"""Film ids as numbers: AAA is 0, ZZZ 17,575."""

from collections.abc import Iterable, Iterator
from string import ascii_uppercase

NUMBER_OF_IDS = len(ascii_uppercase) ** 3


def free_ids(taken: Iterable[str]) -> Iterator[str]:
    """Yield the ids that are not `taken`: those after the highest, then the gaps.

    An id that was removed from a list is thus reused only if no other is left.
    """
    numbers = {number_of(fid) for fid in taken}
    first = max(numbers, default=-1) + 1
    yield from map(id_of, range(first, NUMBER_OF_IDS))
    yield from (id_of(number) for number in range(first) if number not in numbers)


def number_of(fid: str) -> int:
    """Return the number of `fid`."""
    high, middle, low = map(ascii_uppercase.index, fid)
    return (high * 26 + middle) * 26 + low


def id_of(number: int) -> str:
    """Return the id of `number`."""
    return "".join(ascii_uppercase[number // power % 26] for power in (26 * 26, 26, 1))
