"""One film of a corpus."""

import re
from dataclasses import dataclass

FID = re.compile(r"[A-Z]{3}")
ORIGIN = "{origin}"  # the corpus's own server
YEARS = range(1870, 2101)  # of a film's release


@dataclass(frozen=True)
class Film:
    """The data of a film in a corpus; None if not given. `wikipedia` is "" in the reference's layout."""

    fid: str
    wikipedia: str
    soundtrack: tuple[str, ...]
    title: str | None = None
    year: int | None = None
    tags: str | None = None
    plot: str | None = None
    image: str | None = None
