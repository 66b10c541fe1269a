"""Every variant of params.yaml builds, trains every weight, gives unit vectors and reads only its own inputs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.core.errors import ModelError
from pipeline.model.audio import AudioTower, HeadedAudioTower, VectorTower
from pipeline.model.fusion import FusionTower
from pipeline.model.retrieval import RetrievalModel
from pipeline.model.section import AudioTower as AudioTowerParams
from pipeline.model.section import Model, Projector, QueryTower
from pipeline.model.whitened import WhitenedAudioTower, WhitenedTower
from pipeline.params import load_params

ROWS = load_params(Path(__file__).parents[2] / "params.yaml").variants
VARIANTS = {name: row.inputs for name, row in ROWS.items()}
WIDTHS = {"image": 10, "tags": 6, "plot": 6, "tags_plot": 6}
N_MELS, FRAMES = 8, 13
TOWERS = ("linear", "hidden", "paper")
SMALL = Model(
    embed_dim=5,
    temperature=0.2,
    max_logit_scale=100.0,
    towers="paper",
    components=6,
    noise=0.0,
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


def make_model(inputs: list[str], params: Model = SMALL, drop_inputs: float = 0.0) -> RetrievalModel:
    torch.manual_seed(0)
    widths = {name: WIDTHS[name] for name in inputs}
    if params.towers == "paper":
        query = FusionTower(params, widths)
        audio = HeadedAudioTower(params, AudioTower(params.audio, N_MELS, FRAMES))
    else:
        query, audio = WhitenedTower(params, widths, unit=True), WhitenedAudioTower(params, N_MELS, are_frames=True)
    return RetrievalModel(params, inputs, query, audio, drop_inputs=drop_inputs)


def make_batch(n: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    batch = {name: torch.randn(n, width, generator=generator) for name, width in WIDTHS.items()}
    return batch | {"audio": 10 * torch.randn(n, FRAMES, N_MELS, generator=generator) - 40}


@pytest.mark.parametrize("towers", TOWERS)
@pytest.mark.parametrize("inputs", VARIANTS.values(), ids=VARIANTS)
def test_every_weight_has_a_gradient(inputs, towers):
    model, batch = make_model(inputs, replace(SMALL, towers=towers)), make_batch()
    logits = model.scale() * model.encode_query(batch) @ model.encode_audio(batch).T
    torch.nn.functional.cross_entropy(logits, torch.arange(len(logits))).backward()
    unreached = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is None or not torch.isfinite(weight.grad).all() or not weight.grad.any()
    ]
    assert unreached == []


def test_a_position_is_learned_for_the_class_token_and_each_time_step():
    model, batch = make_model(["image"]), make_batch()
    model.encode_audio(batch).sum().backward()
    reached = model.audio_tower.tower.positions.grad.any(dim=1)
    assert reached.tolist() == [True] * (1 + FRAMES // 4) + [False] * (9 - 1 - FRAMES // 4)


@pytest.mark.parametrize("towers", TOWERS)
@pytest.mark.parametrize("inputs", VARIANTS.values(), ids=VARIANTS)
def test_embeddings_are_unit_vectors(inputs, towers):
    model, batch = make_model(inputs, replace(SMALL, towers=towers)).eval(), make_batch()
    for embedding in (model.encode_query(batch), model.encode_audio(batch)):
        assert embedding.shape == (6, SMALL.embed_dim)
        torch.testing.assert_close(embedding.norm(dim=-1), torch.ones(6))


@pytest.mark.parametrize("towers", TOWERS)
@pytest.mark.parametrize("inputs", VARIANTS.values(), ids=VARIANTS)
def test_query_changes_exactly_with_the_variants_own_inputs(inputs, towers):
    model, batch = make_model(inputs, replace(SMALL, towers=towers)).eval(), make_batch()
    before = model.encode_query(batch)
    for name in [*WIDTHS, "audio"]:
        changed = model.encode_query(batch | {name: batch[name] + torch.randn_like(batch[name])})
        assert torch.equal(changed, before) == (name not in inputs), name


def test_track_embedding_changes_only_with_the_audio():
    model, batch = make_model(["image"]).eval(), make_batch()
    assert torch.equal(model.encode_audio({"audio": batch["audio"]}), model.encode_audio(batch))
    assert not torch.allclose(model.encode_audio({"audio": batch["audio"] + 1}), model.encode_audio(batch))


def test_embedding_does_not_depend_on_its_batch():
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
def test_mismatched_tower_and_window_name_the_key(key, value):
    params = replace(SMALL, audio=replace(SMALL.audio, **{key: value}))
    with pytest.raises(ModelError, match=f"model.audio.{key}"):
        make_model(["image"], params)


def test_vectors_of_a_pretrained_encoder_are_projected():
    torch.manual_seed(0)
    audio = HeadedAudioTower(SMALL, VectorTower(12, SMALL.audio.width))
    model = RetrievalModel(SMALL, ["image"], FusionTower(SMALL, {"image": 10}), audio).eval()
    vectors = torch.randn(6, 1, 12)
    found = model.encode_audio({"audio": vectors})
    expected = audio.head(audio.tower.project(vectors[:, 0]))
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected, dim=-1))
    found.sum().backward()
    assert all(weight.grad.any() for weight in audio.parameters())


def fit_by_hand(tower):
    for part in tower.parts().values():
        part.mean.copy_(torch.randn_like(part.mean) / 9)
        part.axes.copy_(torch.randn_like(part.axes))


def test_linear_towers_are_the_affine_maps_of_their_parts():
    model, batch = make_model(["tags", "image"], replace(SMALL, towers="linear", noise=9.0)).eval(), make_batch()
    fit_by_hand(model.query_tower)
    fit_by_hand(model.audio_tower)
    parts = model.query_tower.parts()
    x = [(torch.nn.functional.normalize(batch[n]) - parts[n].mean) @ parts[n].axes for n in ("tags", "image")]
    expected = torch.cat(x, 1) @ model.query_tower.head.weight.T + model.query_tower.head.bias
    torch.testing.assert_close(model.encode_query(batch), torch.nn.functional.normalize(expected))
    frames, part = batch["audio"], model.audio_tower.parts()["audio"]
    pooled = torch.cat([frames.mean(1), frames.std(1, correction=0)], 1)
    expected = (pooled - part.mean) @ part.axes @ model.audio_tower.head.weight.T + model.audio_tower.head.bias
    torch.testing.assert_close(model.encode_audio(batch), torch.nn.functional.normalize(expected))


def test_noise_is_on_components_and_only_in_training():
    params = replace(SMALL, towers="linear", noise=2.0)
    model = make_model(["tags"], params)
    model.query_tower.head = torch.nn.Identity()
    many = {"tags": torch.zeros(20_000, 6)}
    drawn = model.query_tower(many, {})
    assert drawn.std(0).tolist() == pytest.approx([2.0] * 6, rel=0.05)
    assert not model.eval().query_tower(many, {}).any()


@pytest.mark.parametrize("towers", TOWERS)
def test_an_omitted_input_is_ignored_present_or_not(towers):
    model, batch = make_model(["tags", "plot", "image"], replace(SMALL, towers=towers)).eval(), make_batch()
    whole = model.encode_query(batch)
    without = model.encode_query(batch, without=["image"])
    assert not torch.allclose(whole, without)
    lacking = {name: value for name, value in batch.items() if name != "image"}
    assert torch.equal(model.encode_query(lacking, without=["image"]), without)


@pytest.mark.parametrize("towers", TOWERS)
def test_training_drops_whole_inputs_as_queries_may_lack_them(towers):
    params = replace(SMALL, towers=towers, projector=replace(SMALL.projector, dropout=0.0))
    params = replace(params, query=replace(SMALL.query, dropout=0.0))
    model = make_model(["tags", "image"], params, drop_inputs=0.5)
    one = {name: make_batch()[name][:1] for name in ("tags", "image")}
    batch = {name: row.expand(3000, -1) for name, row in one.items()}
    model.train()
    for module in model.query_tower.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()  # batch statistics would mix the rows
    drawn = model.encode_query(batch)
    model.drop_inputs = 0.0
    kinds = [
        model.encode_query({n: v[:1] for n, v in batch.items()}, without) for without in ((), ("tags",), ("image",))
    ]
    shares = [torch.isclose(drawn, kind, atol=1e-5).all(1).double().mean().item() for kind in kinds]
    assert sum(shares) == pytest.approx(1.0), "never without both"
    assert shares == pytest.approx([0.25, 0.375, 0.375], abs=0.04)


@pytest.mark.parametrize("towers", TOWERS)
def test_a_missing_input_equals_an_omitted_one(towers):
    params = replace(SMALL, towers=towers)
    model = make_model(["tags", "image"], params, drop_inputs=0.5).eval()
    batch = make_batch(4)
    present = {"tags": torch.tensor([[True], [False], [True], [True]]), "image": torch.tensor([[True]] * 3 + [[False]])}
    found = model.encode_query(batch | {"present": present})
    assert torch.allclose(found[[0, 2]], model.encode_query(batch)[[0, 2]], atol=1e-6)
    assert torch.allclose(found[1], model.encode_query(batch, without=["tags"])[1], atol=1e-6)
    assert torch.allclose(found[3], model.encode_query(batch, without=["image"])[3], atol=1e-6)
    changed = batch | {"tags": batch["tags"].index_fill(0, torch.tensor([1]), 7.0)}
    assert torch.equal(model.encode_query(changed | {"present": present}), found), "what stands in is not read"


def test_training_never_drops_a_films_only_input():
    model = make_model(["tags", "image"], drop_inputs=0.9).train()
    first = torch.tensor([[True]] * 50 + [[False]] * 50)
    present = {"tags": first, "image": ~first}
    for _ in range(5):
        kept = model._kept(present, torch.zeros(100, 1))
        assert torch.equal(kept["tags"], first) and torch.equal(kept["image"], ~first)
