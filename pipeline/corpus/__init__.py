"""A corpus: a folder with a list of films, `meta.json`, and optionally the site that serves them.

    {"AAA": {"wikipedia": "https://en.wikipedia.org/wiki/Sherlock_Jr.", "soundtrack": ["https://…"]}, "AAB": …}

A URL that begins with `{origin}` is served from the corpus's own folder (`pipeline.corpus.site`). Values of `title`,
`year`, `tags`, `plot` and `image` in the list override scraped ones. Foreign lists may have other field names
(`pipeline.corpus.entry`) and other forms, including JSON lines and CSV (`pipeline.corpus.forms`). A folder in the
reference's layout, with images and audio instead of a list, is also a corpus (`pipeline.corpus.layout`).
"""

from pipeline.corpus.film import FID, ORIGIN, Film
from pipeline.corpus.load import load_films

__all__ = ["FID", "ORIGIN", "Film", "load_films"]
