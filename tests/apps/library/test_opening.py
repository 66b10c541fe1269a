"""Catalogues beside the data set: under names of their own, folders of music indexed first."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.apps.library import opening
from pipeline.apps.library.catalogue import write_contents
from pipeline.apps.library.opening import add_catalogues
from pipeline.core.errors import ModelError


def test_catalogues_stand_before_the_data_set_under_names_of_their_own(tmp_path, params):
    places = [tmp_path / name for name in ("a/music", "b/music", "films")]
    for place in places:
        place.mkdir(parents=True)
        write_contents(place, tmp_path, {})
    recommender = SimpleNamespace(catalogues={"films": None})
    assert add_catalogues(recommender, tmp_path, params, places) == ["music", "music 2", "films 2"]
    assert list(recommender.catalogues) == ["music", "music 2", "films 2", "films"]


def test_folder_of_music_is_indexed_first(tmp_path, params, monkeypatch):
    def index(root, params, folder, place):
        place.mkdir(parents=True)
        write_contents(place, folder, {})

    monkeypatch.setattr(opening, "update_library", index)
    recommender = SimpleNamespace(catalogues={})
    add_catalogues(recommender, tmp_path, params, [tmp_path])
    (library,) = recommender.catalogues.values()
    assert library.folder == tmp_path
    assert library.place.is_relative_to(tmp_path / "data/catalogues")
    with pytest.raises(ModelError, match="--catalogue: nothing is neither a folder of music nor what `index` made"):
        add_catalogues(recommender, tmp_path, params, [Path("nothing")])
