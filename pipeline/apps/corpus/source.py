"""What a user names: a file of addresses, a wiki."""

from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from pipeline.core.errors import CorpusError
from pipeline.corpus.entry import is_web, short
from pipeline.corpus.film import ORIGIN


def read_urls(name: str, standard_input: BinaryIO) -> list[tuple[int, str]]:
    """Return the lines of the file `name`, or of `standard_input` where it is `-`, with their numbers from 1.

    Blank lines and lines that begin with # are left out. Raises `CorpusError` when it cannot be read as text.
    """
    try:
        data = standard_input.read() if name == "-" else Path(name).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{name} cannot be read as a text in UTF-8: {error}") from None
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def site_of(text: str) -> str:
    """Return a wiki's address, scheme and host; raise `CorpusError` when `text` is more than that, or less."""
    parts = urlsplit(text) if is_web(text) and not text.startswith(ORIGIN) else None
    if parts is None or parts.path.strip("/") or parts.query or parts.fragment:
        raise CorpusError(f"--site: found {short(text)}, expected the address of a wiki: https://en.wikipedia.org")
    return f"{parts.scheme}://{parts.netloc}"
