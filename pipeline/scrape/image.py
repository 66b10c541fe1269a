"""A film's poster: kept, fetched or revalidated.

Allowed sources are `scrape.poster_hosts`, the corpus's own server and the host of the film's article.
"""

import hashlib
from functools import partial

from pipeline.core.files import write_bytes
from pipeline.core.text import one_line
from pipeline.core.web import FetchError, site_of
from pipeline.corpus import Film
from pipeline.scrape.hosts import is_among
from pipeline.scrape.poster import EXTENSIONS, image_extension
from pipeline.scrape.state import POSTER_COLUMNS, POSTERS_FOLDER, Row, Run, validators

HOST_CHARACTERS = 100
EMPTY: Row = dict.fromkeys(POSTER_COLUMNS, "")


def poster_row(film: Film, page: Row, before: Row, run: Run) -> Row:
    """Write the poster's file and return its part of the film's row.

    `page` is the page's part; `before` the row of an earlier run or {}.
    """
    url = film.image or page["shown"]
    if not url:
        _remove(film.fid, "", run)
        return EMPTY | _none(page["status"])
    kept = {name: before[name] for name in POSTER_COLUMNS} if before.get("poster_url") == url else EMPTY
    kept = kept | {"poster_page": page["shown_page"] if url == page["shown"] else ""}
    plan = run.plan(url, kept["poster_status"], kept["poster_path"], kept["poster_sha256"], before.get("limits", ""))
    if plan == "keep":
        return kept
    known = validators(kept["poster_etag"], kept["poster_last_modified"]) if plan == "revalidate" else {}
    address = run.site.address(url)
    allows = partial(is_among, _sites(film, run))
    try:
        if not allows(address):
            raise _not_allowed(address)
        fetched = run.client.get_if_changed(address, run.scrape.max_poster_bytes, known, allows)
        if fetched is None:
            return kept | {"poster_reason": ""}
        extension = image_extension(fetched.data)
        if extension is None:
            raise FetchError("not_an_image", "not a JPEG, PNG, GIF or WebP image")
    except FetchError as error:
        if plan == "revalidate":
            return kept | {"poster_reason": f"not refreshed ({error.status}): {error.reason}"}
        _remove(film.fid, "", run)
        failed = {"poster_status": error.status, "poster_reason": error.reason, "poster_url": url}
        return EMPTY | failed | {"poster_page": kept["poster_page"]}
    path, digest = f"{POSTERS_FOLDER}/{film.fid}.{extension}", hashlib.sha256(fetched.data).hexdigest()
    if not (path in run.files and (kept["poster_path"], kept["poster_sha256"]) == (path, digest)):
        run.ledger.remove(film.fid)  # it describes the file that is being replaced
        write_bytes(run.root / path, fetched.data)
        _remove(film.fid, path, run)
    return {
        "poster_status": "ok",
        "poster_reason": "",
        "poster_url": url,
        "poster_page": kept["poster_page"],
        "poster_path": path,
        "poster_etag": fetched.etag,
        "poster_last_modified": fetched.last_modified,
        "poster_sha256": digest,
    }


def _none(page_status: str) -> Row:
    if page_status == "ok":
        return {"poster_status": "none", "poster_reason": "the page shows no poster"}
    if page_status == "given":
        return {"poster_status": "none", "poster_reason": "the corpus has no image"}
    return {"poster_status": "no_page", "poster_reason": f"no page ({page_status})"}


def _sites(film: Film, run: Run) -> set[str]:
    """Return the hosts allowed for the film's poster."""
    sites = {host.lower() for host in run.scrape.poster_hosts}
    for url in (run.site.origin, run.site.address(film.wikipedia)):
        try:
            sites.add(site_of(url))
        except ValueError:  # no site is served, or there is no page
            continue
    return sites


def _not_allowed(address: str) -> FetchError:
    try:
        host = one_line(site_of(address), HOST_CHARACTERS)
    except ValueError as error:
        return FetchError("bad_url", f"{one_line(address, HOST_CHARACTERS)!r} cannot be requested: {error}")
    advice = "if you trust it, add it to scrape.poster_hosts"
    return FetchError("host_not_allowed", f"{host} is not an allowed host for posters: {advice}")


def _remove(fid: str, keep: str, run: Run) -> None:
    """Remove the film's posters except `keep`."""
    for extension in EXTENSIONS:
        path = f"{POSTERS_FOLDER}/{fid}.{extension}"
        if path != keep:
            (run.root / path).unlink(missing_ok=True)
