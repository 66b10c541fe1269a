"""Libraries indexed while a server answers: their states, one at a time, what is searched meanwhile, changed files."""

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.apps.library.background import UNFORESEEN, Background, BusyError, Progress
from pipeline.apps.library.library import write_contents
from pipeline.apps.library.opening import sources_of
from pipeline.apps.library.table import write_files
from pipeline.apps.library.walk import walk
from pipeline.core.errors import ModelError, StageError

TIMEOUT = 5  # seconds until a test fails
DIGESTS = {"Words": "1", "Story": "2"}


def model(name: str, digest: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, digest=digest, label=f"M-{name}")


class World:
    """A server's libraries, with indexing that waits for the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.go, self.wrong = threading.Semaphore(0), None
        self.updated: list[tuple[str, bool]] = []
        self.forgotten: list[str] = []
        models = {name: model(name, digest) for name, digest in DIGESTS.items()}
        forget = self.forgotten.append
        self.recommender = SimpleNamespace(libraries={"films": "data"}, zero_shot=None, models=models, forget=forget)

    def open(self, *paths: Path, published=None) -> Background:
        return Background(self.recommender, self.update, sources_of(self.recommender, self.root, paths, published))

    def update(self, source, rescan, report) -> None:
        self.updated.append((source.name, rescan))
        report("decoding", "files decoded", 1, 2)
        assert self.go.acquire(timeout=TIMEOUT)
        if self.wrong is not None:
            raise self.wrong
        index(source.place, source.music)


def index(place: Path, music: Path, made: dict[str, str] = DIGESTS) -> Path:
    """Write a library without tables."""
    place.mkdir(parents=True, exist_ok=True)
    write_files(place, [row | {"status": "ok"} for row in walk(music.resolve(), place.resolve())])
    write_contents(place, music.resolve(), made)
    return place


def until(condition) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path / "root")


@pytest.fixture
def music(tmp_path) -> Path:
    for name in ("a.mp3", "b.flac", "notes.txt"):
        (tmp_path / "Music").mkdir(exist_ok=True)
        (tmp_path / "Music" / name).write_text(name)
    return tmp_path / "Music"


def test_music_that_was_never_indexed_can_be_searched_once_it_is(world, music):
    background = world.open(music)
    assert [*world.recommender.libraries] == ["films"]
    assert background.progress("Music") == Progress("idle")
    background.begin_missing()
    until(lambda: world.updated)
    assert background.progress("Music") == Progress("decoding", "files decoded", 1, 2)
    assert [*world.recommender.libraries] == ["films"], "it has no tables yet"
    world.go.release()
    until(lambda: background.progress("Music").state == "done")
    assert [*world.recommender.libraries] == ["Music", "films"]
    assert world.recommender.libraries["Music"].folder == music.resolve()
    assert world.forgotten == ["Music"]


def test_what_is_indexed_opens_at_once_and_is_left_alone(world, music, tmp_path):
    place = index(tmp_path / "made", music)
    (source,) = sources_of(world.recommender, world.root, [music]).values()
    index(source.place, music)
    background = world.open(place, music)
    background.begin_missing()
    assert [*world.recommender.libraries] == ["made", "Music", "films"]
    assert {background.progress(name).state for name in ("made", "Music")} == {"idle"}
    until(lambda: background.changes("made", look=False) is not None)  # changes are looked for at once


@pytest.mark.parametrize("made", [{}, {"Words": "1"}, DIGESTS | {"Story": "other weights"}])
def test_incomplete_and_outdated_libraries_are_indexed_again(world, music, made):
    (source,) = sources_of(world.recommender, world.root, [music]).values()
    index(source.place, music, made)
    background = world.open(music)
    assert ("Music" in world.recommender.libraries) == bool(made), "the tables that are there are searched meanwhile"
    before = world.recommender.libraries.get("Music")
    background.begin_missing()
    until(lambda: world.updated)
    assert world.recommender.libraries.get("Music") is before
    world.go.release()
    until(lambda: background.progress("Music").state == "done")
    assert world.recommender.libraries["Music"] is not before


def test_one_at_a_time(world, music, tmp_path):
    (tmp_path / "other").mkdir()
    background = world.open(music, tmp_path / "other")
    background.begin_missing()
    until(lambda: world.updated)
    assert background.progress("other") == Progress("waiting")
    for name in ("Music", "other"):
        with pytest.raises(BusyError, match="Music is being indexed"):
            background.begin(name, False)
    world.go.release(2)
    until(lambda: background.progress("other").state == "done")
    background.begin("other", True)
    world.go.release()
    until(lambda: background.progress("other").state == "done")
    assert world.updated == [("Music", False), ("other", False), ("other", True)]
    assert [*world.recommender.libraries] == ["Music", "other", "films"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(StageError("none of 2 files can be used"), "none of 2 files can be used"), (ZeroDivisionError(), UNFORESEEN)],
)
def test_a_failure_is_explained_and_can_be_retried(world, music, wrong, reason):
    background = world.open(music)
    world.wrong = wrong
    world.go.release()
    background.begin_missing()
    until(lambda: background.progress("Music").state == "failed")
    assert background.progress("Music").reason == reason
    assert [*world.recommender.libraries] == ["films"]
    world.wrong = None
    world.go.release()
    background.begin("Music", False)
    until(lambda: background.progress("Music").state == "done")
    assert "Music" in world.recommender.libraries


def test_changes_are_found_without_reading_files(world, music, tmp_path):
    background = world.open(index(tmp_path / "made", music))

    def changes():
        until(lambda: background.changes("made", look=True) is not None)
        return background.changes("made", look=False)

    assert background.changes("made", look=False) is None
    assert (changes().new, changes().changed, changes().removed) == (0, 0, 0)
    (music / "c.mp3").write_text("new")
    (music / "a.mp3").unlink()
    os.utime(music / "b.flac", (0, 0))
    assert changes().new == 0, "looked for again only after a while"
    background = world.open(tmp_path / "made")
    assert background.changes("made 2", look=True) is None
    until(lambda: background.changes("made 2", look=True) is not None)
    found = background.changes("made 2", look=True)
    assert (found.new, found.changed, found.removed) == (1, 1, 1)


def test_changes_of_a_missing_folder_are_unknown(world, music, tmp_path):
    background = world.open(index(tmp_path / "made", music))
    music.rename(tmp_path / "elsewhere")
    background.changes("made", look=True)
    until(lambda: not background._looking)
    assert background.changes("made", look=True) is None


def test_indexes_by_other_models_are_not_replaced_from_here(world, music, tmp_path):
    place = index(tmp_path / "made", music, {"Story": "2"})
    background = world.open(place, published=model("Words", "1"))
    with pytest.raises(ModelError, match="other than M-Words"):
        background.begin("made", False)
    assert world.updated == []
    assert world.open(place, published=model("Story", "2")).sources["made 2"].refusal == ""


def test_a_library_keeps_the_models_that_indexed_it(world, music, tmp_path):
    place = index(tmp_path / "made", music, {"Story": "2"})
    sources = sources_of(world.recommender, world.root, [place, music])
    assert sources["made"].variants == ("Story",)
    assert sources["Music"].variants is None
