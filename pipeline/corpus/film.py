"""One film of a corpus."""

import re
from dataclasses import dataclass

FID = re.compile(r"[A-Z]{3}")
ORIGIN = "{origin}"  # the corpus's own server
YEARS = range(1870, 2101)  # in which a film can have come out


@dataclass(frozen=True)
class Film:
    """What a corpus says of a film; what it does not say is None. `wikipedia` is "" in the reference's layout."""

    fid: str
    wikipedia: str
    soundtrack: tuple[str, ...]
    title: str | None = None
    year: int | None = None
    tags: str | None = None
    plot: str | None = None
    image: str | None = None
