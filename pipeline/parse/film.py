"""One film: the values in `meta.json`, else those of the page, and the poster.

A missing plot, tags or poster stays empty, with a status, or is replaced by the reference's placeholder. If the page
cannot be used (not fetched, or not about a film), the film has no image and only the values in `meta.json`, unless
these include plot, tags and image. A film without a page (`given`) has the values of the corpus.
"""

import gzip
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.corpus import Film
from pipeline.corpus.title import article_title, without_disambiguator, year_of_disambiguator
from pipeline.media.pages import page_text
from pipeline.parse.article import Article, parse_article
from pipeline.parse.nouns import Kind
from pipeline.parse.poster import BadPosterError, save_blank, save_poster
from pipeline.parse.section import Parse
from pipeline.parse.tags import tags_of

IMAGES_FOLDER = "data/image"
PLACEHOLDERS = {"plot": "this is a plot", "tags": "tag1 tag2 tag3", "image": "a blank image"}  # the reference's
FIELD_OF = {"no_plot": "plot", "no_tags": "tags", "no_poster": "image", "bad_poster": "image"}  # by status
NOT_FETCHED = {"not_found": "missing"}  # more specific than `no_page`
NOT_FILMS: dict[Kind, str] = {
    "missing": "there is no such article: {}",
    "other_language": "the article is not in English: {}",
    "disambiguation": "the page lists articles of the same title: {}; name the film's own",
    "series": "the article is on a series: {}",
    "person": "the article is on a person: {}",
    "game": "the article is on a game: {}",
    "not_a_film": "the article is not on a film: {}",
}

Row = dict[str, Any]
Problem = tuple[str, str]  # status and reason


def film_row(root: Path, parse: Parse, film: Film, page: Row) -> Row:
    """Return the film's row of `FILMS` and write its image; `page` is its row of `PAGES`, or {}."""
    url = page["url_reached"] if page.get("url_reached") else film.wikipedia
    article, trouble = _article(root, page, url)
    year = film.year or article.year
    row = {
        "fid": film.fid,
        "status": "ok",
        "reason": "",
        "title": film.title or without_disambiguator(article.title),
        "year": year,
        "tags": film.tags or tags_of(article.categories, year, parse.tags),
        "categories": list(article.categories),
        "plot": film.plot or article.plot,
        "image": "",
        "placeholders": [],
        "poster_url": page.get("poster_url", ""),
        "poster_page": page.get("poster_page", ""),
        "url": url,
    }
    if trouble and not (film.tags and film.plot and film.image):
        return row | _outcome([trouble])
    lacks = _lacks(row, page)
    image = f"{IMAGES_FOLDER}/{film.fid}.jpg"
    if problem := _save_image(root, page, root / image, parse):
        lacks.append(problem)
    else:
        row["image"] = image
    if lacks and parse.missing == "leave_out":
        return row | _outcome(lacks)
    if problem:
        save_blank(root / image, parse)
    lacking = [(FIELD_OF[status], reason) for status, reason in lacks]
    fills = {field: PLACEHOLDERS[field] for field, _ in lacking} | {"image": image}
    return row | fills | {"reason": _replaced(lacking), "placeholders": [field for field, _ in lacking]}


def _article(root: Path, page: Row, url: str) -> tuple[Article, Problem | None]:
    """Return the facts of a saved page, and its problem, if any; without a film's page only the title is known."""
    title = article_title(url)
    nothing = Article("missing", "", title, year_of_disambiguator(title), "", ())
    if not page:
        return nothing, ("no_page", "not in data/pages.parquet: run `dvc repro scrape`")
    if page["status"] == "given":
        return nothing, None
    if page["status"] != "ok":
        status = NOT_FETCHED.get(page["status"], "no_page")
        return nothing, (status, f"{page['status']}: {page['reason']}")
    try:
        text = page_text(_unpacked(root / page["path"], page["bytes"]), page["charset"])
    except (OSError, EOFError, ValueError, zlib.error) as error:
        why = f"{page['path']} cannot be read ({error or type(error).__name__})"
        return nothing, ("no_page", f"{why}: run `dvc repro scrape`")
    article = parse_article(text, url)
    if article.kind == "film":
        return article, None
    return replace(nothing, title=article.title), (article.kind, NOT_FILMS[article.kind].format(article.evidence))


def _unpacked(path: Path, size: int) -> bytes:
    """Return the content of a compressed file of `size` bytes; raise `ValueError` if it has more or fewer."""
    with gzip.open(path) as file:
        data = file.read(size + 1)
    if len(data) != size:
        raise ValueError(f"it has {'more' if len(data) > size else 'less'} than the {size} bytes fetched")
    return data


def _save_image(root: Path, page: Row, target: Path, parse: Parse) -> Problem | None:
    if not page or page["poster_status"] != "ok":
        return "no_poster", f"{page['poster_status']}: {page['poster_reason']}" if page else "no poster was fetched"
    try:
        save_poster(root / page["poster_path"], target, parse)
    except BadPosterError as error:
        return "bad_poster", f"{page['poster_path']}: {error}"
    return None


def _lacks(row: Row, page: Row) -> list[Problem]:
    given = page.get("status") == "given"
    lacks = []
    if not row["plot"]:
        why = "the corpus gives no plot" if given else "the page has no section that tells the plot"
        lacks.append(("no_plot", why))
    if not row["tags"]:
        lacks.append(
            ("no_tags", "the corpus gives no tags" if given else "the page shows no category that gives a tag")
        )
    return lacks


def _outcome(lacks: list[Problem]) -> Row:
    return {"status": lacks[0][0], "reason": "; ".join(reason for _, reason in lacks)}


def _replaced(lacking: list[tuple[str, str]]) -> str:
    return "; ".join(f"{field} is {PLACEHOLDERS[field]!r} ({reason})" for field, reason in lacking)
