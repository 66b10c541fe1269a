"""The poster that an article shows: its image, the page on the file, and what kind of image the bytes are."""

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
FILE = re.compile(r"(\./)?(File|Image):")  # a link beside the article, which looks like a scheme
FILE_LINKS = frozenset({"image", "mw-file-description"})
LABEL_CHARACTERS = 50  # of a row's label are read, so that nested rows cannot make a page slow; nor can ...
IMAGES = 100  # ... the images of a row, of which no more are looked at
ICON_PIXELS = 50  # flags, pencils and locks are narrower; posters are 180 and more
URL_CHARACTERS = 8000  # servers take no longer ones
MAGIC = {"jpg": (b"\xff\xd8\xff",), "png": (b"\x89PNG\r\n\x1a\n",), "gif": (b"GIF87a", b"GIF89a")}
EXTENSIONS = (*MAGIC, "webp")


@dataclass(frozen=True)
class Poster:
    """The URL of the image as the page gives it, and of the page on the file; "" for none."""

    url: str = ""
    page: str = ""


def shown_poster(html: str, url: str) -> Poster:
    """Return the poster in the infobox of the article `html`, which came from `url`."""
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
    """Return jpg, png, gif or webp by the first bytes; None for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((extension for extension, starts in MAGIC.items() if data.startswith(starts)), None)


def _film_infobox(tree: Element) -> Element | None:
    """Return the first infobox of a film: one that says who directed it and is not a series'; else the first of any."""
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
    """Return the first cells of a row: two of a labelled one, three of one with more."""
    return list(islice(row.iterchildren("th", "td"), 3))


def _images(infobox: Element) -> Iterator[Element]:
    """Yield the images that stand in rows without a label, those of the image cell first."""
    for image in islice([*IMAGE_CELLS(infobox), *infobox.iter("img")], IMAGES):
        source, width = str(image.get("src", "")).strip(), str(image.get("width", ""))
        icon = width.isdecimal() and len(width) < 5 and int(width) <= ICON_PIXELS
        row = next(image.iterancestors("tr"), None)
        if source and not icon and not source.startswith("data:") and (row is None or len(_cells(row)) != 2):
            yield image


def _file_page(image: Element, base: str) -> str:
    """Return where the link around an infobox's image leads, if that is the page on its file."""
    for link in LINK(image):
        target = str(link.get("href")).strip()
        named = FILE.match(target)
        if named or FILE_LINKS & set(str(link.get("class", "")).split()):
            page = _joined(base, "./" + target.removeprefix("./") if named else target)
            return page if page.startswith(("https://", "http://")) else ""
    return ""


def _joined(base: str, target: str) -> str:
    """Return `target` as an absolute URL; "" when it is none or too long."""
    try:
        address = urljoin(base, target)
        urlsplit(address)
    except ValueError:
        return ""
    return address if len(address) <= URL_CHARACTERS else ""
