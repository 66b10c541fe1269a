"""The stage's state on disk: a page, a poster and a row for each film, so that a run goes on where the last one ended.

    data/pages/AAA.html.gz   the page as UTF-8, packed
    data/pages/AAA.json      its row, written last: a film without one was interrupted and is fetched again
    data/posters/AAA.jpg

A row holds the columns of `PAGES`, and `shown`: the poster in the infobox, whether or not `meta.json` names
another. What came from the corpus's own site is asked for again each time, for that site may have been edited and
loopback costs nothing; the row stays as it is when the content does.
"""

import codecs
import gzip
import hashlib
import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bs4.dammit import EncodingDetector
from tqdm import tqdm

from pipeline.corpus import ORIGIN, Film
from pipeline.files import write_bytes, write_json
from pipeline.scrape.client import MAY_PASS, Client, Fetched, FetchError
from pipeline.scrape.poster import image_extension, shown_poster
from pipeline.sections import Scrape
from pipeline.serve import with_origin, without_origin
from pipeline.tables import PAGES

PAGES_FOLDER = "data/pages"
POSTERS_FOLDER = "data/posters"
HTML_TYPES = ("text/html", "application/xhtml+xml")
OURS = re.compile(r"(?P<fid>[A-Z]{3})\.(html\.gz|json|jpg|png|gif|webp)|\.part-.*")
REVISION = re.compile(r'"wgRevisionId"\s*:\s*([1-9]\d*)|Special:Redirect/revision/([1-9]\d*)')
POSTER_COLUMNS = tuple(name for name in PAGES.names if name.startswith("poster_"))
PAGE_COLUMNS = (*(name for name in PAGES.names if name not in ("fid", *POSTER_COLUMNS)), "shown")

Row = dict[str, Any]


def scrape_films(root: Path, films: list[Film], scrape: Scrape, client: Client, origin: str) -> list[Row]:
    """Fetch what is missing and return a row a film; remove the files of films that are not in `films`."""
    _sweep(root, {film.fid for film in films})
    return [
        _scrape_film(root, film, scrape, client, origin) for film in tqdm(films, "pages", unit="film", disable=None)
    ]


def _scrape_film(root: Path, film: Film, scrape: Scrape, client: Client, origin: str) -> Row:
    row_path = root / PAGES_FOLDER / f"{film.fid}.json"
    before = _read_row(row_path)
    page = _page(root, film, before, scrape, client, origin)
    row = {"fid": film.fid} | page | _poster(root, film, page["shown"], before, scrape, client, origin)
    if row != before:
        write_json(row_path, row)
    return row


def _page(root: Path, film: Film, before: Row, scrape: Scrape, client: Client, origin: str) -> Row:
    kept = {name: before[name] for name in PAGE_COLUMNS} if before.get("url") == film.wikipedia else {}
    have = bool(kept) and (root / kept["path"]).is_file()
    if kept and not film.wikipedia.startswith(ORIGIN) and _settled(kept["status"], have):
        return kept
    path = f"{PAGES_FOLDER}/{film.fid}.html.gz"
    try:
        fetched = client.get(with_origin(film.wikipedia, origin), scrape.max_page_bytes)
        if fetched.media_type not in HTML_TYPES:
            raise FetchError("not_html", f"the type is {fetched.media_type or 'not given'}, not text/html")
    except FetchError as error:
        (root / path).unlink(missing_ok=True)
        return _failed_page(film.wikipedia, error)
    text = _text(fetched)
    data = text.encode()
    page = {
        "status": "ok",
        "reason": "",
        "url": film.wikipedia,
        "url_reached": without_origin(fetched.url, origin),
        "path": path,
        "revision": _revision(text),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "fetched_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "shown": without_origin(shown_poster(text, fetched.url), origin),
    }
    if have and page | {"fetched_at": kept["fetched_at"]} == kept:
        return kept
    write_bytes(root / path, gzip.compress(data, mtime=0))
    return page


def _poster(root: Path, film: Film, shown: str, before: Row, scrape: Scrape, client: Client, origin: str) -> Row:
    url = film.image or shown
    kept = {name: before[name] for name in POSTER_COLUMNS} if before.get("poster_url") == url else {}
    have = bool(kept) and (root / kept["poster_path"]).is_file()
    if kept and not url.startswith(ORIGIN) and _settled(kept["poster_status"], have):
        return kept
    try:
        if not url:
            raise FetchError("none", "the page shows no poster")
        data = client.get(with_origin(url, origin), scrape.max_poster_bytes).data
        extension = image_extension(data)
        if extension is None:
            raise FetchError("not_an_image", "the bytes are no JPEG, PNG, GIF or WebP")
    except FetchError as error:
        _remove_posters(root, film.fid, "")
        path, digest, status, reason = "", "", error.status, error.reason
    else:
        status, reason = "ok", ""
        path, digest = f"{POSTERS_FOLDER}/{film.fid}.{extension}", hashlib.sha256(data).hexdigest()
        if not (have and kept["poster_path"] == path and kept["poster_sha256"] == digest):
            write_bytes(root / path, data)
        _remove_posters(root, film.fid, path)
    return {
        "poster_status": status,
        "poster_reason": reason,
        "poster_url": url,
        "poster_path": path,
        "poster_sha256": digest,
    }


def _settled(status: str, have_file: bool) -> bool:
    """Say whether asking again would be in vain: the file is here, or the failure is one that stays."""
    return have_file if status == "ok" else status not in MAY_PASS


def _failed_page(url: str, error: FetchError) -> Row:
    return {
        "status": error.status,
        "reason": error.reason,
        "url": url,
        "url_reached": "",
        "path": "",
        "revision": None,
        "bytes": None,
        "sha256": "",
        "fetched_at": "",
        "shown": "",
    }


def _read_row(path: Path) -> Row:
    """Return the row of an earlier run; {} when there is none, or none that this version can use."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return row if isinstance(row, dict) and row.keys() == {"fid", *PAGE_COLUMNS, *POSTER_COLUMNS} else {}


def _text(fetched: Fetched) -> str:
    """Return the page as text: by the encoding of the header, else of the page, else UTF-8."""
    declared = fetched.charset or EncodingDetector.find_declared_encoding(fetched.data, is_html=True) or "utf-8"
    try:
        text = fetched.data.decode(declared, "replace")
    except (LookupError, UnicodeError):
        text = fetched.data.decode("utf-8", "replace")
    return text.removeprefix(codecs.BOM_UTF8.decode())


def _revision(text: str) -> int | None:
    found = REVISION.search(text)
    return int(found[1] or found[2]) if found else None


def _remove_posters(root: Path, fid: str, keep: str) -> None:
    for path in (root / POSTERS_FOLDER).glob(f"{fid}.*"):
        if path != root / keep:
            path.unlink()


def _sweep(root: Path, fids: set[str]) -> None:
    """Remove the files of films that are gone, and what a killed run left half-written."""
    for folder in (root / PAGES_FOLDER, root / POSTERS_FOLDER):
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            ours = OURS.fullmatch(path.name)
            if ours and ours["fid"] not in fids:
                path.unlink()
