"""Assignment of films to sets: by the position of their group, independent of other films."""

import hashlib
from collections import Counter

import pytest

from pipeline.core.errors import StageError
from pipeline.split.assign import SPLITS, assign_splits, split_by_given
from pipeline.split.section import Split

FIDS = [f"{a}{b}{c}" for a in "ABCD" for b in "ABCDEFGHIJ" for c in "ABCDEFGHIJ"]  # 400


def split(train=0.55, valid=0.15, evaluation=0.3, seed=0):
    return Split(films="all", given=None, others="assign", train=train, valid=valid, eval=evaluation, seed=seed)


def assigned(fids, settings=None, groups=(), counted=None, given=()):
    """Return the set of each film; films outside `groups` are groups of their own."""
    least = {fid: fid for fid in fids} | dict(groups)
    found = assign_splits(least, set(fids) if counted is None else counted, settings or split(), dict(given))
    sides = {fid: side for side, of_side in found.items() for fid in of_side}
    assert len(sides) == sum(map(len, found.values())), "a film is on two sides"
    assert all(of_side == sorted(of_side) for of_side in found.values())
    return sides


def place(fid, seed=0):
    return int(hashlib.sha256(f"{seed}:{fid}".encode()).hexdigest(), 16) / 2**256


def test_every_film_is_in_the_set_of_its_position():
    sides = assigned(FIDS)
    assert sides.keys() == set(FIDS)
    for fid, side in sides.items():
        assert side == ("train" if place(fid) < 0.55 else "valid" if place(fid) < 0.7 else "eval")
    counts = Counter(sides.values())
    assert abs(counts["train"] - 220) < 30 and abs(counts["valid"] - 60) < 22 and abs(counts["eval"] - 120) < 28


def test_no_film_moves_when_the_corpus_grows():
    before = assigned(FIDS[:300])
    after = assigned(FIDS)
    assert {fid: after[fid] for fid in before} == before
    assert assigned([*reversed(FIDS), *FIDS]) == after


def test_another_seed_is_another_split():
    assert assigned(FIDS, split(seed=1)) != assigned(FIDS)


def test_a_group_is_in_one_set_and_stays_there_when_it_grows():
    groups = {"AAC": "AAA", "AAE": "AAA", "BBB": "AAA"}
    sides = assigned(FIDS, groups=groups)
    alone = assigned(FIDS)
    assert {sides[fid] for fid in ("AAA", *groups)} == {alone["AAA"]}
    assert {fid: side for fid, side in sides.items() if fid not in groups} == {
        fid: side for fid, side in alone.items() if fid not in groups
    }


def test_given_sets_are_kept_and_apply_to_whole_groups():
    given = {"AAB": "valid", "AAC": "eval", "AAD": "train", "AAE": "eval", "ZZZ": "eval"}
    sides = assigned(FIDS, groups={"AAB": "AAA", "AAF": "AAA", "AAE": "AAD"}, given=given)
    assert {fid: sides[fid] for fid in given if fid in sides} == {k: v for k, v in given.items() if k != "ZZZ"}
    assert sides["AAA"] == sides["AAF"] == "valid"
    alone = assigned(FIDS)
    assert all(sides[fid] == alone[fid] for fid in FIDS[6:])
    assert split_by_given({"AAB": "AAA", "AAA": "AAA", "AAD": "AAD", "AAE": "AAD"}, given) == [["AAD", "AAE"]]


@pytest.mark.parametrize("count", range(4, 12))
@pytest.mark.parametrize("seed", range(6))
def test_a_small_corpus_leaves_no_set_empty(count, seed):
    fids = FIDS[:count]
    counts = Counter(assigned(fids, split(seed=seed)).values())
    assert counts["train"] >= 2 and counts["eval"] >= 1
    assert counts["valid"] >= (2 if count > 4 else 1)


def test_only_the_nearest_groups_are_moved():
    fids = [fid for fid in FIDS if place(fid) < 0.55][:5]  # all in the training set
    sides = assigned(fids)
    moved = sorted(fids, key=place)[-3:]
    assert {fid for fid, side in sides.items() if side != "train"} == set(moved)


@pytest.mark.parametrize("sizes", [(1, 2, 2), (1, 4, 3), (2, 1, 5), (4, 1, 1, 2)])
@pytest.mark.parametrize("seed", range(6))
def test_groups_are_swapped_to_get_two_validation_films(sizes, seed):
    fids = iter(FIDS)
    groups = [[next(fids) for _ in range(size)] for size in sizes]
    least = {fid: group[0] for group in groups for fid in group}
    sides = assigned(list(least), split(seed=seed), least)
    counts = Counter(sides.values())
    assert counts["train"] >= 2 and counts["valid"] >= 2 and counts["eval"] >= 1
    assert all(len({sides[fid] for fid in group}) == 1 for group in groups)


def test_only_films_that_all_variants_can_read_count():
    fids = [fid for fid in FIDS if place(fid) < 0.5][:6] + [fid for fid in FIDS if place(fid) > 0.75][:1]
    sides = assigned(fids, counted=set(fids[:6]))
    counts = Counter(sides[fid] for fid in fids[:6])
    assert counts["eval"] >= 1 and counts["valid"] >= 1
    assert sides[fids[6]] == "eval"
    with pytest.raises(StageError, match="train needs 2"):
        assigned(fids, counted=set())


def test_too_few_films_are_an_error_with_the_counts():
    with pytest.raises(StageError, match=r"3 films have .*needs"):
        assigned(FIDS[:3])


def test_a_set_without_a_share_may_be_empty():
    sides = assigned(FIDS[:4], split(0.5, 0.0, 0.5))
    assert set(sides.values()) == {"train", "eval"}


def test_only_known_sets_are_allowed():
    assert set(assigned(FIDS).values()) == set(SPLITS)
