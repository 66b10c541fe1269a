"""Untrusted web pages: decoding to text, by the rules of browsers, and parsing.

The encoding is given by a byte order mark, else by the response header, else by the page's declaration, else UTF-8.
Only encodings of the web are accepted (https://encoding.spec.whatwg.org/#names-and-labels): Python has others that
are not text, or that take quadratic time.
"""

import codecs
from collections.abc import Iterator
from typing import TypeAlias

from bs4.dammit import EncodingDetector
from lxml import etree

PRESCAN_BYTES = 1024  # searched for a declaration, as in browsers; the search is quadratic on hostile pages
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
AS_BROWSERS_READ = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "utf-16": "utf-16-le"}
ENCODINGS = frozenset(
    {"utf-8", "utf-16-le", "utf-16-be", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp866", "cp874"}
    | {"gbk", "gb18030", "big5", "big5hkscs", "euc_jp", "iso2022_jp", "shift_jis", "cp932", "euc_kr", "cp949"}
    | {f"cp{number}" for number in range(1250, 1259)}
    | {f"iso8859-{number}" for number in (*range(2, 9), 10, 11, 13, 14, 15, 16)}
)

Element: TypeAlias = etree._Element


def page_text(data: bytes, charset: str) -> str:
    """Return a page as text without a byte order mark; undecodable bytes become U+FFFD.

    `charset` is that of the header, "" for none.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.removeprefix(mark).decode(encoding, "replace")
    declared = EncodingDetector.find_declared_encoding(data[:PRESCAN_BYTES], is_html=True) or ""
    if (_encoding(declared) or "").startswith("utf-16"):  # it was readable as ASCII, therefore it is not UTF-16
        declared = ""
    return data.decode(_encoding(charset) or _encoding(declared) or "utf-8", "replace")


def read_tree(text: str) -> Element:
    """Return the root of a page; an empty `html` element if it is empty."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        return etree.Element("html")
    return etree.Element("html") if root is None else root


def infoboxes(tree: Element) -> Iterator[Element]:
    """Yield the infoboxes in page order; a nested one is part of the outer one."""
    walker = etree.iterwalk(tree, events=("start",), tag="table")
    for _, table in walker:
        if "infobox" in str(table.get("class", "")).split():
            yield table
            walker.skip_subtree()


def _encoding(label: str) -> str | None:
    """Return Python's name for a charset's label; None if it is not an encoding of the web."""
    try:
        name = codecs.lookup(label.strip()).name
    except (LookupError, ValueError):
        return None
    name = AS_BROWSERS_READ.get(name, name)
    return name if name in ENCODINGS else None
