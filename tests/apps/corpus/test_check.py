import json
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.apps.corpus.remaining import remaining
from pipeline.core.tables import DOWNLOADS, PAGES, write_table
from pipeline.corpus import Film
from tests.apps.corpus.small_wiki import WikiPage

STATUSES = ("gone", "blocked", "skipped", "ok")


@pytest.fixture
def check(home, capsys):
    """Return a function that writes meta.json, checks it, and returns the exit status and output."""
    home()

    def run(entries, **corpus):
        if corpus:
            home(**corpus)
        Path("data/mine").mkdir(parents=True, exist_ok=True)
        Path("data/mine/meta.json").write_text(json.dumps(entries))
        capsys.readouterr()
        status = main(["corpus", "check"])
        output, error = capsys.readouterr()
        return status, output + error

    return run


def entry(url, *soundtrack):
    return {"wikipedia": url, "soundtrack": list(soundtrack)}


def test_a_valid_list(check, wiki):
    wiki.pages = {
        "Fog": WikiPage(),
        "Mercury (film)": WikiPage(redirect="Mercury (1999 film)"),
        "Mercury (1999 film)": WikiPage(),
    }
    recordings = ["https://www.youtube.com/watch?v=x", "https://www.youtube.com/playlist?list=y"]
    status, output = check(
        {
            "AAA": entry(f"{wiki.origin}/wiki/Fog", *recordings),
            "AAB": {"wikipedia": f"{wiki.origin}/wiki/mercury_(film)"},
        }
    )
    assert status == 0 and output.endswith("No problems found.\n")
    assert "data/mine/meta.json: 2 films" in output
    assert "1 redirect, which scraping follows:\n  AAB  Mercury (film) →  Mercury (1999 film)" in output
    assert "2 pages, 2 posters, about 22 recordings (including 1 search and 1 playlist of unknown length)" in output


def test_every_problem_is_reported(check, wiki):
    wiki.pages = {
        "Fog": WikiPage(),
        "Mist": WikiPage(redirect="Fog"),
        "Haze": WikiPage(redirect="Weather", section="Haze"),
        "Weather": WikiPage(),
        "Mercury": WikiPage(disambiguation=True),
        "A sailor": WikiPage(("1931 births", "Male film actors")),
        "An isle": WikiPage(("Islands of films",)),
    }
    titles = [
        "Fog",
        "fog",
        "Mist",
        "Haze",
        "Mercury",
        "A_sailor",
        "Nothing",
        "Fr:Brume",
        "List_of_fogs",
        "User:Fog",
        "An_isle",
    ]
    ids = [f"AA{letter}" for letter in "ABCDEFGHIJK"]
    status, output = check({fid: entry(f"{wiki.origin}/wiki/{title}") for fid, title in zip(ids, titles, strict=True)})
    assert status == 1
    lines = [line.split(maxsplit=2) for line in output.splitlines()]
    for word, fid, start in [
        ("duplicate", "AAA", "AAB"),
        ("duplicate", "AAA", "AAB AAC"),
        ("section", "AAD", "Haze: leads to a section"),
        ("disambiguation", "AAE", "Mercury: Mercury is a disambiguation page"),
        ("person", "AAF", "A sailor: A sailor is not a film: a category says `1931 births`"),
        ("not_a_film", "AAK", "An isle: An isle is not in a category of films"),
        ("missing", "AAG", "Nothing: the article does not exist"),
        ("elsewhere", "AAH", "Fr:Brume"),
        ("not_an_article", "AAI", "List of fogs is a list"),
        ("not_an_article", "AAJ", "User:Fog is a page of User:"),
    ]:
        assert any(line[:2] == [word, fid] and line[2].startswith(start) for line in lines if len(line) == 3), word
    assert "10 problems." in output
    asked = {title for ask in wiki.asked for title in ask["titles"].split("|")}
    assert asked == {"Fog", "Mist", "Haze", "Mercury", "A sailor", "Nothing", "Fr:Brume", "An isle"}


def test_all_loading_errors_are_reported(check):
    status, output = check({"AAA": {"wikipedia": 3}, "aab": {}, "AAC": entry("https://x/y", 7)})
    assert status == 1 and all(name in output for name in ("AAA.wikipedia", "'aab'", "AAC.soundtrack"))


def test_without_a_contact_the_rest_is_still_reported(check):
    url = "https://en.wikipedia.org/wiki/Fog"
    status, output = check({"AAA": entry(url), "AAB": entry(url + "#Plot")})
    assert status == 1 and "duplicate" in output and "SOUNDTRACK_CONTACT" in output and "To fetch" in output
    assert "some titles were not looked up" in output
    status, output = check({"AAA": entry(url)})
    assert status == 1 and "No problems found, but some titles were not looked up" in output


def test_a_wiki_that_refuses(check, wiki):
    wiki.first = [(403, {}, b"no")]
    other = "https://example.org/films/fog.html"
    status, output = check({"AAA": entry(f"{wiki.origin}/wiki/Fog"), "AAB": entry(other)})
    assert status == 1 and "1 title not looked up" in output and "forbidden" in output
    assert "1 URL" in output and "not of the form SITE/wiki/Title" in output


def test_pages_that_the_corpus_serves_are_looked_for_on_the_disk(check):
    wiki = Path("data/mine/site/wiki")
    wiki.mkdir(parents=True)
    (wiki / "Fog?.html").write_text("")
    entries = {"AAA": entry("{origin}/wiki/Fog%3F", "{origin}/a.mp3"), "AAB": entry("{origin}/wiki/None")}
    status, output = check(entries, serve="site")
    assert status == 1 and "no_file  AAB  {origin}/wiki/None" in output and "1 problem." in output
    assert "2 pages, 0 images, 1 recording" in output and "AAA {origin}/a.mp3" in output
    status, output = check({"AAA": entries["AAA"]}, serve="site")
    assert status == 0 and "Nothing to fetch" in output
    status, output = check({"AAA": entries["AAA"]}, serve=None)
    assert status == 1 and "not_served" in output
    status, output = check({"AAA": entries["AAA"]}, serve="nowhere")
    assert status == 1 and "nowhere is not a folder" in output


def test_what_is_already_here_is_not_counted(check, wiki):
    wiki.pages = {"Fog": WikiPage(), "Sea": WikiPage()}
    first, second = "https://www.youtube.com/watch?v=1", "https://www.youtube.com/watch?v=2"
    entries = {
        "AAA": entry(f"{wiki.origin}/wiki/Fog", first, second),
        "AAB": entry(f"{wiki.origin}/wiki/Sea", first),
    }
    page = dict.fromkeys(PAGES.names) | {"fid": "AAA", "status": "ok", "url": f"{wiki.origin}/wiki/Fog"}
    write_table(Path("data/pages.parquet"), [page | {"poster_status": "ok"}], PAGES)
    row = dict.fromkeys(DOWNLOADS.names) | {"fid": "AAA"}
    rows = [row | {"status": "gone", "url": first}, row | {"status": "transient", "url": second}]
    write_table(Path("data/downloads.parquet"), rows, DOWNLOADS)
    _, output = check(entries)
    assert "To fetch from the web: 1 page, 1 poster, 2 recordings\n" in output
    page |= {"poster_status": "timeout", "poster_url": "https://upload.wikimedia.org/a.jpg"}
    write_table(Path("data/pages.parquet"), [page], PAGES)
    _, output = check(entries)
    assert "To fetch from the web: 1 page, 2 posters, 2 recordings\n" in output


@pytest.mark.parametrize(("retry", "left"), [(None, ("b",)), ("gone", ("a", "b")), ("skipped", ("b", "c"))])
def test_remaining_recordings_with_download_retry(tmp_path, retry, left):
    row = dict.fromkeys(DOWNLOADS.names) | {"fid": "AAA"}
    rows = [row | {"url": url, "status": status} for url, status in zip("abcd", STATUSES, strict=True)]
    write_table(tmp_path / "data/downloads.parquet", rows, DOWNLOADS)
    assert remaining(tmp_path, "data/films", [Film("AAA", "w", tuple("abcd"))], retry)[0].soundtrack == left


def test_a_corpus_in_the_references_layout(check, tmp_path):
    check({})
    Path("data/mine/meta.json").unlink()
    for name, text in {
        "meta/fid_to_text.json": '{"AAA": "1999 film"}',
        "image/AAA.jpg": "",
        "audio/A/A/A/0.mp3": "",
    }.items():
        (tmp_path / "data/mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data/mine" / name).write_text(text)
    assert main(["corpus", "check"]) == 0


def test_the_first_film_is_shown_as_it_is_read(check):
    film = {
        "links": {"page": "{origin}/wiki/Fog"},
        "name": "Fog",
        "released": "1931-05-02",
        "director": "A",
        "cast": [],
    }
    other = {"links": {"page": "{origin}/wiki/Sea"}, "budget": 3, "videos": []}
    _, output = check({"AAB": other, "AAA": film}, fields={"wikipedia": "links.page", "year": "released"})
    lines = output.splitlines()
    assert lines[1:9] == [
        "The first film, AAA, is read as:",
        "  wikipedia   from links.page   {origin}/wiki/Fog",
        "  soundtrack  by corpus.search  ytsearch1:Fog 1931 soundtrack",
        "  title       from name         Fog",
        "  year        from released     1931",
        "  tags        not given",
        "  plot        not given",
        "  image       not given",
    ]
    assert lines[9] == "4 fields not used: budget, cast, director, videos"


def test_a_name_in_corpus_fields_that_no_film_has_is_reported(check):
    _, output = check({"AAA": entry("{origin}/wiki/Fog")}, fields={"title": "titel"})
    assert "'titel'" in output and "corpus.fields maps title" in output


@pytest.mark.parametrize(
    ("films", "line"),
    [
        (3, "found 3, expected at least 5"),
        (10, "about 3 test films"),
        (90, None),
    ],
)
def test_small_lists(check, films, line):
    Path("data/mine/site").mkdir(parents=True)
    fids = [f"A{chr(65 + number // 26)}{chr(65 + number % 26)}" for number in range(films)]
    _, output = check({fid: entry(f"{{origin}}/wiki/{fid}") for fid in fids}, serve="site")
    found = [text for text in output.splitlines() if "Too few" in text or "small corpus" in text]
    assert (len(found) == 1 and line in found[0]) if line else found == []
