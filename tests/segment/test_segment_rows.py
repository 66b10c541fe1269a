from itertools import pairwise, product

from pipeline.segment.rows import fair_shares, number_segments, segment_path, spread, spread_over_recordings


def test_paths_are_nested_letter_by_letter():
    assert segment_path("NUX", 24, "mp3").as_posix() == "data/audio/N/U/X/24.mp3"


def test_kept_segments_are_spread_evenly():
    assert spread(3, None) == spread(3, 3) == spread(3, 4) == [0, 1, 2]
    assert spread(10, 1) == [5]
    assert spread(10, 5) == [1, 3, 5, 7, 9]
    assert spread(360, 60) == list(range(3, 360, 6))
    for total in range(1, 80):
        for most in range(1, total + 1):
            found = spread(total, most)
            gaps = [after - before for before, after in pairwise(found)]
            assert len(set(found)) == most and max(found) < total
            assert not gaps or max(gaps) - min(gaps) <= 1
            assert abs(found[0] - (total - 1 - found[-1])) <= 1 + total // most


def test_each_recording_keeps_its_fair_share():
    assert fair_shares([2, 100, 2, 2, *[50] * 6], 60) == [2, 8, 2, 2, 7, 8, 8, 8, 7, 8]
    assert fair_shares([40, 40], 60) == [30, 30]
    assert fair_shares([50, 5], 60) == fair_shares([50, 5], None) == [50, 5]
    assert fair_shares([1] * 10, 5) == [0, 1] * 5  # as evenly as possible
    assert fair_shares([], 5) == []
    for totals in product(range(1, 6), repeat=3):
        for most in range(1, 16):
            shares = fair_shares(totals, most)
            one_by_one = [0] * 3  # each next one goes to a recording with the fewest
            for _ in range(min(most, sum(totals))):
                open_ones = [index for index in range(3) if one_by_one[index] < totals[index]]
                one_by_one[min(open_ones, key=lambda index: one_by_one[index])] += 1
            assert sorted(shares) == sorted(one_by_one) and all(map(int.__le__, shares, totals))


def test_a_recordings_share_is_spread_over_it():
    """An album cut into 96 segments and three songs of 2 or 3: all segments of the songs are kept."""
    recordings = ["song 1"] * 2 + ["album"] * 96 + ["song 2"] * 3 + ["song 3"] * 2
    found = spread_over_recordings(recordings, 60)
    album = [position for position in found if recordings[position] == "album"]
    assert len(found) == 60 == len(set(found)) and found == sorted(found)
    assert {0, 1, 98, 99, 100, 101, 102} <= set(found)
    assert album == [2 + place for place in spread(96, 53)]
    assert spread_over_recordings(recordings, None) == list(range(103))
    assert spread_over_recordings(recordings[2:98], 60) == spread(96, 60), "one recording is as before"


def test_a_piece_keeps_its_number():
    assert number_segments(["a", "b"], []) == [0, 1]
    before = [("a", 0), ("b", 1), ("c", 2)]
    assert number_segments(["a", "b", "c", "d"], before) == [0, 1, 2, 3]
    assert number_segments(["d", "e", "a", "b", "c"], before) == [3, 4, 0, 1, 2]
    assert number_segments(["d", "c", "e", "f"], before) == [0, 2, 1, 3]
    assert number_segments(["a", "a", "a"], [("a", 4), ("a", 1)]) == [1, 4, 0]
