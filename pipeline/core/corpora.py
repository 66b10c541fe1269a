"""The fetched files of several corpora in one working copy: those of the current one in place, the others set aside.

    data/pages/corpus.txt        the corpus (`corpus.folder`) of the files in data/pages and of those that go with them
    data/.corpora/KEY/pages/…    the files of another corpus, under the same names; KEY is derived from its folder

Ids are unique within one list only: without this, the films of a second list would replace those of the first. Files
are moved, never copied. A stage that is killed while it moves them resumes in the next run.
"""

import hashlib
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import disk_error
from pipeline.core.files import remove_strays, write_bytes

NAME = "corpus.txt"
ASIDE = Path("data/.corpora")  # relative to the root


class Fetched(NamedTuple):
    """What a stage fetches, and the later stages' files whose rows refer to it by the ids of films."""

    stage: str
    folder: Path  # relative to the root; has the name of the corpus
    others: tuple[Path, ...]


PAGES = Fetched(
    "scrape", Path("data/pages"), tuple(Path("data") / name for name in ("posters", "pages.parquet", "films.parquet"))
)
RECORDINGS = Fetched(
    "download",
    Path("data/downloads"),
    tuple(
        Path("data") / name
        for name in ("soundtrack.lock.json", "downloads.parquet", "audio", ".segments", "segments.parquet")
    ),
)


def take_up(root: Path, corpus: str, fetched: Fetched) -> None:
    """Set aside the fetched files of another corpus, and bring back those of `corpus`.

    Files without a corpus's name are regarded as those of `corpus`. Raises `StageError` if a file cannot be moved.
    """
    corpus, (stage, folder, others) = _name(corpus), fetched
    try:
        present = corpus_of(root, fetched)
        if present not in (None, corpus):
            for path in (*others, folder):  # the name moves last
                _move(root / path, _aside(root, str(present), path))
        for path in (folder, *others):  # and comes back first
            if not (root / path).exists() and _aside(root, corpus, path).exists():
                _move(_aside(root, corpus, path), root / path)
        with suppress(OSError):  # missing, or has the files that another stage fetches
            _aside(root, corpus, Path("data")).rmdir()
        if not (root / folder / NAME).exists():
            remove_strays(root / folder / NAME)
            write_bytes(root / folder / NAME, f"{corpus}\n".encode())
    except OSError as error:
        raise disk_error(error, root / folder, f"dvc repro {stage}") from error


def corpus_of(root: Path, fetched: Fetched) -> str | None:
    """Return the corpus of the files in place; None if they have no name."""
    try:
        return (root / fetched.folder / NAME).read_text(encoding="utf-8").removesuffix("\n")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None


def is_in_place(root: Path, corpus: str, fetched: Fetched) -> bool:
    """Return whether the files in place may be those of `corpus`."""
    return corpus_of(root, fetched) in (None, _name(corpus))


def path_of(root: Path, corpus: str, fetched: Fetched, path: Path) -> Path:
    """Return the current path of the file of `corpus` that belongs at `path`, one of `fetched`; it may not exist."""
    return root / path if is_in_place(root, corpus, fetched) else _aside(root, _name(corpus), path)


def _name(corpus: str) -> str:
    return Path(corpus).as_posix()  # without "./" and a final "/"


def _aside(root: Path, corpus: str, path: Path) -> Path:
    words = re.sub(r"[^A-Za-z0-9]+", "-", corpus).strip("-")[:40]
    key = f"{words}-{hashlib.sha256(corpus.encode()).hexdigest()[:8]}"
    return root / ASIDE / key / path.relative_to("data")


def _move(source: Path, target: Path) -> None:
    if not source.exists():
        return
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
