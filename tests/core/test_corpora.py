"""Fetched files of two corpora with the same ids: none is replaced, even if a run is killed."""

from pathlib import Path

import pytest

from pipeline.core import corpora
from pipeline.core.corpora import ASIDE, PAGES, RECORDINGS, corpus_of, is_in_place, path_of, take_up
from pipeline.core.errors import StageError

TABLE = Path("data/pages.parquet")


def take(root, corpus):
    take_up(root, corpus, PAGES)


def fetch(root, corpus):
    """Write what a stage fetches for `corpus`."""
    for path in ("data/pages/AAA.json", "data/posters/AAA.jpg", "data/pages.parquet"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(corpus)


def there(root):
    """Return the content of each fetched file in place."""
    paths = ("data/pages/AAA.json", "data/posters/AAA.jpg", "data/pages.parquet")
    return [(root / path).read_text() if (root / path).is_file() else None for path in paths]


def test_both_are_kept_when_switching_back_and_forth(tmp_path):
    take(tmp_path, "data/a")
    fetch(tmp_path, "a")
    take(tmp_path, "data/b")
    assert there(tmp_path) == [None] * 3
    fetch(tmp_path, "b")
    for corpus in "abab":
        take(tmp_path, f"data/{corpus}")
        assert there(tmp_path) == [corpus] * 3
        assert corpus_of(tmp_path, PAGES) == f"data/{corpus}"
        assert path_of(tmp_path, f"data/{corpus}", PAGES, TABLE) == tmp_path / TABLE
    assert path_of(tmp_path, "./data/a/", PAGES, TABLE).read_text() == "a"
    assert len(list((tmp_path / ASIDE).iterdir())) == 1


def test_files_without_a_name_belong_to_the_corpus_of_the_run(tmp_path):
    fetch(tmp_path, "a")
    assert is_in_place(tmp_path, "data/a", PAGES)
    take(tmp_path, "data/a")
    assert there(tmp_path) == ["a"] * 3
    assert is_in_place(tmp_path, "data/a/", PAGES)
    assert not is_in_place(tmp_path, "data/b", PAGES)
    assert is_in_place(tmp_path, "data/b", RECORDINGS)


def test_names_that_differ_only_in_punctuation_are_two_corpora(tmp_path):
    for corpus in ("data/my films", "data/my-films", "../data/my films", "/data/my/films"):
        take(tmp_path, corpus)
        assert there(tmp_path) == [None] * 3
        fetch(tmp_path, corpus)
    assert all(path.parent == tmp_path / ASIDE for path in (tmp_path / ASIDE).iterdir())
    take(tmp_path, "../data/my films")
    assert there(tmp_path) == ["../data/my films"] * 3


@pytest.mark.parametrize("moves", range(6))
@pytest.mark.parametrize("then", ["a", "b", "c"])
def test_killed_after_any_move(tmp_path, monkeypatch, moves, then):
    for corpus in ("b", "a"):
        take(tmp_path, corpus)
        fetch(tmp_path, corpus)
    done = []

    def move(source, target, whole=corpora._move):
        if source.exists():
            if len(done) == moves:
                raise KeyboardInterrupt
            done.append(source)
        whole(source, target)

    monkeypatch.setattr(corpora, "_move", move)
    with pytest.raises(KeyboardInterrupt):
        take(tmp_path, "b")
    monkeypatch.undo()
    take(tmp_path, then)
    assert there(tmp_path) == ([None] * 3 if then == "c" else [then] * 3)
    for corpus in ("a", "b"):
        take(tmp_path, corpus)
        assert there(tmp_path) == [corpus] * 3


def test_files_restored_by_dvc_replace_those_set_aside(tmp_path):
    take(tmp_path, "a")
    fetch(tmp_path, "old")
    take(tmp_path, "b")
    (tmp_path / "data/pages/corpus.txt").write_text("a\n")  # by `dvc checkout`
    fetch(tmp_path, "a")
    take(tmp_path, "b")
    take(tmp_path, "a")
    assert there(tmp_path) == ["a"] * 3


def test_a_file_that_cannot_be_moved_is_named(tmp_path):
    take(tmp_path, "a")
    fetch(tmp_path, "a")
    (tmp_path / ASIDE).write_text("a file where a folder must be")
    with pytest.raises(StageError) as raised:
        take(tmp_path, "b")
    assert ".corpora" in str(raised.value)
    assert "dvc repro scrape" in str(raised.value)
    assert there(tmp_path) == ["a"] * 3
