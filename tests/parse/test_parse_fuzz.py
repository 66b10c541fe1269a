"""Hostile pages, posters and lists each give a row in bounded time. The examples are fixed, not random."""

import gzip
import io
import time
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.core.tables import FILMS, PAGES, write_table
from pipeline.corpus import Film
from pipeline.media.pages import page_text
from pipeline.parse.article import Article, parse_article
from pipeline.parse.films import parse_films
from pipeline.parse.poster import BadPosterError, save_poster

URL = "https://en.wikipedia.org/wiki/Fog_(film)"
PAGE = """<!DOCTYPE html><html about="x"><head><title>Fog - Wikipedia</title>
<script>"wgCategories":["1931 films"]</script></head><body><h1 id="firstHeading"><i>Fog</i> (1931 film)</h1>
<div id="mw-content-text"><div class="shortdescription" style="display:none">1931 film</div>
<table class="infobox"><tr><th class="infobox-above">Fog</th></tr><tr><td><img src="//example.org/p.jpg" width="9"></td>
</tr><tr><th>Directed by</th><td>Ada</td></tr><tr><th>Release date</th><td>3 May&#160;1931</td></tr></table>
<p><b>Fog</b> is a film.</p><div class="mw-heading"><h2>Plot</h2></div><p>One<sup class="reference">
<a href="#cite_note-8">[8]</a></sup> &amp; two.<br/></p><section><h3>Act</h3><p>A<sup>[a]</sup></p></section>
<div class="thumb"><p>No.</p></div><h2>Cast</h2></div><div id="mw-normal-catlinks"><a>Categories</a>
<ul><li><a>1931 films</a></li><li><a>Fog films</a></li></ul></div><link rel="mw:PageProp/Category" href="./Category:A"/>
</body></html>"""
PIECES = [piece + ">" for piece in PAGE.split(">") if piece] + [
    "<div>", "</div>", "<section>", "<table class='infobox'>", "<p>", "<sup>", "<h2>Plot</h2>", "<!--", "-->",
    "<script>", "<![CDATA[", "<svg>", "&#0;", "&#x1F39E;", "&nbsp;", "&bogus;", "\0", "\x01", "\ufffe",
    "\N{ZERO WIDTH SPACE}", "<", ">", "<tr>", "<td colspan=99999999999>", "<a href='", "<plaintext>", "<frameset>",
    "<?xml version='1.0' encoding='utf-16'?>",
]  # fmt: skip
NESTED = [
    "<div>", "<p>", "<b>", "<sup>", "<section>", "<table class='infobox'><tr><td>", "<table>", "<ul><li>", "<span>",
    "<h2>Plot", "<div class=mw-heading><h2>Plot</h2>", "<a href='#cite_note'>", "<blockquote>", "<div about=x>",
    "<table class=infobox><tr><th>a<td>b", "<div id=mw-normal-catlinks><li><a>x</a>",
]  # fmt: skip
BEFORE = (
    "",
    "<h2>Plot</h2><p>",
    '<table class="infobox">',
    '<div id="mw-normal-catlinks"><li><a>',
    '<script>"wgCategories":[',
)
SMALL = settings(derandomize=True, database=None, deadline=None, max_examples=120)


def check(text):
    """Parse `text`; a table must be able to hold its facts."""
    article = parse_article(text, URL)
    assert isinstance(article, Article)
    strings = [article.title, article.plot, article.evidence, *article.categories]
    assert not any("\0" in string for string in strings)
    "".join(strings).encode()
    assert article.year is None or 1870 <= article.year <= 2100
    return article


def test_the_page_itself():
    article = check(PAGE)
    assert (article.kind, article.title, article.year) == ("film", "Fog (1931 film)", 1931)
    assert (article.plot, article.categories) == ("One & two.\nA", ("1931 films", "Fog films"))


@pytest.mark.parametrize("part", range(4))
def test_cut_at_any_byte(part):
    data = PAGE.encode()
    for end in range(part, len(data), 16):
        check(page_text(data[:end], "utf-8"))


@SMALL
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_pieces_in_any_order(text):
    check(text)


@SMALL
@given(st.data())
def test_changed_pages(data):
    text = bytearray(PAGE.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 200)))
        text[start:end] = data.draw(st.one_of(st.binary(max_size=20), st.just(bytes(text[:end])[-300:])))
    check(
        page_text(bytes(text), data.draw(st.sampled_from(["utf-8", "", "latin-1", "utf-16", "nonsense", "shift_jis"])))
    )


@pytest.mark.parametrize(
    "names", [r'["\ud800 films", "\u0000"]', "[1, null, {}]", "[" * 100_000, "[]", "[1" + "0" * 9999]
)
def test_categories_of_the_script(names):
    check(f'<script>"wgCategories":{names}</script>')


@SMALL
@given(st.text(max_size=200))
def test_any_text(text):
    check(text)


@pytest.mark.parametrize("opening", NESTED)
def test_deep_nesting(opening):
    for closing in ("", "</div>" * 20_000):
        check(f'<h1 id="firstHeading">Fog</h1><h2>Plot</h2>{opening * 20_000}<p>One.</p>{closing}')


@pytest.mark.parametrize(
    "unit",
    [
        "<p>One &amp; <b>two</b><sup>[3]</sup></p>",
        "<h2>Plot</h2>",
        "<div class=thumb><h2>Plot</h2></div>",
        "<div><h2>Plot</h2><p>One.</p></div>",
        "<li><a>1931 films</a></li>",
        "<table class=infobox><tr><th>Directed by</th><td>Ada</td></tr></table>",
        "<tr><th>Released</th><td>1931</td></tr>",
        "[<sup>",
        "x",
        " ",
        "\0",
        "&lt;",
        "<",
        "</p>",
        "<a b=c ",
        '"wgCategories":["a",',
        ' "a" ',
        "Fog is ",
    ],
)
def test_long_pages_take_bounded_time(unit):
    start = time.perf_counter()
    for before in BEFORE:
        check(before + unit * (100_000 // len(unit)))
    assert time.perf_counter() - start < 10


def test_a_page_of_ten_megabytes():
    start = time.perf_counter()
    paragraph = (
        "<p>One <i>and</i> two<sup class='reference'>[8]</sup> in the fog of 1931. " + "It is dark. " * 80 + "</p>\n"
    )
    article = check(PAGE.replace("<h3>Act</h3>", "<h3>Act</h3>" + paragraph * (10_000_000 // len(paragraph))))
    assert article.plot.count("One and two in the fog") == 10_000_000 // len(paragraph)
    assert time.perf_counter() - start < 20


@cache
def poster_bytes():
    image = Image.radial_gradient("L").resize((60, 90)).convert("RGB")
    files = []
    for kind, options in (
        ("JPEG", {}),
        (
            "JPEG",
            {"progressive": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"},
        ),
        ("PNG", {}),
        ("GIF", {"save_all": True, "append_images": [image]}),
        ("WEBP", {}),
    ):
        file = io.BytesIO()
        image.save(file, kind, **options)
        files.append(file.getvalue())
    return files


@settings(SMALL, max_examples=200)
@given(st.data())
def test_changed_posters(tmp_path_factory, params, data):
    folder = tmp_path_factory.getbasetemp()
    poster = bytearray(data.draw(st.sampled_from(poster_bytes())))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, min(len(poster), 700)))
        poster[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    (folder / "poster").write_bytes(poster[: data.draw(st.integers(0, len(poster)))])
    try:
        save_poster(folder / "poster", folder / "AAA.jpg", replace(params.parse, short_side=32, max_pixels=40_000))
    except BadPosterError as error:
        assert str(error)
    else:
        with Image.open(folder / "AAA.jpg") as image:
            assert min(image.size) == 32


@settings(SMALL, max_examples=40)
@given(
    html=st.one_of(st.just(PAGE), st.lists(st.sampled_from(PIECES), max_size=20).map("".join)),
    packed=st.sampled_from([gzip.compress, bytes, lambda data: gzip.compress(data)[:-9]]),
    charset=st.sampled_from(["", "utf-8", "utf-7", "x" * 99]),
    title=st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)),
    missing=st.sampled_from(["leave_out", "placeholder"]),
    status=st.sampled_from(["ok", "given", "not_found", "forbidden"]),
)
def test_every_film_is_a_row(tmp_path_factory, params, html, packed, charset, title, missing, status):
    root = tmp_path_factory.getbasetemp() / "stage"
    (root / "data/pages").mkdir(parents=True, exist_ok=True)
    data = html.encode()
    (root / "data/pages/AAA.html.gz").write_bytes(packed(data))
    page = dict.fromkeys(PAGES.names, "") | {"fid": "AAA", "status": status, "path": "data/pages/AAA.html.gz"}
    page |= {"bytes": len(data), "charset": charset, "poster_status": "none"}
    parse = replace(params.parse, missing=missing, short_side=32)
    rows = parse_films(root, [Film("AAA", URL, (), title=title)], [page], parse, 1)
    assert [row["fid"] for row in rows] == ["AAA"]
    assert bool(rows[0]["image"]) == (rows[0]["status"] == "ok")
    write_table(root / "films.parquet", rows, FILMS)
