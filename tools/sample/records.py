"""The film records, in the order of the corpus, some of them with a fault of the real web."""

from pathlib import Path

import numpy as np
import yaml

SEED = 1924
TROUBLES = (  # for films evenly spread over the list, one fault of the real web each
    "no_poster",
    "dead_link",
    "no_plot",
    "truncated",
    "one_recording",
    "disambiguation",
    "no_poster",
    "dead_link",
    "no_plot",
    "truncated",
    "one_recording",
)


def load_films() -> list[dict]:
    """Return the film records, shuffled, some of them with a `trouble`."""
    records = Path(__file__).with_name("films").glob("*.yaml")
    films = [film for path in sorted(records) for film in yaml.safe_load(path.read_text(encoding="utf-8"))]
    films = [films[i] for i in np.random.default_rng(SEED).permutation(len(films))]
    for number, trouble in enumerate(TROUBLES):
        films[(number + 1) * len(films) // (len(TROUBLES) + 1)]["trouble"] = trouble
    return films


def film_id(number: int) -> str:
    """Return AAA, AAB, ... for 0, 1, ..."""
    return "".join(chr(65 + number // 26**place % 26) for place in (2, 1, 0))
