import json

import pytest

from pipeline.corpus import Film, load_films
from pipeline.errors import CorpusError

GOOD = {"wikipedia": "https://en.wikipedia.org/wiki/Fog", "soundtrack": []}


@pytest.fixture
def load(tmp_path):
    def run(meta):
        text = meta if isinstance(meta, str | bytes) else json.dumps(meta)
        (tmp_path / "meta.json").write_bytes(text.encode() if isinstance(text, str) else text)
        return load_films(tmp_path)

    return run


def test_films_come_by_id_with_what_is_given(load):
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
        ("soundtrack", [None, "https://x/y", {}, [3], [""], ["no url"], ["file:///etc/passwd"], ["ytsearch1:"]]),
        ("title", [None, 3, "", "  ", ["x"]]),
        ("year", [None, "1931", 1931.0, True, 1869, 2101, 31]),
        ("tags", [None, 3, "", " ", [], [""], [3], {"a": 1}]),
        ("plot", [None, 3, "", "\n", ["x"]]),
        ("image", [None, 3, "", "p.jpg", "data:image/png;base64,x"]),
    ],
)
def test_every_field_is_checked(load, field, values):
    for value in values:
        with pytest.raises(CorpusError, match=rf"AAB\.{field}: found .*expected"):
            load({"AAA": GOOD, "AAB": GOOD | {field: value}})


@pytest.mark.parametrize("field", ["wikipedia", "soundtrack"])
def test_required_fields(load, field):
    with pytest.raises(CorpusError, match=rf"AAA\.{field}: missing field"):
        load({"AAA": {key: value for key, value in GOOD.items() if key != field}})


def test_unknown_field_names_the_allowed(load):
    with pytest.raises(CorpusError, match=r"AAA\.wiki: unknown field; allowed are wikipedia, soundtrack"):
        load({"AAA": GOOD | {"wiki": "x"}})


@pytest.mark.parametrize("fid", ["", "AA", "AAAA", "aaa", "AA1", "ÄAA", "../", "AAA\n", "A A"])
def test_ids_are_three_capitals(load, fid):
    with pytest.raises(CorpusError, match="three capital letters"):
        load({fid: GOOD})


@pytest.mark.parametrize("entry", [None, "https://x/y", [], 3])
def test_an_entry_is_an_object(load, entry):
    with pytest.raises(CorpusError, match=r"AAA: found .*expected an object"):
        load({"AAA": entry})


def test_all_problems_are_told_at_once(load):
    with pytest.raises(CorpusError) as caught:
        load({"AAA": {"wikipedia": 3, "extra": 1}, "x": GOOD})
    assert len(str(caught.value).splitlines()) == 4


def test_an_id_twice_is_refused(load):
    entry = json.dumps(GOOD)
    with pytest.raises(CorpusError, match="'AAA' occurs twice"):
        load(f'{{"AAA": {entry}, "AAB": {entry}, "AAA": {entry}}}')


@pytest.mark.parametrize("text", ["", "{", "nope", b"\xff\xfe", "[" * 100_000])
def test_not_json(load, text):
    with pytest.raises(CorpusError, match="is not JSON"):
        load(text)


@pytest.mark.parametrize(("meta", "message"), [([], "must hold an object"), ("3", "must hold"), ({}, "lists no film")])
def test_not_a_corpus(load, meta, message):
    with pytest.raises(CorpusError, match=message):
        load(meta)


def test_missing(tmp_path):
    with pytest.raises(CorpusError, match=r"corpus\.folder"):
        load_films(tmp_path / "nowhere")
