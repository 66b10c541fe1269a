"""The image table: one row per square of a film's poster."""

import dataclasses

import numpy as np
import pytest
import torch

from pipeline.core.errors import MissingFileError
from pipeline.core.files import sha256_of
from pipeline.encoders.image import load_image_encoder
from pipeline.encoders.section import ImageFeatures
from pipeline.features import image
from pipeline.features.image import write_image_features
from pipeline.store.inputs import read_poster
from pipeline.store.table import open_features
from tests.small_machine import MACHINE

CPU = torch.device("cpu")


@pytest.fixture
def params(features, tiny_vit) -> ImageFeatures:
    return dataclasses.replace(features.image, encoder=str(tiny_vit))


def test_rows_are_films_in_order_of_appearance(tmp_path, dataset, params, monkeypatch):
    monkeypatch.setattr(image, "GROUP_FILMS", 2)
    monkeypatch.setattr(image, "GROUP_ROWS", 2)
    order = [dataset[3], dataset[0], dataset[2], dataset[1]]
    assert write_image_features(tmp_path, tmp_path / "image.parquet", order, params, MACHINE) == 3
    table = open_features(tmp_path / "image.parquet")
    assert table.keys["fid"].tolist() == ["AAC", "AAA", "AAB"]
    assert table.keys["crop"].tolist() == [0, 0, 0]
    posters = [tmp_path / f"data/image/{fid}.jpg" for fid in table.keys["fid"]]
    assert table.keys["sha256"].tolist() == [sha256_of(poster) for poster in posters]
    encoder = load_image_encoder(params, CPU, 2)
    assert np.abs(table.vectors - encoder.encode([read_poster(poster) for poster in posters])).max() < 1e-5
    assert encoder.spec.items() <= table.about["spec"].items()


def test_several_squares_are_rows_and_the_first_is_the_centre(tmp_path, dataset, params):
    write_image_features(tmp_path, tmp_path / "one/image.parquet", dataset, params, MACHINE)
    several = dataclasses.replace(params, crops=3)
    assert write_image_features(tmp_path, tmp_path / "three/image.parquet", dataset, several, MACHINE) == 3
    one, three = (open_features(tmp_path / name / "image.parquet") for name in ("one", "three"))
    assert three.keys["fid"].tolist() == ["AAA"] * 3 + ["AAB"] * 3 + ["AAC"]  # the last poster is square
    assert three.keys["crop"].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert np.abs(three.vectors[three.keys["crop"] == 0] - one.vectors).max() < 1e-5
    assert np.abs(three.vectors[0] - three.vectors[1]).max() > 1e-3
    assert three.about["spec"] != one.about["spec"]


def test_only_new_and_changed_posters_are_encoded(tmp_path, dataset, params):
    path = tmp_path / "image.parquet"
    assert write_image_features(tmp_path, path, dataset[:2], params, MACHINE) == 1
    assert write_image_features(tmp_path, path, dataset, params, MACHINE) == 2
    poster = tmp_path / dataset[0]["image"]
    poster.write_bytes((tmp_path / dataset[3]["image"]).read_bytes())  # same poster as a known film's
    assert write_image_features(tmp_path, path, dataset, params, MACHINE) == 0
    vectors = open_features(path).vectors
    assert np.array_equal(vectors[0], vectors[2])
    assert write_image_features(tmp_path, path, dataset, dataclasses.replace(params, pooling="mean"), MACHINE) == 2


@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "other"])
def test_a_damaged_poster_names_the_file_and_the_stage(tmp_path, dataset, how):
    path = tmp_path / dataset[3]["image"]
    data = {"empty": b"", "truncated": path.read_bytes()[:9000], "other": b"GIF89a" + bytes(50)}
    path.unlink() if how == "missing" else path.write_bytes(data[how])
    with pytest.raises(MissingFileError, match=r"image/AAC\.jpg .*dvc repro parse"):
        read_poster(path)


def test_a_film_without_poster_has_no_row(tmp_path, dataset, params):
    rows = [row | {"image": ""} if row["fid"] == "AAA" else row for row in dataset]
    write_image_features(tmp_path, tmp_path / "image.parquet", rows, params, MACHINE)
    found = open_features(tmp_path / "image.parquet").keys["fid"].tolist()
    assert sorted(set(found)) == sorted({row["fid"] for row in dataset} - {"AAA"})


def test_a_damaged_or_missing_poster_stops_the_table(tmp_path, dataset, params):
    gone = [row | {"image": "data/image/AAD.jpg"} for row in dataset]
    (tmp_path / dataset[3]["image"]).write_bytes(b"no picture")
    for rows, film in ((dataset, "AAC"), (gone, "AAD")):
        with pytest.raises(MissingFileError, match=film):
            write_image_features(tmp_path, tmp_path / "image.parquet", rows, params, MACHINE)
        assert not (tmp_path / "image.parquet").exists()
