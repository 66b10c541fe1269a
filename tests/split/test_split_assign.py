import pytest

from pipeline.core.errors import StageError
from pipeline.split.assign import SPLITS, assign_splits, largest_remainder
from pipeline.split.section import Split

FIDS = [f"{a}{b}{c}" for a in "AB" for b in "ABCDEFGHIJ" for c in "ABCDE"]  # 100


def split(train=0.55, valid=0.15, evaluation=0.3, seed=0):
    return Split(train=train, valid=valid, eval=evaluation, seed=seed)


@pytest.mark.parametrize(
    ("total", "shares", "expected"),
    [
        (100, [0.55, 0.15, 0.3], [55, 15, 30]),
        (7, [0.55, 0.15, 0.3], [4, 1, 2]),
        (10, [0.55, 0.15, 0.3], [6, 1, 3]),  # a tie of the remainders: the earlier
        (3, [0.55, 0.15, 0.3], [2, 0, 1]),
        (5, [1.0, 0.0, 0.0], [5, 0, 0]),
        (0, [0.5, 0.5, 0.0], [0, 0, 0]),
        (7771, [0.9, 0.07, 0.03], [6994, 544, 233]),
    ],
)
def test_largest_remainder(total, shares, expected):
    assert largest_remainder(total, shares) == expected


def test_every_film_is_on_one_side():
    splits = assign_splits(FIDS, split())
    assert [len(splits[split]) for split in SPLITS] == [55, 15, 30]
    assert sorted(fid for fids in splits.values() for fid in fids) == sorted(FIDS)
    assert all(fids == sorted(fids) for fids in splits.values())


def test_the_split_depends_on_films_and_seed_only():
    assert assign_splits(FIDS, split()) == assign_splits([*reversed(FIDS), *FIDS], split())
    assert assign_splits(FIDS, split(seed=1)) != assign_splits(FIDS, split())
    assert assign_splits(["AAA", "AAB", "AAC", "AAD"], split()) == {
        "train": ["AAB", "AAD"],
        "valid": ["AAC"],
        "eval": ["AAA"],
    }  # by `printf 0:AAA | sha256sum` and so on, on any machine


def test_the_shuffle_is_no_alphabet():
    assert assign_splits(FIDS, split())["train"] != sorted(FIDS)[:55]


def test_one_more_film_moves_few_others():
    before, after = assign_splits(FIDS, split()), assign_splits([*FIDS, "ZZZ"], split())
    assert sum(len(set(before[split]) - set(after[split])) for split in SPLITS) <= 3


def test_an_empty_side_is_named_with_the_counts():
    with pytest.raises(StageError, match=r"3 usable films leave valid without one \(2 train, 0 valid, 1 eval\)"):
        assign_splits(FIDS[:3], split())
    with pytest.raises(StageError, match=r"valid and eval .*split\.valid and split\.eval"):
        assign_splits(FIDS[:2], split(0.8, 0.1, 0.1))


def test_a_side_without_a_share_may_be_empty():
    assert assign_splits(FIDS[:4], split(0.5, 0.0, 0.5))["valid"] == []


def test_training_needs_two_films():
    with pytest.raises(StageError, match=r"training needs 2 films \(1 train, 1 valid, 1 eval\)"):
        assign_splits(FIDS[:3], split(0.34, 0.33, 0.33))
    with pytest.raises(StageError, match="training needs 2 films"):
        assign_splits(FIDS[:3], split(0.0, 0.5, 0.5))
