"""Short pieces of foreign text, made fit to stand in a reason, a log or a table."""

import html
import re

UNSEEN = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.IGNORECASE)


def excerpt(page: str, length: int) -> str:
    """Return the beginning of what a page says, without its tags, as `one_line` does."""
    return one_line(html.unescape(UNSEEN.sub(" ", page)), length)


def one_line(text: str, length: int) -> str:
    """Return `text` on one line of at most `length` characters, all printable."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
