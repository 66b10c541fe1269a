"""External text (pages, servers, tags, lists) on one line of a log, a table or a terminal."""

import html
import re
import unicodedata

UNSEEN = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.IGNORECASE)
FORMAT = "Cf"  # Unicode's category of format characters: joiners, changes of direction


def one_line(text: str, length: int | None = None) -> str:
    """Return `text` with single spaces and printable characters only, cut to `length` characters with `…`.

    Format characters are removed; other unprintable characters and lone surrogates become spaces. The result can be
    written as UTF-8.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "" if unicodedata.category(c) == FORMAT else " " for c in text)
    line = " ".join(text.split())
    return line if length is None or len(line) <= length else line[: length - 1].rstrip() + "…"


def excerpt(page: str, length: int) -> str:
    """Return the beginning of the text of an HTML page, without tags, as `one_line` does."""
    return one_line(html.unescape(UNSEEN.sub(" ", page)), length)
