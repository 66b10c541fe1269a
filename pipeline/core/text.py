"""Text from outside (pages, servers, tags, lists), made fit for one line of a log, a table or a terminal."""

import html
import re
import unicodedata

UNSEEN = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.IGNORECASE)
FORMAT = "Cf"  # Unicode's category of what has no shape of its own: joiners, changes of direction


def one_line(text: str, length: int | None = None) -> str:
    """Return `text` with single spaces and printable characters only, cut to `length` characters with `…`.

    Format characters are removed, all others that cannot be printed become spaces; so do halves of surrogate pairs,
    and the result can be written as UTF-8.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "" if unicodedata.category(c) == FORMAT else " " for c in text)
    line = " ".join(text.split())
    return line if length is None or len(line) <= length else line[: length - 1].rstrip() + "…"


def excerpt(page: str, length: int) -> str:
    """Return the beginning of the text of an HTML page, without its tags, as `one_line` does."""
    return one_line(html.unescape(UNSEEN.sub(" ", page)), length)
