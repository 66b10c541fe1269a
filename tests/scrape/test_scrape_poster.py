import json
import time
from pathlib import Path

import pytest

from pipeline.media.pages import page_text
from pipeline.scrape.poster import Poster, image_extension, shown_poster

BASE = "https://en.wikipedia.org/wiki/X"
SAVED_PAGES = Path(__file__).parents[1] / "pages"
EXPECTED = json.loads((SAVED_PAGES / "expected.json").read_text(encoding="utf-8"))


def infobox(rows, classes="infobox vevent"):
    return f'<html><img src="/logo.png"><table class="{classes}"><tbody>{rows}</tbody></table></html>'


DIRECTED = '<tr><th scope="row">Directed by</th><td>Somebody</td></tr>'


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            '<tr><td colspan="2" class="infobox-image"><a><img src="//upload.wikimedia.org/a/p.JPG?utm=1" width="250">',
            "https://upload.wikimedia.org/a/p.JPG?utm=1",
        ),
        ('<tr><td colspan="2"><img src="/p.png" width="220"></td></tr>', "https://en.wikipedia.org/p.png"),
        ('<tr><td colspan="2"><img src="p%20q.png"></td></tr>', "https://en.wikipedia.org/wiki/p%20q.png"),
        (
            '<tr><td><img src="/330px-p.png" srcset="/500px-p.png 1.5x" width="330"></td></tr>',
            "https://en.wikipedia.org/330px-p.png",
        ),
        (
            '<tr><th>Country</th><td><img src="/flag.png" width="230"></td></tr><tr><td><img src="/p.png"></td></tr>',
            "https://en.wikipedia.org/p.png",
        ),
        (
            '<tr><td><img src="/icon.png" width="20"><img src="data:image/gif;base64,R0"><img src="/p.png"></td></tr>',
            "https://en.wikipedia.org/p.png",
        ),
        ("<tr><td>no image</td></tr>", ""),
        ('<tr><td><img alt="lazy"></td></tr>', ""),
        ('<tr><td><img src="http://["></td></tr>', ""),
        (f'<tr><td><img src="/{"x" * 9000}"></td></tr>', ""),
    ],
)
def test_poster_of_the_infobox(rows, expected):
    assert shown_poster(infobox(rows + DIRECTED), BASE).url == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ('href="/wiki/File:P.jpg" class="image"', "https://en.wikipedia.org/wiki/File:P.jpg"),
        ('href="/wiki/Datei:P.jpg" class="mw-file-description"', "https://en.wikipedia.org/wiki/Datei:P.jpg"),
        ('href="./File:P.jpg"', "https://en.wikipedia.org/wiki/File:P.jpg"),
        ('href="File:P.jpg" class="image"', "https://en.wikipedia.org/wiki/File:P.jpg"),
        ('href="//en.wikipedia.org/wiki/File:P.jpg" class="image"', "https://en.wikipedia.org/wiki/File:P.jpg"),
        (
            'href="https://commons.wikimedia.org/wiki/File:P.jpg" class="image"',
            "https://commons.wikimedia.org/wiki/File:P.jpg",
        ),
        ('href="/wiki/Somebody"', ""),
        ('href="javascript:alert(1)" class="image"', ""),
        ('href="file:///etc/passwd" class="image"', ""),
        ('href="http://[" class="image"', ""),
        ('class="image"', ""),
    ],
)
def test_page_of_the_file(link, expected):
    page = infobox(f'<tr><td><a {link}><span><img src="/p.jpg"></span></a></td></tr>{DIRECTED}')
    assert shown_poster(page, BASE) == Poster("https://en.wikipedia.org/p.jpg", expected)


def test_relative_links_follow_the_pages_base():
    page = infobox(f'<tr><td><a href="./File:P.jpg"><img src="//upload.wikimedia.org/p.jpg"></a></td></tr>{DIRECTED}')
    page = page.replace("<html>", '<html><head><base href="//en.wikipedia.org/wiki/"></head>')
    expected = Poster("https://upload.wikimedia.org/p.jpg", "https://en.wikipedia.org/wiki/File:P.jpg")
    assert shown_poster(page, "https://en.wikipedia.org/api/rest_v1/page/html/Face%2FOff") == expected


def test_the_films_infobox_comes_before_others():
    other = '<table class="infobox"><tr><td><img src="/star.png"></td></tr></table>'
    series = infobox(f'<tr><td><img src="/s.png"></td></tr>{DIRECTED}<tr><th>Network</th><td>X</td></tr>')
    page = other + series + infobox(f'<tr><td><img src="/p.png"></td></tr>{DIRECTED}')
    assert shown_poster(page, BASE).url.endswith("/p.png")
    assert shown_poster(other, BASE).url.endswith("/star.png")


@pytest.mark.parametrize(
    "page",
    [
        '<html><div class="thumb"><img src="/scene.jpg"></div><table class="infobox-like"><img src="/x.png"></table>',
        "",
        "\0",
        "<",
        "plain text",
    ],
)
def test_images_outside_the_infobox_do_not_count(page):
    assert shown_poster(page, BASE) == Poster()


@pytest.mark.parametrize(
    "page",
    [
        '<table class="infobox"><tr><td>' * 20_000,
        '<table class="infobox">' + "<tr><td>" * 100_000,
        '<table class="infobox"><tr><th>a</th><td>' + '<img width="9" src="x">' * 20_000 + "<td>" * 100_000,
        '<table class="infobox"><tr><th>a</th><td>' + '<img src="x">' * 20_000 + "</td>" + "<form></form>" * 100_000,
        "<base href='http://['>" * 20_000,
        '<table class="infobox"><tr>' + "<th><table><tr>" * 80_000,
    ],
)
def test_no_page_takes_long(page):
    start = time.process_time()
    shown_poster(page, BASE)
    assert time.process_time() - start < 3


def test_other_bytes_have_no_extension():
    for data in (b"", b"<svg", b"BM12", b"RIFF1234WAVE", b"\xff\xd8"):
        assert image_extension(data) is None


@pytest.mark.parametrize("name", EXPECTED)
def test_posters_of_whole_pages(name):
    expected = EXPECTED[name]
    text = page_text((SAVED_PAGES / f"{name}.html").read_bytes(), "")
    poster = shown_poster(text, expected["url"])
    assert poster == Poster(expected["poster_url"], expected["poster_page"])
