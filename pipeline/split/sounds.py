"""Segments of different films that sound the same, found by their landmarks.

An index of all landmarks, sorted by word, is searched film by film: segments with several words in common, at
consistent offsets, are the same music, independent of codec, level and offset (Wang 2003, An Industrial-Strength Audio
Search Algorithm). It takes about 25 bytes of memory per landmark; segments without a common word are never compared.
Words of different music match by chance: ten times the segments have a hundred times as many such pairs, and most of
these are dropped before sorting.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.sharing import unpacked

LEAST = 3  # landmarks in common: none of 2,580 pairs of segments of different films had more than one
DRIFT = 1  # frames by which their offsets may differ: a segment starts between two frames
SPAN = 22  # frames that they must span, one second: a sustained note repeats the same word
MIX = np.uint32(2654435761)  # Knuth's multiplicative hash, 2^32 over the golden ratio
MOST = 4096  # occurrences of a word; more frequent words are ignored

Row = dict[str, Any]


def same_sounds(segments: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Yield pairs of row numbers of the segments table, of different films, that sound the same.

    The rows of a film must be adjacent.
    """
    index = _index_of(segments)
    if not len(index.ranks):
        return
    fids = [row["fid"] for row in segments]
    begin = 0
    while begin < len(segments):
        end = begin + 1
        while end < len(segments) and fids[end] == fids[begin]:
            end += 1
        yield from _matches(index, index.ranks[index.begins[begin] : index.begins[end]], end)
        begin = end


@dataclass(frozen=True)
class _Index:
    """All landmarks, sorted by word and then by segment."""

    begins: np.ndarray  # of each segment's landmarks, in input order; one more at the end
    ranks: np.ndarray  # of each landmark, in input order: its position in the arrays below
    frames: np.ndarray  # uint16
    owners: np.ndarray  # the number of the segment, uint32
    ends: np.ndarray  # the position after the last landmark of the same word; the next position for an ignored word


def _index_of(segments: Sequence[Row]) -> _Index:
    found = [unpacked(row["landmarks"]) for row in segments]
    counts = np.array([len(words) for words, _ in found], np.int64)
    begins = np.concatenate([[0], np.cumsum(counts)])
    keys = np.arange(begins[-1], dtype=np.uint64)  # word and number in one key: sorts much faster
    for begin, (words, _) in zip(begins, found, strict=False):
        keys[begin : begin + len(words)] |= words.astype(np.uint64) << np.uint64(32)
    frames = np.concatenate([np.zeros(0, np.uint16), *(frames for _, frames in found)])
    del found
    keys.sort()
    order = keys.astype(np.uint32)  # the lower half
    keys >>= np.uint64(32)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])
    del keys
    lengths = np.diff(np.append(starts, len(order)))
    ends = np.repeat((starts + lengths).astype(np.uint32), lengths)
    for start, length in zip(starts[lengths > MOST], lengths[lengths > MOST], strict=True):
        ends[start : start + length] = np.arange(start + 1, start + length + 1)
    ranks = np.empty(len(order), np.uint32)
    ranks[order] = np.arange(len(order), dtype=np.uint32)
    owners = np.repeat(np.arange(len(segments), dtype=np.uint32), counts)
    return _Index(begins, ranks, frames[order], owners[order], ends)


def _matches(index: _Index, ranks: np.ndarray, first: int) -> Iterator[tuple[int, int]]:
    """Yield the matches of a film's landmarks, at `ranks`, among the segments from number `first` on."""
    hits = index.ends[ranks].astype(np.int64) - ranks - 1  # later landmarks of the same word
    rows = np.repeat(ranks + 1 - np.cumsum(hits) + hits, hits) + np.arange(hits.sum())
    theirs = index.owners[rows]
    asked = np.repeat(ranks, hits)
    mine = index.owners[asked]
    kept = (theirs >= first) & _frequent(mine, theirs)
    rows, theirs, asked, mine = rows[kept], theirs[kept], asked[kept], mine[kept]
    at = index.frames[asked].astype(np.int32)
    offsets = index.frames[rows].astype(np.int32) - at
    order = np.lexsort((at, offsets, theirs, mine))
    mine, theirs, offsets, at = mine[order], theirs[order], offsets[order], at[order]
    pairs = mine.astype(np.uint64) << np.uint64(32) | theirs
    last = slice(LEAST - 1, None)
    near = (pairs[last] == pairs[: 1 - LEAST]) & (offsets[last] - offsets[: 1 - LEAST] <= DRIFT)
    done = np.uint64(0)  # not a valid pair: the second segment is never number 0
    for place in np.flatnonzero(near).tolist():
        pair = pairs[place]
        if pair == done:
            continue
        of_pair = slice(*np.searchsorted(pairs, [pair, pair + np.uint64(1)]))
        close = np.abs(offsets[of_pair] - offsets[place]) <= DRIFT
        if np.ptp(at[of_pair][close]) >= SPAN:
            done = pair
            yield int(pair >> np.uint64(32)), int(theirs[place])


def _frequent(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return for each pair whether it may occur `LEAST` times: pairs with the same hash do."""
    buckets = 1 << len(mine).bit_length() + 1
    keys = (theirs + mine * MIX) & np.uint32(buckets - 1)
    return np.bincount(keys, minlength=1)[keys] >= LEAST
