from itertools import pairwise

from pipeline.segment.rows import number_segments, segment_path, spread


def test_paths_are_nested_letter_by_letter():
    assert segment_path("NUX", 24, "mp3").as_posix() == "data/audio/N/U/X/24.mp3"


def test_what_is_kept_is_spread_over_all():
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


def test_a_piece_keeps_its_number():
    assert number_segments(["a", "b"], []) == [0, 1]
    before = [("a", 0), ("b", 1), ("c", 2)]
    assert number_segments(["a", "b", "c", "d"], before) == [0, 1, 2, 3]
    assert number_segments(["d", "e", "a", "b", "c"], before) == [3, 4, 0, 1, 2]
    assert number_segments(["d", "c", "e", "f"], before) == [0, 2, 1, 3]
    assert number_segments(["a", "a", "a"], [("a", 4), ("a", 1)]) == [1, 4, 0]
