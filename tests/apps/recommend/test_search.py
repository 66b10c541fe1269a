"""Both searches compared with a slow sort: exact ones find all tracks, approximate ones those in their lists."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.apps.recommend import search as search_module
from pipeline.apps.recommend.index import highest
from pipeline.apps.recommend.search import ApproximateSearch, ExactSearch, open_search, recall_of
from tests.apps.recommend.tracks import make_index, track


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Make a search start with few tracks, so that it has to continue."""
    monkeypatch.setattr(search_module, "FIRST", 4)
    monkeypatch.setattr(search_module, "GROWTH", 3)
    monkeypatch.setattr(search_module, "SAMPLE_A_LIST", 40)


@pytest.fixture
def index():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(320, 6))
    vectors[7] = vectors[3]  # equally near
    return make_index(vectors, [track(n, fid=f"F{n}") for n in range(320)])


def in_order(index, query) -> list[int]:
    scores = index.vectors @ query
    return sorted(range(len(index)), key=lambda row: (-scores[row], row))


@pytest.mark.parametrize("k", [1, 2, 5, 49, 50, 51])
def test_highest_scores_against_a_sort_with_ties(k):
    scores = np.random.default_rng(k).integers(0, 6, 50).astype(np.float32)
    assert highest(scores, k).tolist() == sorted(range(50), key=lambda place: (-scores[place], place))[:k]


def test_exact_search_yields_every_track_once_from_the_nearest_on(index):
    query = index.vectors[3]
    blocks = list(ExactSearch(index).nearest(query))
    assert len(blocks) > 2
    assert np.concatenate(blocks).tolist() == in_order(index, query)


def test_approximate_search_that_looks_into_all_lists_finds_every_track(index, params):
    search = ApproximateSearch(index, replace(params.recommend, lists=8, probes=8))
    query = index.vectors[3]
    found = np.concatenate(list(search.nearest(query))).tolist()
    assert sorted(found) == list(range(320))
    assert found[:2] == [3, 7]
    assert recall_of(search)[0] > 0.8  # blocks of 4 by 8 bits per value, each in order


def test_approximate_search_puts_other_lists_last_and_gives_its_recall(index, params):
    search = ApproximateSearch(index, replace(params.recommend, lists=8, probes=1))
    query = index.vectors[3]
    found = np.concatenate(list(search.nearest(query))).tolist()
    assert sorted(found) == list(range(320))
    assert found != in_order(index, query)
    probed = search.lists.search(query[np.newaxis], 320)[1][0]
    count = np.count_nonzero(probed >= 0)
    assert set(found[:count]) == set(probed[probed >= 0].tolist())
    assert found[count:] == [row for row in in_order(index, query) if row in found[count:]]
    scores = index.vectors @ query
    first = found[:4]  # each block is in order
    assert first == sorted(first, key=lambda row: (-scores[row], row))
    recall, count = recall_of(search)
    assert count == 200
    expected = []
    for row in np.random.default_rng(search_module.SEED).permutation(320)[:200]:
        nearest = set(in_order(index, index.vectors[row])[:20])
        mine = np.concatenate(list(search.nearest(index.vectors[row])))[:20]
        expected.append(len(nearest & set(mine.tolist())) / 20)
    assert recall == pytest.approx(np.mean(expected))
    assert 0 < recall < 0.8


def test_parameters_decide_which_search_it_is(index, params):
    assert isinstance(open_search(index, params.recommend), ExactSearch)
    assert isinstance(open_search(index, replace(params.recommend, search="approximate")), ApproximateSearch)


def test_few_tracks_make_one_list(params):
    index = make_index(np.eye(3))
    search = ApproximateSearch(index, replace(params.recommend, search="approximate"))
    assert np.concatenate(list(search.nearest(index.vectors[1]))).tolist()[0] == 1
