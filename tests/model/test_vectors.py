"""Films and tracks as plain vectors, read from the tables of a small data set."""

import numpy as np
import pytest

from pipeline.core.errors import StageError
from pipeline.model import vectors
from pipeline.model.linear import unit
from pipeline.model.vectors import film_numbers, fit_spaces
from pipeline.store.films import films_of, open_store
from tests.evaluate.small_world import make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("vectors"))


def test_components_of_mean_unit_paragraphs_and_frame_statistics(world, monkeypatch):
    store = open_store(world.root / "data/features", world.inputs)
    films = films_of(world.rows, store)
    spaces = fit_spaces(films, store, 4)
    plot = [store.tables["plot"].read(film.fixed_rows["plot"]).numpy() for film in films]
    mean = np.stack([(rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(0) for rows in plot])
    expected = np.concatenate([spaces.inputs["plot"].of(mean), spaces.queries(films, store)[:, -4:]], axis=1)
    assert list(spaces.inputs) == ["plot", "image"]
    assert np.allclose(spaces.queries(films, store), expected)
    frames = [store.audio.read(row).astype(np.float32) for film in films for row in film.track_rows]
    music = np.stack([np.concatenate([track.mean(0), track.std(0)]) for track in frames])
    assert np.allclose(spaces.tracks(films, store), spaces.music.of(music), atol=1e-2)
    whole = spaces.tracks(films, store)
    monkeypatch.setattr(vectors, "MUSIC_ROWS", 2)
    assert np.array_equal(spaces.tracks(films, store), whole), "blocks are a matter of memory alone"


def test_tracks_know_their_film(world):
    store = open_store(world.root / "data/features", world.inputs)
    films = films_of(world.rows, store)
    assert film_numbers(films).tolist() == [number for number, film in enumerate(films) for _ in film.tracks]


def test_a_missing_input_counts_as_the_mean(world):
    store = open_store(world.root / "data/features", ["plot", "image"])
    whole = films_of(world.rows, store)
    lacking = films_of([row | ({"image": ""} if row["fid"] == "AAB" else {}) for row in world.rows], store)
    spaces = fit_spaces(lacking, store, 3)
    found, others = spaces.queries(lacking, store), spaces.queries(whole, store)
    places = spaces.inputs["plot"].axes.shape[1]
    at = [film.fid for film in lacking].index("AAB")
    assert not found[at, places:].any() and others[at, places:].any()
    assert np.array_equal(np.delete(found, at, 0), np.delete(others, at, 0))
    rows = np.stack([store.tables["image"].read(f.fixed_rows["image"])[0].numpy() for f in whole if f.fid != "AAB"])
    assert np.allclose(spaces.inputs["image"].mean, unit(rows).mean(0)), "of those that have it"
    with pytest.raises(StageError, match="has image"):
        fit_spaces(films_of([row | {"image": ""} for row in world.rows], store), store, 3)
