"""Checkpoints in the published form: an imported model is exported bit by bit, and mismatches are explained."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import torch

from pipeline.__main__ import main
from pipeline.apps.checkpoint import exporting, published
from pipeline.apps.checkpoint.importing import import_reference
from pipeline.apps.presets import apply_preset
from pipeline.encoders.log_mel import LogMel
from pipeline.model.store import build_model, load_model, model_config, save_model
from pipeline.params import load_params
from tests.apps.checkpoint.conftest import ROOT, import_file
from tests.apps.checkpoint.reference import IMAGE_CONFIG, TEXT_CONFIG, WIDTH, write_config

pytestmark = pytest.mark.slow

VARIANTS = {name: row.inputs for name, row in load_params(ROOT / "params.yaml").variants.items() if name != "Any"}
QUERIES = {("text",): ["tags"], ("image",): ["image"], ("text", "image"): ["plot", "image"]}


def variant_of(inputs: list[str]) -> str:
    return next(variant for variant in VARIANTS if VARIANTS[variant] == inputs)


def export(folder: str, path: str = "out/back.pth") -> dict:
    """Run the command and return the checkpoint."""
    assert main(["export-reference", folder, "--out", path]) == 0
    return torch.load(path, weights_only=True)


def assert_same(found: dict, state: dict) -> None:
    assert set(found) == set(state)
    for name, value in state.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
        assert found[name].is_contiguous()
        if not name.startswith("audio_encoder.audio_representation."):  # its last digits depend on the machine
            assert torch.equal(found[name], value), name
        torch.testing.assert_close(found[name], value, atol=1e-4, rtol=0)


@pytest.fixture(autouse=True)
def small_encoders(monkeypatch):
    """Set the width of the reference's encoders to that of these tests."""
    monkeypatch.setattr(exporting, "ENCODER_WIDTH", WIDTH)


@pytest.mark.parametrize("kinds", QUERIES)
def test_what_was_imported_comes_out_bit_by_bit(import_state, state_of, kinds):
    variant = variant_of(QUERIES[kinds])
    import_state(state_of(kinds), variant)
    whole = export(f"models/{variant}")
    assert_same(whole.pop("state_dict"), state_of(kinds))
    assert whole == {"epoch": 7, "best_loss": 1.25, "optimizer": {}, "lr_scheduler": {}, "loss_details": {}}
    assert [path.name for path in Path("out").iterdir()] == ["back.pth"]
    imported = json.loads(Path(f"models/{variant}/config.json").read_text())["imported"]
    assert imported["checkpoint"] == "saved.pth"


def test_a_scale_of_single_precision_stays_so(import_state, state_of):
    state = state_of(("image",)) | {"logit_scale": torch.tensor([1.7])}
    import_state(state, variant_of(["image"]))
    assert_same(export(f"models/{variant_of(['image'])}")["state_dict"], state)


@pytest.fixture(scope="module")
def trained_once(state_of, tmp_path_factory):
    """A model's folder after training: weights that differ from the checkpoint's, and a history."""
    made = tmp_path_factory.mktemp("trained")
    torch.save(state_of(("text", "image")), made / "saved.pth")
    for kind, config in (("text", TEXT_CONFIG), ("image", IMAGE_CONFIG)):
        write_config(made / kind, config)
    folder, inputs = made / variant_of(["plot", "image"]), ["plot", "image"]
    encoders = (str(made / kind) for kind in ("text", "image"))
    import_reference(made / "saved.pth", folder, folder.name, inputs, *encoders, fuse_single=True)
    config = load_model(folder)[1]
    del config["imported"]
    config["encoders"]["text"]["encoder"], config["encoders"]["image"]["encoder"] = "text", "image"
    torch.manual_seed(5)
    save_model(folder, build_model(config), config)
    (folder / "history.csv").write_text("epoch,train_loss,valid_loss\n1,3.0,2.5\n2,2.0,2.25\n3,1.0,2.75\n")
    yield folder
    shutil.rmtree(made)


@pytest.fixture
def trained(trained_once, work):
    """A copy of such a folder, and its config."""
    folder = shutil.copytree(trained_once, Path("models") / trained_once.name, copy_function=os.link)
    return folder, json.loads((folder / "config.json").read_text())


def write(folder: Path, config: dict) -> None:
    """Write another config next to the same weights."""
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config))


def test_a_model_that_was_trained_here_fits_the_references_names_and_back(trained, state_of):
    folder, _ = trained
    whole = export(str(folder))
    assert (whole["epoch"], whole["best_loss"]) == (2, 2.25)
    state = whole["state_dict"]
    like = state_of(("text", "image"))
    assert {n: (v.dtype, v.shape) for n, v in state.items()} == {n: (v.dtype, v.shape) for n, v in like.items()}
    assert import_file(Path("out/back.pth"), folder.name, "--out", "again") == 0
    before, after = (load_model(path)[0].state_dict() for path in (folder, Path("again")))
    assert all(torch.equal(before[name], after[name]) for name in before)
    (folder / "history.csv").unlink()
    assert export(str(folder))["best_loss"] == float("inf"), "as of a published folder, which has no history"


def test_a_model_of_other_widths_and_frozen_encoders_is_refused_with_all_reasons(work, capsys):
    apply_preset(work, "log-mel")
    params = load_params(work / "params.yaml")
    features = {"audio": LogMel(params.features.audio).spec | {"width": params.features.audio.n_mels}}
    features |= {"tags": {"encoder": "x", "width": 8}, "image": {"encoder": "y", "width": 9}}
    config = model_config("Own", ["image", "tags"], params.model, features, 214)
    save_model(work / "models/Own", build_model(config), config)
    assert main(["export-reference", "models/Own", "--out", "out.pth"]) == 1
    message = capsys.readouterr().err
    assert not Path("out.pth").exists()
    assert re.findall("^  ([a-z_.]*): found (.*)", message, re.M) == [
        ("features.audio.n_fft", "2048, the reference has 1024"),
        ("features.audio.spectrum", "'power', the reference has 'real'"),
        ("features.audio.hop_length", "1024, the reference has 220"),
        ("features.audio.n_mels", "64, the reference has 128"),
        ("model.audio.window_seconds", "214 frames, the reference has 995"),
        ("model.audio.channels", "8, the reference has 128"),
        ("model.audio.width", "64, the reference has 256"),
        ("model.audio.layers", "2, the reference has 4"),
        ("model.audio.heads", "4, the reference has 8"),
        ("model.audio.head_width", "16, the reference has 32"),
        ("model.audio.feedforward", "256, the reference has 1024"),
        ("model.query.width", "64, the reference has 256"),
        ("model.query.head_width", "32, the reference has 100"),
        ("model.projector.hidden", "128, the reference has 512"),
        ("inputs", "image, tags, the reference has one text, one image, or a text followed by an image"),
        ("train.encoders", "frozen, so the model has no image encoder; the reference has finetune"),
        ("train.encoders", "frozen, so the model has no text encoder; the reference has finetune"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pooling": "mean"}, "features.text.encoder (text).pooling: found 'mean', the reference has 'cls'"),
        ({"normalised": True}, "features.text.encoder (text).normalised: found True, the reference has False"),
        ({"prompt": "query: "}, "features.text.encoder (text).prompt: found 'query: ', the reference has ''"),
    ],
)
def test_an_encoder_with_other_settings_is_refused(trained, capsys, change, message):
    folder, config = trained
    config["encoders"]["text"] |= change
    write(folder, config)
    assert main(["export-reference", str(folder), "--out", "out.pth"]) == 1
    assert message in capsys.readouterr().err


def test_dense_layers_are_refused(trained, capsys):
    folder, config = trained
    layer = {"in_features": 48, "out_features": 48, "bias": True}
    config["encoders"]["text"]["dense"] = [layer | {"activation_function": "torch.nn.modules.activation.Tanh"}]
    save_model(folder, build_model(config), config)
    assert main(["export-reference", str(folder), "--out", "out.pth"]) == 1
    assert "features.text.encoder (text).dense: found [{'in_features': 48" in capsys.readouterr().err


def test_an_encoder_of_another_kind_and_width_is_refused(trained, capsys, tiny):
    folder, config = trained
    settings = json.loads((tiny("dinov2") / "config.json").read_text())
    config["encoders"]["image"] |= {"config": settings, "width": settings["hidden_size"]}
    save_model(folder, build_model(config), config)
    assert main(["export-reference", str(folder), "--out", "out.pth"]) == 1
    message = capsys.readouterr().err
    assert "features.image.encoder (image).model_type: found 'dinov2', the reference has 'vit'" in message
    assert "features.image.encoder (image).hidden_size: found 16, the reference has 48" in message


def test_encoders_must_have_the_published_width(trained, capsys, monkeypatch):
    monkeypatch.setattr(exporting, "ENCODER_WIDTH", published.ENCODER_WIDTH)
    assert main(["export-reference", str(trained[0]), "--out", "out.pth"]) == 1
    message = re.findall(
        r"features\.(\w*)\.encoder \(\w*\)\.hidden_size: found 48, the reference has 768", capsys.readouterr().err
    )
    assert message == ["text", "image"]


def test_vectors_of_an_audio_encoder_are_refused(trained, capsys):
    folder, config = trained
    config["features"]["audio"] = {"encoder": "clap", "width": 12}
    config["window_steps"] = 1
    save_model(folder, build_model(config), config)
    assert main(["export-reference", str(folder), "--out", "out.pth"]) == 1
    message = capsys.readouterr().err
    assert "features.audio.encoder: found 'clap', the reference has a tower over log-mel" in message
    assert "window_seconds" not in message


def test_places_that_cannot_be_written_or_read_are_named(trained, work, capsys):
    assert main(["export-reference", str(trained[0]), "--out", "models"]) == 1
    assert "--out: found models, a folder" in capsys.readouterr().err
    assert main(["export-reference", "models/none", "--out", "out.pth"]) == 1
    assert "models/none/config.json is missing" in capsys.readouterr().err


def test_import_takes_no_parameters_from_the_working_folder(work, state_of):
    torch.save(state_of(("image",)), work / "saved.pth")
    count = import_reference(work / "saved.pth", work / "own", "Own", ["image"], "text", "image", fuse_single=True)
    assert count == len(state_of(("image",)))
    assert load_model(work / "own")[1]["model"]["audio"]["channels"] == published.ARCHITECTURE.audio.channels
