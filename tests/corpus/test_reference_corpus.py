"""The project's list of films for the real web."""

import json
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.corpus import load_films
from pipeline.params import Params

FOLDER = Path(__file__).parents[2] / "data/reference"


def test_the_list_loads_and_names_each_film_once(params: Params):
    films = load_films(FOLDER, params.corpus.search)
    assert len(films) >= 150
    parts = [urlsplit(film.wikipedia) for film in films]
    assert {(part.scheme, part.netloc, part.query, part.fragment) for part in parts} == {
        ("https", "en.wikipedia.org", "", "")
    }
    names = Counter(unquote(part.path).casefold() for part in parts)
    assert [name for name, times in names.items() if times > 1] == []
    assert all(name.startswith("/wiki/") and " " not in name for name in names)


def test_every_film_has_one_search_with_its_year(params: Params):
    decades = set()
    for film in load_films(FOLDER, params.corpus.search):
        (search,) = film.soundtrack
        assert search.startswith("ytsearch1:") and search.endswith(" soundtrack")
        decades.add(int(search.split()[-2]) // 10)
    assert len(decades) >= 12


def test_the_list_gives_nothing_but_addresses():
    meta = json.loads((FOLDER / "meta.json").read_text())
    assert {tuple(entry) for entry in meta.values()} == {("wikipedia", "soundtrack")}
