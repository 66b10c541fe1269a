"""The visible parts of a film: its plot, poster and page.

One generator draws everything of a film in a fixed order: plot, poster, page, then the casting of its cues. After this
module's draws it is at the start of the casting, so that the casting can be reproduced without the music.
"""

import hashlib
import io
from typing import NamedTuple

import pages
import posters
from casting import poster_mood
from moods_in_words import plot_with_moods
from numpy.random import Generator
from page_text import bare_title
from PIL import Image

NAME_LENGTH = 12


class Shown(NamedTuple):
    mood: str  # of the poster
    picture: bytes
    picture_name: str
    page: str  # HTML


def show(film: dict, rng: Generator) -> Shown:
    """Draw the plot, poster and page of a film record."""
    film = film | {"plot": plot_with_moods(film, rng)}
    mood = poster_mood(film, rng)
    picture, suffix = posters.poster(film, rng, mood)
    name = name_of(picture, suffix)
    if film.get("trouble") == "disambiguation":
        bare = bare_title(film["title"])
        page = pages.disambiguation(film["title"], [f"{bare} (novel)", f"{bare} (play)", film["title"]])
    else:
        page = pages.article(film, rng, f"/media/{name}", Image.open(io.BytesIO(picture)).size)
    return Shown(mood, picture, name, page)


def page_name(film: dict) -> str:
    """Return the name of the film's file in the folder of pages."""
    return f"{pages.slug(film['title'])}.html"


def name_of(data: bytes, suffix: str) -> str:
    """Return the name of a file with `data`, derived from its content."""
    return f"{hashlib.sha256(data).hexdigest()[:NAME_LENGTH]}.{suffix.lstrip('.')}"
