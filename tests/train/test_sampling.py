"""Batches: every film or track once per epoch, all randomness from the seed, read ahead in order."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.store.films import ABSENT, films_of, open_store
from pipeline.train.sampling import ReadAhead, batch_count, draw, epoch_plans
from tests.train.conftest import TRACKS
from tests.train.recipe import TRAIN

CPU = torch.device("cpu")


@pytest.fixture
def store(features):
    return open_store(features, ["plot", "image"])


@pytest.fixture
def films(store, dataset):
    return films_of(dataset, store)


def planned(films, store, seed=0, **changes):
    return list(epoch_plans(films, store, 7, replace(TRAIN, **changes), np.random.default_rng(seed)))


@pytest.mark.parametrize("batch_size", [2, 5, 8, 11, 100])
@pytest.mark.parametrize("sampler", ["films", "tracks"])
def test_epoch_has_everything_once_in_batches_fit_for_batch_norm(films, store, sampler, batch_size):
    plans = planned(films, store, sampler=sampler, batch_size=batch_size)
    numbers = np.concatenate([plan.films for plan in plans]).tolist()
    if sampler == "films":
        assert sorted(numbers) == list(range(len(films)))
    else:
        tracks = np.concatenate([plan.tracks for plan in plans]).tolist()
        assert sorted(tracks) == sorted(row for film in films for row in film.track_rows)
    for plan in plans:
        assert all(track in films[film].track_rows for film, track in zip(plan.films, plan.tracks, strict=True))
        assert 2 <= len(plan) <= batch_size
    assert max(map(len, plans)) - min(map(len, plans)) <= 1


@pytest.mark.parametrize("sampler", ["films", "tracks"])
def test_rest_of_one_example_joins_another_batch(films, store, sampler):
    films = films[:-1]
    plans = planned(films, store, sampler=sampler, batch_size=2)
    numbers = [number for plan in plans for number in plan.films]
    assert sorted(numbers) == sorted(list(range(len(films))) * (1 if sampler == "films" else TRACKS))
    assert len(numbers) % 2 == 1, "there is no rest: the test shows nothing"
    assert sorted(map(len, plans)) == [2] * (len(plans) - 1) + [3]


def test_number_of_batches_follows_from_their_size():
    for examples in range(2, 60):
        for batch_size in range(3, 20):
            assert batch_count(examples, batch_size) == -(-examples // batch_size)
    assert [batch_count(examples, 2) for examples in (1, 2, 3, 4, 5)] == [1, 1, 1, 2, 2]


def test_no_film_occurs_twice_in_a_batch_of_films(films, store):
    assert all(len(set(plan.films)) == len(plan) for plan in planned(films, store, batch_size=5))


def test_epochs_are_shuffled_by_the_seed_or_not_at_all(films, store):
    def order(seed, **changes):
        return np.concatenate([plan.films for plan in planned(films, store, seed, **changes)]).tolist()

    assert order(0) == order(0) != order(1)
    assert order(0, shuffle=False) == order(1, shuffle=False) == list(range(len(films)))
    in_order = [film for film in range(len(films)) for _ in range(TRACKS)]
    assert order(0, sampler="tracks", shuffle=False) == in_order
    assert order(0, sampler="tracks") != in_order


def test_batch_holds_each_films_own_features(films, store):
    plan = draw(films, np.arange(len(films))[::-1], None, store, 7, np.random.default_rng(0))
    batch = store.batch(plan.read(store, 7), CPU)
    assert set(batch) == {"audio", "plot", "image"}
    assert batch["audio"].shape == (len(films), 7, 8)
    for i, film in enumerate(films[::-1]):
        plots = [store.tables["plot"].vectors[row] for row in film.input_rows["plot"]]
        assert any(np.array_equal(batch["plot"][i], plot) for plot in plots)
        assert np.array_equal(batch["image"][i], store.tables["image"].vectors[film.input_rows["image"][0]])
        starts = [(row, start) for row in film.track_rows for start in range(int(store.audio.steps[row]) - 6)]
        windows = store.windows(*zip(*starts, strict=True), 7, CPU)
        assert any(torch.equal(batch["audio"][i], window) for window in windows)


def test_parts_of_a_batch_are_the_batch(films, store):
    (plan,) = planned(films, store, batch_size=100)
    whole = store.batch(plan.read(store, 7), CPU)
    parts = [store.batch(plan.part(*edges).read(store, 7), CPU) for edges in ((0, 3), (3, 4), (4, len(plan)))]
    for name, value in whole.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), value)


def test_draws_repeat_with_the_seed_and_vary_within_it(films, store):
    def read(rng):
        return store.batch(draw(films, np.arange(len(films)), None, store, 7, rng).read(store, 7), CPU)

    rng = np.random.default_rng(3)
    first, second, again = read(rng), read(rng), read(np.random.default_rng(3))
    assert torch.equal(first["audio"], again["audio"])
    assert torch.equal(first["plot"], again["plot"])
    assert not torch.equal(first["audio"], second["audio"])


def test_every_track_start_and_row_is_drawn(films, store):
    rng, drawn = np.random.default_rng(0), []
    for _ in range(400):
        plan = draw(films[:1], np.zeros(1, int), None, store, 17, rng)
        drawn.append((int(plan.tracks[0]), int(plan.starts[0]), int(plan.rows["plot"][0])))
    places = {(track, start) for track, start, _ in drawn}
    assert {row for *_, row in drawn} == set(films[0].input_rows["plot"])
    assert len(films[0].input_rows["plot"]) == 2
    assert places == {
        (track, start) for track in films[0].track_rows for start in range(int(store.audio.steps[track]) - 16)
    }


@pytest.mark.parametrize("inputs", [["plot", "tags_plot"], ["tags_plot", "image", "tags", "plot"]], ids=str)
def test_inputs_of_the_plot_get_the_same_paragraph(features, dataset, inputs):
    store = open_store(features, inputs)
    films, rng, drawn = films_of(dataset, store), np.random.default_rng(0), set()
    for _ in range(20):
        rows = draw(films, np.arange(len(films)), None, store, 7, rng).rows
        plots, texts = (
            [store.tables[name].keys["paragraph"][row] for row in rows[name]] for name in inputs[:: len(inputs) - 1]
        )
        assert plots == texts
        drawn |= set(plots)
    assert drawn == {0, 1}


def test_draw_of_one_input_of_the_plot_is_pinned(films, store):
    plan = draw(films, np.arange(8), None, store, 7, np.random.default_rng(4))
    assert store.tables["plot"].keys["paragraph"][plan.rows["plot"]].tolist() == [1, 1, 0, 1, 0, 1, 0, 0]
    assert plan.starts.tolist() == [5, 7, 3, 4, 7, 9, 6, 2]


def test_batches_come_in_order_though_later_ones_are_read_first(films, store):
    plans, last = planned(films, store, batch_size=2), threading.Event()

    def read(plan):
        if plan is plans[-1]:
            last.set()
        assert last.wait(10), "nothing is read ahead"
        return plan.films.tolist()

    reader = ReadAhead(plans[-4:], read)
    assert [(plan, found) for plan, found in reader] == [(plan, plan.films.tolist()) for plan in plans[-4:]]
    assert reader.waited >= 0.0


def test_what_fails_while_reading_ahead_is_raised(films, store):
    def read(plan):
        raise OSError("cut short")

    with pytest.raises(OSError, match="cut short"):
        list(ReadAhead(planned(films, store), read))


def test_an_input_that_a_film_lacks_is_absent_and_the_others_are_its_own(features, dataset):
    lacking = [row | ({"image": ""} if row["fid"] in ("AAB", "AAD") else {}) for row in dataset]
    store = open_store(features, ["plot", "image", "tags_plot"])
    films = films_of([row | ({"tags": ""} if row["fid"] == "AAC" else {}) for row in lacking], store)
    seen = set()
    for seed in range(5):
        plan = draw(films, np.arange(len(films)), None, store, 7, np.random.default_rng(seed))
        assert [films[n].fid for n in np.flatnonzero(plan.rows["image"] == ABSENT)] == ["AAB", "AAD"]
        assert [films[n].fid for n in np.flatnonzero(plan.rows["tags_plot"] == ABSENT)] == ["AAC"]
        assert all(row in film.input_rows["plot"] for row, film in zip(plan.rows["plot"], films, strict=True))
        seen.add(plan.rows["plot"][2])
    assert len(seen) == 2, "of the film without tags every paragraph is drawn"
