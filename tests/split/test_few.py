"""Warnings about small corpora: from the number of films before a run, from the sets after `split`."""

import dataclasses

import pytest

from pipeline.core.variants import Variant
from pipeline.split.few import few_test_films, shortcomings, too_few_films
from pipeline.split.section import Split

SETTINGS = Split(films="all", given=None, others="assign", train=0.55, valid=0.15, eval=0.3, seed=0)
TRAINED = {"Im": Variant(["image"]), "Ta": Variant(["tags"])}
FITTED = {"Im": Variant(["image"], method="linear")}


def test_films_needed():
    assert "found 4" in too_few_films(4, SETTINGS, TRAINED) and "at least 5" in too_few_films(4, SETTINGS, TRAINED)
    assert not too_few_films(5, SETTINGS, TRAINED)
    assert "at least 4" in too_few_films(3, SETTINGS, FITTED) and not too_few_films(4, SETTINGS, FITTED)
    no_test = dataclasses.replace(SETTINGS, valid=0.45, eval=0.0)
    assert not too_few_films(4, no_test, TRAINED)
    assert not few_test_films(4, no_test)


@pytest.mark.parametrize(("films", "points"), [(3, 50), (10, 50), (30, 33), (83, 20)])
def test_few_test_films(films, points):
    line = few_test_films(films, SETTINGS)
    assert line.startswith(f"{films * 0.3:.0f} test films") and f"±{points} " in line and "84 films" in line


def test_enough_test_films():
    assert not few_test_films(84, SETTINGS)


def test_shortcomings_of_a_split():
    splits = {"train": ["AAA", "AAB", "AAC"], "valid": ["AAD", "AAE"], "eval": ["AAF", "AAG"]}
    known = {fid: {"image", "tags"} for fids in splits.values() for fid in fids}
    enough = {"eval": [f"B{number}" for number in range(25)]}
    assert list(shortcomings(splits | enough, known, set(enough["eval"]), TRAINED)) == []
    known |= {"AAA": {"tags"}, "AAB": {"tags"}, "AAE": {"image"}}
    train, valid, test = shortcomings(splits, known, {"AAC", "AAD", "AAF"}, TRAINED | {"Li": FITTED["Im"]})
    assert train.startswith("split.train: Im has 1 films, but `train` needs at least 2")
    assert valid.startswith("split.valid: Ta has 1 films, but `train` needs at least 2")
    assert test.startswith("1 test films")
