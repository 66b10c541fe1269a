"""A wiki of generated film articles on loopback, each about as long as a real one; it writes nothing to disk.

`/wiki/Film_17_(1931_film)` is an article of about 150 kB in current markup, with a plot of six paragraphs, a table of
the cast, references, and a poster at `/poster/17.jpg`. As a script it prints its origin and serves until killed.
"""

import io
import random
import re
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

NUMBER = re.compile(r"/(?:wiki/Film|poster/)_?(\d+)")
WORDS = ["storm", "night", "city", "letter", "daughter", "river", "train", "stranger", "money", "promise", "circus"]
GENRES = ("drama", "comedy", "horror", "western", "romance", "war", "crime", "adventure")
ROWS = 260  # of the table of the cast
NOTES = 330  # references


def article(number: int) -> str:
    """Return the page of film `number`."""
    dice = random.Random(number)
    year = 1920 + number % 100
    paragraphs = "".join(f"<p>{sentence(dice, 90)}<sup class='reference'>[{n}]</sup></p>" for n in range(6))
    genre = GENRES[number % len(GENRES)]
    categories = (f"{year} films", f"{year // 10 * 10}s {genre} films", "English-language films", "American films")
    links = "".join(f'<li><a href="/wiki/Category:{name}">{name}</a></li>' for name in categories)
    return f"""<!DOCTYPE html><html><head><meta charset="UTF-8"><title>Film {number} - Wikipedia</title>
<script>RLCONF={{"wgRevisionId":{1000000 + number}}};</script></head><body>
<h1 id="firstHeading" class="firstHeading"><i>Film {number}</i></h1>
<div id="mw-content-text"><div class="mw-parser-output">
<table class="infobox vevent"><tbody><tr><th colspan="2" class="infobox-above summary">Film {number}</th></tr>
<tr><td colspan="2" class="infobox-image"><a href="/wiki/File:{number}.jpg" class="mw-file-description">
<img src="/poster/{number}.jpg" width="220" height="330"></a></td></tr>
<tr><th class="infobox-label">Directed by</th><td>Director {number % 500}</td></tr>
<tr><th class="infobox-label">Release date</th><td>{year}</td></tr></tbody></table>
<p>{sentence(dice, 60)}</p>
<div class="mw-heading mw-heading2"><h2 id="Plot">Plot</h2></div>{paragraphs}
<div class="mw-heading mw-heading2"><h2 id="Cast">Cast</h2></div>
<table class="wikitable"><tbody>{cast()}</tbody></table>
<div class="mw-heading mw-heading2"><h2 id="References">References</h2></div><ol class="references">{notes()}</ol>
</div></div><div id="catlinks"><div id="mw-normal-catlinks"><a href="/wiki/Help:Category">Categories</a>:
<ul>{links}</ul></div></div></body></html>"""


def sentence(dice: random.Random, words: int) -> str:
    """Return `words` words."""
    return " ".join(dice.choices(WORDS, k=words)).capitalize() + "."


@cache
def cast() -> str:
    """Return the rows of a table, the same in all articles."""
    row = '<tr><td><a href="/wiki/Actor_{0}" title="Actor {0}">Actor {0}</a></td><td>{1}</td></tr>'
    dice = random.Random(0)
    return "".join(row.format(n, sentence(dice, 12)) for n in range(ROWS))


@cache
def notes() -> str:
    """Return the items of a list of references, the same in all articles."""
    note = (
        '<li id="cite_note-{0}"><span class="mw-cite-backlink"><b><a href="#cite_ref-{0}">^</a></b></span> '
        '<span class="reference-text"><cite class="citation web cs1">{1}</cite></span></li>'
    )
    dice = random.Random(0)
    return "".join(note.format(n, sentence(dice, 18)) for n in range(NOTES))


def poster() -> bytes:
    """Return a JPEG of 220 x 330 px."""
    data = io.BytesIO()
    Image.effect_noise((220, 330), 60).convert("RGB").save(data, format="JPEG")
    return data.getvalue()


class Wiki(BaseHTTPRequestHandler):
    """Serves articles and posters."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are sent separately, which otherwise costs 40 ms per request
    poster = poster()

    def do_GET(self) -> None:
        """Answer one request."""
        number = int(NUMBER.match(self.path)[1])
        is_page = self.path.startswith("/wiki/")
        body = article(number).encode() if is_page else self.poster
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=UTF-8" if is_page else "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Wiki)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
