import gzip
import json
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.errors import MissingFileError, StageError
from pipeline.sections import Corpus, Parse
from pipeline.tables import FILMS, PAGES, read_table, write_table
from stages.parse import main

CORPUS = Corpus(folder="corpus", serve=None, contact=None)
PARSE = Parse(missing="leave_out", short_side=32, jpeg_quality=92, max_pixels=40_000, min_success_rate=0.1)
PLACEHOLDER = replace(PARSE, missing="placeholder")
HTML = """<h1 id="firstHeading">Fog (1931 film)</h1><h2>Plot</h2><p>One.</p><p>Two.</p>
<div id="mw-normal-catlinks"><ul><li><a>1931 films</a></li><li><a>British mystery films</a></li></ul></div>"""
NO_PLOT = HTML.replace("Plot", "Cast")
NO_TAGS = HTML.replace("British mystery films", "1930s films").replace("1930s films", "Films set in London")


@pytest.fixture
def parsed(tmp_path):
    """Lay down pages, run the stage, return its rows by id. A page is (html, poster there?, fields of meta.json)."""

    def run(parse=PARSE, **pages):
        rows, meta = [], {}
        for fid, (html, poster, given) in pages.items():
            meta[fid] = {"wikipedia": "https://example.org/wiki/Fog_%28film%29", "soundtrack": []} | given
            row = dict.fromkeys(PAGES.names, "") | {"fid": fid, "revision": None, "bytes": None, "url": "u"}
            row |= {"status": "ok", "path": f"data/pages/{fid}.html.gz", "url_reached": "https://example.org/wiki/Fog"}
            row |= {"poster_status": "none", "poster_reason": "the page shows no poster"}
            if html is None:
                row |= {"status": "not_found", "reason": "HTTP 404", "path": "", "url_reached": ""}
            else:
                (tmp_path / "data/pages").mkdir(parents=True, exist_ok=True)
                (tmp_path / row["path"]).write_bytes(gzip.compress(html.encode()))
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
        main(tmp_path, CORPUS, parse)
        return {row["fid"]: row for row in read_table(tmp_path / "data/films.parquet", FILMS, "parse")}

    return run


GOOD = (HTML, True, {})


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
        "url": "https://example.org/wiki/Fog",
    }
    with Image.open(tmp_path / "data/image/AAA.jpg") as image:
        assert (image.size, image.mode) == ((32, 48), "RGB")


@pytest.mark.parametrize(
    ("page", "status", "reason"),
    [
        ((None, True, {}), "no_page", "not_found: HTTP 404"),
        (('<table id="disambigbox"></table>', True, {}), "disambiguation", "lists articles"),
        (("<h2>Plot</h2><p>A game.</p>", True, {}), "not_a_film", "infobox"),
        (('<div class="noarticletext"></div>', True, {}), "no_page", "no such article"),
        ((NO_PLOT, True, {}), "no_plot", "plot section"),
        ((NO_TAGS, True, {}), "no_tags", "category"),
        ((HTML, False, {}), "no_poster", "none: the page shows no poster"),
        ((HTML, "broken", {}), "bad_poster", "data/posters/AAB.png: cannot be decoded"),
    ],
)
def test_what_is_missing_is_a_row_without_image(parsed, tmp_path, page, status, reason):
    rows = parsed(AAA=GOOD, AAB=page)
    assert rows["AAB"]["status"] == status
    assert reason in rows["AAB"]["reason"]
    assert rows["AAB"]["image"] == ""
    assert images(tmp_path) == ["AAA.jpg"]


def test_all_that_is_missing_is_named(parsed):
    row = parsed(AAA=GOOD, AAB=(NO_PLOT.replace("British mystery films", "Films"), True, {}))["AAB"]
    assert row["status"] == "no_plot"
    assert "plot" in row["reason"] and "tag" in row["reason"]


def test_values_of_meta_json_win(parsed):
    given = {"title": "Mist (film)", "year": 1950, "tags": ["dark", "Grey"], "plot": " A  b. \n\nC."}
    row = parsed(AAA=(HTML, True, given))["AAA"]
    assert (row["title"], row["year"], row["tags"], row["plot"]) == ("Mist (film)", 1950, "dark Grey", "A b.\nC.")
    assert parsed(AAA=(HTML, True, {"year": 1950}))["AAA"]["tags"] == "1950 mystery british"


def test_given_values_stand_in_for_the_page(parsed):
    given = {"tags": "dark", "plot": "P.", "image": "https://example.org/p.png"}
    rows = parsed(AAA=(None, True, given), AAB=(None, True, {"tags": "dark", "plot": "P."}))
    assert [rows["AAA"][name] for name in ("status", "title", "year")] == ["ok", "Fog (film)".partition(" (")[0], None]
    assert rows["AAB"]["status"] == "no_page"


def test_placeholders_of_the_reference(parsed, tmp_path):
    bare = NO_PLOT.replace("British mystery films", "Films")
    rows = parsed(PLACEHOLDER, AAA=GOOD, AAB=(bare, False, {}), AAC=(HTML, "broken", {}), AAD=(None, False, {}))
    row = rows["AAB"]
    assert (row["status"], row["tags"], row["plot"]) == ("ok", "tag1 tag2 tag3", "this is a plot")
    assert all(word in row["reason"] for word in ("tags is", "plot is", "image is"))
    with Image.open(tmp_path / row["image"]) as image:
        assert (image.size, image.getextrema()) == ((32, 32), ((255, 255),) * 3)
    assert (rows["AAC"]["status"], rows["AAC"]["plot"]) == ("ok", "One.\nTwo.")
    assert "plot" not in rows["AAC"]["reason"]
    assert rows["AAA"]["reason"] == ""
    assert rows["AAD"]["status"] == "no_page"
    assert images(tmp_path) == ["AAA.jpg", "AAB.jpg", "AAC.jpg"]


def test_twice_is_the_same_and_old_images_go(parsed, tmp_path):
    parsed(AAA=GOOD, AAB=GOOD)
    first = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    parsed(AAA=GOOD, AAB=GOOD)
    assert {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()} == first
    parsed(AAA=(NO_PLOT, True, {}), AAC=GOOD)
    assert images(tmp_path) == ["AAC.jpg"]


def test_a_page_that_is_lost_or_damaged(parsed, tmp_path):
    parsed(AAA=GOOD, AAB=GOOD, AAC=GOOD)
    (tmp_path / "data/pages/AAA.html.gz").unlink()
    (tmp_path / "data/pages/AAB.html.gz").write_bytes(gzip.compress(HTML.encode())[:-20])
    meta = json.loads((tmp_path / "corpus/meta.json").read_text())
    (tmp_path / "corpus/meta.json").write_text(json.dumps(meta | {"AAD": meta["AAA"]}))
    main(tmp_path, CORPUS, PARSE)
    rows = read_table(tmp_path / "data/films.parquet", FILMS, "parse")
    assert [row["status"] for row in rows] == ["no_page", "no_page", "ok", "no_page"]
    assert all("dvc repro scrape" in rows[number]["reason"] for number in (0, 1, 3))


def test_stops_when_too_few_films_are_usable(parsed, tmp_path):
    with pytest.raises(StageError, match=r"parse: 0 of 1 films succeeded \(1 no_plot\)"):
        parsed(AAA=(NO_PLOT, True, {}))
    (tmp_path / "data/pages.parquet").unlink()
    with pytest.raises(MissingFileError, match="dvc repro scrape"):
        main(tmp_path, CORPUS, PARSE)
