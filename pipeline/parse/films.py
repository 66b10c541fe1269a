"""Films put together: what `meta.json` gives, else what the page says, and the poster.

A film that lacks its plot, tags or poster is left out, or gets the reference's placeholders. A page that cannot be
used (not fetched, or not on a film) leaves the film out either way, unless `meta.json` gives plot, tags and image.
"""

import gzip
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tqdm import tqdm

from pipeline.corpus import Film
from pipeline.parse.article import Article, Kind, parse_article, without_disambiguator
from pipeline.parse.poster import BadPosterError, save_blank, save_poster
from pipeline.parse.tags import category_tags
from pipeline.sections import Parse

IMAGES_FOLDER = "data/image"
PLACEHOLDER_TAGS = "tag1 tag2 tag3"  # the reference's, as are the next two
PLACEHOLDER_PLOT = "this is a plot"
PLACEHOLDER_IMAGE = "a blank image"
NOT_FILMS: dict[Kind, tuple[str, str]] = {
    "missing": ("no_page", "the page says that there is no such article"),
    "disambiguation": ("disambiguation", "the page lists articles of the same title: name the film's own"),
    "not_a_film": ("not_a_film", "the page has neither a film's infobox nor a category such as `1926 films`"),
}

Row = dict[str, Any]
Problem = tuple[str, str]  # status and reason


def parse_films(root: Path, films: list[Film], pages: list[Row], parse: Parse) -> list[Row]:
    """Return a row a film and write the images; remove the images that no row names."""
    by_fid = {page["fid"]: page for page in pages}
    progress = tqdm(films, "films", unit="film", disable=None)
    rows = [_film(root, film, by_fid.get(film.fid, {}), parse) for film in progress]
    wanted = {root / row["image"] for row in rows if row["image"]}
    for path in (root / IMAGES_FOLDER).glob("*.jpg"):
        if path not in wanted:
            path.unlink()
    return rows


def _film(root: Path, film: Film, page: Row, parse: Parse) -> Row:
    article, trouble = _article(root, page)
    url = page["url_reached"] if page.get("url_reached") else film.wikipedia
    year = film.year or article.year
    row = {
        "fid": film.fid,
        "status": "ok",
        "reason": "",
        "title": film.title or without_disambiguator(article.title or _title_of(url)),
        "year": year,
        "tags": film.tags or category_tags(article.categories, year),
        "categories": list(article.categories),
        "plot": film.plot or article.plot,
        "image": "",
        "url": url,
    }
    if trouble and not (film.tags and film.plot and film.image):
        return row | dict(zip(("status", "reason"), trouble, strict=True))
    image = f"{IMAGES_FOLDER}/{film.fid}.jpg"
    lacks = _lacks(row)
    if lacks and parse.missing == "leave_out":
        return row | _outcome(lacks)
    if problem := _save_image(root, page, root / image, parse):
        lacks.append(problem)
        if parse.missing == "leave_out":
            return row | _outcome(lacks)
        save_blank(root / image, parse)
    fills = {"plot": row["plot"] or PLACEHOLDER_PLOT, "tags": row["tags"] or PLACEHOLDER_TAGS, "image": image}
    return row | fills | ({"reason": _replaced(row, lacks)} if lacks else {})


def _article(root: Path, page: Row) -> tuple[Article, Problem | None]:
    """Return the facts of a saved page, and what is wrong with it; without a film's page there are no facts."""
    nothing = Article("missing", "", None, "", ())
    if not page:
        return nothing, ("no_page", "it is not in data/pages.parquet: run `dvc repro scrape`")
    if page["status"] != "ok":
        return nothing, ("no_page", f"{page['status']}: {page['reason']}")
    try:
        html = gzip.decompress((root / page["path"]).read_bytes()).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        return nothing, ("no_page", f"{page['path']} cannot be read ({type(error).__name__}): run `dvc repro scrape`")
    article = parse_article(html)
    return (article, None) if article.kind == "film" else (nothing, NOT_FILMS[article.kind])


def _save_image(root: Path, page: Row, target: Path, parse: Parse) -> Problem | None:
    if not page or page["poster_status"] != "ok":
        return "no_poster", f"{page['poster_status']}: {page['poster_reason']}" if page else "no poster was fetched"
    try:
        save_poster(root / page["poster_path"], target, parse)
    except BadPosterError as error:
        return "bad_poster", f"{page['poster_path']}: {error}"
    return None


def _lacks(row: Row) -> list[Problem]:
    lacks = []
    if not row["plot"]:
        lacks.append(("no_plot", "the page has no plot section with paragraphs"))
    if not row["tags"]:
        lacks.append(("no_tags", "the page shows no category that gives a tag"))
    return lacks


def _outcome(lacks: list[Problem]) -> Row:
    return {"status": lacks[0][0], "reason": "; ".join(reason for _, reason in lacks)}


def _replaced(row: Row, lacks: list[Problem]) -> str:
    names = {"no_plot": "plot", "no_tags": "tags", "no_poster": "image", "bad_poster": "image"}
    stand_ins = {"plot": PLACEHOLDER_PLOT, "tags": PLACEHOLDER_TAGS, "image": PLACEHOLDER_IMAGE}
    return "; ".join(f"{names[status]} is {stand_ins[names[status]]!r} ({reason})" for status, reason in lacks)


def _title_of(url: str) -> str:
    """Return the title that an article's URL spells."""
    return unquote(urlsplit(url).path.rpartition("/wiki/")[2]).strip("/").replace("_", " ")
