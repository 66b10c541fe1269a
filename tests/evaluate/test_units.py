"""Segments and recordings as candidates: figures, rankings, chance and upper limit against slow, obvious code."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from pipeline.evaluate.candidates import candidates_of
from pipeline.evaluate.chance import chance_metrics
from pipeline.evaluate.evaluation import measure
from pipeline.evaluate.metrics import averages, ceiling_metrics, query_metrics
from pipeline.evaluate.ranking import Vectors, one_row_each
from pipeline.store.films import FilmFeatures
from tests.evaluate.small_world import EVALUATE
from tests.evaluate.trec_eval import untied

KS = EVALUATE.ks
CUT = {  # the recording of each segment, by film; segments keep their numbers when recordings are added
    "train": ["aab", "a"],
    "eval": ["abac", "aaaa", "a", "bbab", "abcdef"],
}


def films_cut(cut: dict[str, list[str]]) -> list[FilmFeatures]:
    films = [(split, recordings) for split, of_films in cut.items() for recordings in of_films]
    return [
        FilmFeatures(
            fid=f"AA{chr(65 + film)}",
            tracks=tuple(
                {"fid": f"AA{chr(65 + film)}", "title": f"Film {film}", "split": split, "number": number}
                | {"path": f"{film}/{number}.mp3", "source_url": f"https://example.org/{recording}"}
                | {"year": 1950 + film, "tags": "tag", "compared": True}
                | {"recording": f"{film}/{recording}", "sound": f"{film}/{number}"}
                for number, recording in enumerate(recordings)
            ),
            track_rows=tuple(range(len(recordings))),
            input_rows={},
            fixed_rows={},
        )
        for film, (split, recordings) in enumerate(films)
    ]


def vectors(count: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, 4))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def in_pool(pool: str, cut: dict[str, list[str]] = CUT) -> tuple[list[FilmFeatures], Vectors, np.ndarray]:
    """Return the films of a pool, one vector per film and one per segment."""
    films = films_cut(cut if pool == "all" else {"eval": cut["eval"]})
    segments = sum(len(film.tracks) for film in films)
    return films, one_row_each(vectors(len(films), 1)), vectors(segments, 2)


def best_segments(films: list[FilmFeatures], query: np.ndarray, tracks: np.ndarray) -> list[tuple[float, str, str]]:
    """Return (score, film, path of its best segment) of every recording, best first, by plain loops."""
    found: dict[tuple[str, str], tuple[float, str, str]] = {}
    segments = [track for film in films for track in film.tracks]
    for track, vector in zip(segments, tracks, strict=True):
        score = sum(float(a) * float(b) for a, b in zip(query, vector, strict=True))
        key = (track["fid"], track["source_url"])
        found[key] = max(found.get(key, (-2.0, "", "")), (score, track["fid"], track["path"]))
    return sorted(found.values(), reverse=True)


@pytest.mark.parametrize("pool", ["eval", "all"])
def test_a_recording_is_ranked_by_its_best_segment(pool):
    films, queries, tracks = in_pool(pool)
    metrics, rows = measure(films, queries, tracks, {}, replace(EVALUATE, pool=pool, unit="recording"))
    asking = [number for number, film in enumerate(films) if film.tracks[0]["split"] == "eval"]
    orders = [best_segments(films, queries.rows[number], tracks) for number in asking]
    ranks = [
        [place for place, (_, fid, _) in enumerate(order, 1) if fid == films[number].fid]
        for number, order in zip(asking, orders, strict=True)
    ]
    candidates = 13 + 3 * (pool == "all")
    assert [len(own) for own in ranks] == [3, 1, 1, 2, 6]
    assert {len(order) for order in orders} == {metrics["candidates"]} == {candidates}
    columns = query_metrics(untied(ranks, candidates), KS)
    expected = averages(columns)
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert metrics["chance"] == chance_metrics([3, 1, 1, 2, 6], candidates, KS)
    assert [row["ranks"].tolist() for row in rows] == ranks
    assert [(row["relevant"], row["candidates"]) for row in rows] == [(len(own), candidates) for own in ranks]
    assert [row["top_paths"] for row in rows] == [[path for _, _, path in order] for order in orders]
    for row, order in zip(rows, orders, strict=True):
        assert row["top_scores"].tolist() == pytest.approx([score for score, _, _ in order], abs=1e-6)


@pytest.mark.parametrize("pool", ["eval", "all"])
def test_the_unit_decides_which_figures_come_first(pool):
    films, queries, tracks = in_pool(pool)
    settings = replace(EVALUATE, pool=pool)
    by_segment, rows = measure(films, queries, tracks, {}, settings)
    by_recording, _ = measure(films, queries, tracks, {}, replace(settings, unit="recording"))
    assert (by_segment["unit"], by_recording["unit"]) == ("segment", "recording")
    for both in ("segments", "recordings"):
        assert by_segment[both] == by_recording[both]
    for metrics in (by_segment, by_recording):
        of_unit = metrics[metrics["unit"] + "s"]
        assert [*of_unit][-3:] == ["ci95", "chance", "ceiling"]
        assert {name: metrics[name] for name in of_unit} == of_unit
        everyone = metrics["slices"]["genre"]["tag"]
        assert everyone | of_unit == everyone | {"candidates": of_unit["candidates"]}
        assert everyone["tracks"] == 19
    assert [row["relevant"] for row in rows] == [4, 4, 1, 4, 6]
    assert by_segment["map"] != by_recording["map"]
    assert by_segment["reference"] == by_recording["reference"], "the published figures are those of segments"
    assert by_segment["music_to_film"] == by_recording["music_to_film"], "segments ask"


def test_uncut_recordings_have_the_same_figures_as_segments():
    uncut = {"train": ["ab"], "eval": ["a", "abc", "ab"]}
    films, queries, tracks = in_pool("all", uncut)
    metrics, rows = measure(films, queries, tracks, {}, replace(EVALUATE, pool="all"))
    assert metrics["segments"] == metrics["recordings"]
    _, others = measure(films, queries, tracks, {}, replace(EVALUATE, pool="all", unit="recording"))
    assert [row["top_paths"] for row in rows] == [row["top_paths"] for row in others]


def test_segments_of_the_same_source_are_one_recording():
    films = films_cut({"eval": ["abab", "a"]})
    films[1].tracks[0]["source_url"] = films[0].tracks[0]["source_url"]  # two films may have it
    for track in films[0].tracks[2:]:
        track["source_url"] = ""  # unknown: each on its own
    found = candidates_of(films, np.arange(10.0).reshape(5, 2), "recording")
    assert found.vectors.starts.tolist() == [0, 1, 2, 3, 4]
    assert {fid: own.tolist() for fid, own in found.own.items()} == {"AAA": [0, 1, 2, 3], "AAB": [4]}
    found = candidates_of(films_cut({"eval": ["abab", "a"]}), np.arange(10.0).reshape(5, 2), "recording")
    assert found.vectors.starts.tolist() == [0, 2, 4]
    assert [track["path"] for track in found.segments] == ["0/0.mp3", "0/2.mp3", "0/1.mp3", "0/3.mp3", "1/0.mp3"]
    assert found.vectors.rows[:, 0].tolist() == [0, 4, 2, 6, 8]
    assert {fid: own.tolist() for fid, own in found.own.items()} == {"AAA": [0, 1], "AAB": [2]}


def test_chance_of_recordings_is_a_random_order_of_recordings():
    """With segments in random order, a recording with more segments would come first more often."""
    assert chance_metrics([1], 2, [1])["hit_rate_at_1"] == 0.5
    by_segments = np.mean([order[0] == "b" for order in permutations("aab")])
    assert by_segments == pytest.approx(1 / 3)
    films, queries, tracks = in_pool("eval", {"train": [], "eval": ["aaa", "a"]})
    metrics: dict[str, Any] = measure(films, queries, tracks, {}, replace(EVALUATE, unit="recording"))[0]
    assert metrics["chance"]["hit_rate_at_1"] == 0.5


@pytest.mark.parametrize("relevant", [[1], [3, 1, 1, 6], [12], [60, 4]])
def test_the_upper_limit_is_that_of_a_perfect_ranking(relevant):
    perfect = [list(range(1, own + 1)) for own in relevant]
    found = ceiling_metrics(relevant, 70, [1, 5, 10, 100])
    shares = {f"recall_at_{k}": np.mean([min(k, own) / own for own in relevant]) for k in (1, 5, 10, 100)}
    assert found == pytest.approx(averages(query_metrics(untied(perfect, 70), [1, 5, 10, 100])), abs=1e-12)
    assert found == pytest.approx(dict.fromkeys(found, 1.0) | shares, abs=1e-12)


def test_a_perfect_model_reaches_the_upper_limit_of_both_units():
    films = films_cut({"eval": CUT["eval"]})
    of_films = np.eye(len(films), dtype=np.float32)
    tracks = np.repeat(of_films, [len(film.tracks) for film in films], axis=0)
    metrics, _ = measure(films, one_row_each(of_films), tracks, {}, EVALUATE)
    for unit, recall in {"segments": (3 / 4 + 1 + 1 / 6) / 5, "recordings": (1 / 3 + 2 + 1 / 2 + 1 / 6) / 5}.items():
        found = metrics[unit]
        assert {name: found[name] for name in found["ceiling"]} == pytest.approx(found["ceiling"], abs=1e-12)
        assert found["ceiling"]["recall_at_1"] == pytest.approx(recall)


@pytest.mark.parametrize("key", ["recording", "sound"])
def test_the_same_music_of_another_film_is_not_wrong(key):
    films, _, tracks = in_pool("eval")
    films[3].tracks[1][key] = films[0].tracks[0][key]  # of two films, in the order of the pool
    films[4].tracks[5][key] = films[0].tracks[0][key]
    tracks[[12 - 2, 18]] = tracks[0]
    found = candidates_of(films, tracks, "segment")
    with_first = {0, 10, 18} | ({2} if key == "recording" else set())  # the recording's other segment too
    assert set(found.own["AAA"].tolist()) == {0, 1, 2, 3} | with_first
    assert with_first <= set(found.own["AAD"].tolist()) and with_first <= set(found.own["AAE"].tolist())
    assert found.own["AAB"].tolist() == [4, 5, 6, 7]
    perfect = one_row_each(np.stack([tracks[0], tracks[4], tracks[8], tracks[10], tracks[18]]))
    metrics, rows = measure(films, perfect, tracks, {}, EVALUATE)
    assert metrics["mrr"] == metrics["hit_rate_at_1"] == 1.0
    assert [row["relevant"] for row in rows] == [len(found.own[film.fid]) for film in films]
    assert metrics["music_to_film"]["hit_rate_at_1"] > 0
    by_recording = candidates_of(films, tracks, "recording")
    assert len(by_recording.own["AAA"]) == 3 + 2


def test_queries_are_readable_by_all_variants_and_all_tracks_are_candidates():
    films, queries, tracks = in_pool("all")
    for film in (films[0], films[3]):
        for track in film.tracks:
            track["compared"] = False
    known = [number for number, film in enumerate(films) if film.is_compared]
    metrics, rows = measure(films, queries.chosen(known), tracks, {}, replace(EVALUATE, pool="all"))
    assert metrics["candidates"] == len(tracks)
    assert [row["fid"] for row in rows] == ["AAC", "AAE", "AAF", "AAG"]
    whole, others = measure(in_pool("all")[0], queries, tracks, {}, replace(EVALUATE, pool="all"))
    same = {row["fid"]: row["ranks"].tolist() for row in others}
    assert all(row["ranks"].tolist() == same[row["fid"]] for row in rows)
    back = metrics["music_to_film"]
    assert back["candidates"] == 5 < whole["music_to_film"]["candidates"]
    assert back["queries"] == sum(len(films[number].tracks) for number in known if films[number].split == "eval")
