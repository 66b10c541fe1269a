"""A corpus: a folder with a list of films, `meta.json`, and sometimes the site that they are fetched from.

    {"AAA": {"wikipedia": "https://en.wikipedia.org/wiki/Sherlock_Jr.", "soundtrack": ["https://…"]}, "AAB": …}

A URL that begins with `{origin}` is served from the corpus's own folder (`pipeline.corpus.site`). Values of `title`,
`year`, `tags`, `plot` and `image` that the list gives win over scraped ones. Lists of other people may have other names
of fields (`pipeline.corpus.entry`) and other forms, JSON lines and CSV among them (`pipeline.corpus.forms`). A folder
in the reference's layout, with images and audio instead of a list, is a corpus too (`pipeline.corpus.layout`).
"""

from pipeline.corpus.film import FID, ORIGIN, Film
from pipeline.corpus.load import load_films

__all__ = ["FID", "ORIGIN", "Film", "load_films"]
