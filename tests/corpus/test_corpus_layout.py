import json
import logging
from urllib.request import urlopen

import pytest

from pipeline.core.errors import CorpusError
from pipeline.corpus import Film, load_films
from pipeline.corpus.site import serving, site_folder

SEARCH = "ytsearch1:{title} {year} soundtrack"


@pytest.fixture(params=[".", "data"])
def place(tmp_path, request):
    """The folder of a small corpus in the reference's layout: `tmp_path` or inside it."""
    place = tmp_path / request.param
    for name, content in {
        "meta/fid_to_text.json": json.dumps({"AAB": "1985 national comedy", "AAA": "comedy  1999", "BAA": "1999"}),
        "meta/meta.json": json.dumps(
            {"AAB": {"plot": "One. \n\nTwo.", "title": "x"}, "AAC": {"plot": "Alone"}, "AAA": {}}
        ),
        "image/AAB.jpg": "image AAB",
        "image/secret.jpg": "",
        "audio/A/A/B/0.mp3": "zero",
        "audio/A/A/B/2.mp3": "two",
        "audio/A/A/B/10.mp3": "ten",
        "audio/A/A/B/notes.txt": "",
        "audio/A/A/B/01.mp3": "",
        "audio/Z/Z/Z/0.mp3": "of no film",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content)
    return place


def test_films_are_read_unchanged(tmp_path, place):
    tracks = tuple(f"{{origin}}/audio/A/A/B/{number}.mp3" for number in (0, 2, 10))
    assert load_films(tmp_path, SEARCH) == [
        Film("AAA", "", (), "AAA", None, "comedy 1999"),
        Film("AAB", "", tracks, "AAB", 1985, "1985 national comedy", "One.\nTwo.", "{origin}/image/AAB.jpg"),
        Film("AAC", "", (), "AAC", plot="Alone"),
        Film("BAA", "", (), "BAA", 1999, "1999"),
    ]


@pytest.mark.parametrize("serve", [None, "site", "nowhere"])
def test_their_files_are_served_whatever_serve_says(tmp_path, place, serve):
    with serving(tmp_path, serve) as site:
        film = load_films(tmp_path, SEARCH)[1]
        assert urlopen(site.address(film.soundtrack[2]), timeout=5).read() == b"ten"
        assert urlopen(site.address(film.image), timeout=5).read() == b"image AAB"
        assert site.sha256(film.image)


def test_a_list_at_the_top_wins(tmp_path, place):
    (tmp_path / "meta.json").write_text(json.dumps({"AAA": {"wikipedia": "https://x/wiki/Fog"}}))
    assert load_films(tmp_path, SEARCH)[0].wikipedia == "https://x/wiki/Fog"
    assert site_folder(tmp_path, None) is None


def test_other_fields_than_the_plot_are_counted_in_one_line(tmp_path, place, caplog):
    with caplog.at_level(logging.INFO):
        load_films(tmp_path, SEARCH)
    assert caplog.messages == [f"{place}: 1 field not used: title"]


def test_problems_are_grouped(tmp_path, place):
    tags = {f"AA{letter}": 3 for letter in "ABCDE"} | {"x": "a"}
    (place / "meta/fid_to_text.json").write_text(json.dumps(tags))
    with pytest.raises(CorpusError) as caught:
        load_films(tmp_path, SEARCH)
    assert [line.partition(".json: ")[2] for line in str(caught.value).splitlines()] == [
        "AAA: found 3, expected a text of tags (5 films; also AAB: 3, AAC: 3, …)",
        "'x': an id is three capital letters, AAA to ZZZ",
    ]


@pytest.mark.parametrize("name", ["meta.json", "meta.jsonl", "meta.csv"])
def test_a_list_of_any_form_at_the_top_wins(tmp_path, place, name):
    entry = {"meta.json": '[{"url": "URL"}]', "meta.jsonl": '{"url": "URL"}', "meta.csv": "url\nURL\n"}[name]
    (tmp_path / name).write_text(entry.replace("URL", "https://x/wiki/Fog"))
    assert load_films(tmp_path, SEARCH)[0].wikipedia == "https://x/wiki/Fog"


def test_plots_may_be_missing(tmp_path, place):
    (place / "meta/meta.json").unlink()
    assert [film.fid for film in load_films(tmp_path, SEARCH)] == ["AAA", "AAB", "BAA"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("fid_to_text.json", "{", "is not JSON"),
        ("fid_to_text.json", b"\xff", "is not JSON"),
        ("fid_to_text.json", "[]", "must contain an object"),
        ("fid_to_text.json", "{}", "must contain an object"),
        ("fid_to_text.json", '{"../../x": "a"}', r"'\.\./\.\./x': an id is three capital letters"),
        ("fid_to_text.json", '{"AAA": 3}', "AAA: found 3, expected a text of tags"),
        ("fid_to_text.json", '{"AAA": "\\ud800"}', "AAA: found"),
        ("meta.json", "[" * 100_000, "is not JSON"),
        ("meta.json", '{"AAA": "plot"}', "AAA: found 'plot', expected an object"),
        ("meta.json", '{"AAA": {"plot": 3}}', "AAA: found"),
        ("meta.json", '{"AAA": {"plot": null}}', "AAA: found"),
        ("meta.json", '{"AAA": []}', "AAA: found"),
    ],
)
def test_texts_are_checked(tmp_path, place, name, content, message):
    (place / "meta" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CorpusError, match=message):
        load_films(tmp_path, SEARCH)
