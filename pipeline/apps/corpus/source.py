"""Sources of films: a file of URLs, a wiki."""

from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from pipeline.core.errors import CorpusError
from pipeline.corpus.entry import is_web, short
from pipeline.corpus.film import ORIGIN


def read_urls(name: str, standard_input: BinaryIO) -> list[tuple[int, str]]:
    """Return the lines of the file `name`, or of `standard_input` for `-`, with their numbers from 1.

    Blank lines and lines that begin with # are left out. Raises `CorpusError` if it is not text.
    """
    try:
        data = standard_input.read() if name == "-" else Path(name).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{name} cannot be read as UTF-8 text: {error}") from None
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def site_of(text: str) -> str:
    """Return scheme and host of a wiki's URL; raise `CorpusError` if `text` has more, or less."""
    parts = urlsplit(text) if is_web(text) and not text.startswith(ORIGIN) else None
    if parts is None or parts.path.strip("/") or parts.query or parts.fragment:
        raise CorpusError(f"--site: found {short(text)}, expected the URL of a wiki: https://en.wikipedia.org")
    return f"{parts.scheme}://{parts.netloc}"
