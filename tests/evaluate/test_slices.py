"""Films are grouped by their tags, years and files."""

import numpy as np
import pytest

from pipeline.evaluate.slices import decade, files, found_genres, languages, missing, slices_of


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("1985 teen comedy-drama english-language 1980s american", ["English"]),
        ("1980s English-language films, 1980s Hindi-language drama films", ["English", "Hindi"]),
        ("hindi-language hindi-language", ["Hindi"]),
        ("sign language drama", ["not stated"]),
        ("", ["not stated"]),
        ("ไทย-language", ["ไทย"]),
    ],
)
def test_languages_are_those_named_in_tags(tags, expected):
    if tags.startswith("ไทย"):
        expected = [expected[0].capitalize()]
    assert languages(tags) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("american drama silent", ["drama"]),
        ("comedy-drama", ["comedy-drama"]),
        ("1927 romantic comedy films, Drama films", ["comedy", "drama"]),
        ("melodrama warfare", ["not stated"]),
        ("american science fiction", ["science fiction"]),
        ("fiction science", ["not stated"]),
    ],
)
def test_genres_are_whole_words_in_the_order_of_the_parameter(tags, expected):
    assert found_genres(tags, ["comedy", "drama", "comedy-drama", "war", "science fiction"]) == expected


def test_decades_and_numbers_of_files():
    assert [decade(year) for year in (1919, 1920, 2000, None)] == ["1910s", "1920s", "2000s", "not stated"]
    assert [files(number) for number in (1, 2, 4, 5, 9, 10, 500)] == ["1", "2–4", "2–4", "5–9", "5–9"] + [
        "10 or more"
    ] * 2


def test_missing_inputs_are_those_with_a_placeholder():
    row = {"status": "ok", "reason": "", "placeholders": ["plot", "image"]}
    assert missing(row) == ["image", "plot"]
    assert missing(row | {"placeholders": []}) == ["nothing"]
    assert missing(None) == ["not stated"]


def film(fid: str, year: int | None, tags: str, tracks: int = 1) -> list[dict]:
    return [{"fid": fid, "year": year, "tags": tags}] * tracks


def test_small_groups_are_merged_and_no_film_is_lost():
    tracks = [
        film("AAA", 1925, "drama hindi-language"),
        film("AAB", 1926, "drama comedy", 3),
        film("AAC", 1931, "comedy western", 12),
        film("AAD", 1948, "", 2),
        film("AAE", None, "drama", 2),
        film("AAF", 1921, "war western drama", 2),
    ]
    found = slices_of(tracks, {}, ["drama", "comedy", "western", "war"], at_least=2)
    listed = {name: {value: numbers.tolist() for value, numbers in values.items()} for name, values in found.items()}
    assert listed == {
        "decade": {"1920s": [0, 1, 5], "others": [2, 3, 4]},
        "language": {"Hindi": [0], "not stated": [1, 2, 3, 4, 5]},
        "genre": {"comedy": [1, 2], "drama": [0, 1, 4, 5], "western": [2, 5], "others": [3, 5]},
        "files": {"2–4": [1, 3, 4, 5], "others": [0, 2]},
        "missing": {"not stated": [0, 1, 2, 3, 4, 5]},
    }
    for values in found.values():
        assert sorted(set(np.concatenate(list(values.values())).tolist())) == list(range(6))


def test_values_are_in_numeric_order():
    tracks = [film("AAA", None, "")] + [film("AAB", 1910 + 10 * i, "", count) for i, count in enumerate((1, 3, 6, 11))]
    found = slices_of(tracks, {}, [], at_least=1)
    assert list(found["decade"]) == ["1910s", "1920s", "1930s", "1940s", "not stated"]
    assert list(found["files"]) == ["1", "2–4", "5–9", "10 or more"]
