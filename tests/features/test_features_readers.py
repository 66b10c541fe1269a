"""The tables as users read them, with other libraries."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

from pipeline.encoders.log_mel import LogMel
from pipeline.features.audio_frames import write_frames
from pipeline.media.tracks import track_samples
from pipeline.store.table import IMAGE_KEYS, write_features
from tests.small_machine import MACHINE

READERS = {
    "pandas": pd.read_parquet,
    "duckdb": lambda path: duckdb.sql(f"SELECT * FROM '{path}'").df(),
    "polars": lambda path: pd.DataFrame(pl.read_parquet(path).to_dict(as_series=False)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_log_mel_frames(tmp_path, dataset, features, reader, dtype):
    from dataclasses import replace

    log_mel = LogMel(replace(features.audio, dtype=dtype))
    write_frames(tmp_path, tmp_path / "audio.parquet", dataset, log_mel.params, MACHINE)
    frame = READERS[reader](tmp_path / "audio.parquet")
    assert frame.columns.tolist() == ["fid", "number", "frames", "sha256", "vector"]
    assert not frame.isna().any().any()
    assert frame["fid"].tolist() == [row["fid"] for row in dataset]
    for row, found in zip(dataset, frame.itertuples(), strict=True):
        expected = log_mel.stored(log_mel(track_samples(tmp_path, row, 22050)))
        values = np.frombuffer(found.vector, np.uint8) if dtype == "uint8" else np.asarray(found.vector)
        assert found.frames == len(expected)
        assert np.array_equal(values.reshape(-1, 16), expected)


@pytest.mark.parametrize("reader", READERS)
def test_embeddings(tmp_path, reader):
    vectors = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    keys = [{"fid": f"AA{letter}", "crop": 0, "sha256": letter} for letter in "ABCDE"]
    groups = [(keys[:3], vectors[:3]), (keys[3:], vectors[3:])]
    write_features(tmp_path / "image.parquet", IMAGE_KEYS, groups, 7, np.float32, {"spec": {}, "versions": {}})
    frame = READERS[reader](tmp_path / "image.parquet")
    assert frame["fid"].tolist() == [key["fid"] for key in keys]
    assert np.array_equal(np.stack([np.asarray(vector) for vector in frame["vector"]]), vectors)


def test_a_search_in_sql(tmp_path):
    """The three rows nearest to a vector, with DuckDB alone."""
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    keys = [{"fid": "AAA", "crop": n, "sha256": "0"} for n in range(50)]
    write_features(
        tmp_path / "image.parquet", IMAGE_KEYS, [(keys, vectors)], 8, np.float32, {"spec": {}, "versions": {}}
    )
    query = f"""SELECT crop FROM '{tmp_path}/image.parquet'
        ORDER BY list_cosine_similarity(vector, {vectors[7].tolist()}::FLOAT[]) DESC LIMIT 3"""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert [row[0] for row in duckdb.sql(query).fetchall()] == np.argsort(-unit @ unit[7])[:3].tolist()
