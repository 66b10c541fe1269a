"""A step's gradients: the same for any division into micro-batches, with dropout; statistics are updated once."""

import contextlib
import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.model.store import build_model, model_config
from pipeline.store.films import films_of, open_store
from pipeline.train.loss import contrastive_loss
from pipeline.train.sampling import draw
from pipeline.train.step import backward
from tests.train.recipe import ALONE, MODEL

CPU = torch.device("cpu")
DROPPED = replace(
    MODEL,
    audio=replace(MODEL.audio, dropout=0.3),
    query=replace(MODEL.query, dropout=0.3, input_dropout=0.3),
    projector=replace(MODEL.projector, dropout=0.3),
)


@pytest.fixture
def setting(features, dataset):
    """The model's config, the store, and a batch of twelve examples, two of the same film."""
    store = open_store(features, ["plot", "image"])
    films = films_of(dataset, store)
    numbers = np.array([*range(11), 3])
    plan = draw(films, numbers, None, store, store.window_steps(0.8), np.random.default_rng(0))
    return store, plan


def made(store, params=MODEL, whole_statistics=True):
    """Return a model in training mode, optionally with batch normalisation independent of the batch."""
    torch.manual_seed(0)
    model = build_model(model_config("x", store.inputs, params, store.specs(), store.window_steps(0.8))).train()
    if not whole_statistics:
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
    return model


def gradients(model, store, plan, edges, same_film="masked"):
    """Return the loss, and the gradients by name, of a batch encoded in parts between `edges`."""
    torch.manual_seed(5)
    stored = [plan.part(*pair).read(store, store.window_steps(0.8)) for pair in itertools.pairwise(edges)]
    parts = [partial(store.batch, part, CPU) for part in stored]
    films = torch.from_numpy(plan.films)
    loss = backward(model, parts, films, partial(contrastive_loss, same_film=same_film), ALONE, contextlib.nullcontext)
    return loss, {name: weight.grad for name, weight in model.named_parameters()}


@pytest.mark.parametrize("same_film", ["masked", "positives", "negatives"])
def test_one_part_gives_what_autograd_gives(setting, same_film):
    store, plan = setting
    _, found = gradients(made(store), store, plan, [0, 12], same_film)
    model = made(store)
    torch.manual_seed(5)
    batch = store.batch(plan.read(store, store.window_steps(0.8)), CPU)
    films = torch.from_numpy(plan.films)
    contrastive_loss(model.encode_query(batch), model.encode_audio(batch), model.scale(), films, same_film).backward()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(found[name], weight.grad, msg=name)


@pytest.mark.parametrize("edges", [[0, 6, 12], [0, 1, 5, 12], list(range(13))], ids=str)
def test_parts_give_the_gradients_of_the_whole_batch(setting, edges):
    store, plan = setting
    whole_loss, whole = gradients(made(store, whole_statistics=False), store, plan, [0, 12])
    loss, found = gradients(made(store, whole_statistics=False), store, plan, edges)
    torch.testing.assert_close(loss, whole_loss)
    for name, gradient in whole.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)
        assert gradient.any(), name


def test_gradients_differ_from_those_of_separate_losses(setting):
    store, plan = setting
    _, whole = gradients(made(store, whole_statistics=False), store, plan, [0, 12])
    separate = made(store, whole_statistics=False)
    for half in (plan.part(0, 6), plan.part(6, 12)):
        _, found = gradients(separate, store, half, [0, 6])
    name = "query_tower.head.0.weight"
    assert not torch.allclose(found[name] / 2, whole[name], rtol=0.01)


def test_second_pass_draws_the_same_dropout(setting, monkeypatch):
    store, plan = setting
    model, seen = made(store, DROPPED), []
    true_encode = model.encode_query
    monkeypatch.setattr(model, "encode_query", lambda batch: seen.append(true_encode(batch)) or seen[-1])
    gradients(model, store, plan, [0, 4, 8, 12])
    assert len(seen) == 6
    for first, second in zip(seen[:3], seen[3:], strict=True):
        torch.testing.assert_close(first, second.detach())
    assert not torch.allclose(seen[0], seen[1])


def test_running_statistics_are_updated_once_per_part(setting):
    store, plan = setting
    model, plain = made(store), made(store)
    edges = [0, 4, 12]
    gradients(model, store, plan, edges)
    for pair in itertools.pairwise(edges):
        batch = store.batch(plan.part(*pair).read(store, store.window_steps(0.8)), CPU)
        plain.encode_query(batch)
        plain.encode_audio(batch)
    for (name, found), expected in zip(model.named_buffers(), plain.buffers(), strict=True):
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(found, expected, msg=name)


def test_similarities_and_their_gradients_are_float32_whatever_the_precision(setting):
    store, plan = setting
    seen = {}

    def loss_of(query, audio, scale, films):
        query.register_hook(lambda _: seen.update(backward=torch.get_float32_matmul_precision()))
        seen.update(forward=torch.get_float32_matmul_precision(), dtype=(query @ audio.T).dtype)
        return contrastive_loss(query, audio, scale, films, "masked")

    torch.set_float32_matmul_precision("high")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            batch = store.batch(plan.read(store, store.window_steps(0.8)), CPU)
            backward(made(store), [lambda: batch], torch.from_numpy(plan.films), loss_of, ALONE, contextlib.nullcontext)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen == {"forward": "highest", "backward": "highest", "dtype": torch.float32}


def test_temperature_learns(setting):
    store, plan = setting
    _, found = gradients(made(store), store, plan, [0, 5, 12])
    assert found["logit_scale"].abs() > 0
