"""Texts as tokens and posters as pixels: the same rows as in feature tables, and missing data."""

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.errors import MissingFileError, ModelError
from pipeline.encoders.section import ImageFeatures, TextFeatures
from pipeline.encoders.tuned import load_tuned
from pipeline.store.raw import raw_tables

FILMS = [
    {"fid": "AAA", "number": 0, "tags": "a dog", "plot": "war begins .\na dog runs home", "image": "AAA.png"},
    {"fid": "AAA", "number": 1, "tags": "a dog", "plot": "war begins .\na dog runs home", "image": "AAA.png"},
    {"fid": "AAB", "number": 0, "tags": "war", "plot": "home .", "image": "AAB.png"},
]
SIZES = {"AAA": (32, 60), "AAB": (32, 32)}  # px


@pytest.fixture
def settings(tiny_bert, tiny_vit, tmp_path):
    """The settings of tiny encoders, three squares per poster; the posters are below `tmp_path`."""
    text, image = TextFeatures(str(tiny_bert), "auto", 8), ImageFeatures(str(tiny_vit), "auto", 3)
    rng = np.random.default_rng(0)
    for fid, size in SIZES.items():
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(tmp_path / f"{fid}.png")
    return load_tuned(["text", "image"], text, image, marks=False)[1]


def test_texts_are_rows_of_the_requested_inputs(settings, tmp_path):
    table = raw_tables(tmp_path, FILMS, ["plot", "tags"], {"text": settings["text"]})["text"]
    found = list(zip(*(table.keys[name].tolist() for name in ("fid", "input", "paragraph")), strict=True))
    texts = [("AAA", "tags", 0), ("AAA", "plot", 0), ("AAA", "plot", 1), ("AAB", "tags", 0), ("AAB", "plot", 0)]
    assert found == texts


def test_tokens_are_padded_to_the_longest_of_a_batch_and_cut(settings, tmp_path, tiny_bert):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    table = raw_tables(tmp_path, FILMS, ["plot"], {"text": settings["text"]})["text"]
    texts = ["war begins .", "a dog runs home", "home ."]
    for rows in ([0, 1, 2], [2], [2, 0]):
        expected = tokenizer([texts[row] for row in rows], padding=True, return_tensors="pt")
        found = table.read(rows)
        assert torch.equal(found["input_ids"], expected["input_ids"])
        assert torch.equal(found["attention_mask"], expected["attention_mask"])
    long = [FILMS[2] | {"plot": "a dog runs home a dog runs home a dog"}]
    assert raw_tables(tmp_path, long, ["plot"], {"text": settings["text"]})["text"].read([0])["input_ids"].shape == (
        1,
        8,
    )


def test_posters_have_one_row_per_square(settings, tmp_path):
    table = raw_tables(tmp_path, FILMS, ["image"], {"image": settings["image"]})["image"]
    assert table.keys["fid"].tolist() == ["AAA"] * 3 + ["AAB"] * 3
    assert table.keys["crop"].tolist() == [0, 1, 2] * 2
    squares = table.read(range(6))
    assert (squares.shape, squares.dtype) == ((6, 32, 32, 3), torch.uint8)
    poster = np.asarray(Image.open(tmp_path / "AAA.png"))
    for square, top in zip(squares[:3], (14, 0, 28), strict=True):  # the centre, then the ends
        assert np.array_equal(square, poster[top : top + 32])
    assert torch.equal(squares[3], squares[4])
    assert table.values(squares).shape == (6, 3, 32, 32)


def test_only_inputs_with_an_encoder_in_the_model_are_opened(settings, tmp_path):
    assert raw_tables(tmp_path, FILMS, ["plot", "image"], {}) == {}
    assert set(raw_tables(tmp_path, FILMS, ["image"], {"image": settings["image"]})) == {"image"}


def test_film_that_lacks_an_input_has_no_row(settings, tmp_path):
    lacking = [*FILMS[:2], FILMS[2] | {"image": "", "tags": " "}]
    table = raw_tables(tmp_path, lacking, ["image"], {"image": settings["image"]})["image"]
    assert set(table.keys["fid"]) == {"AAA"}
    table = raw_tables(tmp_path, lacking, ["tags", "plot"], {"text": settings["text"]})["text"]
    found = list(zip(table.keys["fid"].tolist(), table.keys["input"].tolist(), strict=True))
    assert found == [("AAA", "tags"), ("AAA", "plot"), ("AAA", "plot"), ("AAB", "plot")]


def test_missing_poster_is_named(settings, tmp_path):
    table = raw_tables(tmp_path, FILMS, ["image"], {"image": settings["image"]})["image"]
    (tmp_path / "AAB.png").unlink()
    with pytest.raises(MissingFileError, match=r"AAB\.png is missing: run `dvc repro parse`"):
        table.read([0, 3])


def test_model_without_a_tokenizer_says_how_to_get_one(settings, tmp_path):
    with pytest.raises(ModelError, match=r"import-reference.*--text"):
        raw_tables(tmp_path, FILMS, ["plot"], {"text": settings["text"] | {"tokenizer": None}})
