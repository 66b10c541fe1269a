"""Names of files without tags."""

import unicodedata

import pytest

from pipeline.apps.library.table import album_of, row_of, with_facts


@pytest.mark.parametrize(
    ("path", "album"),
    [
        ("loose.mp3", ""),
        ("Vertigo/01.mp3", "Vertigo"),
        ("Herrmann/Vertigo/01.mp3", "Vertigo"),
        ("Vertigo/CD 1/01.mp3", "Vertigo"),
        ("Vertigo/cd2/01.mp3", "Vertigo"),
        ("Vertigo/Disc 1 of 2/01.mp3", "Vertigo"),
        ("Vertigo/Side A/01.mp3", "Vertigo"),
        ("Vertigo/FLAC/Disc_II/01.mp3", "Vertigo"),
        ("CD 1/01.mp3", "Music"),  # the library is an album
        ("FLAC/01.mp3", ""),
        ("er/01.mp3", "er"),
        ("9/01.mp3", "9"),
        ("Mr. Robot - Vol. 2/01.mp3", "Mr. Robot - Vol. 2"),
        ("CDs/01.mp3", "CDs"),
        ("Side Effects/01.mp3", "Side Effects"),
    ],
)
def test_the_album_of_a_file_is_its_folder_but_for_discs_and_formats(path, album):
    assert album_of(path, "Music") == album


def test_tags_are_better_than_names():
    facts = {"status": "ok", "reason": "", "seconds": 1.0, "segments": [], "tags": {"album": "Tagged", "title": "T"}}
    row = with_facts(row_of("a.mp3"), facts, "Music")
    assert (row["album"], row["title"]) == ("Tagged", "T")
    path = unicodedata.normalize("NFD", "Dröm/CD 1/01. Öde - etc.mp3")
    row = with_facts(row_of(path), facts | {"tags": {}}, "Music")
    assert (row["album"], row["title"]) == ("Dröm", "01. Öde - etc")
