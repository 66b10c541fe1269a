"""Start and end of segments, tested with samples that encode their position."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from pipeline.segment.cut import Section, Stream, cuts_of, sections_of

RATE = 16000  # Hz


@pytest.fixture
def grid(settings):
    """Return a function that returns the pieces in seconds: (track, start, end, is_rest)."""

    def pieces(total, chapters=(), **changed):
        known = {"sample_rate": RATE, "seconds": 30.0, "hop_seconds": 30.0, "min_seconds": 5.0} | changed
        chapters = [{"title": t, "start_seconds": a, "end_seconds": b} for t, a, b in chapters]
        sections = sections_of({"title": "whole", "chapters": chapters}, RATE)
        samples = np.arange(round(total * RATE), dtype=np.int32)
        blocks = np.split(samples, range(7001, len(samples), 7001))
        found = []
        for piece in cuts_of(Stream(blocks), sections, dataclasses.replace(settings, **known)):
            assert np.array_equal(piece.samples, np.arange(piece.start, piece.start + len(piece.samples)))
            end = (piece.start + len(piece.samples)) / RATE
            found.append((piece.title, piece.start / RATE, end, piece.is_rest))
        return found

    return pieces


def spans(pieces):
    return [(start, end) for _, start, end, is_rest in pieces if not is_rest]


def rests(pieces):
    return [(start, end) for _, start, end, is_rest in pieces if is_rest]


@pytest.mark.parametrize(
    ("seconds", "changed", "expected", "expected_rests"),
    [
        (90, {}, [(0, 30), (30, 60), (60, 90)], []),
        (96, {}, [(0, 30), (30, 60), (60, 90), (90, 96)], []),
        (95, {}, [(0, 30), (30, 60), (60, 90), (90, 95)], []),  # exactly min_seconds
        (94, {}, [(0, 30), (30, 60), (60, 90)], [(90, 94)]),
        (94, {"rest": "join"}, [(0, 30), (30, 60), (60, 94)], []),
        (95, {"rest": "join"}, [(0, 30), (30, 60), (60, 90), (90, 95)], []),
        (90.09, {}, [(0, 30), (30, 60), (60, 90)], []),  # padding appended by a codec
        (90.09, {"rest": "join"}, [(0, 30), (30, 60), (60, 90)], []),
        (4, {}, [], [(0, 4)]),
        (4, {"rest": "join"}, [], [(0, 4)]),  # nothing to join it to
        (12, {}, [(0, 12)], []),
        (0, {}, [], []),
        # overlapping
        (60, {"hop_seconds": 15.0}, [(0, 30), (15, 45), (30, 60)], []),
        (67, {"hop_seconds": 15.0}, [(0, 30), (15, 45), (30, 60), (45, 67)], []),
        (63, {"hop_seconds": 15.0}, [(0, 30), (15, 45), (30, 60)], [(60, 63)]),
        (63, {"hop_seconds": 15.0, "rest": "join"}, [(0, 30), (15, 45), (30, 63)], []),
        (31, {"hop_seconds": 1.0, "rest": "join"}, [(0, 30), (1, 31)], []),
        (33, {"hop_seconds": 10.0, "rest": "join"}, [(0, 33)], []),
        # with gaps
        (150, {"hop_seconds": 60.0}, [(0, 30), (60, 90), (120, 150)], []),
        (140, {"hop_seconds": 60.0}, [(0, 30), (60, 90), (120, 140)], []),
        (123, {"hop_seconds": 60.0}, [(0, 30), (60, 90)], [(120, 123)]),
        (123, {"hop_seconds": 60.0, "rest": "join"}, [(0, 30), (60, 90)], [(120, 123)]),  # they do not touch
        (110, {"hop_seconds": 60.0}, [(0, 30), (60, 90)], []),  # in a gap
    ],
)
def test_the_grid(grid, seconds, changed, expected, expected_rests):
    pieces = grid(seconds, **changed)
    assert spans(pieces) == expected
    assert rests(pieces) == expected_rests


@pytest.mark.parametrize("seed", range(40))
def test_against_a_slow_rule(grid, seed):
    """All material is covered once by full pieces, a last piece, or a rest that is joined or dropped."""
    dice = np.random.default_rng(seed)
    length, total = float(dice.integers(1, 8)), float(dice.integers(0, 40))
    hop, least = float(dice.integers(1, 8)), float(dice.integers(1, length + 1))
    rest = ["drop", "join"][seed % 2]
    pieces = grid(total, seconds=length, hop_seconds=hop, min_seconds=least, rest=rest)
    expected, expected_rests = [], []
    starts = [k * hop for k in range(100) if k * hop + length <= total]
    expected = [(start, start + length) for start in starts]
    following = len(starts) * hop
    covered = expected[-1][1] if expected else 0.0
    new = total - max(covered, following)
    if new >= least:
        expected.append((following, total))
    elif new > 0.1 and rest == "join" and hop <= length and expected:
        expected[-1] = (expected[-1][0], total)
    elif new > 0.1:
        expected_rests = [(max(covered, following), total)]
    assert (spans(pieces), rests(pieces)) == (expected, expected_rests)


def test_chapters_are_cut_to_the_sample(grid):
    chapters = [("a", 0.0, 40.00005), ("b", 40.00005, 100.5), ("c", 100.5, 131.0)]
    pieces = grid(131, chapters)
    at = round(40.00005 * RATE) / RATE
    assert [piece[:3] for piece in pieces] == [
        ("a", 0, 30), ("a", 30, at), ("b", at, at + 30), ("b", at + 30, at + 60), ("b", at + 60, 100.5),
        ("c", 100.5, 130.5), ("c", 130.5, 131),
    ]  # fmt: skip
    assert [piece[3] for piece in pieces] == [False, False, False, False, True, False, True]


@pytest.mark.parametrize(
    ("chapters", "expected"),
    [
        ([("a", 20, 50)], [("whole", 0, 20), ("a", 20, 50), ("a", 50, 60)]),  # before the first and after the last
        ([("a", 0.05, 60)], [("a", 0.05, 30.05), ("a", 30.05, 60)]),
        ([("a", 0, 50), ("b", 20, 60)], [("a", 0, 20), ("b", 20, 50), ("b", 50, 60)]),  # overlapping
        ([("b", 20, 60), ("a", 0, 20)], [("a", 0, 20), ("b", 20, 50), ("b", 50, 60)]),  # out of order
        ([("a", 0, 10), ("b", 30, 60)], [("a", 0, 30), ("b", 30, 60)]),  # with a gap
        ([("a", 0, 10), ("b", 0, 30), ("c", 30, 60)], [("b", 0, 30), ("c", 30, 60)]),  # with the same start
        ([("a", 0, 30), ("b", 30, 60), ("c", 61, 90)], [("a", 0, 30), ("b", 30, 60)]),  # beyond the end
        ([("a", -3, 30), ("", 30, 60)], [("a", 0, 30), ("whole", 30, 60)]),  # negative; without a title
        ([("a", 0, 30), ("b", 30, 30.05), ("c", 30.05, 60)], [("a", 0, 30), ("c", 30.05, 60)]),  # extremely short
    ],
)
def test_odd_chapters(grid, chapters, expected):
    assert [piece[:3] for piece in grid(60, chapters)] == expected


def test_a_short_chapter_is_a_rest(grid):
    pieces = grid(60, [("a", 0, 3), ("b", 3, 60)], rest="join")
    assert pieces == [("a", 0, 3, True), ("b", 3, 33, False), ("b", 33, 60, False)]


@pytest.mark.parametrize("changed", [{}, {"rest": "join"}, {"hop_seconds": 1.0}, {"hop_seconds": 600.0}])
def test_memory_does_not_grow_with_the_recording(settings, changed):
    settings = dataclasses.replace(settings, **changed)

    def peak(seconds):
        blocks = (np.ones(RATE, np.int16) for _ in range(seconds))
        tracemalloc.start()
        for _ in cuts_of(Stream(blocks), [Section(0, "")], settings):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(4)
    assert peak(3600) < peak(20) + 300_000  # an hour is 115 MB of samples
