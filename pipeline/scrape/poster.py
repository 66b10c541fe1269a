"""The poster of an article: its image, the file's description page, and the image format."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urljoin, urlsplit

from lxml import etree

from pipeline.media.pages import Element, infoboxes, read_tree

SERIES_LABELS = frozenset(
    {"no. of seasons", "no. of series", "no. of episodes", "episodes", "network", "original network", "no. of issues"}
)
IMAGE_CELLS = etree.XPath(".//*[contains(concat(' ', normalize-space(@class), ' '), ' infobox-image ')]//img[@src]")
LINK = etree.XPath("ancestor::a[@href][1]")
FILE = re.compile(r"(\./)?(File|Image):")  # a relative link that looks like a URL scheme
FILE_LINKS = frozenset({"image", "mw-file-description"})
LABEL_CHARACTERS = 50  # read of a row's label: a limit for nested rows
IMAGES = 100  # examined per infobox, at most
ICON_PIXELS = 50  # flags, pencils and locks are narrower; posters have 180 and more
URL_CHARACTERS = 8000  # the limit of servers
MAGIC = {"jpg": (b"\xff\xd8\xff",), "png": (b"\x89PNG\r\n\x1a\n",), "gif": (b"GIF87a", b"GIF89a")}
EXTENSIONS = (*MAGIC, "webp")


@dataclass(frozen=True)
class Poster:
    """The URLs of the image and of its description page; "" for none."""

    url: str = ""
    page: str = ""


def shown_poster(html: str, url: str) -> Poster:
    """Return the poster in the infobox of the article `html`, fetched from `url`."""
    tree = read_tree(html)
    base = next((_joined(url, str(element.get("href", ""))) for element in tree.iter("base")), "") or url
    infobox = _film_infobox(tree)
    for image in [] if infobox is None else _images(infobox):
        source = str(image.get("src")).strip()
        address = _joined(base, "https:" + source if source.startswith("//") else source)
        if address:
            return Poster(address, _file_page(image, base))
    return Poster()


def image_extension(data: bytes) -> str | None:
    """Return jpg, png, gif or webp by the first bytes; None for other data."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((extension for extension, starts in MAGIC.items() if data.startswith(starts)), None)


def _film_infobox(tree: Element) -> Element | None:
    """Return the first infobox with a director that is not a series'; else the first infobox, if any."""
    found = list(infoboxes(tree))
    for infobox in found:
        labels = set(_labels(infobox))
        if "directed by" in labels and not labels & SERIES_LABELS:
            return infobox
    return found[0] if found else None


def _labels(infobox: Element) -> Iterator[str]:
    """Yield the label of each labelled row, in lower case with single spaces."""
    for row in infobox.iter("tr"):
        cells = _cells(row)
        if len(cells) == 2:
            label = ""
            for piece in cells[0].itertext():
                label += f" {piece[:LABEL_CHARACTERS]}"
                if len(label) > LABEL_CHARACTERS:
                    break
            yield " ".join(label.split()).lower()


def _cells(row: Element) -> list[Element]:
    """Return the first cells of a row, at most three; a labelled row has two."""
    return list(islice(row.iterchildren("th", "td"), 3))


def _images(infobox: Element) -> Iterator[Element]:
    """Yield the images in rows without a label, those of the image cell first."""
    for image in islice([*IMAGE_CELLS(infobox), *infobox.iter("img")], IMAGES):
        source, width = str(image.get("src", "")).strip(), str(image.get("width", ""))
        icon = width.isdecimal() and len(width) < 5 and int(width) <= ICON_PIXELS
        row = next(image.iterancestors("tr"), None)
        if source and not icon and not source.startswith("data:") and (row is None or len(_cells(row)) != 2):
            yield image


def _file_page(image: Element, base: str) -> str:
    """Return the target of the link around an infobox's image, if it is the file's description page."""
    for link in LINK(image):
        target = str(link.get("href")).strip()
        named = FILE.match(target)
        if named or FILE_LINKS & set(str(link.get("class", "")).split()):
            page = _joined(base, "./" + target.removeprefix("./") if named else target)
            return page if page.startswith(("https://", "http://")) else ""
    return ""


def _joined(base: str, target: str) -> str:
    """Return `target` as an absolute URL; "" if it is invalid or too long."""
    try:
        address = urljoin(base, target)
        urlsplit(address)
    except ValueError:
        return ""
    return address if len(address) <= URL_CHARACTERS else ""
