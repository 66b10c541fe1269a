"""The image table and the encoders behind it."""

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import MissingFileError, ModelError
from pipeline.features.image import read_image, write_image_features
from pipeline.features.image_encoder import ImageEncoder, centre_square, load_image_encoder
from pipeline.features.table import open_features
from pipeline.sections import ImageFeatures

CPU = torch.device("cpu")
PORTRAIT = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"  # an admiral in uniform
MILITARY_UNIFORM = 652  # of ImageNet's classes


@pytest.fixture(scope="module")
def efficientnet() -> ImageEncoder:
    return load_image_encoder(ImageFeatures("efficientnet-lite0", 2), CPU)


def test_packaged_encoder_knows_what_it_sees(efficientnet):
    features = efficientnet.encode([read_image(PORTRAIT)])
    assert features.shape == (1, 1280)
    logits = efficientnet.network.model._fc(torch.from_numpy(features))
    assert logits.argmax().item() == MILITARY_UNIFORM


def test_a_batch_of_one_equals_a_batch_of_many(efficientnet):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (300, 224 + 40 * i, 3), dtype=np.uint8)) for i in range(3)]
    together = efficientnet.encode(images)
    assert not efficientnet.network.training
    for image, vector in zip(images, together, strict=True):
        assert np.abs(efficientnet.encode([image])[0] - vector).max() < 1e-5
    assert np.abs(together[0] - together[1]).max() > 1e-2


@pytest.mark.parametrize("size", [(224, 224), (224, 500), (500, 224), (100, 90), (224, 2000)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK"])
def test_any_mode_and_shape_becomes_a_normalised_square(efficientnet, mode, size):
    pixels = efficientnet.pixels(Image.new("RGB", size, (255, 255, 255)).convert(mode))
    assert pixels.shape == (3, 224, 224)
    assert torch.allclose(pixels, torch.ones(1))  # (255 - 127) / 128


def test_the_square_is_cut_out_of_the_centre():
    image = Image.new("RGB", (400, 100), "red")
    image.paste("blue", (150, 0, 250, 100))
    square = np.asarray(centre_square(image, 50))
    assert (square[:, 2:-2] == (0, 0, 255)).all()


def test_rows_are_films_in_order_of_appearance(tmp_path, dataset, features, efficientnet):
    order = [dataset[3], dataset[0], dataset[2], dataset[1]]
    assert write_image_features(tmp_path, tmp_path / "image.parquet", order, features.image, CPU) == 3
    table = open_features(tmp_path / "image.parquet")
    assert table.keys["fid"].tolist() == ["AAC", "AAA", "AAB"]
    expected = efficientnet.encode([read_image(tmp_path / f"data/image/{fid}.jpg") for fid in table.keys["fid"]])
    assert np.abs(table.vectors - expected).max() < 1e-5
    assert table.about["spec"] == efficientnet.spec
    assert table.about["spec"]["encoder"] == "efficientnet-lite0"


def test_a_model_of_transformers_gives_its_class_token(tiny_vit):
    from transformers import ViTModel

    encoder = load_image_encoder(ImageFeatures(str(tiny_vit), 2), CPU)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        expected = ViTModel.from_pretrained(tiny_vit).eval()(pixel_values=pixels).last_hidden_state[:, 0]
    assert encoder.width == 16
    assert np.abs(encoder.encode([image]) - expected.numpy()).max() < 1e-5
    assert json.loads(json.dumps(encoder.spec)) == encoder.spec


def test_other_weights_are_another_spec(tiny_vit, tmp_path):
    from transformers import ViTModel

    other = tmp_path / "other"
    model = ViTModel.from_pretrained(tiny_vit)
    torch.nn.init.normal_(model.layernorm.weight)
    model.save_pretrained(other)
    (other / "preprocessor_config.json").write_bytes((tiny_vit / "preprocessor_config.json").read_bytes())
    digests = {load_image_encoder(ImageFeatures(str(path), 2), CPU).spec["weights"] for path in (tiny_vit, other)}
    assert len(digests) == 2
    assert load_image_encoder(ImageFeatures(str(tiny_vit), 2), CPU).spec["weights"] in digests, "loading is repeatable"


def test_an_unusable_encoder_is_explained(tmp_path, tiny_vit, tiny_bert):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in tiny_vit.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[:2000])
    for value in (str(tmp_path / "nowhere"), str(tmp_path), str(damaged), str(tiny_bert)):
        with pytest.raises(
            ModelError, match=r"features\.image\.encoder: .*cannot be used(.|\n)*efficientnet-lite0"
        ) as caught:
            load_image_encoder(ImageFeatures(value, 2), CPU)
        assert value in str(caught.value)


@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "other"])
def test_a_spoilt_poster_names_the_file_and_the_stage(tmp_path, dataset, how):
    path = tmp_path / dataset[3]["image"]
    data = {"empty": b"", "truncated": path.read_bytes()[:9000], "other": b"GIF89a" + bytes(50)}
    path.unlink() if how == "missing" else path.write_bytes(data[how])
    with pytest.raises(MissingFileError, match=r"image/AAC\.jpg .*dvc repro parse"):
        read_image(path)


def test_a_spoilt_or_unnamed_poster_stops_the_table(tmp_path, dataset, features, tiny_vit):
    (tmp_path / dataset[3]["image"]).write_bytes(b"no picture")
    params = ImageFeatures(str(tiny_vit), 2)
    for rows, film in ((dataset, "AAC"), ([row | {"image": ""} for row in dataset], "AAA")):
        with pytest.raises(MissingFileError, match=film):
            write_image_features(tmp_path, tmp_path / "image.parquet", rows, params, CPU)
        assert not (tmp_path / "image.parquet").exists()
