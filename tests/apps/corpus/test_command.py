import io
import json
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.corpus import load_films
from tests.apps.corpus.small_wiki import WikiPage

SEARCH = "ytsearch1:{title} {year} soundtrack"
METROPOLIS = "https://en.wikipedia.org/wiki/Metropolis_(1927_film)"
FILM = WikiPage(("1931 films", "Sea films"))


@pytest.fixture
def corpus(home, capsys):
    """Return a function that runs a `corpus` command and returns its exit status, output and errors."""
    home()

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main(["corpus", *map(str, arguments)])
        except SystemExit as stopped:  # argparse
            status = stopped.code
        return status, *capsys.readouterr()

    return run


def listed(folder="data/mine"):
    return json.loads((Path(folder) / "meta.json").read_text())


def test_add(corpus):
    status, output, _ = corpus("add", METROPOLIS, "https://en.wikipedia.org/wiki/Am%C3%A9lie", METROPOLIS + "#Plot")
    assert status == 0
    assert listed()["AAA"] == {"wikipedia": METROPOLIS, "soundtrack": ["ytsearch1:Metropolis 1927 soundtrack"]}
    assert listed()["AAB"]["soundtrack"] == ["ytsearch1:Amélie soundtrack"]
    assert output.splitlines()[:3] == [
        f"AAA  {METROPOLIS}  added",
        "AAB  https://en.wikipedia.org/wiki/Am%C3%A9lie             added",
        f"AAA  {METROPOLIS}  already in the list: the same article",
    ]
    assert "2 added, 1 already in the list" in output and "data/mine/meta.json lists 2 films" in output


def test_add_reports_what_it_refuses(corpus):
    status, output, _ = corpus(
        "add", "../../x", METROPOLIS, "https://en.wikipedia.org/wiki/List_of_fogs", "\x1b[31m" * 99
    )
    assert status == 1 and list(listed()) == ["AAA"]
    lines = output.splitlines()
    assert lines[0].startswith("---  ../../x") and "refused: not a URL" in lines[0]
    assert "refused: a list" in lines[2] and all(line.isprintable() and len(line) < 300 for line in lines)
    assert "1 added, 3 refused" in output
    assert sorted(path.name for path in Path().rglob("*") if path.is_file()) == ["meta.json", "params.yaml"]


def test_add_to_another_folder_says_how_to_use_it(corpus):
    status, output, _ = corpus("add", METROPOLIS, "--corpus", "lists/new")
    assert status == 0 and len(listed("lists/new")) == 1 and not Path("data/mine").exists()
    assert "corpus.folder: lists/new and corpus.serve: null" in output


def test_add_to_a_corpus_with_its_own_pages_says_so(corpus):
    Path("data/mine").mkdir(parents=True)
    Path("data/mine/meta.json").write_text('{"AAA": {"wikipedia": "{origin}/wiki/Fog", "soundtrack": []}}')
    status, output, _ = corpus("add", METROPOLIS)
    assert status == 0 and list(listed()) == ["AAA", "AAB"]
    assert "1 film of this list" in output


def test_import(corpus):
    site = "https://en.wikipedia.org/wiki"
    Path("list.txt").write_bytes(f"\ufeff{site}/Fog\r\n\r\n  # seas\r\n\t{site}/Sea \nnonsense\n".encode())
    status, output, _ = corpus("import", "list.txt")
    assert status == 1 and [entry["wikipedia"][-3:] for entry in listed().values()] == ["Fog", "Sea"]
    assert "line 4: added" in output and "line 5: refused: not a URL" in output


def test_import_from_standard_input(corpus, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(METROPOLIS.encode())))
    assert corpus("import", "-")[0] == 0 and len(listed()) == 1


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"\xff\xfe\x00", None])
def test_import_of_nothing(corpus, data):
    if data is not None:
        Path("list.txt").write_bytes(data)
    status, _, error = corpus("import", "list.txt")
    assert status == 1 and error.startswith("ERROR: list.txt") and not Path("data/mine").exists()


@pytest.mark.parametrize(("name", "mark"), [("list.csv", ","), ("list.txt", ";"), ("list.tsv", "\t")])
def test_import_of_a_table_with_recordings(corpus, name, mark):
    site = "https://en.wikipedia.org/wiki"
    rows = [
        ("recordings", "page", "year", "director"),
        ("https://a/1 https://b/2", METROPOLIS, "", "x"),
        ('"https://a/1; https://b/2"', f"{site}/Fog", "1931", ""),
        ("", f"{site}/Sea", "1927", ""),
        ("abcdefghijk", METROPOLIS, "", ""),
    ]
    Path(name).write_text("\n".join(map(mark.join, rows)))
    status, output, _ = corpus("import", name)
    both = ["https://a/1", "https://b/2"]
    assert status == 0 and "director" in output.splitlines()[0]
    assert listed() == {
        "AAA": {"wikipedia": METROPOLIS, "soundtrack": both},
        "AAB": {"wikipedia": f"{site}/Fog", "soundtrack": both, "year": 1931},
        "AAC": {"wikipedia": f"{site}/Sea", "soundtrack": ["ytsearch1:Sea 1927 soundtrack"], "year": 1927},
    }
    assert "line 5: already in the list: the same article, its entry is unchanged" in output
    assert len(load_films(Path("data/mine"), SEARCH)) == 3


def test_import_of_a_table_names_row_column_value_and_what_is_allowed(corpus):
    Path("list.csv").write_text(f"page,recordings,year\n{METROPOLIS},nonsense,now\n,https://a/1,\n{METROPOLIS},,\n")
    status, output, _ = corpus("import", "list.csv")
    assert status == 1 and list(listed()) == ["AAA"]
    first, second, third = output.splitlines()[:3]
    assert "line 2: refused: column recordings: found 'nonsense', expected a list of URLs" in first
    assert "column year: found 'now', expected a year from 1870" in first
    assert "line 3: refused: column page: found no value, expected a URL" in second and "line 4: added" in third


def test_import_of_a_table_without_pages(corpus):
    Path("list.csv").write_text("film,recordings\nFog,https://a/1\n")
    status, _, error = corpus("import", "list.csv")
    assert status == 1 and "'film', 'recordings'" in error and "page, wikipedia" in error and not Path("data").exists()


def test_add_with_recordings(corpus):
    recordings = ["https://a/1", "ytsearch1:fog music"]
    options = [f"--soundtrack={recording}" for recording in recordings]
    assert corpus("add", METROPOLIS, *options)[0] == 0
    assert listed() == {"AAA": {"wikipedia": METROPOLIS, "soundtrack": recordings}}
    status, output, _ = corpus("add", METROPOLIS.replace("1927", "2001"), "--soundtrack", "../x")
    assert status == 1 and "refused: soundtrack: found ['../x'], expected" in output and len(listed()) == 1
    status, _, error = corpus("add", METROPOLIS, METROPOLIS, *options)
    assert status == 1 and "--soundtrack: found 2 pages" in error


def test_remove(corpus):
    corpus("add", *(f"https://en.wikipedia.org/wiki/{title}" for title in ("Fog", "Sea", "Tide")))
    before = Path("data/mine/meta.json").read_text()
    status, output, _ = corpus("remove", "AAB", "AAC")
    assert status == 0 and list(listed()) == ["AAA"] and "2 removed; the next `dvc repro`" in output
    status, _, error = corpus("remove", "AAA", "AAB", "x")
    assert status == 1 and "found no film 'AAB', 'x'" in error and list(listed()) == ["AAA"]
    corpus("remove", "AAA")
    corpus("add", *(f"https://en.wikipedia.org/wiki/{title}" for title in ("Fog", "Sea", "Tide")))
    assert Path("data/mine/meta.json").read_text() == before


def test_remove_without_a_list(corpus):
    status, _, error = corpus("remove", "AAA")
    assert status == 1 and "meta.json is missing" in error


def test_list(corpus):
    Path("films.csv").write_text(f"page,title,recordings\n{METROPOLIS},,https://a/1 https://a/2\n{METROPOLIS}s,Fog,\n")
    corpus("import", "films.csv")
    status, output, _ = corpus("list")
    assert status == 0 and [line.split() for line in output.splitlines()] == [
        ["AAA", "Metropolis", METROPOLIS, "2", "recordings"],
        ["AAB", "Fog", METROPOLIS + "s", "0", "recordings,", "1", "search"],
    ]


def test_category(corpus, wiki):
    wiki.pages = {
        "Fog (1931 film)": FILM,
        "Tide": WikiPage(("Sea films", "1950 films", "1949 films")),
        "Old tide": WikiPage(("Sea films",), redirect="Tide"),
        "List of sea films": FILM,
        "Wave": WikiPage(("Sea films", "Disambiguation pages"), disambiguation=True),
        "A sailor": WikiPage(("Sea films", "1931 births")),
        "A ship": WikiPage(("Sea films", "1931 video games")),
        "Storm": WikiPage(("Sea films", "American drama films")),
        "Known": FILM,
    }
    corpus("add", f"{wiki.origin}/wiki/Known")
    wiki.members_a_part = 1  # puts the redirect and its target into two batches
    status, output, _ = corpus("category", "Sea_films", "--site", wiki.origin)
    assert status == 0 and "\n3 added\n" in output
    assert [(entry["wikipedia"], *entry["soundtrack"]) for entry in listed().values()][1:] == [
        (f"{wiki.origin}/wiki/Fog_(1931_film)", "ytsearch1:Fog 1931 soundtrack"),
        (f"{wiki.origin}/wiki/Tide", "ytsearch1:Tide 1949 soundtrack"),
        (f"{wiki.origin}/wiki/Storm", "ytsearch1:Storm soundtrack"),
    ]
    for reason in ("disambiguation", "list", "person", "game", "already in the list"):
        assert f"1 page skipped: {reason}" in output
    assert wiki.asked[0]["titles"] == "Category:Sea films"


def test_category_stops_at_the_limit(corpus, wiki):
    wiki.pages = {f"Film {number:03}": FILM for number in range(120)}
    wiki.categories_a_part = 500
    status, output, _ = corpus("category", "Category:Sea films", "--site", wiki.origin, "--limit", 60)
    assert status == 0 and len(listed()) == 60 and "stopped at --limit 60" in output
    assert sum("generator" in ask for ask in wiki.asked) == 2
    corpus("category", "Sea films", "--site", wiki.origin, "--limit", 60)
    assert len({entry["wikipedia"] for entry in listed().values()}) == 120


def test_category_keeps_what_came_before_an_error(corpus, wiki):
    wiki.pages = {f"Film {number:03}": FILM for number in range(60)}
    wiki.categories_a_part = 500
    answers = [wiki.answer({"titles": "Category:Sea films", "prop": "categoryinfo"})]
    answers.append(
        wiki.answer(
            {"generator": "categorymembers", "gcmtitle": "Category:Sea films", "gcmnamespace": "0", "gcmlimit": "50"}
        )
    )
    wiki.first = [(200, {}, json.dumps(answer).encode()) for answer in answers] + [(403, {}, b"enough")]
    status, output, error = corpus("category", "Sea films", "--site", wiki.origin)
    assert status == 1 and len(listed()) == 50 and "50 added" in output
    assert "resume" in error and "forbidden" in error


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("No such films", "check its exact name"),
        ("a|b", "cannot contain '|'"),
        ("", "not a valid title"),
        ("x" * 999, "255 bytes"),
    ],
)
def test_invalid_category(corpus, wiki, name, message):
    status, _, error = corpus("category", name, "--site", wiki.origin)
    assert status == 1 and message in error and not Path("data/mine").exists()


def test_category_of_categories(corpus, wiki):
    wiki.subcategories = 7
    status, _, error = corpus("category", "Films by year", "--site", wiki.origin)
    assert status == 1 and "contains 7 categories and no articles" in error


@pytest.mark.parametrize(
    "site", ["en.wikipedia.org", "ftp://x", "https://x/wiki/Y", "https://x?y", "{origin}/", "https://"]
)
def test_category_of_an_invalid_site(corpus, site):
    status, _, error = corpus("category", "Sea films", "--site", site)
    assert status == 1 and "--site: found" in error


def test_wikipedia_is_not_asked_without_a_contact(corpus):
    status, _, error = corpus("category", "Sea films")
    assert status == 1 and error.startswith("ERROR: no contact is set") and "SOUNDTRACK_CONTACT" in error
    assert not Path("data/mine").exists()


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5"])
def test_limits(corpus, limit):
    status, _, error = corpus("category", "x", f"--limit={limit}")
    assert status == 2 and "expected a whole number of 1" in error


@pytest.mark.parametrize(
    "arguments", [["--help"], *([action, "-h"] for action in ("add", "import", "category", "remove", "list", "check"))]
)
def test_help(corpus, arguments):
    status, output, _ = corpus(*arguments)
    assert status == 0 and "usage: " in output


def test_the_old_name_works_and_names_the_new_one(corpus, capsys):
    assert main(["catalog", "add", METROPOLIS]) == 0
    output, error = capsys.readouterr()
    assert "corpus" in error and "catalog" in error and "catalog" not in output
    assert len(listed()) == 1
    assert "catalog" not in corpus("add", METROPOLIS)[2]


def test_what_was_added_loads(corpus):
    corpus(
        "add", *(f"https://en.wikipedia.org/wiki/{title}" for title in ("A%E2%80%8CB", "%F0%9F%8E%AC", "50%25", "O'"))
    )
    films = load_films(Path("data/mine"), SEARCH)
    assert [film.soundtrack for film in films] == [
        ("ytsearch1:A\u200cB soundtrack",),
        ("ytsearch1:🎬 soundtrack",),
        ("ytsearch1:50% soundtrack",),
        ("ytsearch1:O' soundtrack",),
    ]
