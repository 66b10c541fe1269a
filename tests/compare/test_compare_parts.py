from dataclasses import replace

import numpy as np
import pytest

from pipeline.compare.excerpts import SAMPLE_RATE, excerpt
from pipeline.compare.figures import chance_quantiles
from pipeline.compare.films import Track, beginning, choose_films, film_cards, sharing_films
from pipeline.compare.results import read_results
from pipeline.compare.wording import (
    counted,
    inputs_label,
    listed,
    metric_label,
    number,
    pool_label,
    reverse_columns,
    reverse_pool_label,
    signed,
)
from pipeline.core.errors import StageError
from pipeline.media.audio import mono, write_mp3


def test_chance_quantiles_equal_simulated_rankings():
    relevant, candidates = np.array([1, 1, 4, 9]), 40
    generator = np.random.default_rng(0)
    best = [generator.permutation(candidates)[:count].min() + 1 for _ in range(5000) for count in relevant]
    assert chance_quantiles(relevant, candidates) == pytest.approx(
        np.quantile(best, [0.1, 0.25, 0.5, 0.75, 0.9]), abs=1
    )
    assert chance_quantiles(np.array([1]), 100) == [10, 25, 50, 75, 90]


def test_films_are_chosen_from_best_to_worst_served(inputs):
    results = read_results(inputs.root, inputs.variants, "mrr")
    served = {
        fid: sum(1 / result.rankings.set_index("fid").loc[fid, "best_rank"] for result in results)
        for fid in results[0].rankings["fid"]
    }
    chosen = choose_films(results, 4)
    assert len(set(chosen)) == 4
    assert [served[fid] for fid in chosen] == sorted((served[fid] for fid in chosen), reverse=True)
    assert len(choose_films(results, 100)) == len(served)


def test_candidates_of_other_sets_are_known_if_the_pool_is_all(inputs):
    results = read_results(inputs.root, inputs.variants, "mrr")
    asking = results[0].rankings["fid"].iloc[0]
    results = [replace(result, rankings=result.rankings.head(1)) for result in results]
    dataset = [row | {"split": "eval" if row["fid"] == asking else "train"} for row in inputs.rows]
    with pytest.raises(StageError, match=r"not among the films and candidates of data/dataset\.parquet"):
        film_cards(results, dataset, 1)
    for result in results:
        result.metrics["pool"] = "all"
    assert [card.fid for card in film_cards(results, dataset, 1)] == [asking]


def test_music_of_another_films_recording_is_marked_as_own(inputs):
    results = read_results(inputs.root, inputs.variants, "mrr")
    fid = choose_films(results, 1)[0]
    own = next(row for row in inputs.rows if row["fid"] == fid)
    other = next(row for row in inputs.rows if row["fid"] != fid)
    linked = [row | ({"recording": own["recording"]} if row is other else {}) for row in inputs.rows]
    assert sharing_films(inputs.rows) == []
    assert sharing_films(linked) == [sorted([fid, other["fid"]])]
    for dataset in (inputs.rows, linked):
        places = [p for card in film_cards(results, dataset, 1) for of in card.listings for p in of.places]
        for place in places:
            expected = place.track.fid == fid or (dataset is linked and place.track.path == other["path"])
            assert place.own == expected


def test_the_excerpt_is_the_middle(tmp_path):
    time = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    loud = (np.abs(time - 3.0) < 0.5) * np.sin(2 * np.pi * 440 * time) * 10_000  # audible from 2.5 to 3.5 s
    write_mp3(tmp_path / "0.mp3", loud.astype(np.int16), SAMPLE_RATE, 32000)
    for seconds, share in ((1.0, 1.0), (2.0, 0.5), (60.0, 1 / 6)):
        (tmp_path / "excerpt.mp3").write_bytes(
            excerpt(tmp_path, Track("0.mp3", "AAA", "", None, 0, 6.0), seconds, 32000)
        )
        heard = np.concatenate(list(mono(tmp_path / "excerpt.mp3", SAMPLE_RATE)))
        assert len(heard) / SAMPLE_RATE == pytest.approx(min(seconds, 6.0), abs=0.15)
        assert (np.abs(heard) > 300).mean() == pytest.approx(share, abs=0.15)


def test_a_plots_beginning_ends_at_a_word():
    assert beginning("One two\nthree", 20) == "One two three"
    assert beginning("One two, three", 10) == "One two …"
    assert beginning("Onetwothree", 4) == "Onet …"
    assert beginning("", 4) == ""


def test_words():
    assert [metric_label(name) for name in ("recall_at_10", "hit_rate_at_1", "mrr", "ndcg_at_10", "median_rank")] == [
        "Recall@10", "Hit rate@1", "MRR", "nDCG@10", "Median rank",
    ]  # fmt: skip
    assert [number("median_rank", value) for value in (3.0, 3.5, 1234.0)] == ["3", "3.5", "1,234"]
    assert (number("mrr", 0.5), signed(-0.1), signed(0.1)) == ("0.500", "−0.100", "+0.100")
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert inputs_label(["tags_plot", "image"]) == "tags and plot + image"


def test_words_for_the_pool(inputs):
    result = read_results(inputs.root, inputs.variants, "mrr")[0]
    assert pool_label(result) == "12 films, 24 tracks of the test set"
    assert reverse_pool_label(result) == "24 tracks as queries, 12 films of the test set"
    result.metrics.update({"pool": "all", "queries": 1, "candidates": 1200})
    assert pool_label(result) == "1 film, 1,200 tracks of all splits"
    result.metrics["music_to_film"].update({"queries": 1, "candidates": 1})
    assert reverse_pool_label(result) == "1 track as query, 1 film of all splits"
    assert (counted(1, "film"), counted(0, "film")) == ("1 film", "0 films")


def test_the_other_direction_shows_hit_rate_for_recall():
    there = {"hit_rate_at_10": 0.1, "mrr": 0.2, "ndcg": 0.3, "median_rank": 4.0}
    assert reverse_columns("recall_at_10", there) == ["hit_rate_at_10", "mrr", "median_rank"]
    assert reverse_columns("map", there) == ["mrr", "median_rank"]
    assert reverse_columns("ndcg", there) == ["ndcg", "mrr", "median_rank"]
