import gzip
import json
import re
import tracemalloc
from dataclasses import replace
from functools import partial
from itertools import combinations
from urllib.parse import quote

import pytest
from PIL import Image

from pipeline.core.errors import MissingFileError, StageError
from pipeline.core.tables import FILMS, PAGES, read_table, write_table
from stages.parse import main
from tests.small_machine import MACHINE

HTML = """<h1 id="firstHeading">Fog (1931 film)</h1><h2>Plot</h2><p>One.</p><p>Two.</p>
<div id="mw-normal-catlinks"><ul><li><a>1931 films</a></li><li><a>British mystery films</a></li></ul></div>"""
NO_PLOT = HTML.replace("Plot", "Cast")
NO_TAGS = HTML.replace("British mystery films", "1930s films").replace("1930s films", "Films set in London")


@pytest.fixture
def settings(params):
    """Return parse's section with some values changed, in one process."""
    small = {"short_side": 32, "max_pixels": 40_000, "min_success_rate": 0.1}
    return partial(replace, params.parse, **small)


@pytest.fixture
def corpus(params):
    return replace(params.corpus, folder="corpus", serve=None)


@pytest.fixture
def parsed(tmp_path, settings, corpus):
    """Write pages, run the stage, return its rows by id. A page is (html, has a poster?, fields of meta.json)."""

    def run(parse=None, machine=MACHINE, **pages):
        rows, meta = [], {}
        for fid, (html, poster, given) in pages.items():
            meta[fid] = {"wikipedia": "https://example.org/wiki/Fog_%28film%29", "soundtrack": []} | given
            meta[fid] = {name: value for name, value in meta[fid].items() if value is not None}
            reached = meta[fid].pop("reached", "https://example.org/wiki/Fog")
            row = dict.fromkeys(PAGES.names, "") | {"fid": fid, "revision": None, "bytes": None, "url": "u"}
            row |= {"status": "ok", "path": f"data/pages/{fid}.html.gz", "url_reached": reached}
            row |= {"poster_status": "none", "poster_reason": "the page shows no poster", "redirects": []}
            row |= {
                "poster_url": f"https://example.org/{fid}.png",
                "poster_page": f"https://example.org/File:{fid}.png",
            }
            if isinstance(html, tuple):
                row |= {"status": html[0], "reason": html[1], "path": "", "url_reached": ""}
            else:
                (tmp_path / "data/pages").mkdir(parents=True, exist_ok=True)
                row |= {"charset": "utf-8", "bytes": len(html.encode())}
                (tmp_path / row["path"]).write_bytes(gzip.compress(html.encode(), mtime=0))
            if poster:
                row |= {"poster_status": "ok", "poster_reason": "", "poster_path": f"data/posters/{fid}.png"}
                (tmp_path / "data/posters").mkdir(parents=True, exist_ok=True)
                if poster == "broken":
                    (tmp_path / row["poster_path"]).write_bytes(b"broken")
                else:
                    Image.new("RGB", (60, 90), (9, 99, 9)).save(tmp_path / row["poster_path"])
            rows.append(row)
        (tmp_path / "corpus").mkdir(exist_ok=True)
        (tmp_path / "corpus/meta.json").write_text(json.dumps(meta))
        write_table(tmp_path / "data/pages.parquet", rows, PAGES)
        main(tmp_path, corpus, parse or settings(), machine)
        return {row["fid"]: row for row in read_table(tmp_path / "data/films.parquet", FILMS, "parse")}

    return run


GOOD = (HTML, True, {})
GONE = ("not_found", "HTTP 404")


def images(folder):
    return sorted(path.name for path in (folder / "data/image").glob("*"))


def test_a_film(parsed, tmp_path):
    assert parsed(AAA=GOOD)["AAA"] == {
        "fid": "AAA",
        "status": "ok",
        "reason": "",
        "title": "Fog",
        "year": 1931,
        "tags": "1931 mystery british",
        "categories": ["1931 films", "British mystery films"],
        "plot": "One.\nTwo.",
        "image": "data/image/AAA.jpg",
        "placeholders": [],
        "poster_url": "https://example.org/AAA.png",
        "poster_page": "https://example.org/File:AAA.png",
        "url": "https://example.org/wiki/Fog",
    }
    with Image.open(tmp_path / "data/image/AAA.jpg") as image:
        assert (image.size, image.mode) == ((32, 48), "RGB")


@pytest.mark.parametrize(
    ("page", "status", "reason"),
    [
        ((GONE, True, {}), "missing", "not_found: HTTP 404"),
        ((("forbidden", "HTTP 403"), True, {}), "no_page", "forbidden: HTTP 403"),
        (('<div class="noarticletext"></div>', True, {}), "missing", "no such article"),
        (('<table id="disambigbox"></table>', True, {}), "disambiguation", "lists articles"),
        (('<html lang="fr">' + HTML, True, {}), "other_language", "not in English: the page is in the language `fr`"),
        ((HTML, True, {"reached": "https://id.wikipedia.org/wiki/Fog"}), "other_language", "from id.wikipedia.org"),
        ((HTML.replace("films", "births"), True, {}), "person", "a category says `1931 births`"),
        ((HTML.replace("films", "video games"), True, {}), "game", "a category says `1931 video games`"),
        ((HTML.replace("films", "television series"), True, {}), "series", "a category says `1931 television series`"),
        (("<h2>Plot</h2><p>A game.</p>", True, {}), "not_a_film", "no category, infobox or first sentence"),
        (("", True, {}), "not_a_film", "no category, infobox or first sentence"),
        ((NO_PLOT, True, {}), "no_plot", "plot"),
        ((NO_TAGS, True, {}), "no_tags", "category"),
        ((HTML, False, {}), "no_poster", "none: the page shows no poster"),
        ((HTML, "broken", {}), "bad_poster", "data/posters/AAB.png: cannot be decoded"),
    ],
)
def test_a_film_with_missing_data_is_a_row_with_the_rest(parsed, tmp_path, page, status, reason):
    rows = parsed(AAA=GOOD, AAB=page)
    assert rows["AAB"]["status"] == status
    assert reason in rows["AAB"]["reason"]
    has_image = status in ("no_plot", "no_tags")
    assert rows["AAB"]["image"] == ("data/image/AAB.jpg" if has_image else "")
    assert images(tmp_path) == ["AAA.jpg", *(["AAB.jpg"] if has_image else [])]


def test_all_that_is_missing_is_named(parsed):
    row = parsed(AAA=GOOD, AAB=(NO_PLOT.replace("British mystery films", "Films"), True, {}))["AAB"]
    assert row["status"] == "no_plot"
    assert "plot" in row["reason"] and "tag" in row["reason"]


def test_a_page_in_another_language_is_used_only_where_meta_json_gives_all(parsed):
    given = {"tags": "dark", "plot": "P.", "image": "https://example.org/p.png"}
    french = '<html lang="fr">' + HTML.replace("One.", "Un.")
    rows = parsed(AAA=(french, True, given), AAB=(french, True, given | {"plot": None}), AAC=GOOD)
    assert (rows["AAA"]["status"], rows["AAA"]["plot"], rows["AAA"]["tags"]) == ("ok", "P.", "dark")
    assert (rows["AAB"]["status"], rows["AAB"]["plot"], rows["AAB"]["image"]) == ("other_language", "", "")


def test_values_of_meta_json_win(parsed):
    given = {"title": "Mist (film)", "year": 1950, "tags": ["dark", "Grey"], "plot": " A  b. \n\nC."}
    row = parsed(AAA=(HTML, True, given))["AAA"]
    assert (row["title"], row["year"], row["tags"], row["plot"]) == ("Mist (film)", 1950, "dark Grey", "A b.\nC.")
    assert parsed(AAA=(HTML, True, {"year": 1950}))["AAA"]["tags"] == "1950 mystery british"


def test_given_values_stand_in_for_the_page(parsed):
    given = {"tags": "dark", "plot": "P.", "image": "https://example.org/p.png"}
    rows = parsed(AAA=(GONE, True, given), AAB=(GONE, True, {"tags": "dark", "plot": "P."}), AAC=(GONE, False, given))
    assert [rows["AAA"][name] for name in ("status", "title", "year", "plot")] == ["ok", "Fog", None, "P."]
    assert rows["AAB"]["status"] == "missing"
    assert (rows["AAC"]["status"], rows["AAC"]["image"]) == ("no_poster", "")


def test_a_film_without_a_page_is_what_the_corpus_says(parsed, settings):
    page, given = ("given", "no page is named"), {"title": "AAA", "year": 1931, "tags": "1931 fog", "plot": "P."}
    rows = parsed(AAA=(page, True, given), AAB=(page, False, given), AAC=(page, True, given | {"plot": None}))
    row = rows["AAA"]
    assert (row["status"], row["reason"], row["title"], row["year"]) == ("ok", "", "AAA", 1931)
    assert (row["tags"], row["plot"], row["image"]) == ("1931 fog", "P.", "data/image/AAA.jpg")
    assert rows["AAB"]["status"] == "no_poster"
    assert (rows["AAC"]["status"], rows["AAC"]["reason"]) == ("no_plot", "the corpus gives no plot")
    rows = parsed(settings(missing="placeholder"), AAA=(page, True, {"title": "AAA"}))
    assert (rows["AAA"]["status"], rows["AAA"]["tags"]) == ("ok", "tag1 tag2 tag3")


@pytest.mark.parametrize("lacking", [c for n in range(4) for c in combinations(("plot", "tags", "image"), n)])
def test_every_combination_of_what_is_missing(parsed, settings, tmp_path, lacking):
    html = HTML.replace("Plot", "Cast") if "plot" in lacking else HTML
    html = html.replace("British mystery films", "Films set in London") if "tags" in lacking else html
    film = (html, "image" not in lacking, {})
    left_out = parsed(AAA=GOOD, AAB=film)["AAB"]
    assert left_out["status"] == (f"no_{lacking[0]}".replace("image", "poster") if lacking else "ok")
    assert (tmp_path / "data/image/AAB.jpg").exists() == ("image" not in lacking)
    assert {part for part in ("plot", "tags", "image") if not left_out[part]} == set(lacking)

    row = parsed(settings(missing="placeholder"), AAA=GOOD, AAB=film)["AAB"]
    assert row["status"] == "ok"
    assert sorted(row["placeholders"]) == sorted(lacking)
    assert (row["plot"] == "this is a plot") == ("plot" in lacking)
    assert (row["tags"] == "tag1 tag2 tag3") == ("tags" in lacking)
    with Image.open(tmp_path / row["image"]) as image:
        assert (image.getextrema() == ((255, 255),) * 3) == ("image" in lacking)


def test_placeholders_are_for_films_only(parsed, settings, tmp_path):
    game = HTML.replace("films", "video games")
    placeholder = settings(missing="placeholder")
    rows = parsed(placeholder, AAA=GOOD, AAB=(HTML, "broken", {}), AAC=(GONE, False, {}), AAD=(game, True, {}))
    assert (rows["AAB"]["status"], rows["AAB"]["plot"]) == ("ok", "One.\nTwo.")
    assert rows["AAB"]["placeholders"] == ["image"] and rows["AAA"]["placeholders"] == []
    assert rows["AAA"]["reason"] == ""
    assert (rows["AAC"]["status"], rows["AAD"]["status"]) == ("missing", "game")
    assert images(tmp_path) == ["AAA.jpg", "AAB.jpg"]


def test_tags_by_phrases(parsed, settings):
    row = parsed(settings(tags="categories"), AAA=GOOD, AAB=(HTML, True, {"tags": "dark"}))
    assert row["AAA"]["tags"] == "1931 films, british mystery films"
    assert row["AAB"]["tags"] == "dark"


def test_repeating_is_the_same_and_removes_old_files(parsed, tmp_path):
    parsed(AAA=GOOD, AAB=GOOD)
    first = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    (tmp_path / "data/image/.part-killed.jpg").write_bytes(b"x")
    parsed(AAA=GOOD, AAB=GOOD)
    assert {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()} == first
    parsed(AAA=(HTML, False, {}), AAC=GOOD)
    assert images(tmp_path) == ["AAC.jpg"]


def test_several_processes_give_the_same(parsed, settings, tmp_path):
    films = {f"A{first}{second}": GOOD for first in "ABC" for second in "ABCDEF"}
    films["AAB"] = (HTML.replace("One.", "Another."), True, {})
    films["AAC"] = (GONE, False, {})
    alone = parsed(settings(), **films)
    files = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    assert parsed(settings(), machine=replace(MACHINE, processes=2), **films) == alone
    assert {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()} == files


def test_the_charset_is_the_answers(parsed, tmp_path, corpus, settings):
    parsed(AAA=GOOD)
    data = HTML.replace("One.", "Más.").encode("latin-1")
    (tmp_path / "data/pages/AAA.html.gz").write_bytes(gzip.compress(data))
    rows = read_table(tmp_path / "data/pages.parquet", PAGES, "scrape")
    write_table(tmp_path / "data/pages.parquet", [rows[0] | {"charset": "iso-8859-1", "bytes": len(data)}], PAGES)
    main(tmp_path, corpus, settings(), MACHINE)
    assert read_table(tmp_path / "data/films.parquet", FILMS, "parse")[0]["plot"] == "Más.\nTwo."


def test_a_page_that_is_lost_or_damaged(parsed, tmp_path, corpus, settings):
    packed = gzip.compress(HTML.encode())
    damaged = {
        "AAB": None,
        "AAC": packed[:-20],
        "AAD": b"no gzip",
        "AAE": packed[:20] + b"\xff" + packed[21:],
        "AAF": gzip.compress(b"shorter"),
        "AAG": gzip.compress(HTML.encode() + bytes(100_000_000)),
        "AAH": b"",
    }
    parsed(AAA=GOOD, **dict.fromkeys(damaged, GOOD))
    for fid, data in damaged.items():
        path = tmp_path / f"data/pages/{fid}.html.gz"
        path.unlink() if data is None else path.write_bytes(data)
    meta = json.loads((tmp_path / "corpus/meta.json").read_text())
    (tmp_path / "corpus/meta.json").write_text(json.dumps(meta | {"AAZ": meta["AAA"]}))
    tracemalloc.start()
    main(tmp_path, corpus, settings(), MACHINE)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    rows = {row["fid"]: row for row in read_table(tmp_path / "data/films.parquet", FILMS, "parse")}
    assert rows.pop("AAA")["status"] == "ok"
    assert sorted(rows) == [*damaged, "AAZ"]
    assert {row["status"] for row in rows.values()} == {"no_page"}
    assert all("dvc repro scrape" in row["reason"] for row in rows.values())
    assert "more than" in rows["AAG"]["reason"]


@pytest.mark.parametrize("title", ["x" * 500, "🎞️ 映画", "../../x", "a\tb", "<b>&amp;</b>", "Fog\n(film)"])
def test_titles_of_the_list(parsed, tmp_path, title):
    row = parsed(AAA=(HTML, True, {"title": title, "wikipedia": f"https://example.org/wiki/{quote(title)}"}))["AAA"]
    assert row["title"] == " ".join(title.split())
    assert images(tmp_path) == ["AAA.jpg"]


@pytest.mark.parametrize(
    "title", ["x" * 3000, "🎞️", "a%00b", "%FF%FE", "..%2F..%2Fx", "%F0%9F%8E%9E_(film)", "%E2%80%8B"]
)
def test_titles_of_the_url(parsed, title):
    html = re.sub("<h1.*?</h1>", "", HTML)
    row = parsed(AAA=(html, True, {"wikipedia": f"https://example.org/wiki/{title}", "reached": ""}))["AAA"]
    assert row["status"] == "ok"
    assert row["title"].isprintable() or title == "%E2%80%8B"


def test_losses_are_reported(parsed, caplog):
    with caplog.at_level("INFO"):
        parsed(AAA=GOOD, AAB=(NO_PLOT, True, {}))
    assert "films: 1 ok, 1 no_plot" in caplog.text


def test_stops_when_too_few_films_are_usable(parsed, tmp_path, corpus, settings):
    with pytest.raises(StageError, match=r"parse: 0 of 1 films succeeded \(1 no_plot\)"):
        parsed(AAA=(NO_PLOT, True, {}))
    assert (tmp_path / "data/films.parquet").exists()
    (tmp_path / "data/pages.parquet").unlink()
    with pytest.raises(MissingFileError, match="dvc repro scrape"):
        main(tmp_path, corpus, settings(), MACHINE)
