"""The nearest tracks of an index, against a slow sort."""

import numpy as np
import pytest

from pipeline.apps.recommend.index import TrackIndex, open_index
from pipeline.core.errors import MissingFileError, ModelError
from tests.apps.recommend.tracks import make_index


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


def test_no_tracks_cannot_be_asked_for(index):
    with pytest.raises(ModelError, match="k: found 0"):
        index.nearest(index.vectors[:1], 0)


@pytest.mark.parametrize("content", [None, b"no table"])
def test_missing_and_damaged_indexes_name_what_to_run(tmp_path, content):
    path = tmp_path / "tracks.parquet"
    if content:
        path.write_bytes(content)
    with pytest.raises(MissingFileError, match="run `dvc repro publish`"):
        open_index(path, "run `dvc repro publish`")
