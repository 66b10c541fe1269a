import json
import logging

import pytest

from pipeline.core.errors import CorpusError
from pipeline.corpus import Film, load_films

SEARCH = "ytsearch1:{title} {year} soundtrack"
GOOD = {"wikipedia": "https://en.wikipedia.org/wiki/Fog", "soundtrack": []}


@pytest.fixture
def load(tmp_path):
    def run(meta):
        text = meta if isinstance(meta, str | bytes) else json.dumps(meta)
        (tmp_path / "meta.json").write_bytes(text.encode() if isinstance(text, str) else text)
        return load_films(tmp_path, SEARCH)

    return run


def test_films_are_sorted_by_id_with_their_fields(load):
    full = {
        "wikipedia": "{origin}/wiki/Fog",
        "soundtrack": ["{origin}/a.mp3", "https://www.youtube.com/watch?v=x", "ytsearch1:fog theme"],
        "title": " The  Fog ",
        "year": 1931,
        "tags": ["dark", " sea  fog "],
        "plot": "One  line.\n\n Two. ",
        "image": "https://example.org/p.jpg",
    }
    films = load({"BAA": full, "AAA": GOOD, "AAB": GOOD | {"tags": "dark  sea"}})
    assert [film.fid for film in films] == ["AAA", "AAB", "BAA"]
    assert films[0] == Film("AAA", GOOD["wikipedia"], ())
    assert films[1].tags == "dark sea"
    assert films[2] == Film(
        "BAA",
        "{origin}/wiki/Fog",
        tuple(full["soundtrack"]),
        "The Fog",
        1931,
        "dark sea fog",
        "One line.\nTwo.",
        "https://example.org/p.jpg",
    )


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("wikipedia", [None, 3, "", "Fog", "ftp://x/y", "http://", "http://[", "https://a b", "{origin}", "//x/y"]),
        ("wikipedia", ["https://x:99999/y", "https://x/\0", "https://x/\u2028y", "https://x/" + "y" * 10_000]),
        ("soundtrack", [None, 3, "", "no url", "dQw4w9WgXcQ", {}, [3], [""], ["no url"], ["file:///etc/passwd"]]),
        ("soundtrack", ["ytsearch1:", ["ytsearch1: "], ["ytsearch1:\0"], [["https://x/y"]]]),
        ("title", [None, 3, "", "  ", ["x"], "\ud83d", "\0\n", "x" * 10_000]),
        ("year", [None, "1931", 1931.0, True, 1869, 2101, 31, 10**400]),
        ("tags", [None, 3, "", " ", [], [""], [3], {"a": 1}, "\udc00", ["a", "\ud800"]]),
        ("plot", [None, 3, "", "\n", ["x"], "\ud800"]),
        ("image", [None, 3, "", "p.jpg", "data:image/png;base64,x"]),
    ],
)
def test_every_field_is_checked(load, field, values):
    for value in values:
        with pytest.raises(CorpusError, match=rf"AAB\.{field}: found .*expected"):
            load({"AAA": GOOD, "AAB": GOOD | {field: value}})


def test_the_article_is_required(load):
    with pytest.raises(CorpusError, match=r"AAA\.wikipedia: missing field"):
        load({"AAA": {"soundtrack": []}})


@pytest.mark.parametrize(
    ("entry", "search"),
    [
        ({"wikipedia": "https://en.wikipedia.org/wiki/Metropolis_(1927_film)"}, "ytsearch1:Metropolis 1927 soundtrack"),
        ({"wikipedia": "{origin}/wiki/It_(1927_German_film)"}, "ytsearch1:It 1927 soundtrack"),
        ({"wikipedia": "https://en.wikipedia.org/wiki/The_Fog_(film)"}, "ytsearch1:The Fog soundtrack"),
        ({"wikipedia": "https://en.wikipedia.org/wiki/Summer_of_%2742"}, "ytsearch1:Summer of '42 soundtrack"),
        ({"wikipedia": "https://en.wikipedia.org/wiki/Face/Off?x=1#Plot"}, "ytsearch1:Face/Off soundtrack"),
        ({"wikipedia": "https://x/wiki/Fog_(1931_film)", "year": 1932}, "ytsearch1:Fog 1932 soundtrack"),
        ({"wikipedia": "https://x/wiki/Fog_(1931_film)", "title": " The  Fog "}, "ytsearch1:The Fog 1931 soundtrack"),
        ({"wikipedia": "https://x/wiki/Fog_(2525_film)"}, "ytsearch1:Fog soundtrack"),
        ({"wikipedia": "https://x/wiki/%7Byear%7D", "year": 1999}, "ytsearch1:{year} 1999 soundtrack"),
        ({"wikipedia": "https://x/no/title", "title": "{0.__class__} {}"}, "ytsearch1:{0.__class__} {} soundtrack"),
    ],
)
def test_a_film_without_soundtrack_gets_a_search(load, entry, search):
    assert load({"AAA": entry})[0].soundtrack == (search,)


def test_a_film_without_soundtrack_and_title_is_refused(load):
    for url in ("https://x/no/title", "https://en.wikipedia.org/wiki/", "https://x/wiki/%00_"):
        with pytest.raises(CorpusError, match=r"AAA\.soundtrack: missing field.*title"):
            load({"AAA": {"wikipedia": url}})


def test_an_empty_soundtrack_stays_empty(load):
    assert load({"AAA": GOOD})[0].soundtrack == ()


VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


@pytest.mark.parametrize(
    ("entry", "film"),
    [
        (
            {"wikipedia_url": "https://x/wiki/Fog", "youtube": ["dQw4w9WgXcQ"]},
            Film("AAA", "https://x/wiki/Fog", (VIDEO,)),
        ),
        ({"wiki_url": "https://x/wiki/Fog", "youtube_urls": [VIDEO]}, Film("AAA", "https://x/wiki/Fog", (VIDEO,))),
        ({"url": "https://x/wiki/Fog", "audio": "dQw4w9WgXcQ"}, Film("AAA", "https://x/wiki/Fog", (VIDEO,))),
        ({"wikipedia": "https://x/wiki/Fog", "soundtrack": VIDEO}, Film("AAA", "https://x/wiki/Fog", (VIDEO,))),
        ({"url": "https://x/y", "audio": [], "name": " The  Fog"}, Film("AAA", "https://x/y", (), "The Fog")),
        (
            {"url": "https://x/wiki/Fog", "youtube": None, "name": None, "year": None, "tags": None, "wiki_url": None},
            Film("AAA", "https://x/wiki/Fog", ("ytsearch1:Fog soundtrack",)),
        ),
    ],
)
def test_other_names_of_the_fields(load, entry, film):
    assert load({"AAA": entry}) == [film]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"wikipedia": "https://x/y", "url": "https://x/y", "soundtrack": []},
            "wikipedia and url are names of",
        ),
        (
            {"url": "https://x/y", "youtube": [], "audio": None, "soundtrack": []},
            "youtube and soundtrack are names of",
        ),
        ({"url": "Fog", "youtube": []}, r"AAA\.url: found 'Fog', expected a URL"),
        ({"url": "https://x/y", "youtube": ["too-short"]}, r"AAA\.youtube: found \['too-short'\], expected a list"),
        ({"url": None, "youtube": []}, r"AAA\.wikipedia: missing"),
    ],
)
def test_other_names_are_checked_like_the_standard_ones(load, entry, message):
    with pytest.raises(CorpusError, match=message):
        load({"AAA": entry})


def test_a_byte_order_mark_is_no_error(load):
    assert load(b"\xef\xbb\xbf" + json.dumps({"AAA": GOOD}).encode())[0].fid == "AAA"


def test_unknown_fields_are_ignored_and_counted_in_one_line(load, caplog):
    with caplog.at_level(logging.INFO):
        films = load({"AAA": GOOD | {"imdb_id": "tt1", "director": None}, "AAB": GOOD | {"runtime": 90, "imdb_id": 2}})
    assert films == [Film("AAA", GOOD["wikipedia"], ()), Film("AAB", GOOD["wikipedia"], ())]
    (record,) = caplog.records
    assert record.getMessage().endswith("meta.json: 3 fields not used: director, imdb_id, runtime")


def test_an_unknown_name_is_reported_with_the_missing_field(load):
    with pytest.raises(CorpusError) as caught:
        load({"AAA": {"page": GOOD["wikipedia"]}})
    for part in ("AAA.wikipedia: missing field", "1 field not used: page", "corpus.fields in params.yaml"):
        assert part in str(caught.value)


@pytest.mark.parametrize("fid", ["", "AA", "AAAA", "aaa", "AA1", "ÄAA", "../", "AAA\n", "A A"])
def test_ids_are_three_capital_letters(load, fid):
    with pytest.raises(CorpusError, match="three capital letters"):
        load({fid: GOOD})


@pytest.mark.parametrize("entry", [None, "https://x/y", [], 3])
def test_an_entry_is_an_object(load, entry):
    with pytest.raises(CorpusError, match=r"AAA: found .*expected an object"):
        load({"AAA": entry})


def test_all_problems_are_reported_at_once_one_line_per_kind(load):
    many = {f"BA{letter}": GOOD | {"year": f"x{letter}"} for letter in "ABCDEFGH"}
    with pytest.raises(CorpusError) as caught:
        load({"AAA": {"wikipedia": 3, "extra": 1}, "x": GOOD, "AAB": {}, "y": 1, "AAC": {}} | many)
    lines = [line.partition("meta.json: ")[2] for line in str(caught.value).splitlines()]
    assert lines == [
        "AAA.wikipedia: found 3, expected a URL that begins with https://, http:// or {origin}/",
        "'x': an id is three capital letters, AAA to ZZZ (2 films; also 'y')",
        "AAB.wikipedia: missing field (2 films; also AAC)",
        "BAA.year: found 'xA', expected a year from 1870 to 2100 (8 films; also BAB: 'xB', BAC: 'xC', …)",
        "1 field not used: extra",
        "corpus.fields in params.yaml maps our field names to those of your list: {wikipedia: page}",
    ]


def test_a_duplicate_id_is_refused(load):
    entry = json.dumps(GOOD)
    with pytest.raises(CorpusError, match="'AAA' occurs twice"):
        load(f'{{"AAA": {entry}, "AAB": {entry}, "AAA": {entry}}}')
    with pytest.raises(CorpusError) as caught:
        load(json.dumps({"x" * 10_000: 1})[:-1] + ', "' + "x" * 10_000 + '": 2}')
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["", "{", "nope", b"\xff\xfe", "[" * 100_000, "9" * 10_000])
def test_not_json(load, text):
    with pytest.raises(CorpusError, match="is not JSON"):
        load(text)


@pytest.mark.parametrize(
    ("meta", "message"), [([], "lists no film"), ("3", "must contain an object"), ({}, "lists no film")]
)
def test_not_a_corpus(load, meta, message):
    with pytest.raises(CorpusError, match=message):
        load(meta)


def test_missing(tmp_path):
    with pytest.raises(CorpusError, match=r"corpus\.folder"):
        load_films(tmp_path / "nowhere", SEARCH)
    (tmp_path / "meta.json").mkdir()
    with pytest.raises(CorpusError, match="cannot be read"):
        load_films(tmp_path, SEARCH)
