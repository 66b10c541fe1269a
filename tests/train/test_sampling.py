"""Batches: every film once an epoch, everything random from the seed."""

import numpy as np
import pytest
import torch

from pipeline.store.films import films_of, open_store
from pipeline.train.sampling import draw_batch, film_batches

CPU = torch.device("cpu")


@pytest.mark.parametrize(("films", "batch_size"), [(2, 2), (9, 4), (33, 32), (64, 32), (5, 100)])
def test_epoch_holds_every_film_once_in_batches_that_batch_norm_can_bear(films, batch_size):
    batches = film_batches(films, batch_size, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(films))
    assert max(map(len, batches)) <= batch_size
    assert min(map(len, batches)) >= 2


def test_epochs_are_shuffled():
    rng = np.random.default_rng(0)
    one, other = (np.concatenate(film_batches(50, 8, rng)).tolist() for _ in range(2))
    assert one != other


def test_batch_holds_each_films_own_features(features, dataset):
    store = open_store(features, ["plot", "image"])
    films = films_of(dataset, store)
    batch = draw_batch(films, store, 7, np.random.default_rng(0), CPU)
    assert set(batch) == {"audio", "plot", "image"}
    assert batch["audio"].shape == (len(films), 7, 8)
    for i, film in enumerate(films):
        assert any(
            np.array_equal(batch["plot"][i], store.tables["plot"].vectors[row]) for row in film.input_rows["plot"]
        )
        assert np.array_equal(batch["image"][i], store.tables["image"].vectors[film.input_rows["image"][0]])
        starts = [(row, start) for row in film.track_rows for start in range(int(store.audio.steps[row]) - 6)]
        windows = store.windows(*zip(*starts, strict=True), 7, CPU)
        assert any(torch.equal(batch["audio"][i], window) for window in windows)


def test_draws_repeat_with_the_seed_and_vary_within_it(features, dataset):
    store = open_store(features, ["plot"])
    films = films_of(dataset, store)
    rng = np.random.default_rng(3)
    first, second = draw_batch(films, store, 7, rng, CPU), draw_batch(films, store, 7, rng, CPU)
    again = draw_batch(films, store, 7, np.random.default_rng(3), CPU)
    assert torch.equal(first["audio"], again["audio"])
    assert torch.equal(first["plot"], again["plot"])
    assert not torch.equal(first["audio"], second["audio"])


def test_every_track_start_and_row_is_drawn(features, dataset):
    store = open_store(features, ["plot"])
    films = films_of(dataset, store)[:1]
    rng = np.random.default_rng(0)
    batches = [draw_batch(films, store, 17, rng, CPU) for _ in range(400)]
    plots = {tuple(batch["plot"][0].tolist()) for batch in batches}
    windows = {tuple(batch["audio"].flatten().tolist()) for batch in batches}
    assert len(plots) == len(films[0].input_rows["plot"]) == 2
    assert len(windows) == sum(int(store.audio.steps[track]) - 16 for track in films[0].track_rows)
