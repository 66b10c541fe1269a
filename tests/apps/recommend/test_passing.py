"""Filters on random libraries against a slow calculation, in both searches, together with limits of films and files."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.apps.recommend import search as search_module
from pipeline.apps.recommend.filters import Filters, parse_filters
from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.passing import passing
from pipeline.apps.recommend.picking import picked
from pipeline.apps.recommend.search import ApproximateSearch, ExactSearch
from pipeline.core.errors import ModelError
from tests.apps.recommend.tracks import make_index, track

TRACKS, WIDTH = 240, 16  # all in the first block of an approximate search
TAGS = ["strings", "slow", "piano"]
SECONDS = [None, 30.0, 60.0, 60.5, 180.0, 900.0]
TEMPOS = [None, 59.99, 60.0, 75.0, 90.0, 120.0]
KEYS = ["", "C major", "C minor", "A# minor", "B minor"]
TEXTS = {
    "length": ["1:00-3:00", "..60", "180.."],
    "tempo": ["60-90", "..60", "91..200"],
    "loudness": ["-30..-14", "..-20"],
    "year": ["1920-1929", "1923"],
    "key": ["minor", "C, Bb minor", "F"],
    "vocals": ["vocal", "instrumental"],
    "music": ["strings", "slow, piano"],
}


def library(rng: np.random.Generator) -> TrackIndex:
    """Return tracks with many unknown values; their scores are exact, so that many are equally near."""

    def one_of(values: list) -> object:
        return values[rng.integers(len(values))]

    tracks, file = [], 0
    for number in range(TRACKS):
        file += int(rng.random() < 0.7)
        tracks.append(
            track(
                number,
                fid="" if file % 5 == 0 else f"F{file // 3}",
                film="" if file % 7 == 0 else f"Film {file // 3}",
                path=f"{file:03}.mp3",
                recording_seconds=one_of(SECONDS),
                tempo=one_of(TEMPOS),
                key=one_of(KEYS),
                loudness=one_of([None, -30.0, -20.0, -13.9]),
                year=one_of([None, 1920, 1923, 1930]),
                vocals=one_of([None, 0.0, 0.49, 0.5, 1.0]),
            )
        )
    vectors = rng.choice([-1.0, 1.0], size=(TRACKS, WIDTH))
    probabilities = rng.choice(np.array([0, 25, 26, 255], np.uint8), size=(TRACKS, len(TAGS)))
    return make_index(vectors, tracks, probabilities, music_tags=TAGS)


def passes(index: TrackIndex, row: int, of: dict, texts: dict[str, str]) -> bool:
    """Return whether the track `of` in this row passes."""
    filters = parse_filters(texts)
    columns = {"length": "recording_seconds", "tempo": "tempo", "loudness": "loudness", "year": "year"}
    for name, wanted in filters.ranges.items():
        value = of[columns[name]]
        if value is None or value < wanted.least or value > wanted.most:
            return False
    if "key" in texts and of["key"] not in filters.keys:
        return False
    sung = {None: None, 0.0: "instrumental", 0.49: "instrumental", 0.5: "vocal", 1.0: "vocal"}[of["vocals"]]
    if "vocals" in texts and texts["vocals"] != sung:
        return False
    return all(index.probabilities[row, TAGS.index(tag)] / 255 >= 0.1 for tag in filters.music)


def expected(index: TrackIndex, query: np.ndarray, those: set[int], limits: dict) -> list[int]:
    """Return the rows of an answer in order, where `those` pass."""
    titles = index.tracks["film"].to_pylist()
    scores = [float(np.dot(vector.astype(np.float64), query)) for vector in index.vectors]
    files = {index.files[row] for row in limits["known"]}
    films: dict[int, int] = {}
    found: list[int] = []
    for row in sorted(range(TRACKS), key=lambda row: (-scores[row], row)):
        film, file = index.films[row], index.files[row]
        if row not in those or file in files or titles[row] in limits["exclude"]:
            continue
        if limits["per_film"] is not None and films.get(film, 0) >= limits["per_film"]:
            continue
        files.add(file)
        films[film] = films.get(film, 0) + 1
        found.append(row)
    return found[: limits["k"]]


@pytest.mark.parametrize("seed", range(12))
def test_filters_against_a_slow_calculation(seed, params, monkeypatch):
    monkeypatch.setattr(search_module, "SAMPLE_A_LIST", 30)
    rng = np.random.default_rng(seed)
    index = library(rng)
    around = ApproximateSearch(index, replace(params.recommend, lists=8, probes=8))
    nearby = ApproximateSearch(index, replace(params.recommend, lists=8, probes=1))
    tracks, sizes = index.tracks.to_pylist(), []

    def those(texts):
        return {row for row, of in enumerate(tracks) if passes(index, row, of, texts)}

    for _ in range(6):
        chosen = rng.permutation(list(TEXTS))[: rng.integers(0, 4)]
        texts = {name: TEXTS[name][rng.integers(len(TEXTS[name]))] for name in chosen.tolist()}
        query = index.vectors[rng.integers(TRACKS)]
        limits = {
            "k": int(rng.choice([1, 5, TRACKS])),
            "known": rng.integers(TRACKS, size=2).tolist(),
            "per_film": [None, 1, 2][rng.integers(3)],
            "exclude": ["Film 5"] if rng.random() < 0.5 else [],
        }
        passed, filtered = passing(index, parse_filters(texts))
        rows = expected(index, query, those(texts), limits)
        with monkeypatch.context() as patched:
            patched.setattr(search_module, "FIRST", 4)
            assert picked(index, ExactSearch(index), query, passed=passed, **limits) == rows
        assert picked(index, around, query, passed=passed, **limits) == rows
        some = picked(index, nearby, query, passed=passed, **limits)
        assert len(some) == len(rows), "a filter leaves too few"
        assert {*some} <= those(texts)
        if texts:
            assert filtered.tracks == len(those(texts))
            assert filtered.alone == {name: len(those({name: text})) for name, text in texts.items()}
        else:
            assert (passed, filtered) == (None, None)
        sizes.append(len(those(texts)))
    assert max(sizes) > search_module.FEW * TRACKS, "too few pass: the test shows nothing"


def test_few_tracks_that_pass_are_compared_alone(monkeypatch):
    index = library(np.random.default_rng(0))
    monkeypatch.setattr(TrackIndex, "scores", lambda *_: pytest.fail("all tracks are compared"))
    passed = np.zeros(TRACKS, bool)
    passed[[7, 200]] = True
    assert sorted(picked(index, ExactSearch(index), index.vectors[7], 9, passed)) == [7, 200]


def test_tags_that_there_are_not_are_named():
    index = library(np.random.default_rng(0))
    with pytest.raises(ModelError, match="music: found 'brass', allowed are piano, slow, strings"):
        passing(index, Filters(music=("slow", "brass")))
    with pytest.raises(ModelError, match="music: found 'slow', but this index has no music tags"):
        passing(replace(index, probabilities=None), Filters(music=("slow",)))


def test_an_index_without_the_columns_lets_nothing_pass():
    unknown = {"recording_seconds": None, "tempo": None, "key": "", "loudness": None, "vocals": None, "year": None}
    index = make_index(np.eye(3), [track(number, **unknown) for number in range(3)])
    for name, (text, *_) in TEXTS.items():
        if name != "music":
            passed, filtered = passing(index, parse_filters({name: text}))
            assert (passed.tolist(), filtered.tracks, filtered.alone) == ([False] * 3, 0, {name: 0})
