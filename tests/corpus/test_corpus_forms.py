"""Foreign lists: arrays, JSON lines, CSV, other field names, nested values."""

import csv
import io
import json
import logging

import pytest

from pipeline.core.errors import CorpusError
from pipeline.core.fields import load_sections
from pipeline.corpus import Film, load_films
from pipeline.corpus.entry import MISSING, value_at
from pipeline.corpus.load import read_corpus
from pipeline.corpus.section import Corpus

SEARCH = "ytsearch1:{title} {year} soundtrack"
FOG, SEA = "https://en.wikipedia.org/wiki/Fog", "https://en.wikipedia.org/wiki/Sea_(1950_film)"
VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
OTHER = "https://www.youtube.com/watch?v=aaaaaaaaaaa"


@pytest.fixture
def load(tmp_path):
    """Return a function that writes the list of a corpus in a given form and loads it."""

    def run(content, name="meta.json", **fields):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return load_films(tmp_path, SEARCH, fields)

    return run


def lines(*objects):
    return "".join(json.dumps(item) + "\n" for item in objects)


@pytest.mark.parametrize("name", ["id", "fid", "film_id"])
@pytest.mark.parametrize("form", ["meta.json", "meta.jsonl"])
def test_an_array_with_ids(form, name, load, caplog):
    items = [{name: "BAA", "wikipedia": SEA, "soundtrack": []}, {name: "AAC", "wikipedia": FOG, "soundtrack": [VIDEO]}]
    with caplog.at_level(logging.INFO):
        films = load(items if form == "meta.json" else lines(*items), form)
    assert films == [Film("AAC", FOG, (VIDEO,)), Film("BAA", SEA, ())]
    assert not caplog.records


def test_missing_ids_are_assigned_in_order(load, caplog):
    with caplog.at_level(logging.INFO):
        films = load([{"url": f"https://x/wiki/{number}", "audio": []} for number in range(30)])
    assert [film.fid for film in films][:3] == ["AAA", "AAB", "AAC"] and films[27].fid == "ABB"
    assert films[27].wikipedia == "https://x/wiki/27"
    assert "ids are assigned in order" in caplog.text and "the list has none" in caplog.text


@pytest.mark.parametrize("ids", [[1, 2], ["tt0017136", "tt0015324"], [None, "aaa"]])
def test_ids_of_another_kind_are_replaced(ids, load, caplog):
    with caplog.at_level(logging.INFO):
        films = load([{"id": fid, "url": FOG, "audio": []} for fid in ids])
    assert [film.fid for film in films] == ["AAA", "AAB"]
    assert "`id` is never three capital letters" in caplog.text


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (
            ["AAA", "tt1", None],
            r"film 2\.id: found 'tt1', an id is three capital letters.*\(2 films; also film 3: None\)",
        ),
        (["AAA", "AAB", "AAA"], "'AAA' occurs twice"),
    ],
)
def test_ambiguous_ids_are_refused(ids, message, load):
    with pytest.raises(CorpusError, match=message):
        load([{"id": fid, "url": FOG} for fid in ids])


def test_an_id_field_named_in_params_must_hold_ids(load):
    items = [{"key": "AAB", "url": FOG, "audio": []}, {"key": "AAA", "url": SEA, "audio": []}]
    assert [film.fid for film in load(items, id="key")] == ["AAA", "AAB"]
    with pytest.raises(CorpusError, match=r"film 1\.nothing: found None.*also film 2"):
        load(items, id="nothing")


CSV = """id,article,title,year,videos,tags,plot,director
AAA,https://en.wikipedia.org/wiki/Fog,"Fog, The",1931.0,https://www.youtube.com/watch?v=dQw4w9WgXcQ,"sea, fog",,X

AAB,https://en.wikipedia.org/wiki/Sea_(1950_film),,1950-03-01,dQw4w9WgXcQ | ytsearch1:sea theme,,"One.
Two.",
AAC,https://en.wikipedia.org/wiki/Fog#2,,,"dQw4w9WgXcQ
https://www.youtube.com/watch?v=aaaaaaaaaaa",,
AAD,https://en.wikipedia.org/wiki/Fog#3,,,"https://www.youtube.com/watch?v=dQw4w9WgXcQ; https://x/a;b,c.mp3",,
AAE,https://en.wikipedia.org/wiki/Sea,,,,,
"""


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv(separator, line_end, mark, load, tmp_path, caplog):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(csv.reader(io.StringIO(CSV)))
    (tmp_path / "meta.csv").write_bytes((mark + text.getvalue().replace("\n", line_end)).encode())
    with caplog.at_level(logging.INFO):
        films = load_films(tmp_path, SEARCH, {"wikipedia": "article", "soundtrack": "videos"})
    assert films == [
        Film("AAA", FOG, (VIDEO,), "Fog, The", 1931, "sea, fog"),
        Film("AAB", SEA, (VIDEO, "ytsearch1:sea theme"), None, 1950, None, "One.\nTwo."),
        Film("AAC", FOG + "#2", (VIDEO, OTHER)),
        Film("AAD", FOG + "#3", (VIDEO, "https://x/a;b,c.mp3")),
        Film("AAE", "https://en.wikipedia.org/wiki/Sea", ("ytsearch1:Sea soundtrack",)),
    ]
    assert "1 field not used: director" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no film"),
        ("wikipedia\n", "lists no film"),
        ("wikipedia,wikipedia\nhttps://x/wiki/A,b\n", "'wikipedia' occurs twice"),
        ("wikipedia\nhttps://x/wiki/A,https://x/b\n", r"meta\.csv, line 2: 2 cells, but 1 names"),
        ('wikipedia\n"https://x/wiki/A\n', r"meta\.csv, line \d: not CSV"),
        ("wikipedia,year\nhttps://x/wiki/A,soon\n", r"AAA\.year: found 'soon', expected a year"),
    ],
)
def test_invalid_csv(text, message, load):
    with pytest.raises(CorpusError, match=message):
        load(text, "meta.csv")


def test_csv_in_another_encoding(tmp_path):
    (tmp_path / "meta.csv").write_bytes("wikipedia,title\nhttps://x/wiki/A,Né\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"meta\.csv is not UTF-8 text"):
        load_films(tmp_path, SEARCH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"url": "https://x/wiki/A"}\n\n{"url"\n', r"meta\.jsonl, line 3 is not JSON"),
        ('{"url": "https://x/wiki/A", "url": "b"}', r"line 1: 'url' occurs twice"),
        ('{"url": "https://x/wiki/A"}\n3\n', r"AAB: found 3, expected an object"),
    ],
)
def test_invalid_json_lines(text, message, load):
    with pytest.raises(CorpusError, match=message):
        load(text, "meta.jsonl")


@pytest.mark.parametrize("names", [("meta.json", "meta.csv"), ("meta.jsonl", "meta.csv")])
def test_two_lists_are_an_error(names, load, tmp_path):
    for name in names:
        (tmp_path / name).write_text("{}")
    with pytest.raises(CorpusError, match=f"contains {names[0]} and {names[1]}: keep one of them"):
        load_films(tmp_path, SEARCH)


FOREIGN = {
    "links": {"wikipedia": FOG, "imdb": "x"},
    "names": {"en": " Fog "},
    "released": "1931-05-02",
    "videos": [{"url": VIDEO, "n": 1}, {"url": "aaaaaaaaaaa"}, {"n": 3}],
    "genres": ["sea", "drama"],
    "plot": None,
    "image": "",
}
FIELDS = {"wikipedia": "links.wikipedia", "title": "names.en", "year": "released", "soundtrack": "videos.url"}


def test_unforeseen_names_and_nested_values(load, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        films = load({"AAA": FOREIGN}, **FIELDS, tags="genres")
    assert films == [Film("AAA", FOG, (VIDEO, OTHER), "Fog", 1931, "sea drama")]
    assert not caplog.records  # all fields are used
    listed = read_corpus(tmp_path, SEARCH, {**FIELDS, "tags": "genres"})
    assert listed.names == {**FIELDS, "tags": "genres"}


def test_a_name_from_params_wins_and_other_films_may_use_the_usual_one(load):
    films = load({"AAA": {"url": FOG, "page": SEA, "audio": []}, "AAB": {"url": FOG, "audio": []}}, wikipedia="page")
    assert [film.wikipedia for film in films] == [SEA, FOG]


def test_a_field_reassigned_in_params_is_not_read_twice(load):
    film = load({"AAA": {"wikipedia": FOG, "url": VIDEO}}, soundtrack="url")[0]
    assert (film.wikipedia, film.soundtrack) == (FOG, (VIDEO,))


def test_tags_beside_the_list_of_the_published_repository(load, tmp_path, caplog):
    tags = {"AAA": "1931  sea fog", "AAB": "1950 sea", "ZZZ": "of no film"}
    (tmp_path / "fid_to_text.json").write_text(json.dumps(tags))
    entry = {"wikipedia": FOG, "soundtrack": []}
    with caplog.at_level(logging.INFO):
        films = load({"AAA": entry, "AAB": entry | {"tags": "given"}, "AAC": entry})
    assert [(film.fid, film.tags) for film in films] == [("AAA", "1931 sea fog"), ("AAB", "given"), ("AAC", None)]
    assert "1 film has tags from fid_to_text.json" in caplog.text
    assert read_corpus(tmp_path, SEARCH).names["tags"] == "fid_to_text.json"
    (tmp_path / "fid_to_text.json").write_text('{"AAA": 3}')
    with pytest.raises(CorpusError, match=r"fid_to_text\.json: AAA: found 3, expected a text of tags"):
        load({"AAA": entry})


def test_values_at_paths():
    entry = {"a": {"b": 1, "c.d": 2}, "a.b": 3, "l": [{"x": 1}, {"y": 2}, 3, {"x": None}], "deep": [[{"x": 1}]]}
    assert value_at(entry, "a.b") == 3  # the literal name
    assert value_at(entry, "a.c.d") == 2
    assert value_at(entry, "l.x") == [1, None]
    for path in ("b", "a.x", "a.b.c", "l.z", "deep.x", "", ".", "a."):
        assert value_at(entry, path) is MISSING


@pytest.mark.parametrize("value", [1931, "1931", " 1931 ", "1931.0", 1931.0, "1931-05", "1931-05-02T00:00:00Z"])
def test_years_of_other_lists(value, load):
    assert load([{"url": FOG, "audio": [], "year": value}])[0].year == 1931


@pytest.mark.parametrize("value", ["31", "1931 or 1932", "May 1931", 1931.5, True, "19310502x", [1931]])
def test_invalid_years(value, load):
    with pytest.raises(CorpusError, match=r"AAA\.year: found .*expected a year"):
        load([{"url": FOG, "audio": [], "year": value}])


def test_empty_values_are_an_error_only_in_the_standard_form(load):
    nothing = {"title": "", "year": None, "tags": [], "plot": "  ", "image": None}
    assert load([{"wikipedia": FOG, "soundtrack": [], **nothing}]) == [Film("AAA", FOG, ())]
    with pytest.raises(CorpusError, match=r"AAA\.plot: found"):
        load({"AAA": {"wikipedia": FOG, "soundtrack": [], "plot": "  "}})


def test_problems_name_the_field_of_their_list(load):
    with pytest.raises(CorpusError, match=r"AAA\.links\.wikipedia: found 'Fog', expected a URL"):
        load({"AAA": {"links": {"wikipedia": "Fog"}}}, **FIELDS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("{director: x}", r"corpus\.fields\.director"),
        ("{title: 3}", r"corpus\.fields\.title"),
        ("null", "corpus.fields"),
    ],
)
def test_the_parameter_is_checked(fields, message, tmp_path):
    (tmp_path / "params.yaml").write_text(
        f'corpus: {{folder: a, serve: null, contact: null, search: "ytsearch1:{{title}}", fields: {fields}}}\n'
    )
    with pytest.raises(Exception, match=message):
        load_sections(tmp_path / "params.yaml", {"corpus": Corpus})
