"""Real pages of five eras with hand-checked values; they lie beside the project, and not in it."""

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

FOLDER = Path(__file__).parents[3] / "shared/fixtures/wikipedia"
TAGS = Path(__file__).parents[3] / "shared/reference/fid_to_text.json"  # of the reference's 7,771 films
EXPECTED = json.loads((FOLDER / "expected.json").read_text()) if FOLDER.is_dir() else {}
NO_FILMS = {
    "disambiguation_ninjutsu_2012.html": "disambiguation",
    "videogame_tmnt_2003_with_plot_section_2012.html": "game",
    "api_query_missing_page_2021.json": "missing",
}

pytestmark = pytest.mark.skipif(not EXPECTED, reason="the saved pages are not here")


def url_of(title):
    return "https://en.wikipedia.org/wiki/" + title.replace(" ", "_")


@pytest.mark.parametrize("name", EXPECTED)
def test_every_field(name):
    expected = EXPECTED[name]
    text = page_text((FOLDER / f"{name}.html").read_bytes(), "")
    article = parse_article(text, url_of(expected["title"]))
    paragraphs = article.plot.split("\n")
    assert article.kind == "film"
    assert {
        "title": article.title,
        "title_without_disambiguator": without_disambiguator(article.title),
        "year": article.year,
        "plot_n_paragraphs": len(paragraphs),
        "plot_n_chars": len(article.plot),
        "plot_first_80_chars": article.plot[:80],
        "plot_last_80_chars": article.plot[-80:],
        "categories": list(article.categories),
    }.items() <= expected.items()


@pytest.mark.parametrize("name", NO_FILMS)
def test_what_is_no_film(name):
    text = page_text((FOLDER / name).read_bytes(), "")
    assert parse_article(text, "https://en.wikipedia.org/wiki/X").kind == NO_FILMS[name]


def test_through_the_stage(tmp_path, params):
    """With the title out of the URL alone for the fragment, which has no heading."""
    (tmp_path / "data/pages").mkdir(parents=True)
    films, pages = [], []
    for number, (name, expected) in enumerate(EXPECTED.items()):
        fid = f"AA{chr(ord('A') + number)}"
        data = (FOLDER / f"{name}.html").read_bytes()
        path = f"data/pages/{fid}.html.gz"
        (tmp_path / path).write_bytes(gzip.compress(data))
        row = dict.fromkeys(PAGES.names, "") | {"fid": fid, "status": "ok", "path": path, "bytes": len(data)}
        pages.append(row | {"sha256": hashlib.sha256(data).hexdigest(), "url_reached": url_of(expected["title"])})
        films.append(Film(fid, pages[-1]["url_reached"], ()))
    rows = parse_films(tmp_path, films, pages, params.parse, 1)
    for row, expected in zip(rows, EXPECTED.values(), strict=True):
        assert (row["title"], row["year"]) == (expected["title_without_disambiguator"], expected["year"])
        assert row["status"] == ("no_poster" if expected["categories"] else "no_tags")
        assert row["plot"].startswith(expected["plot_first_80_chars"])


@pytest.mark.skipif(not TAGS.exists(), reason="the reference's tags are not here")
def test_tags_are_as_the_reference_makes_them():
    reference = json.loads(TAGS.read_text())
    vocabulary = {word for tags in reference.values() for word in tags.split()}
    made = {name: tags_of(page["categories"], page["year"], "words") for name, page in EXPECTED.items()}
    tags = {name: words.split() for name, words in made.items() if words}
    assert all(
        words[0] == str(EXPECTED[name]["year"]) and len(set(words)) == len(words) for name, words in tags.items()
    )
    assert all(made[name] == " ".join(words).lower() for name, words in tags.items())
    shares = [sum(word in vocabulary for word in words) / len(words) for words in tags.values()]
    assert sum(shares) / len(shares) > 0.7
    assert 10 < sum(map(len, tags.values())) / len(tags) < 25
    assert len(set(tags["m2012_tmnt_film"]) & set(reference["IQV"].split())) == 20  # of our 26, from other years
