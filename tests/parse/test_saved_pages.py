"""Whole pages in the markup of seven eras and views, written for these tests, with expected values found by hand."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from pipeline.core.tables import PAGES
from pipeline.corpus import Film
from pipeline.corpus.title import without_disambiguator
from pipeline.media.pages import page_text
from pipeline.parse.article import parse_article
from pipeline.parse.films import parse_films
from pipeline.parse.tags import tags_of

FOLDER = Path(__file__).parents[1] / "pages"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
NOT_FILMS = {
    "disambiguation_2012_fog.html": "disambiguation",
    "game_2012_salt_road.html": "game",
    "series_2021_harbour_patrol.html": "series",
    "missing_2019.html": "missing",
    "missing_2021_api.json": "missing",
}


def test_every_page_is_tested():
    names = {path.name for path in FOLDER.iterdir()} - {"expected.json"}
    assert names == {f"{name}.html" for name in EXPECTED} | set(NOT_FILMS)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_field(name):
    expected = EXPECTED[name]
    article = parse_article(page_text((FOLDER / f"{name}.html").read_bytes(), ""), expected["url"])
    assert article.kind == "film"
    assert {
        "title": article.title,
        "film": without_disambiguator(article.title),
        "year": article.year,
        "plot": article.plot.split("\n"),
        "categories": list(article.categories),
        "tags": tags_of(article.categories, article.year, "words"),
    }.items() <= expected.items()


@pytest.mark.parametrize("name", NOT_FILMS)
def test_pages_that_are_not_films(name):
    text = page_text((FOLDER / name).read_bytes(), "")
    assert parse_article(text, "https://en.wikipedia.org/wiki/X").kind == NOT_FILMS[name]


def test_through_the_stage(tmp_path, params):
    """One of the pages has neither heading nor categories: only its URL gives the title, and it has no tags."""
    (tmp_path / "data/pages").mkdir(parents=True)
    films, pages = [], []
    for number, (name, expected) in enumerate(EXPECTED.items()):
        fid = f"AA{chr(ord('A') + number)}"
        data = (FOLDER / f"{name}.html").read_bytes()
        path = f"data/pages/{fid}.html.gz"
        (tmp_path / path).write_bytes(gzip.compress(data))
        row = dict.fromkeys(PAGES.names, "") | {"fid": fid, "status": "ok", "path": path, "bytes": len(data)}
        pages.append(row | {"sha256": hashlib.sha256(data).hexdigest(), "url_reached": expected["url"]})
        films.append(Film(fid, expected["url"], ()))
    rows = parse_films(tmp_path, films, pages, params.parse, 1)
    for row, expected in zip(rows, EXPECTED.values(), strict=True):
        assert (row["title"], row["year"], row["tags"]) == (expected["film"], expected["year"], expected["tags"])
        assert row["status"] == ("no_poster" if expected["categories"] else "no_tags")
        assert row["plot"] == "\n".join(expected["plot"])
