"""Libraries next to the data set: under unique names, folders of music indexed first."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.apps.library import opening
from pipeline.apps.library.library import write_contents
from pipeline.apps.library.opening import add_libraries
from pipeline.apps.recommend.trained import trained_models
from pipeline.core.errors import MissingFileError, ModelError


def test_libraries_come_before_the_data_set_under_unique_names(tmp_path, params):
    places = [tmp_path / name for name in ("a/music", "b/music", "films")]
    for place in places:
        place.mkdir(parents=True)
        write_contents(place, tmp_path, {})
    recommender = SimpleNamespace(libraries={"films": None}, zero_shot=None)
    assert add_libraries(recommender, tmp_path, params, places) == ["music", "music 2", "films 2"]
    assert list(recommender.libraries) == ["music", "music 2", "films 2", "films"]


def test_folder_of_music_is_indexed_first(tmp_path, params, monkeypatch):
    def index(root, params, folder, place, *options):
        place.mkdir(parents=True)
        write_contents(place, folder, {})

    monkeypatch.setattr(opening, "update_library", index)
    recommender = SimpleNamespace(libraries={}, zero_shot=None)
    add_libraries(recommender, tmp_path, params, [tmp_path])
    (library,) = recommender.libraries.values()
    assert library.folder == tmp_path
    assert library.place.is_relative_to(tmp_path / "data/libraries")
    with pytest.raises(ModelError, match="--library: nothing is neither a folder of music nor the index of one"):
        add_libraries(recommender, tmp_path, params, [Path("nothing")])


@pytest.mark.slow
def test_a_downloaded_model_indexes_a_folder_in_a_separate_place(root, settings, music_made):
    model = trained_models(root)["Words"]
    recommender = SimpleNamespace(libraries={}, zero_shot=None)
    add_libraries(recommender, root, settings, [music_made], model)
    (library,) = recommender.libraries.values()
    assert library.place.parent == root / "data/libraries" / model.digest[:16]
    assert library.index(model).about["model"] == model.digest
    with pytest.raises(MissingFileError):
        library.index(trained_models(root)["Story"])
