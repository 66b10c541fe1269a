"""Values from yt-dlp's descriptions, validated: they are untrusted content of web pages."""

import logging
import math
from typing import Any
from urllib.parse import urljoin

from yt_dlp.utils import unsmuggle_url

from pipeline.core.text import one_line
from pipeline.corpus.entry import YOUTUBE_ID
from pipeline.download.lock import Entry, is_address

log = logging.getLogger(__name__)

LONGEST_TITLE = 500  # characters
LISTS = ("playlist", "multi_video", "compat_list")  # values of yt-dlp's `_type`
LIVE = ("is_live", "is_upcoming", "post_live")  # values of yt-dlp's `live_status`


def is_search(url: str) -> bool:
    """Return whether a soundtrack's item is a search, whose result is always a list."""
    return url.startswith("ytsearch")


def is_list(info: dict[str, Any]) -> bool:
    """Return whether a URL is a list of recordings."""
    return info.get("_type") in LISTS


def is_live(info: dict[str, Any]) -> bool:
    """Return whether a recording is not complete yet."""
    return bool(info.get("is_live")) or info.get("live_status") in LIVE


def entries_of(info: dict[str, Any]) -> list[Entry]:
    """Return the entries of a list, each URL once; URLs that are not on the web are left out."""
    found: dict[str, Entry] = {}
    for item in info.get("entries") or ():
        if not isinstance(item, dict):
            continue
        inner = entries_of(item) if is_list(item) and item.get("entries") else [_entry(item, info)]
        for entry in inner:
            if is_address(entry.url):
                found.setdefault(entry.url, entry)
            else:
                log.warning("%s: left out: %.100r is not a web address", _page(info), entry.url)
    return list(found.values())


def address_of(info: dict[str, Any], asked: str) -> str:
    """Return the URL of a recording's page, or `asked` if it is unknown."""
    page = _page(info)
    return page if is_address(page) else asked


def title_of(info: dict[str, Any]) -> str:
    """Return the title; "" if there is none."""
    title = info.get("title")
    return one_line(title, LONGEST_TITLE) if isinstance(title, str) else ""


def seconds_of(info: dict[str, Any]) -> float | None:
    """Return the length stated by the site."""
    value = _number(info.get("duration"))
    return value if value else None


def chapters_of(info: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """Return the chapters of a recording of `seconds`, sorted by start, without empty ones and ones outside it.

    A chapter without an end lasts until the next one's start, the last until the end of the recording.
    """
    found: list[dict[str, Any]] = []
    chapters = info.get("chapters")
    for chapter in chapters if isinstance(chapters, list) else ():
        if not isinstance(chapter, dict):
            continue
        start = _number(chapter.get("start_time"))
        end = math.inf if chapter.get("end_time") is None else _number(chapter["end_time"])
        if start is not None and end is not None and start < min(end, seconds):
            found.append({"title": title_of(chapter), "start_seconds": start, "end_seconds": end})
    found.sort(key=lambda chapter: (chapter["start_seconds"], chapter["end_seconds"]))
    for number, chapter in enumerate(found):
        is_followed = math.isinf(chapter["end_seconds"]) and number + 1 < len(found)
        following = found[number + 1]["start_seconds"] if is_followed else seconds
        chapter["end_seconds"] = min(chapter["end_seconds"], following)
    return found


def _entry(item: dict[str, Any], parent: dict[str, Any]) -> Entry:
    page, url = _page(item), item.get("url")
    # A fully described entry has the page of its list: use the URL of its file instead.
    if not page or page == _page(parent):
        page = unsmuggle_url(url)[0] if isinstance(url, str) else ""
    if YOUTUBE_ID.fullmatch(page) and str(item.get("ie_key")).startswith("Youtube"):
        page = f"https://www.youtube.com/watch?v={page}"
    return Entry(_joined(_page(parent), page), title_of(item), seconds_of(item))


def _page(info: dict[str, Any]) -> str:
    page = info.get("webpage_url")
    return page if isinstance(page, str) else ""


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:
        return ""


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) and value >= 0 else None
