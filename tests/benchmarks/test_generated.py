"""Generated films: their tables open like any others, and the exact posterior is the one derived in the docstring."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import generated
from benchmarks.generated import (
    FACTORS,
    INPUTS,
    NUISANCE,
    TRACK,
    TRACK_NOISE,
    VALUE_NOISE,
    WINDOW_NOISE,
    WINDOWS,
    Sizes,
    World,
)
from benchmarks.recipes import changed
from pipeline.core.tables import DATASET
from pipeline.evaluate.metrics import recall_at
from pipeline.evaluate.ranking import one_row_each, rank
from pipeline.params import Params
from pipeline.store.films import FeatureStore, films_of, open_store

SMALL = Sizes((12, 30), 8, 150, {"text": 40, "image": 44, "audio": 36})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return generated.generate(tmp_path_factory.mktemp("generated"), SMALL, seed=3)


@pytest.fixture(scope="module")
def store(world: World) -> FeatureStore:
    return open_store(world.root / "data/features", ["tags", "plot", "image"])


def test_store_opens_the_tables(world: World, store: FeatureStore):
    rows = [row for of_split in world.rows.values() for row in of_split]
    assert set(rows[0]) == set(DATASET.names)
    films = films_of(rows, store)
    assert [film.fid for film in films] == list(world.factors) and len(films) == 30 + 8 + 150
    assert {len(film.tracks) for film in films} == set(range(2, 9))
    assert {len(film.fixed_rows["plot"]) for film in films} == {1, 2, 3, 4}
    assert {len(film.fixed_rows["image"]) for film in films} == {1}
    assert store.audio.read(0).shape == (WINDOWS, 36) and not store.audio.is_log_mel
    assert store.batch(store.read_inputs(films[0].fixed_rows), generated.CPU)["plot"].shape[1] == 40


def test_smaller_sets_are_the_first_films_of_larger_ones(world: World, params: Params):
    small, great = (generated.of_size(world, films, params) for films in (12, 30))
    fids = {split: list(dict.fromkeys(row["fid"] for row in world.rows[split])) for split in world.rows}

    def of(rows: list[dict], split: str) -> list[str]:
        return list(dict.fromkeys(row["fid"] for row in rows if row["split"] == split))

    watched = round(12 * params.split.valid / params.split.train)
    assert of(small, "train") == fids["train"][:12] and of(great, "train") == fids["train"]
    assert of(small, "valid") == fids["valid"][:watched] and of(great, "valid") == fids["valid"]
    assert of(small, "eval") == of(great, "eval") == fids["eval"]


def test_posterior_is_calibrated(world: World):
    """For factors with mean μ and precision Λ, √Λ (z − μ) is standard normal, whatever the inputs."""
    for inputs in (["image"], ["tags"], ["tags", "plot", "image"]):
        opened = open_store(world.root / "data/features", inputs)
        films = films_of([row for rows in world.rows.values() for row in rows], opened)
        mean, precision = generated.posterior(world, opened, films)
        off = np.sqrt(precision) * (np.stack([world.factors[film.fid] for film in films]) - mean)
        assert abs(off.mean()) < 0.07 and off.std() == pytest.approx(1.0, abs=0.04)
        told = {k for name in inputs for k in range(FACTORS)[INPUTS[name].factors]}
        assert [k for k in range(FACTORS) if np.all(precision[:, k] > 1)] == sorted(told)


def test_tracks_stray_from_their_films_as_said(world: World, store: FeatureStore):
    films = films_of([row for rows in world.rows.values() for row in rows], store)
    off = generated.heard(world, store, films) - np.repeat(
        [world.factors[film.fid] for film in films], [len(film.tracks) for film in films], axis=0
    )
    assert off.var() == pytest.approx(TRACK, rel=0.05) and abs(off.mean()) < 0.02


def log_density(values: np.ndarray, covariance: np.ndarray) -> float:
    """Return that of a normal distribution with mean 0, up to a constant per value."""
    return -0.5 * float(np.linalg.slogdet(covariance)[1] + values @ np.linalg.solve(covariance, values))


def test_products_are_log_likelihood_ratios_of_all_values(world: World):
    """Against the joint normal distribution of a poster's and a track's full vectors."""
    store = open_store(world.root / "data/features", ["image"])
    films = films_of(world.rows["eval"], store)[:3]
    queries, tracks = generated.as_products(
        *generated.posterior(world, store, films), generated.heard(world, store, films)
    )
    told = INPUTS["image"]
    seen = world.bases["image"][:, :FACTORS][:, told.factors]  # of z
    heard = np.tile(world.bases["audio"][:, :FACTORS], (WINDOWS, 1))
    other = {
        kind: basis[:, FACTORS:] @ np.diag(NUISANCE**2) @ basis[:, FACTORS:].T + VALUE_NOISE**2 * np.eye(len(basis))
        for kind, basis in world.bases.items()
    }
    window = other["audio"] + WINDOW_NOISE**2 * world.bases["audio"][:, :FACTORS] @ world.bases["audio"][:, :FACTORS].T
    of_poster = (1 + told.noise**2) * seen @ seen.T + other["image"]
    of_track = (1 + TRACK_NOISE**2) * heard @ heard.T + np.kron(np.eye(WINDOWS), window)
    both = seen @ heard[:, told.factors].T
    joint = np.block([[of_poster, both], [both.T, of_track]])
    rows = [row for film in films for row in film.track_rows]
    for film, query in zip(films, queries, strict=True):
        x = store.tables["image"].read(film.fixed_rows["image"]).numpy()[0] - world.means["image"]
        for row, track in zip(rows[:12], tracks, strict=False):
            y = (store.audio.read(row) - world.means["audio"]).ravel()
            expected = log_density(np.concatenate([x, y]), joint) - log_density(x, of_poster) - log_density(y, of_track)
            assert query @ track == pytest.approx(expected, abs=1e-3)


def test_nothing_beats_the_best_possible_ranking(world: World, store: FeatureStore, params: Params):
    films = films_of(world.rows["eval"], store)
    mean, precision = generated.posterior(world, store, films)
    heard = generated.heard(world, store, films)

    own = np.split(np.arange(len(heard)), np.cumsum([len(film.tracks) for film in films])[:-1])

    def recall(queries: np.ndarray, tracks: np.ndarray) -> float:
        return recall_at(rank(one_row_each(queries), one_row_each(tracks), own, top=0).ranks, 10).mean()

    evaluate = replace(params.evaluate, ks=[10], genres=[])
    known = generated.known_rankings(world, store, world.rows["eval"], evaluate)
    best = known["best"]
    assert best["recall_at_10"] == pytest.approx(recall(*generated.as_products(mean, precision, heard)))
    nearest = np.hstack([-np.ones_like(mean), 2 * mean]), np.hstack([heard**2, heard])
    others = {
        "products": (mean, heard),
        "cosines": (mean, heard / np.linalg.norm(heard, axis=1, keepdims=True)),
        "distances": nearest,
        "as if all were told as well": generated.as_products(mean, np.full_like(precision, 5.0), heard),
        "without what is told last": generated.as_products(mean[:, :6], precision[:, :6], heard[:, :6]),
        "another film's": generated.as_products(np.roll(mean, 1, 0), precision, heard),
    }
    found = {name: recall(*sides) for name, sides in others.items()}
    assert known["cosine"]["recall_at_10"] == pytest.approx(found["cosines"])
    assert best["recall_at_10"] > max(found.values()), found
    assert found["products"] > 5 * best["chance"]["recall_at_10"] > found["another film's"]


@pytest.mark.slow
def test_table_has_all_rankings(params: Params, capsys: pytest.CaptureFixture[str]):
    quick = changed(params, {"train": {"epochs": 2}, "evaluate": {"bootstrap_samples": 20, "genres": []}})
    sizes = Sizes((12,), 4, 12, SMALL.widths)
    (line,) = generated.main(["ImTa"], quick, sizes, seeds=2)
    assert (line["variant"], line["films"], line["seeds"]) == ("ImTa", 12, 2)
    recalls = {name: line[name]["recall_at_10"]["mean"] for name in ("trained", "linear", "nearest", "best", "chance")}
    assert recalls["best"] > max(recalls["trained"], recalls["linear"], recalls["nearest"])
    assert recalls["best"] > 2 * recalls["chance"]
    low, high = line["trained"]["recall_at_10"]["ci95"]
    assert low <= recalls["trained"] <= high
    printed = capsys.readouterr().out
    assert all(f"{recall:.3f}" in printed for recall in recalls.values())
