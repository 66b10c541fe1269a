"""Segments of different films that sound the same, found by their landmarks.

An index of all landmarks, sorted by word, is asked film by film: segments that have several words in common, at frames
that lie equally far apart, are the same music, whatever codec, level and offset (the consistent offsets of Wang 2003,
An Industrial-Strength Audio Search Algorithm). Memory holds some 30 bytes per landmark; segments that have no word in
common are never compared.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipeline.core.sharing import unpacked

LEAST = 3  # landmarks in common: of 2,580 pairs of segments of different films none had more than one
DRIFT = 1  # frames by which the offsets of those may differ: a segment's beginning lies between two frames
SPAN = 22  # frames that those stretch over, one second: a note that is held gives the same word again and again
MOST = 4096  # places of a word that are looked at; one that is everywhere tells nothing

Row = dict[str, Any]


def same_sounds(segments: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of two rows of the segments table, of different films, that sound the same.

    Rows of a film stand together.
    """
    found = [unpacked(row["landmarks"]) for row in segments]
    counts = [len(words) for words, _ in found]
    if not sum(counts):
        return
    words = np.concatenate([words for words, _ in found])
    frames = np.concatenate([frames for _, frames in found])
    owners = np.repeat(np.arange(len(segments), dtype=np.uint32), counts)
    order = np.argsort(words, kind="stable")
    index = words[order], frames[order], owners[order]
    ends = np.cumsum(counts)
    fids = [row["fid"] for row in segments]
    begin = 0
    while begin < len(segments):
        end = begin + 1
        while end < len(segments) and fids[end] == fids[begin]:
            end += 1
        asked = slice(ends[begin] - counts[begin], ends[end - 1])
        yield from _matches(index, words[asked], frames[asked], owners[asked], end)
        begin = end


def _matches(
    index: tuple[np.ndarray, np.ndarray, np.ndarray],
    words: np.ndarray,
    frames: np.ndarray,
    owners: np.ndarray,
    first: int,
) -> Iterator[tuple[int, int]]:
    """Yield the matches of a film's landmarks among the segments from number `first` on."""
    known, places, others = index
    low, high = np.searchsorted(known, words, "left"), np.searchsorted(known, words, "right")
    hits = np.where(high - low <= MOST, high - low, 0)
    rows = np.repeat(low - np.cumsum(hits) + hits, hits) + np.arange(hits.sum())
    mine, at = np.repeat(owners, hits), np.repeat(frames, hits).astype(np.int32)
    later = others[rows] >= first
    rows, mine, at = rows[later], mine[later], at[later]
    theirs, offsets = others[rows], places[rows].astype(np.int32) - at
    order = np.lexsort((at, offsets, theirs, mine))
    mine, theirs, offsets, at = mine[order], theirs[order], offsets[order], at[order]
    pairs = mine.astype(np.uint64) << np.uint64(32) | theirs
    last = slice(LEAST - 1, None)
    near = (pairs[last] == pairs[: 1 - LEAST]) & (offsets[last] - offsets[: 1 - LEAST] <= DRIFT)
    done = np.uint64(0)  # no pair: the second is never the first segment of all
    for place in np.flatnonzero(near).tolist():
        pair = pairs[place]
        if pair == done:
            continue
        of_pair = slice(*np.searchsorted(pairs, [pair, pair + np.uint64(1)]))
        close = np.abs(offsets[of_pair] - offsets[place]) <= DRIFT
        if np.ptp(at[of_pair][close]) >= SPAN:
            done = pair
            yield int(pair >> np.uint64(32)), int(theirs[place])
