"""The text table: one row per text, in the order of films."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

from pipeline.encoders import pretrained
from pipeline.encoders.section import TextFeatures
from pipeline.encoders.text import load_text_encoder
from pipeline.features import text
from pipeline.features.text import write_text_features
from pipeline.store.inputs import film_texts, tags_plot_text
from pipeline.store.table import open_features
from tests.small_machine import MACHINE

CPU = torch.device("cpu")


@pytest.fixture
def params(features, tiny_bert) -> TextFeatures:
    return dataclasses.replace(features.text, encoder=str(tiny_bert), max_tokens=20)


def test_rows_are_tags_then_paragraphs(tmp_path, dataset, params, monkeypatch):
    monkeypatch.setattr(text, "GROUP_TEXTS", 3)
    monkeypatch.setattr(text, "GROUP_ROWS", 3)
    order = [dataset[3], dataset[0], dataset[1]]
    assert write_text_features(tmp_path / "text.parquet", order, params, MACHINE) == 5
    table = open_features(tmp_path / "text.parquet")
    texts = {
        ("AAC", "tags", 0): "1950 tag aac",
        ("AAC", "plot", 0): "War begins.",
        ("AAA", "tags", 0): "1950 tag aaa",
        ("AAA", "plot", 0): "A dog runs away.",
        ("AAA", "plot", 1): "It comes home.",
    }
    assert list(zip(*(table.keys[name] for name in ("fid", "input", "paragraph")), strict=True)) == list(texts)
    assert table.keys["sha256"].tolist() == [hashlib.sha256(found.encode()).hexdigest() for found in texts.values()]
    encoder = load_text_encoder(params, CPU, 2)
    assert np.abs(table.vectors - encoder.encode(list(texts.values()))).max() < 1e-5
    assert table.about["spec"] == encoder.spec


def test_only_new_texts_are_encoded_and_one_text_once(tmp_path, dataset, params):
    path = tmp_path / "text.parquet"
    assert write_text_features(path, dataset[:1], params, MACHINE) == 3
    assert write_text_features(path, dataset, params, MACHINE) == 4
    whole = path.read_bytes()
    assert write_text_features(path, dataset, params, MACHINE) == 0
    assert path.read_bytes() == whole
    changed = [row | {"plot": "A dog runs away.\nIt stays away."} for row in dataset]
    assert write_text_features(path, changed, params, MACHINE) == 1  # the new paragraph
    assert write_text_features(path, dataset, dataclasses.replace(params, max_tokens=19), MACHINE) == 7


def test_texts_encoded_at_another_devices_precision_are_encoded_again(tmp_path, dataset, params, monkeypatch):
    path = tmp_path / "text.parquet"
    assert write_text_features(path, dataset[:1], params, MACHINE) == 3
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    assert write_text_features(path, dataset[:1], params, MACHINE) == 3
    assert open_features(path).about["spec"]["precision"] == "bfloat16"
    assert write_text_features(path, dataset[:1], params, MACHINE) == 0
    monkeypatch.undo()
    assert write_text_features(path, dataset[:1], params, MACHINE) == 0


def test_blank_lines_are_not_paragraphs_and_only_newlines_separate():
    film = {"fid": "AAA", "tags": "x", "plot": "\n one\x0btwo \n\n three\u2028four\n"}
    keys = film_texts(film, ("tags", "plot", "tags_plot"))
    assert [text for key, text in keys if key["input"] == "plot"] == ["one\x0btwo", "three\u2028four"]
    assert [key["paragraph"] for key, _ in keys] == [0, 0, 1, 0, 1]
    assert film_texts(film, ("plot",)) == [(key, text) for key, text in keys if key["input"] == "plot"]
    assert tags_plot_text("x", "one") == "<DESCR> x <PLOT> one"


@pytest.mark.parametrize("lacking", ["tags", "plot"])
def test_a_film_without_text_has_no_row_of_it(tmp_path, dataset, params, lacking):
    write_text_features(tmp_path / "text.parquet", [dataset[0] | {lacking: " \n"}], params, MACHINE)
    assert set(open_features(tmp_path / "text.parquet").keys["input"]) == {"tags", "plot"} - {lacking}
