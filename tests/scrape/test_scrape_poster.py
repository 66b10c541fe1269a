import pytest

from pipeline.scrape.poster import image_extension, shown_poster

BASE = "https://en.wikipedia.org/wiki/X"


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
    ],
)
def test_poster_of_the_infobox(rows, expected):
    assert shown_poster(infobox(rows + DIRECTED), BASE) == expected


def test_the_films_infobox_comes_before_others():
    other = '<table class="infobox"><tr><td><img src="/star.png"></td></tr></table>'
    assert shown_poster(other + infobox(f'<tr><td><img src="/p.png"></td></tr>{DIRECTED}'), BASE).endswith("/p.png")


def test_images_outside_the_infobox_do_not_count():
    page = '<html><div class="thumb"><img src="/scene.jpg"></div><table class="infobox-like"><img src="/x.png"></table>'
    assert shown_poster(page, BASE) == ""


def test_extension_of_other_bytes_is_none():
    for data in (b"", b"<svg", b"BM12", b"RIFF1234WAVE", b"\xff\xd8"):
        assert image_extension(data) is None
