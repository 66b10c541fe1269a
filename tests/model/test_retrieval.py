"""Every variant of params.yaml: builds, learns in every weight, gives unit vectors, reads its own inputs only."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.core.errors import ModelError
from pipeline.model.audio import AudioTower, VectorTower
from pipeline.model.retrieval import RetrievalModel
from pipeline.model.section import AudioTower as AudioTowerParams
from pipeline.model.section import Model, Projector, QueryTower
from pipeline.params import load_params

VARIANTS = load_params(Path(__file__).parents[2] / "params.yaml").variants | {"Three": ["tags", "plot", "image"]}
WIDTHS = {"image": 10, "tags": 6, "plot": 6, "tags_plot": 6}
N_MELS, FRAMES = 8, 13
SMALL = Model(
    embed_dim=5,
    temperature=0.2,
    max_logit_scale=100.0,
    audio=AudioTowerParams(
        window_seconds=1.0,
        window_hop_seconds=1.0,
        channels=3,
        blocks=2,
        width=8,
        layers=1,
        heads=2,
        head_width=3,
        feedforward=4,
        positions=9,
        dropout=0.1,
    ),
    query=QueryTower(input_dropout=0.0, width=8, layers=1, heads=3, head_width=2, feedforward=4, dropout=0.2),
    projector=Projector(hidden=7, dropout=0.2),
)


def make_model(inputs: list[str], params: Model = SMALL) -> RetrievalModel:
    torch.manual_seed(0)
    return RetrievalModel(params, inputs, WIDTHS, AudioTower(params.audio, N_MELS, FRAMES))


def make_batch(n: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    batch = {name: torch.randn(n, width, generator=generator) for name, width in WIDTHS.items()}
    return batch | {"audio": 10 * torch.randn(n, FRAMES, N_MELS, generator=generator) - 40}


@pytest.mark.parametrize("inputs", VARIANTS.values(), ids=VARIANTS)
def test_every_weight_has_a_gradient(inputs):
    model, batch = make_model(inputs), make_batch()
    logits = model.scale() * model.encode_query(batch) @ model.encode_audio(batch).T
    torch.nn.functional.cross_entropy(logits, torch.arange(len(logits))).backward()
    unreached = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is None or not torch.isfinite(weight.grad).all() or not weight.grad.any()
    ]
    assert unreached == []
    reached = model.audio_tower.positions.grad.any(dim=1)  # a row for the class token and each of 3 time steps
    assert reached.tolist() == [True] * (1 + FRAMES // 4) + [False] * (9 - 1 - FRAMES // 4)


@pytest.mark.parametrize("inputs", VARIANTS.values(), ids=VARIANTS)
def test_embeddings_are_unit_vectors(inputs):
    model, batch = make_model(inputs).eval(), make_batch()
    for embedding in (model.encode_query(batch), model.encode_audio(batch)):
        assert embedding.shape == (6, SMALL.embed_dim)
        torch.testing.assert_close(embedding.norm(dim=-1), torch.ones(6))


@pytest.mark.parametrize("inputs", VARIANTS.values(), ids=VARIANTS)
def test_query_changes_exactly_with_the_variants_own_inputs(inputs):
    model, batch = make_model(inputs).eval(), make_batch()
    before = model.encode_query(batch)
    for name in [*WIDTHS, "audio"]:
        changed = model.encode_query(batch | {name: batch[name] + torch.randn_like(batch[name])})
        assert torch.equal(changed, before) == (name not in inputs), name


def test_audio_changes_with_the_audio_only():
    model, batch = make_model(["image"]).eval(), make_batch()
    assert torch.equal(model.encode_audio({"audio": batch["audio"]}), model.encode_audio(batch))
    assert not torch.allclose(model.encode_audio({"audio": batch["audio"] + 1}), model.encode_audio(batch))


def test_row_does_not_depend_on_its_batch():
    model, batch = make_model(["tags_plot", "image"]).eval(), make_batch()
    alone = {name: value[2:3] for name, value in batch.items()}
    torch.testing.assert_close(model.encode_query(alone)[0], model.encode_query(batch)[2], atol=1e-5, rtol=0)
    torch.testing.assert_close(model.encode_audio(alone)[0], model.encode_audio(batch)[2], atol=1e-5, rtol=0)


def test_scale_starts_at_the_inverse_temperature_and_is_clamped():
    model = make_model(["image"])
    assert model.scale().item() == pytest.approx(5.0)
    with torch.no_grad():
        model.logit_scale.fill_(20.0)
    model.clamp_scale()
    assert model.scale().item() == pytest.approx(SMALL.max_logit_scale)
    model.scale().backward()
    assert model.logit_scale.grad.item() == pytest.approx(SMALL.max_logit_scale), "at the cap it learns as elsewhere"
    hot = make_model(["image"], replace(SMALL, temperature=0.001))
    assert hot.scale().item() == pytest.approx(SMALL.max_logit_scale)


def test_order_of_inputs_decides_their_positions():
    batch = make_batch()
    one, other = make_model(["tags", "image"]).eval(), make_model(["image", "tags"]).eval()
    assert not torch.allclose(one.encode_query(batch), other.encode_query(batch))


@pytest.mark.parametrize(("key", "value"), [("blocks", 4), ("positions", 3)])
def test_tower_that_does_not_fit_the_window_names_the_key(key, value):
    params = replace(SMALL, audio=replace(SMALL.audio, **{key: value}))
    with pytest.raises(ModelError, match=f"model.audio.{key}"):
        make_model(["image"], params)


def test_vectors_of_a_pretrained_encoder_are_projected():
    torch.manual_seed(0)
    model = RetrievalModel(SMALL, ["image"], WIDTHS, VectorTower(12, SMALL.audio.width)).eval()
    vectors = torch.randn(6, 1, 12)
    found = model.encode_audio({"audio": vectors})
    expected = model.audio_head(model.audio_tower.project(vectors[:, 0]))
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected, dim=-1))
    found.sum().backward()
    assert all(weight.grad.any() for weight in model.audio_tower.parameters())
