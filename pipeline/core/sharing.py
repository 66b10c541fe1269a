"""Films that share music: the keys that identify tracks of the same music, and the sets of films that they join.

The landmarks of a segment are the most distinctive words of its acoustic fingerprint (`pipeline.segment.fingerprint`)
and their frames; in tables they are text: base64 of all words (uint32), then all frames (uint16).
"""

from base64 import b64decode, b64encode
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

WORD, FRAME = np.dtype("<u4"), np.dtype("<u2")
MOST_FRAMES = np.iinfo(FRAME).max  # 50 minutes; later landmarks are left out


def music_keys(track: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return the keys that a row of the data set shares with rows of the same music: recording, and sound."""
    return ("recording", track["recording"]), ("sound", track["sound"])


def packed(words: np.ndarray, frames: np.ndarray) -> str:
    """Return landmarks, words uint32 [n] at frames [n], as text."""
    here = frames <= MOST_FRAMES
    return b64encode(words[here].astype(WORD).tobytes() + frames[here].astype(FRAME).tobytes()).decode()


def unpacked(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the words and frames of landmarks; raise `ValueError` for text that `packed` did not write."""
    data = b64decode(text or "", validate=True)
    count, rest = divmod(len(data), WORD.itemsize + FRAME.itemsize)
    if rest:
        raise ValueError("not landmarks")
    return np.frombuffer(data, WORD, count), np.frombuffer(data, FRAME, count, count * WORD.itemsize)


class DisjointSets:
    """Sets of names (strings) and of other keys that join them: union-find with path halving."""

    def __init__(self) -> None:
        self._parents: dict[Hashable, Hashable] = {}

    def add(self, name: str) -> None:
        """Add a name as a new set, unless it is in one."""
        self._find(name)

    def join(self, one: Hashable, other: Hashable) -> None:
        """Merge the sets of both keys, adding new keys."""
        self._parents[self._find(other)] = self._find(one)

    def least(self) -> dict[str, str]:
        """Return the least name of each name's set, in order of the names."""
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
