"""Published checkpoints: imported models give the reference's numbers, and all mismatches are reported."""

import json
import math
import os
import re
import zipfile
from pathlib import Path

import numpy
import pytest
import torch
import torch.nn.functional as F

from benchmarks.settings import log_mel_settings
from pipeline.apps.checkpoint import encoders
from pipeline.apps.checkpoint.published import WINDOW_STEPS
from pipeline.apps.checkpoint.tensors import FILTERBANK, WINDOW
from pipeline.apps.presets import apply_preset
from pipeline.core.errors import ModelError
from pipeline.encoders.log_mel import LogMel
from pipeline.model.store import load_model
from pipeline.params import load_params
from pipeline.store.films import INPUT_TABLES, require_specs
from pipeline.store.raw import raw_tables
from pipeline.train.loop import HISTORY
from tests.apps.checkpoint.conftest import ROOT, import_file
from tests.apps.checkpoint.reference import WIDTH, mel_filterbank, theta_audio, theta_query, write_config

pytestmark = pytest.mark.slow

VARIANTS = {name: row.inputs for name, row in load_params(ROOT / "params.yaml").variants.items() if name != "Any"}
KINDS = {
    variant: tuple(sorted({INPUT_TABLES[name] for name in VARIANTS[variant]}, reverse=True)) for variant in VARIANTS
}
BOTH = next(variant for variant in VARIANTS if VARIANTS[variant] == ["plot", "image"])
TEXT = next(variant for variant in VARIANTS if VARIANTS[variant] == ["tags"])
IMAGE = next(variant for variant in VARIANTS if VARIANTS[variant] == ["image"])
CROSS_TEXT = next(variant for variant in VARIANTS if VARIANTS[variant] == ["tags_plot"])
TOLERANCE = {"atol": 1e-5, "rtol": 1e-4}
WORDS = "text_encoder.embeddings.word_embeddings.weight"


def make_batch() -> dict[str, torch.Tensor]:
    """Return texts as tokens, the last one padded, pixels, and frames [n, 64, 128] in dB."""
    generator = torch.Generator().manual_seed(3)
    mask = torch.tensor([[1] * 7, [1] * 7, [1, 1, 1, 1, 0, 0, 0]])
    return {
        "ids": torch.randint(5, 12, (3, 7), generator=generator) * mask,
        "mask": mask,
        "pixels": torch.randn(3, 3, 32, 32, generator=generator),
        "frames": 10 * torch.randn(3, 64, 128, generator=generator) - 20,
    }


def embed(variant: str, folder: str = "") -> dict[str, torch.Tensor]:
    """Return an imported model's outputs for `make_batch`: `query` and `audio` before and after the last norm."""
    model, config = load_model(Path(folder or f"models/{variant}"))
    batch, raw = make_batch(), {}
    model.query_tower.head.register_forward_hook(lambda _, __, output: raw.update(query=output))
    model.audio_tower.head.register_forward_hook(lambda _, __, output: raw.update(audio=output))
    tokens = {"input_ids": batch["ids"], "attention_mask": batch["mask"]}
    read = {name: tokens if INPUT_TABLES[name] == "text" else batch["pixels"] for name in config["inputs"]}
    with torch.inference_mode():
        unit = {"unit_query": model.encode_query(read), "unit_audio": model.encode_audio({"audio": batch["frames"]})}
    return raw | unit


def expected(state: dict, kinds: tuple[str, ...], fused: bool = True) -> dict[str, torch.Tensor]:
    """Return the reference's numbers for `make_batch`."""
    batch = make_batch()
    names = {"text": ("ids", "mask"), "image": ("pixels",)}
    query = theta_query(state, {name: batch[name] for kind in kinds for name in names[kind]}, fused)
    audio = theta_audio(state, batch["frames"].transpose(1, 2))
    units = {"unit_query": F.normalize(query, dim=-1), "unit_audio": F.normalize(audio, dim=-1)}
    return {"query": query, "audio": audio} | units


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_the_references_numbers(import_state, state_of, variant):
    state = state_of(KINDS[variant])
    assert import_state(state, variant) == 0
    found, numbers = embed(variant), expected(state, KINDS[variant])
    for name, value in numbers.items():
        torch.testing.assert_close(found[name], value, **TOLERANCE)
    assert load_model(Path(f"models/{variant}"))[1]["inputs"] == VARIANTS[variant]


def test_temperature_beyond_the_cap_is_clamped_as_the_reference_does(import_state, state_of, work):
    for exponent, scale in ((7.0, 100.0), (3.0, math.exp(3.0))):
        state = state_of(("image",)) | {"logit_scale": torch.tensor([exponent], dtype=torch.float64)}
        import_state(state, IMAGE)
        assert load_model(work / "models" / IMAGE)[0].scale().item() == pytest.approx(scale)


@pytest.mark.parametrize("variant", [IMAGE, TEXT])
def test_references_inference_skips_the_fusion_of_one_input(import_state, state_of, variant):
    state = state_of(KINDS[variant])
    import_state(state, variant, "--reference-inference", "--out", "out/skips")
    found = embed(variant, "out/skips")["query"]
    torch.testing.assert_close(found, expected(state, KINDS[variant], fused=False)["query"], **TOLERANCE)
    assert not torch.allclose(found, expected(state, KINDS[variant])["query"], atol=1e-3)


def test_folder_holds_all_that_the_stages_read(import_state, state_of, work, capsys):
    import_state(state_of(("text", "image")), BOTH)
    folder = work / "models" / BOTH
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "history.csv", "model.safetensors"]
    assert (folder / "history.csv").read_text() == ",".join(HISTORY) + "\n"
    config = json.loads((folder / "config.json").read_text())
    assert (config["variant"], config["fuse_single"], config["window_steps"]) == (BOTH, True, WINDOW_STEPS)
    assert (config["imported"]["epoch"], config["imported"]["best_loss"]) == (7, 1.25)
    assert config["encoders"]["image"]["preparation"]["size"] == 32
    assert config["encoders"]["text"]["max_tokens"] == 20
    out = capsys.readouterr().out
    assert f"models/{BOTH}" in out
    assert "--evaluate" in out


def test_the_presets_features_are_those_that_the_model_wants(import_state, state_of, work):
    import_state(state_of(("image",)), IMAGE)
    config = json.loads((work / "models" / IMAGE / "config.json").read_text())
    before = log_mel_settings()
    apply_preset(work, "reference-checkpoint")
    audio = load_params(work / "params.yaml").features.audio
    require_specs({"audio": LogMel(audio).spec | {"width": audio.n_mels}}, config["features"], "the model")
    assert 1 + int(9.92 * audio.sample_rate / audio.hop_length) == WINDOW_STEPS
    with pytest.raises(ModelError, match="was trained on audio features"):
        require_specs({"audio": LogMel(before).spec | {"width": before.n_mels}}, config["features"], "the model")


def test_text_comes_first_whatever_the_order_in_params(import_state, state_of, work):
    text = (work / "params.yaml").read_text()
    (work / "params.yaml").write_text(text.replace(f"  {BOTH}:\n  - plot\n  - image\n", f"  {BOTH}: [image, plot]\n"))
    assert load_params(work / "params.yaml").variants[BOTH].inputs == ["image", "plot"]
    state = state_of(("text", "image"))
    import_state(state, BOTH)
    torch.testing.assert_close(embed(BOTH)["query"], expected(state, ("text", "image"))["query"], **TOLERANCE)


def test_names_of_both_versions_of_transformers_and_of_data_parallel(import_state, state_of, work):
    state = state_of(("image",))
    import_state(state, IMAGE)
    model = load_model(work / "models" / IMAGE)[0]
    weights = (work / "models" / IMAGE / "model.safetensors").read_bytes()
    network = {f"image_encoder.{name}": value for name, value in model.encoders["image"].network.state_dict().items()}
    assert "image_encoder.layers.0.attention.q_proj.weight" in network, "the names of version 5"
    newer = {name: value for name, value in state.items() if not name.startswith("image_encoder.")} | network
    assert len(newer) == len(state)
    import_state(newer, IMAGE, "--out", "newer")
    assert (work / "newer/model.safetensors").read_bytes() == weights
    import_state({f"module.{name}": value for name, value in newer.items()}, IMAGE, "--out", "parallel")
    assert (work / "parallel/model.safetensors").read_bytes() == weights
    torch.save(state, work / "bare.pth")
    assert import_file(work / "bare.pth", IMAGE, "--out", "bare") == 0
    assert (work / "bare/model.safetensors").read_bytes() == weights
    assert json.loads((work / "bare/config.json").read_text())["imported"]["epoch"] is None


def test_both_names_of_one_tensor_are_refused(refused, state_of):
    name = "image_encoder.layers.0.attention.q_proj.weight"
    message = refused(state_of(("image",)) | {name: torch.zeros(WIDTH, WIDTH)}, IMAGE)
    assert f"unexpected: {name} [{WIDTH}, {WIDTH}]" in message


def test_position_ids_of_old_versions_are_passed_over(import_state, state_of):
    name = "text_encoder.embeddings.position_ids"
    assert import_state(state_of(("text",)) | {name: torch.arange(20)[None]}, TEXT) == 0


def test_the_scale_keeps_its_precision_in_the_file(import_state, state_of, work):
    from safetensors.torch import load_file

    state = state_of(("image",))
    import_state(state, IMAGE)
    kept = load_file(work / "models" / IMAGE / "model.safetensors")["logit_scale"]
    assert (kept.dtype, kept.item()) == (torch.float64, state["logit_scale"].item())
    assert load_model(work / "models" / IMAGE)[0].scale().item() == pytest.approx(5.0)


def test_one_message_lists_all_that_does_not_fit(refused, state_of):
    state = dict(state_of(("text", "image")))
    del state["audio_projector.fc.0.bias"], state["image_encoder.layernorm.weight"]
    state |= {
        "audio_encoder.transformer.layers.4.0.fn.norm.weight": torch.zeros(256),
        "cross_projector.fc.4.weight": torch.zeros(32, 512),
        "logit_scale": torch.zeros(1, dtype=torch.int64),
        "text_encoder.embeddings.position_embeddings.weight": torch.zeros(64, WIDTH),
        FILTERBANK: mel_filterbank(8000.0),
        WINDOW: torch.hann_window(1024, periodic=False),
    }
    message = refused(state, BOTH)
    assert re.findall("^  (.*)", message, re.M) == [
        f"missing: image_encoder.layernorm.weight [{WIDTH}]",
        "missing: audio_projector.fc.0.bias [512]",
        "unexpected: audio_encoder.transformer.layers.4.0.fn.norm.weight [256]",
        "wrong shape: logit_scale: found [1] int64, expected [1] float32",
        f"wrong shape: text_encoder.embeddings.position_embeddings.weight: found [64, {WIDTH}] float32, "
        f"expected [20, {WIDTH}] float32",
        "wrong shape: cross_projector.fc.4.weight: found [32, 512] float32, expected [64, 512] float32",
        "wrong values: audio_encoder.audio_representation.spec_fn.window is not the Hann window of 1024 samples",
        "wrong values: audio_encoder.audio_representation.mel_scale.fb is not the filterbank of 128 HTK bands, "
        "0 to 11025 Hz, at 22050 Hz",
    ]
    assert "--text or --image" in message


def test_another_way_to_the_same_constants_is_taken(import_state, state_of):
    state = dict(state_of(("image",)))
    state[FILTERBANK] = state[FILTERBANK] + 2e-5
    assert import_state(state, IMAGE) == 0
    state[FILTERBANK] = state[FILTERBANK] * 1.01
    assert import_state(state, IMAGE) == 1


@pytest.mark.parametrize(
    ("kinds", "variant", "message"),
    [
        (("image",), TEXT, f"has an image encoder, but variant {TEXT} has the inputs tags: name the checkpoint"),
        (("text", "image"), TEXT, f"has a text encoder and an image encoder, but variant {TEXT} has the inputs tags"),
        (("text",), BOTH, f"has a text encoder, but variant {BOTH} has the inputs plot, image"),
    ],
)
def test_a_checkpoint_of_another_variant_is_refused(refused, state_of, kinds, variant, message):
    assert message in refused(state_of(kinds), variant)


def test_unknown_variant_and_one_of_two_texts_are_refused(refused, state_of, work):
    state = state_of(("text",))
    assert "variant: found 'Nope', allowed are " in refused(state, "Nope")
    text = (work / "params.yaml").read_text()
    (work / "params.yaml").write_text(text.replace("variants:\n", "variants:\n  Two: [tags, plot]\n"))
    assert "inputs: found tags, plot, the reference has one text" in refused(state, "Two")


class Opened:
    """What a harmful checkpoint holds: reading it without restrictions creates a folder."""

    def __reduce__(self):
        return os.mkdir, ("opened",)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickle"])
def test_objects_are_refused_and_not_made(state_of, work, capsys, old):
    whole = {"state_dict": state_of(("image",)), "loss_details": Opened()}
    torch.save(whole, work / "bad.pth", _use_new_zipfile_serialization=not old)
    assert import_file(work / "bad.pth", IMAGE) == 1
    assert "bad.pth cannot be read as tensors only" in capsys.readouterr().err
    assert not (work / "opened").exists()
    assert not (work / "models").exists()


def test_numbers_of_numpy_are_read(state_of, work):
    whole = {"epoch": numpy.int64(3), "best_loss": numpy.float32(1.5), "loss_details": [numpy.float64(2.0)]}
    torch.save(whole | {"state_dict": state_of(("image",))}, work / "new.pth")
    with zipfile.ZipFile(work / "new.pth") as new, zipfile.ZipFile(work / "old.pth", "w") as old:
        for name in new.namelist():  # as written by NumPy 1
            old.writestr(name, new.read(name).replace(b"numpy._core.", b"numpy.core."))
    for name in ("new", "old"):
        assert import_file(work / f"{name}.pth", IMAGE, "--out", name) == 0
        imported = json.loads((work / name / "config.json").read_text())["imported"]
        assert (imported["epoch"], imported["best_loss"]) == (3, 1.5)


def test_files_that_are_not_checkpoints_are_refused(state_of, work, capsys):
    torch.save({"state_dict": state_of(("image",))}, work / "whole.pth")
    data = (work / "whole.pth").read_bytes()
    contents = {"cut.pth": data[: len(data) // 2], "empty.pth": b"", "page.pth": b"<html>Not found</html>"}
    for name, content in contents.items():
        (work / name).write_bytes(content)
        assert import_file(work / name, IMAGE) == 1
        assert f"{name} cannot be read as tensors only" in capsys.readouterr().err
    for name, value in {"list.pth": [torch.zeros(1)], "text.pth": {"state_dict": {"a": "b"}}, "none.pth": {}}.items():
        torch.save(value, work / name)
        assert import_file(work / name, IMAGE) == 1
        assert f"{name} holds no state_dict" in capsys.readouterr().err
    assert import_file(work / "absent.pth", IMAGE) == 1
    assert "absent.pth is not a file or folder" in capsys.readouterr().err


def test_without_a_tokenizer_a_warning_and_no_texts(import_state, state_of, work, caplog):
    assert import_state(state_of(("text",)), TEXT) == 0
    assert "--text: text has no tokenizer" in caplog.text
    config = load_model(work / "models" / TEXT)[1]
    assert config["encoders"]["text"]["tokenizer"] is None
    film = {"fid": "AAA", "tags": ["war"], "plot": ["a dog"], "image": "AAA.jpg"}
    with pytest.raises(ModelError, match="import-reference` again with --text"):
        raw_tables(work, [film], ["tags"], config["encoders"])


@pytest.mark.parametrize("more", [0, 2])
def test_marks_are_added_to_the_tokenizer_where_the_checkpoint_has_them(
    import_state, state_of, work, tiny_bert, caplog, more
):
    from tokenizers import Tokenizer

    for name in ("tokenizer.json", "tokenizer_config.json"):
        (work / "text" / name).write_bytes((tiny_bert / name).read_bytes())
    assert import_state(state_of(("text",), 12 + more), CROSS_TEXT) == 0
    assert caplog.text == ""
    model, config = load_model(work / "models" / CROSS_TEXT)
    settings = config["encoders"]["text"]
    assert (settings["config"]["vocab_size"], settings["padding"]) == (12 + more, 0)
    assert len(model.encoders["text"].network.get_input_embeddings().weight) == 12 + more
    tokens = Tokenizer.from_str(settings["tokenizer"]).encode("<DESCR> War <PLOT> a dog")
    assert tokens.ids[0] == 2, "[CLS]"
    if more:
        assert tokens.ids == [2, 12, 9, 13, 5, 6, 3]
    else:
        assert "<DESCR>" not in tokens.tokens


@pytest.mark.parametrize(
    ("words", "listed"), [(13, f"found [13, {WIDTH}] float32, expected [12, {WIDTH}]"), (11, "found [11,")]
)
def test_another_size_of_the_vocabulary_has_the_wrong_shape(refused, state_of, words, listed):
    assert f"wrong shape: {WORDS}: {listed}" in refused(state_of(("text",), words), TEXT)


@pytest.mark.parametrize(
    ("words", "message"), [(11, "has 12 words, the checkpoint 11"), (15, "<PLOT>, the checkpoint 17")]
)
def test_a_tokenizer_of_another_size_is_refused(refused, state_of, work, tiny_bert, words, message):
    (work / "text/tokenizer.json").write_bytes((tiny_bert / "tokenizer.json").read_bytes())
    config = json.loads((work / "text/config.json").read_text())
    (work / "text/config.json").write_text(json.dumps(config | {"vocab_size": words}))
    assert message in refused(state_of(("text",), words if words < 12 else words + 2), TEXT)


def test_pictures_are_prepared_as_the_preprocessor_says_or_as_the_reference_does(
    import_state, state_of, work, tiny_vit
):
    state = state_of(("image",))
    import_state(state, IMAGE)
    half = {"factor": 1 / 255, "mean": [0.5] * 3, "std": [0.5] * 3}
    assert load_model(work / "models" / IMAGE)[1]["encoders"]["image"]["preparation"] == {
        "side": 32,
        "size": 32,
        "resample": 2,
        **half,
    }
    found = json.loads((tiny_vit / "preprocessor_config.json").read_text())
    (work / "image/preprocessor_config.json").write_text(json.dumps(found | {"resample": 3, "image_mean": [0.25] * 3}))
    import_state(state, IMAGE)
    prepared = load_model(work / "models" / IMAGE)[1]["encoders"]["image"]["preparation"]
    assert (prepared["resample"], prepared["mean"], prepared["size"]) == (3, [0.25] * 3, 32)


def test_preprocessor_of_another_size_is_refused(refused, state_of, work, tiny_vit):
    found = json.loads((tiny_vit / "preprocessor_config.json").read_text())
    found["size"] = {"height": 48, "width": 48}
    (work / "image/preprocessor_config.json").write_text(json.dumps(found))
    assert "returns images of 48 px, its input size is 32 px" in refused(state_of(("image",)), IMAGE)


def test_encoders_of_another_kind_and_folders_without_one_are_refused(refused, state_of, work):
    state = state_of(("text", "image"))
    assert "--image: 'text' cannot be used: its model_type is 'bert'" in refused(state, BOTH, "--image", "text")
    (work / "empty").mkdir()
    assert "--text: 'empty' cannot be used" in refused(state, BOTH, "--text", "empty")
    write_config(work / "odd", {"model_type": "nothing"})
    assert "--text: 'odd' cannot be used" in refused(state, BOTH, "--text", "odd")


def test_hub_gives_settings_without_weights(monkeypatch, work):
    asked = []

    def locate(name, packaged, weights=True):
        asked.append((name, weights))
        return encoders.Source(work / "image", "0123")

    monkeypatch.setattr(encoders, "locate", locate)
    settings = encoders.read_image("google/vit")
    assert asked == [("google/vit", False)]
    assert (settings["encoder"], settings["revision"]) == ("google/vit", "0123")
