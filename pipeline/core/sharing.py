"""Which films share music: sets of films, joined by what their tracks have in common."""

from collections.abc import Hashable, Mapping
from typing import Any


def music_keys(track: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return what a row of the data set has in common with all rows that are the same music: recording and samples."""
    return ("recording", track["recording"]), ("samples", track["sha256"])


class DisjointSets:
    """Sets of names (strings) and of other keys that join them: union-find with path halving."""

    def __init__(self) -> None:
        self._parents: dict[Hashable, Hashable] = {}

    def add(self, name: str) -> None:
        """Put a name into a set of its own, unless it is in one."""
        self._find(name)

    def join(self, one: Hashable, other: Hashable) -> None:
        """Make the sets of both keys one; a key that is new comes in."""
        self._parents[self._find(other)] = self._find(one)

    def least(self) -> dict[str, str]:
        """Return by name, in order, the least name of its set."""
        names = sorted(key for key in self._parents if isinstance(key, str))
        first: dict[Hashable, str] = {}
        for name in names:
            first.setdefault(self._find(name), name)
        return {name: first[self._find(name)] for name in names}

    def _find(self, key: Hashable) -> Hashable:
        parents = self._parents
        parents.setdefault(key, key)
        while parents[key] != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key
