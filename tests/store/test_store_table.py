"""Feature tables: written values are read back, one row group at a time; damage is reported."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import MissingFileError
from pipeline.store.table import IMAGE_KEYS, WINDOW_KEYS, count_rows, open_features, write_features

WIDTH = 6


def image(fid: str) -> dict:
    """Return a key row of the image table."""
    return {"fid": fid, "crop": 0, "sha256": "0"}


def write(path: Path, dtype: type = np.float16, sizes: tuple[int, ...] = (3, 3, 1)) -> np.ndarray:
    """Write a table of random vectors in groups of `sizes` and return them."""
    vectors = np.random.default_rng(0).normal(50, 9, (sum(sizes), WIDTH)).astype(dtype)
    keys = [
        {"fid": f"AA{chr(65 + row % 26)}", "number": row, "window": 0, "start_seconds": row + 0.5, "sha256": "0"}
        for row in range(len(vectors))
    ]
    ends = np.cumsum(sizes)
    groups = ((keys[end - size : end], vectors[end - size : end]) for end, size in zip(ends, sizes, strict=True))
    write_features(path, WINDOW_KEYS, groups, WIDTH, dtype, {"spec": {"encoder": "test"}})
    return vectors


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_what_is_written_is_read(tmp_path, dtype):
    vectors = write(tmp_path / "audio.parquet", dtype)
    table = open_features(tmp_path / "audio.parquet")
    assert table.vectors.dtype == dtype
    assert np.array_equal(table.vectors, vectors)
    assert (len(table), table.width) == (7, WIDTH)
    assert count_rows(tmp_path / "audio.parquet") == 7
    assert table.keys["fid"].tolist() == ["AAA", "AAB", "AAC", "AAD", "AAE", "AAF", "AAG"]
    assert table.keys["start_seconds"].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert table.about["spec"] == {"encoder": "test"}


def test_a_group_written_is_a_row_group_without_nulls(tmp_path):
    write(tmp_path / "audio.parquet")
    file = pq.ParquetFile(tmp_path / "audio.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [3, 3, 1]
    vector = file.schema_arrow.field("vector")
    assert vector.type.list_size == WIDTH
    assert not vector.nullable
    assert not vector.type.value_field.nullable


def test_the_same_content_gives_the_same_bytes(tmp_path):
    write(tmp_path / "one.parquet")
    write(tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_the_digest_covers_keys_vectors_and_settings(tmp_path):
    def digest(fid: str = "AAA", value: float = 0.0, name: str = "x") -> str:
        groups = [([image(fid)], np.full((1, 2), value))]
        write_features(tmp_path / "image.parquet", IMAGE_KEYS, groups, 2, np.float32, {"spec": {"encoder": name}})
        return open_features(tmp_path / "image.parquet").about["digest"]

    found = {digest(), digest(fid="AAB"), digest(value=1.0), digest(name="y")}
    assert len(found) == 4
    assert digest() in found


def test_non_finite_values_are_refused_and_leave_no_file(tmp_path):
    groups = [([image("AAA")], np.zeros((1, 2))), ([image("AAB")], np.array([[np.nan, 0.0]]))]
    with pytest.raises(ValueError, match="AAB"):
        write_features(tmp_path / "image.parquet", IMAGE_KEYS, groups, 2, np.float32, {})
    assert not list(tmp_path.iterdir())


def test_a_missing_table_names_what_to_run(tmp_path):
    with pytest.raises(MissingFileError, match=r"audio\.parquet is missing: run `dvc repro features@audio`"):
        open_features(tmp_path / "audio.parquet")


def test_a_damaged_table_names_what_to_run(tmp_path):
    path = tmp_path / "audio.parquet"
    write(path, sizes=(500, 500))
    whole = path.read_bytes()
    middle = len(whole) // 3
    spoilt = {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "other": b"PAR1" + b"no table" * 20 + b"PAR1",
        "overwritten": whole[:middle] + bytes(2000) + whole[middle + 2000 :],
    }
    for how, data in spoilt.items():
        path.write_bytes(data)
        with pytest.raises(MissingFileError, match=r"audio\.parquet .*run `dvc repro features@audio`"):
            open_features(path)
            pytest.fail(how)


def test_another_parquet_file_is_not_a_feature_table(tmp_path):
    pq.write_table(pa.table({"fid": ["AAA"]}), tmp_path / "text.parquet")
    with pytest.raises(MissingFileError, match=r"not a feature table.*features@text"):
        open_features(tmp_path / "text.parquet")


def test_one_wrong_bit_is_noticed(tmp_path):
    path = tmp_path / "audio.parquet"
    write(path, sizes=(500,))
    data = bytearray(path.read_bytes())
    group = pq.ParquetFile(path).metadata.row_group(0)
    vector = group.column(group.num_columns - 1)
    end = vector.data_page_offset + vector.total_compressed_size
    for place in range(end - vector.total_compressed_size // 2, end, 97):  # after the page's header
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(MissingFileError, match=r"damaged .*dvc repro features@audio"):
            open_features(path)
        data[place] ^= 1
