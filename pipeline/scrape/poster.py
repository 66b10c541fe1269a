"""The poster that an article shows: where it stands in the infobox, and what kind of image the bytes are."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

from bs4 import BeautifulSoup, SoupStrainer, Tag

SERIES_LABELS = frozenset(
    {"no. of seasons", "no. of series", "no. of episodes", "episodes", "network", "original network", "no. of issues"}
)
INFOBOX = SoupStrainer("table", attrs={"class": re.compile(r"(^|\s)infobox(\s|$)")})
ICON_PIXELS = 50  # flags, pencils and locks are narrower; posters are 180 and more
MAGIC = {"jpg": (b"\xff\xd8\xff",), "png": (b"\x89PNG\r\n\x1a\n",), "gif": (b"GIF87a", b"GIF89a")}


def shown_poster(html: str, url: str) -> str:
    """Return the URL of the poster in the article `html` that came from `url`; "" when it shows none."""
    soup = BeautifulSoup(html, "lxml", parse_only=INFOBOX)
    infobox = film_infobox(soup) or soup.find("table", class_="infobox")
    source = next(_images(infobox), "") if infobox else ""
    try:
        return urljoin(url, "https:" + source if source.startswith("//") else source) if source else ""
    except ValueError:
        return ""


def film_infobox(soup: BeautifulSoup) -> Tag | None:
    """Return the first infobox of a film: one that says who directed it and is not a series'."""
    for infobox in soup.find_all("table", class_="infobox"):
        labels = {label for label, _ in infobox_rows(infobox)}
        if "directed by" in labels and not labels & SERIES_LABELS:
            return infobox
    return None


def infobox_rows(infobox: Tag) -> Iterator[tuple[str, Tag]]:
    """Yield each labelled row: the label in lower case with single spaces, and the cell of its value."""
    for row in infobox.find_all("tr"):
        cells = row.find_all(["th", "td"], recursive=False)
        if len(cells) == 2:
            yield " ".join(cells[0].get_text(" ").split()).lower(), cells[1]


def image_extension(data: bytes) -> str | None:
    """Return jpg, png, gif or webp by the first bytes; None for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((extension for extension, starts in MAGIC.items() if data.startswith(starts)), None)


def _images(infobox: Tag) -> Iterator[str]:
    """Yield the sources of the images that stand in rows without a label, those of the image cell first."""
    for image in [*infobox.select(".infobox-image img[src]"), *infobox.select("img[src]")]:
        row, width = image.find_parent("tr"), str(image.get("width", ""))
        labelled = row is not None and len(row.find_all(["th", "td"], recursive=False)) == 2
        source = str(image["src"]).strip()
        icon = width.isdecimal() and int(width) <= ICON_PIXELS
        if source and not labelled and not icon and not source.startswith("data:"):
            yield source
