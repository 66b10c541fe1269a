"""The nearest tracks of an index, compared with a slow sort."""

import unicodedata
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.apps.recommend.index import TrackIndex, open_index
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.store import index as index_module
from pipeline.store.index import INDEX_KEYS, read_peaks, write_index
from pipeline.store.table import METADATA_KEY
from tests.apps.recommend.tracks import make_index, track


@pytest.fixture
def index() -> TrackIndex:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20, 4)).astype(np.float32)
    vectors[7] = vectors[3]  # as near as an earlier one
    return make_index(vectors)


@pytest.mark.parametrize("k", [1, 5, 20, 100])
def test_nearest_tracks_come_in_order(index, k):
    queries = index.vectors[[3, 11]]
    rows, scores = index.nearest(queries, k)
    assert rows.shape == scores.shape == (2, min(k, 20))
    for query, of_query, of_scores in zip(queries, rows, scores, strict=True):
        cosines = [float(np.dot(query, vector)) for vector in index.vectors]
        assert of_query.tolist() == sorted(range(20), key=lambda row: (-round(cosines[row], 6), row))[:k]
        np.testing.assert_allclose(of_scores, [cosines[row] for row in of_query], atol=1e-6)


def test_k_must_be_positive(index):
    with pytest.raises(ModelError, match="k: found 0"):
        index.nearest(index.vectors[:1], 0)


@pytest.mark.parametrize("content", [None, b"no table"])
def test_missing_and_damaged_indexes_name_what_to_run(tmp_path, content):
    path = tmp_path / "tracks.parquet"
    if content:
        path.write_bytes(content)
    with pytest.raises(MissingFileError, match="run `dvc repro publish`"):
        open_index(path, "run `dvc repro publish`")


@pytest.fixture
def written(tmp_path) -> Path:
    """An index of four tracks in a file."""
    path = tmp_path / "tracks.parquet"
    write_index(path, [track(number) for number in range(4)], np.eye(4, dtype=np.float32), {"variant": "Words"})
    return path


def rewrite(path: Path, names: dict[str, str], dropped: tuple[str, ...] = ()) -> None:
    """Rename columns of a table and drop some."""
    about = pq.read_metadata(path).metadata[METADATA_KEY]
    table = pq.read_table(path).drop_columns(list(dropped))
    table = table.rename_columns([names.get(name, name) for name in table.column_names])
    about = pq.read_metadata(path).metadata[METADATA_KEY]
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: about}), path)


def test_an_index_is_read_as_it_was_written(written):
    index = open_index(written, "")
    assert index.tracks.column_names == INDEX_KEYS.names
    assert index.rows(range(4)) == [{name: track(n)[name] for name in INDEX_KEYS.names} for n in range(4)]


def test_an_index_with_the_names_of_an_earlier_version_is_read(written):
    before = open_index(written, "")
    rewrite(written, {"film": "title", "title": "track", "split": "side"})
    index = open_index(written, "")
    assert index.rows(range(4)) == before.rows(range(4))
    np.testing.assert_array_equal(index.vectors, before.vectors)


def test_columns_that_an_index_lacks_are_empty_texts_and_nulls(written):
    missing = ("artist", "film", "title", "year", "number", "seconds", "split", "key", "tempo", "peaks")
    before = open_index(written, "")
    rewrite(written, {}, missing)
    index = open_index(written, "")
    nothing = {"artist": "", "film": "", "title": "", "year": None, "number": None, "seconds": None, "split": ""}
    nothing |= {"key": "", "tempo": None}
    assert index.rows(range(4)) == [row | nothing for row in before.rows(range(4))]
    assert index.films.tolist() == [0, 0, 1, 1]
    assert (index.find("AAA/0"), index.find(track(2)["path"])) == ([], [2])
    assert index.probabilities is None
    assert read_peaks(written, 0) is None


def test_missing_values_of_a_track_are_written_as_unknown(tmp_path):
    write_index(tmp_path / "tracks.parquet", [{"path": "a.mp3"}], np.eye(1, 3, dtype=np.float32), {})
    (row,) = open_index(tmp_path / "tracks.parquet", "").rows([0])
    texts = {"film", "artist", "title", "key", "fid", "split", "url", "source_url", "music_tags"}
    assert row == dict.fromkeys(INDEX_KEYS.names) | dict.fromkeys(texts, "") | {"path": "a.mp3"}


def test_peaks_and_probabilities_of_each_row_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "GROUP_ROWS", 2)
    path = tmp_path / "tracks.parquet"
    tracks = [track(number, peaks=None if number == 3 else bytes([number, 255])) for number in range(5)]
    probabilities = np.arange(15, dtype=np.uint8).reshape(5, 3)
    about = {"music_tags": ["slow", "strings", "voice"]}
    write_index(path, tracks, np.eye(5, dtype=np.float32), about, probabilities)
    index = open_index(path, "")
    np.testing.assert_array_equal(index.probabilities, probabilities)
    assert (index.path, index.about["music_tags"]) == (path, about["music_tags"])
    assert index.bytes == index.vectors.nbytes + index.tracks.nbytes + 15
    assert [read_peaks(path, row) for row in range(5)] == [b"\x00\xff", b"\x01\xff", b"\x02\xff", None, b"\x04\xff"]
    assert "peaks" not in index.tracks.column_names
    for row in (-1, 5):
        with pytest.raises(IndexError):
            read_peaks(path, row)


def test_probabilities_must_match_the_listed_tags(tmp_path):
    path = tmp_path / "tracks.parquet"
    write_index(path, [track(0)], np.eye(1, dtype=np.float32), {"music_tags": ["slow"]}, np.zeros((1, 2), np.uint8))
    with pytest.raises(MissingFileError, match=r"music_probabilities.*make it again"):
        open_index(path, "make it again")


@pytest.mark.parametrize(
    ("names", "found"), [({"path": "file"}, "file"), ({"year": "number", "number": "path"}, "path: found int32")]
)
def test_a_table_that_is_no_index_names_what_it_found(written, names, found):
    rewrite(written, names, ("path",) if "path" in names.values() else ())
    with pytest.raises(MissingFileError, match=rf"{found}.*make it again"):
        open_index(written, "make it again")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_path_is_found_however_its_accents_are_written(form):
    paths = [unicodedata.normalize("NFD", "Dröm/a.mp3"), unicodedata.normalize("NFC", "Dröm/b.mp3"), "c.mp3"]
    index = make_index(np.eye(3), [track(number, path=path) for number, path in enumerate(paths)])
    for number, path in enumerate(paths):
        assert index.find(unicodedata.normalize(form, path)) == [number]
    assert index.find("Drom/a.mp3") == []


def test_tracks_of_no_film_or_album_are_each_of_their_own():
    named = [{"film": "Dawn"}, {"film": "Dawn"}, {}, {}, {"path": "b.mp3"}, {"fid": "AAA"}]
    tracks = [track(number, **({"fid": "", "film": "", "path": "a.mp3"} | known)) for number, known in enumerate(named)]
    index = make_index(np.eye(6), tracks)
    films = index.films.tolist()
    assert [films.index(film) for film in films] == [0, 0, 2, 2, 4, 5]
    assert index.film_names.find("") == ()
