"""Names of films and albums: found in any case; for unknown ones, similar names after bounded work."""

import difflib

import numpy as np
import pytest

from pipeline.apps.recommend import names as names_module
from pipeline.apps.recommend.names import COMPARED, COMPARED_CHARS, SIMILAR, FilmNames

SYLLABLES = ("ba", "da", "ko", "li", "mu", "ne", "po", "ra", "si", "tu", "va", "zo")
FILMS = [
    (0, "AAA", "Nosferatu", 1922),
    (1, "AAB", "Nosferatu", 1979),
    (2, "AAC", "Häxan", 1922),
    (3, "", "The Goddess", None),
    (4, "AAD", "", 1922),
]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("NOSFERATU", (0, 1)), ("AAB", (1,)), ("aab", ()), ("HÄXAN", (2,)), ("the goddess", (3,)), ("", ())],
)
def test_exact_ids_and_titles_in_any_case(name, numbers):
    assert FilmNames(FILMS).find(name) == numbers


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("Nosferatu (1979)", (1,)), ("haxan, 1922", (2,)), ("Häxan (1921)", ()), ("Goddess (1934)", ()), ("1922", ())],
)
def test_a_year_may_follow_a_title(name, numbers):
    assert FilmNames(FILMS).find(name) == numbers


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("Haxan", ["Häxan"]),
        ("Ha\u0308xan!", ["Häxan"]),
        ("hAXAN", ["Häxan"]),
        ("Goddess", ["The Goddess"]),
        ("cabinet of dr caligari", ["The Cabinet of Dr. Caligari"]),
        ("atalante", ["L'Atalante"]),
        ("Spider Man", ["Spider-Man"]),
        ("spiderman", ["Spider-Man"]),
        ("Oeuvre", ["Œuvre"]),
        ("Orsted", ["Ørsted"]),
        ("Elegie", ["Elegie"]),  # an exact match, ...
        ("élégie!", ["Elegie", "Élégie"]),  # ... unlike this: all that may be meant
        ("The", ["The"]),
        ("ガ", ["ガ"]),
        ("カ", []),
        ("!", []),
        ("Gods", []),
    ],
)
def test_titles_without_accents_marks_and_articles(name, titles):
    known = "Häxan;The Goddess;The Cabinet of Dr. Caligari;L'Atalante;Spider-Man;Œuvre;Ørsted;Elegie;Élégie;The;ガ;…"
    names = FilmNames((number, "", title, None) for number, title in enumerate(known.split(";")))
    assert sorted(known.split(";")[number] for number in names.find(name)) == titles


@pytest.mark.parametrize(
    ("name", "similar"),
    [("Nosferat", "nosferatu"), ("Hxan", "häxan"), ("Teh Godess", "the goddess"), ("osferatu", "nosferatu")],
)
def test_similar_names(name, similar):
    assert FilmNames(FILMS).similar(name) == [similar]


@pytest.mark.parametrize("name", ["", " ", "xyz", "\ud800", "\x00" * 1000, "漢字"])
def test_nothing_is_like_an_odd_name(name):
    assert FilmNames(FILMS).similar(name) == []
    assert FilmNames([]).similar(name) == []


def random_titles(count: int) -> list[str]:
    """Return distinct made-up titles of two to seven syllables."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 8, 2 * count)
    titles = ("".join(SYLLABLES[i] for i in rng.integers(0, len(SYLLABLES), n)).capitalize() for n in lengths)
    return list(dict.fromkeys(titles))[:count]


def test_first_is_as_similar_as_any_of_all_names():
    titles = random_titles(2000)
    names = FilmNames((number, "", title, None) for number, title in enumerate(titles))
    for title in titles[:20]:
        wrong = (title[1:] + title[:1]).lower()
        ratios = [difflib.SequenceMatcher(None, name.lower(), wrong).ratio() for name in titles]
        found = names.similar(wrong)
        assert 1 <= len(found) <= SIMILAR
        assert difflib.SequenceMatcher(None, found[0], wrong).ratio() == max(ratios)


def test_few_of_many_names_are_compared_letter_by_letter(monkeypatch):
    compared = []

    class Counting(difflib.SequenceMatcher):
        def set_seq1(self, name):
            compared.append(name)
            super().set_seq1(name)

        def set_seq2(self, name):
            assert len(name) <= COMPARED_CHARS
            super().set_seq2(name)

    monkeypatch.setattr(names_module.difflib, "SequenceMatcher", Counting)
    long = " long" * 200
    titles = [title + long * (number % 2) for number, title in enumerate(random_titles(100_000))]
    assert len(titles) == 100_000
    names = FilmNames((number, "", title, None) for number, title in enumerate(titles))
    wanted = titles[4444].lower()
    assert names.find(titles[4444]) == (4444,)
    assert wanted in names.similar(f"x{wanted[1:]}")
    assert 0 < len(compared) <= COMPARED + 1  # once with an empty string in the constructor
    compared.clear()
    assert names.similar(f"x{titles[4445][1:]}"), "a long title is like another one"
    assert 0 < len(compared) <= COMPARED + 1
    assert max(map(len, compared)) == COMPARED_CHARS
