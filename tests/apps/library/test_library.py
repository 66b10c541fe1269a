"""Libraries as opened for recommendations, and the parts of them that are not trusted."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.apps.library.library import (
    file_of,
    index_command,
    index_place,
    is_library,
    open_library,
    read_contents,
    write_contents,
)
from pipeline.apps.library.place import library_folder, music_folder
from pipeline.apps.recommend.trained import trained_models
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.store.index import write_index
from tests.apps.library.world import train


@pytest.fixture
def place(indexed_once, tmp_path) -> Path:
    return shutil.copytree(indexed_once, tmp_path / "library")


def rewrite(place: Path, **changes) -> None:
    file = place / "library.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_what_index_makes_is_a_library(place, music_made, models_made):
    assert is_library(place) and not is_library(place.parent) and not is_library(place / "library.json")
    library = open_library(place)
    assert (library.name, library.folder, library.variants) == ("library", music_made, ("Story", "Words"))
    for name, model in trained_models(models_made).items():
        index = library.index(model)
        assert (index.about["variant"], index.about["model"]) == (name, model.digest)
        assert index.vectors.shape == (6, 6)
        np.testing.assert_allclose(np.linalg.norm(index.vectors, axis=1), 1, atol=1e-6)


def test_a_variant_that_was_not_indexed_says_which_are_and_what_to_run(place, root, music_made):
    train(root, "Still", ["image"])
    command = rf"python -m pipeline index {music_made} --out {place}"
    with pytest.raises(MissingFileError, match=rf"no index for M-Still \(found: Story, Words\): run `{command}`"):
        open_library(place).index(trained_models(root)["Still"])


def test_the_index_of_other_weights_is_refused(place, root, music_made):
    train(root, "Words", ["tags"], seed=7)
    with pytest.raises(ModelError, match=rf"other weights .* than M-Words .*index {music_made} --out {place}`"):
        open_library(place).index(trained_models(root)["Words"])


def test_an_index_that_is_missing_or_damaged_says_what_to_run(place, models_made):
    model = trained_models(models_made)["Words"]
    path = place / "tracks/Words.parquet"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(MissingFileError, match="run `python -m pipeline index"):
        open_library(place).index(model)
    path.unlink()
    with pytest.raises(MissingFileError, match="run `python -m pipeline index"):
        open_library(place).index(model)


DAMAGED = [
    "",
    "{",
    "[]",
    "3",
    "\x00",
    "[" * 10_000,
    '{"format": 1}',
    '{"format": 1, "folder": "relative", "variants": {}}',
    '{"format": 1, "folder": "/m", "variants": {"Ta": 3}}',
    '{"format": 1, "folder": "/m", "variants": {}, "x": 1}',
]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_library_says_so(tmp_path, text):
    (tmp_path / "library.json").write_text(text)
    with pytest.raises((MissingFileError, ModelError), match=r"library\.json.*index FOLDER --out"):
        open_library(tmp_path)


def test_a_library_of_another_version_is_refused(place):
    rewrite(place, format=2)
    with pytest.raises(ModelError, match="format: found 2, this version reads 1"):
        open_library(place)


def test_messages_hold_no_control_characters(place, root, models_made):
    hostile = "/music/\x1b[2J\u202e\n"
    rewrite(place, folder=hostile, variants={"\x1b[31m": "0"})
    library = open_library(place)
    assert library.folder == Path(hostile)
    with pytest.raises(MissingFileError) as caught:
        library.index(trained_models(models_made)["Words"])
    assert str(caught.value).isprintable()
    with pytest.raises(ModelError) as caught:
        library_folder(place, root)
    assert str(caught.value).isprintable()
    rewrite(place, variants={"\x1b[31m": 0})
    with pytest.raises(MissingFileError) as caught:
        open_library(place)
    assert str(caught.value).isprintable()


def test_a_path_of_a_table_leads_to_a_file_below_the_folder_only(tmp_path):
    folder, outside = tmp_path / "music", tmp_path / "musical/secret.mp3"
    for path in (folder / "a/b ü.mp3", folder / "notes.txt", folder / "c..mp3", outside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (folder / "in.mp3").symlink_to("a/b ü.mp3")
    (folder / "out.mp3").symlink_to(outside)
    (folder / "far").symlink_to(outside.parent)
    (folder / "circle.mp3").symlink_to("circle.mp3")
    (folder / "folder.mp3").mkdir()
    assert file_of(folder, "a/b ü.mp3") == folder / "a/b ü.mp3"
    assert file_of(folder, "in.mp3") == folder / "a/b ü.mp3"
    assert file_of(folder, "c..mp3") == folder / "c..mp3"
    refused = [str(outside), "../musical/secret.mp3", "a/../../musical/secret.mp3", "out.mp3", "far/secret.mp3"]
    refused += [
        str(folder / "a/b ü.mp3"),
        "a/../in.mp3",
        "notes.txt",
        "circle.mp3",
        "folder.mp3",
        "a",
        "",
        ".",
        "gone.mp3",
    ]
    refused += ["a\0.mp3", "x" * 5000 + ".mp3", "/etc/passwd", "//etc/passwd", "~/a.mp3", "in.mp3/x.mp3", "\ud800.mp3"]
    assert [path for path in refused if file_of(folder, path) is not None] == []


def test_a_path_is_resolved_below_a_folder_that_is_a_link(tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music/a.mp3").write_bytes(b"x")
    (tmp_path / "link").symlink_to("music")
    assert file_of(tmp_path / "link", "a.mp3") == tmp_path / "music/a.mp3"


def test_each_folder_has_its_own_place(tmp_path):
    folders = [tmp_path / name for name in ("Music", "other/Music", "M ü/../x: y\n", "y" * 200)]
    places = [index_place(tmp_path / "c", folder) for folder in folders]
    assert len(set(places)) == len(places)
    assert all(place.parent == tmp_path / "c" and len(place.name) < 60 for place in places)
    assert places[0].name.startswith("Music-") and str(places[2]).isprintable()
    assert index_place(tmp_path, Path("/")).name.startswith("music-")


def test_the_command_can_be_pasted():
    assert (
        index_command(Path("/my  music/a'b"), Path("c")) == """python -m pipeline index '/my  music/a'"'"'b' --out c"""
    )


def test_a_foreign_table_under_the_right_digest_is_only_a_table(place, models_made):
    """Paths outside the folder are read as text; they are opened through `file_of`."""
    model = trained_models(models_made)["Words"]
    index = open_library(place).index(model)
    rows = [row | {"path": "/etc/passwd"} for row in index.rows(range(len(index)))]
    write_index(place / "tracks/Words.parquet", rows, index.vectors, index.about)
    assert open_library(place).index(model).rows([0])[0]["path"] == "/etc/passwd"
    assert file_of(open_library(place).folder, "/etc/passwd") is None


def test_folders_that_are_refused(tmp_path, place, music_made):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MissingFileError, match="gone does not exist"):
        music_folder(tmp_path / "gone")
    with pytest.raises(MissingFileError, match="file is a file"):
        music_folder(tmp_path / "file")
    for out in (tmp_path / "file", tmp_path / "file/below/it"):
        with pytest.raises(ModelError, match="file is a file; choose another folder"):
            library_folder(out, music_made)
    with pytest.raises(ModelError, match="not empty and not a library"):
        library_folder(music_made, music_made)
    with pytest.raises(ModelError, match=rf"library of {music_made}, not of {tmp_path}"):
        library_folder(place, tmp_path)
    assert library_folder(place, music_made) == place
    assert library_folder(tmp_path / "new/er", music_made) == tmp_path / "new/er"
    (tmp_path / "empty").mkdir()
    assert library_folder(tmp_path / "empty", music_made) == tmp_path / "empty"
    assert not (tmp_path / "new").exists(), "nothing is made by asking"


def test_names_that_cannot_be_kept_are_refused(tmp_path):
    folder = Path(str(tmp_path) + "/caf\udce9")
    folder.mkdir()
    with pytest.raises(ModelError, match=r"FOLDER: the name .* is not UTF-8"):
        music_folder(folder)
    with pytest.raises(ModelError, match=r"--out: the name .* is not UTF-8"):
        library_folder(folder / "out", tmp_path)


def test_contents_are_read_as_they_were_written(place, music_made, models_made):
    contents = read_contents(place)
    assert contents.variants == {name: model.digest for name, model in trained_models(models_made).items()}
    assert (contents.format, contents.folder) == (1, str(music_made))


def test_the_library_of_an_earlier_version_is_opened_and_gets_its_name_of_today(place, music_made):
    (place / "library.json").rename(place / "catalogue.json")
    assert is_library(place)
    contents = read_contents(place)
    assert (open_library(place).folder, contents.folder) == (music_made, str(music_made))
    write_contents(place, music_made, contents.variants)
    assert (place / "library.json").is_file() and not (place / "catalogue.json").exists()
    assert read_contents(place) == contents
