"""Validation during training: the same at every call, with the recall of evaluation."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.evaluate.metrics import recall_at as recall_of_ranks
from pipeline.evaluate.ranking import one_row_each, rank
from pipeline.model.store import build_model, model_config
from pipeline.store.films import films_of, open_store
from pipeline.train.loss import make_loss
from pipeline.train.validation import Validation, recall_at
from tests.train.recipe import ALONE, MODEL, TRAIN

CPU = torch.device("cpu")


def test_recall_is_that_of_the_evaluation():
    rng = np.random.default_rng(0)
    queries, candidates = (rng.normal(size=(n, 5)).astype(np.float32) for n in (9, 40))
    films = np.sort(np.concatenate([np.arange(9), rng.integers(9, size=31)]))
    own = [np.flatnonzero(films == film) for film in range(9)]
    for k in (1, 10, 25):
        ranks = rank(one_row_each(queries), one_row_each(candidates), own, k).ranks
        expected = recall_of_ranks(ranks, k).mean()
        found = recall_at(k, torch.from_numpy(queries @ candidates.T), torch.from_numpy(films))
        assert found == pytest.approx(expected, abs=1e-12)
        assert 0 < found < 1


def test_constant_model_finds_nothing():
    assert recall_at(10, torch.zeros(3, 30), torch.arange(30) % 3) == 0.0


def test_figures_repeat_and_leave_the_random_numbers_alone(features, dataset):
    store = open_store(features, ["plot", "image"])
    films = films_of(dataset, store)
    config = model_config("x", store.inputs, MODEL, store.specs(), store.window_steps(0.8))
    torch.manual_seed(0)
    model = build_model(config)
    validation = Validation(films, store, config, TRAIN, make_loss(TRAIN), ALONE)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second = (validation(model, contextlib.nullcontext) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)
    assert list(first) == ["valid_loss", "valid_recall_at_10"]
    again = Validation(films, store, config, TRAIN, make_loss(TRAIN), ALONE)(model, contextlib.nullcontext)
    assert again == first


def test_no_film_is_validated_alone(features, dataset):
    store = open_store(features, ["plot", "image"])
    films = films_of(dataset, store)[:5]
    config = model_config("x", store.inputs, MODEL, store.specs(), store.window_steps(0.8))
    params = replace(TRAIN, batch_size=2)
    validation = Validation(films, store, config, params, make_loss(params), ALONE)
    assert [len(plan) for plan in validation.plans] == [3, 2] * params.valid_draws


def test_loss_is_computed_in_float32_whatever_the_precision(features, dataset):
    store, seen = open_store(features, ["plot", "image"]), []
    config = model_config("x", store.inputs, MODEL, store.specs(), store.window_steps(0.8))

    def loss(query, audio, scale, films):
        seen.append((query @ audio.T).dtype)
        return make_loss(TRAIN)(query, audio, scale, films)

    validation = Validation(films_of(dataset, store), store, config, TRAIN, loss, ALONE)
    validation(build_model(config), lambda: torch.autocast("cpu", torch.bfloat16))
    assert set(seen) == {torch.float32}


def test_examples_do_not_depend_on_what_else_is_in_their_batch(features, dataset):
    store = open_store(features, ["plot", "image"])
    config = model_config("x", store.inputs, MODEL, store.specs(), store.window_steps(0.8))
    model = build_model(config)
    films = films_of(dataset, store)
    found = [
        Validation(films, store, config, replace(TRAIN, micro_batch_size=size), make_loss(TRAIN), ALONE)(
            model, contextlib.nullcontext
        )
        for size in (None, 5, 4)
    ]
    for figures in found[1:]:
        assert figures == pytest.approx(found[0], abs=1e-6)
