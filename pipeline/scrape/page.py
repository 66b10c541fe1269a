"""A film's article: kept, fetched or revalidated."""

import gzip
import hashlib
import io
import re
from datetime import UTC, datetime

from pipeline.core.files import write_bytes
from pipeline.core.web import FetchError
from pipeline.corpus import Film
from pipeline.corpus.title import article_address
from pipeline.media.pages import page_text
from pipeline.scrape.answer import Fetched
from pipeline.scrape.poster import shown_poster
from pipeline.scrape.state import PAGE_COLUMNS, PAGES_FOLDER, Row, Run, validators

HTML_TYPES = ("text/html", "application/xhtml+xml")
REVISION = re.compile(r'"wgRevisionId"\s*:\s*([1-9]\d{0,17})\b|Special:Redirect/revision/([1-9]\d{0,17})\b')
EMPTY: Row = dict.fromkeys(PAGE_COLUMNS, "") | {"redirects": [], "revision": None, "bytes": None}


def page_row(film: Film, before: Row, run: Run) -> Row:
    """Write the page's file and return its part of the film's row; `before` is the row of an earlier run or {}.

    `url` is the requested URL, with question marks of the title percent-encoded.
    """
    url, path = article_address(film.wikipedia), f"{PAGES_FOLDER}/{film.fid}.html.gz"
    if not url:
        (run.root / path).unlink(missing_ok=True)
        return EMPTY | {"status": "given", "reason": "title, tags and plot are from the corpus; it has no page"}
    kept = {name: before[name] for name in PAGE_COLUMNS} if before.get("url") == url else EMPTY
    plan = run.plan(url, kept["status"], path, kept["sha256"], before.get("limits", ""))
    if plan == "keep":
        return kept
    known = validators(kept["etag"], kept["last_modified"]) if plan == "revalidate" else {}
    try:
        fetched = run.client.get_if_changed(run.site.address(url), run.scrape.max_page_bytes, known)
        if fetched is None:
            return kept | {"reason": ""}
        if fetched.media_type not in HTML_TYPES:
            raise FetchError("not_html", f"the content type is {fetched.media_type or 'missing'}, not text/html")
    except FetchError as error:
        if plan == "revalidate":
            return kept | {"reason": f"not refreshed ({error.status}): {error.reason}"}
        (run.root / path).unlink(missing_ok=True)
        redirects = [run.site.name(passed) for passed in error.redirects]
        return EMPTY | {"status": error.status, "reason": error.reason, "url": url, "redirects": redirects}
    row = _row_of(fetched, url, path, run)
    same = row | {"fetched_at": kept["fetched_at"]}
    if path in run.files and same == kept | {"reason": ""}:
        return same
    run.ledger.remove(film.fid)  # it describes the file that is being replaced
    write_bytes(run.root / path, _compressed(fetched.data))
    return row


def _row_of(fetched: Fetched, url: str, path: str, run: Run) -> Row:
    text = page_text(fetched.data, fetched.charset)
    shown = shown_poster(text, fetched.url)
    revision = REVISION.search(text)
    reached = run.site.name(fetched.url)
    return {
        "status": "ok",
        "reason": "",
        "url": url,
        "url_reached": reached,
        "redirects": [run.site.name(passed) for passed in fetched.redirects],
        "path": path,
        "charset": fetched.charset,
        "revision": int(revision[1] or revision[2]) if revision else None,
        "etag": fetched.etag,
        "last_modified": fetched.last_modified,
        "bytes": len(fetched.data),
        "sha256": hashlib.sha256(fetched.data).hexdigest(),
        "fetched_at": "" if run.site.serves(reached) else datetime.now(UTC).isoformat(timespec="seconds"),
        "shown": run.site.name(shown.url),
        "shown_page": run.site.name(shown.page),
    }


def _compressed(data: bytes) -> bytes:
    """Return `data` in gzip's format, with the same header in every version of Python."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
        file.write(data)
    return packed.getvalue()
