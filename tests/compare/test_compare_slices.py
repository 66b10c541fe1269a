import json
import re
from html import escape

import pytest

from pipeline.compare.figures import draw_figures
from pipeline.compare.results import read_results
from pipeline.compare.slices import slices_of, summarise_slices


@pytest.fixture
def results(inputs):
    return read_results(inputs.root, inputs.variants, "mrr")


def test_slices_are_those_of_the_metrics_files_with_every_variant(inputs, results):
    slices = slices_of(results, "mrr")
    assert {kind: [part.name for part in parts] for kind, parts in slices.items()} == {
        "decade": ["1930s", "1940s", "not stated"],
        "genre": [slices["genre"][0].name, "costs $5 or $6"],
        "missing": ["nothing"],
    }
    part = slices["decade"][1]
    for variant in inputs.variants:
        read = json.loads((inputs.root / f"metrics/evaluate/{variant}.json").read_text())["slices"]["decade"]["1940s"]
        assert part.values[variant] == read["mrr"] and part.intervals[variant] == tuple(read["ci95"]["mrr"])
        assert (part.films, part.tracks, part.chance) == (read["films"], read["tracks"], read["chance"]["mrr"])
    assert slices["missing"][0].values == {result.variant: result.metrics["mrr"] for result in results}


def test_a_slice_of_one_film_has_no_interval_and_few_films_are_small(results):
    slices = slices_of(results, "mrr")
    assert [part.small for part in slices["decade"]] == [False, True, True]
    assert set(slices["decade"][2].intervals.values()) == {None}
    data = summarise_slices(results, "mrr")
    assert data["decade"]["not stated"]["variants"]["Im"]["ci95"] is None
    assert data["decade"]["1930s"]["films"] == 7


def test_figure_omits_small_slices_and_shows_names_unchanged(results):
    svg = re.sub(r"<!--.*?-->", "", draw_figures(results, "mrr")["slices"])
    assert "1930s (7)" in svg and "1940s" not in svg
    assert "nothing (12)" not in svg, "the only slice of its kind"
    assert "costs $5 or $6 (6)" in svg and escape("<script>", quote=False) in svg and "<script>" not in svg
    assert "12 films, 24 tracks of the test set" in svg


def test_figure_without_a_slice_of_enough_films_says_so(results):
    for result in results:
        decade = result.metrics["slices"]["decade"]
        result.metrics["slices"] = {"decade": {"1940s": decade["1940s"]}}
    assert "all slices are too small to plot" in draw_figures(results, "mrr")["slices"]
