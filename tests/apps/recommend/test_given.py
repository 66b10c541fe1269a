"""Files that a query names are checked before anything is loaded."""

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.__main__ import main
from pipeline.apps.recommend.given import check_disliked, check_liked, read_image, read_plot
from pipeline.core.errors import ModelError
from pipeline.store.index import write_index
from tests.apps.recommend.tracks import track

LIGHT = """
import sys
from pipeline.__main__ import main
status = main(["recommend", *sys.argv[1:]])
print(status, [name for name in ("torch", "transformers") if name in sys.modules])
"""


@pytest.fixture
def table(tmp_path) -> Path:
    write_index(tmp_path / "tracks.parquet", [track(0), track(1, path="Häxan/a.mp3")], np.eye(2, dtype=np.float32), {})
    return tmp_path / "tracks.parquet"


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--plot", "--image", "--like", "--less"])
def test_a_missing_file_is_an_error_before_anything_is_loaded(tmp_path, table, option):
    (tmp_path / "models/published").mkdir(parents=True)
    table.rename(tmp_path / "models/published/tracks.parquet")
    command = [sys.executable, "-c", LIGHT, option, "gone.file"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(Path(__file__).parents[3])}, capture_output=True, text=True
    )
    assert done.stdout.split(maxsplit=1) == ["1", "[]\n"]
    assert f"ERROR: {option}: gone.file" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tempo", "fast"], "tempo: found 'fast', expected a range such as 60-90"),
        (["--loudness=-14..-30"], "loudness: found '-14..-30'"),
        (["--key", "H"], "key: found 'H'"),
    ],
)
def test_a_filter_is_read_before_anything_is_loaded(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["recommend", "--tags", "war", "--plot", "gone.txt", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_the_command_leaves_the_garbage_collector_alone(tmp_path):
    before = gc.get_threshold()
    assert main(["recommend", "--plot", str(tmp_path / "gone.txt")]) == 1
    assert gc.get_threshold() == before and gc.isenabled()


def test_a_synopsis_and_a_picture_are_read(tmp_path):
    (tmp_path / "plot.txt").write_bytes("\ufeffa dog runs".encode())
    Image.new("RGB", (3, 2)).save(tmp_path / "a.png")
    assert read_plot(str(tmp_path / "plot.txt")) == "a dog runs"
    assert read_image(tmp_path / "a.png").size == (3, 2)


def test_invalid_pictures_are_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    for path in (tmp_path, tmp_path / "a.png", tmp_path / "gone.png"):
        with pytest.raises(ModelError, match=f"--image: {path} cannot be read"):
            read_image(path)


def test_a_liked_track_is_a_file_or_of_the_library(tmp_path, table):
    (tmp_path / "a.mp3").write_bytes(b"sound")
    (tmp_path / "empty.mp3").touch()
    listed = ["AAA/0", "data/audio/A/A/A/0.mp3", "/elsewhere/data/audio/A/A/A/0.mp3", "Ha\u0308xan/a.mp3"]
    check_liked([str(tmp_path / "a.mp3"), *listed], [table])
    for name in ("gone.mp3", "udio/A/A/A/0.mp3", str(tmp_path), str(tmp_path / "empty.mp3")):
        with pytest.raises(ModelError, match=f"--like: {name}"):
            check_liked([name], [table])


def test_a_track_to_find_less_like_is_of_the_library(tmp_path, table):
    (tmp_path / "a.mp3").write_bytes(b"sound")
    check_disliked(["AAA/0", "data/audio/A/A/A/0.mp3"], [table])
    check_disliked(["perhaps.mp3"], [])
    for name in ("gone.mp3", str(tmp_path / "a.mp3")):
        with pytest.raises(ModelError, match=f"--less: {name} is not a track of the library"):
            check_disliked([name], [table])


def test_without_an_index_that_can_be_read_only_files_are_checked(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for tables in ([], [tmp_path / "broken.parquet"], [tmp_path / "gone.parquet"]):
        check_liked(["perhaps.mp3"], tables)
