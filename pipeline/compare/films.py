"""The films of the report, each with the top of every variant's ranking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas

from pipeline.compare.results import Result
from pipeline.core.errors import StageError
from pipeline.core.sharing import DisjointSets, music_keys

SPLITS = ("train", "valid", "eval")
TOP = 5  # tracks shown of each ranking
PLOT_CHARACTERS = 420


@dataclass(frozen=True)
class Track:
    """A candidate: its file, its film, its number in the film's folder and its length in seconds."""

    path: str
    fid: str
    title: str
    year: int | None
    number: int
    seconds: float


@dataclass(frozen=True)
class Place:
    """One of the top places of a ranking; `own` is true for the film's own tracks and for copies of their music."""

    track: Track
    score: float
    own: bool


@dataclass(frozen=True)
class Listing:
    """One variant's ranking for one film: the rank of the best-ranked own track, and the top places."""

    variant: str
    inputs: Sequence[str]
    best_rank: float  # the expected rank where scores tie, possibly between two integers
    places: list[Place]


@dataclass(frozen=True)
class Card:
    """A film of the report; `image` is the path of its poster."""

    fid: str
    title: str
    year: int | None
    tags: str
    plot: str
    image: str
    own_tracks: int
    listings: list[Listing]


def film_cards(results: list[Result], dataset: Iterable[dict[str, Any]], number: int) -> list[Card]:
    """Return cards of at most `number` films, from the best served to the worst served.

    The rankings of a card are in the order of `results`. Films are sorted by reciprocal rank, averaged over variants,
    and chosen at equal distances, to show failures and successes alike. Raises `StageError` if a ranking names a track
    that is not in `dataset`.
    """
    splits = ("eval",) if results[0].metrics["pool"] == "eval" else SPLITS
    rows = {row["path"]: row for row in dataset if row["split"] in splits}
    films = {row["fid"]: row for row in rows.values() if row["split"] == "eval"}
    rankings = {result.variant: result.rankings.set_index("fid") for result in results}
    for result in results:
        _require_known(result, rows, films)
    return [_card(films[fid], results, rankings, rows) for fid in choose_films(results, number)]


def film_names(dataset: Iterable[dict[str, Any]]) -> dict[str, tuple[str, int | None]]:
    """Return the title and year of every film of `dataset` by fid."""
    return {row["fid"]: (row["title"] or row["fid"], row["year"]) for row in dataset}


def sharing_films(dataset: Iterable[dict[str, Any]]) -> list[list[str]]:
    """Return the groups of two or more films that share music, each sorted."""
    sets = DisjointSets()
    for row in dataset:
        for key in music_keys(row):
            sets.join(row["fid"], key)
    groups: dict[str, list[str]] = {}
    for fid, least in sets.least().items():
        groups.setdefault(least, []).append(fid)
    return [group for group in groups.values() if len(group) > 1]


def choose_films(results: list[Result], number: int) -> list[str]:
    """Return the ids of `number` films, evenly spaced from the best served to the worst served."""
    served = np.mean([1.0 / result.rankings["best_rank"].to_numpy() for result in results], axis=0)
    order = np.argsort(-served, kind="stable")
    number = min(number, len(order))
    places = ((np.arange(number) + 0.5) / number * len(order)).astype(int)
    return results[0].rankings["fid"].iloc[order[places]].tolist()


def beginning(text: str, characters: int) -> str:
    """Return the first words of `text`, at most `characters`, with an ellipsis if it is cut."""
    text = " ".join(text.split())
    if len(text) <= characters:
        return text
    cut = text[: characters + 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut[:-1]).rstrip(" ,;:.–—-") + " …"


def _card(
    film: dict[str, Any], results: list[Result], rankings: dict[str, pandas.DataFrame], rows: dict[str, dict[str, Any]]
) -> Card:
    listings = []
    own = {key for row in rows.values() if row["fid"] == film["fid"] for key in music_keys(row)}
    for result in results:
        ranking = rankings[result.variant].loc[film["fid"]]
        places = [
            Place(_track(rows[path]), float(score), not own.isdisjoint(music_keys(rows[path])))
            for path, score in zip(ranking["top_paths"][:TOP], ranking["top_scores"][:TOP], strict=True)
        ]
        listings.append(Listing(result.variant, result.inputs, float(ranking["best_rank"]), places))
    return Card(
        fid=film["fid"],
        title=film["title"] or film["fid"],
        year=film["year"],
        tags=film["tags"],
        plot=beginning(film["plot"], PLOT_CHARACTERS),
        image=film["image"],
        own_tracks=int(ranking["relevant"]),
        listings=listings,
    )


def _track(row: dict[str, Any]) -> Track:
    return Track(row["path"], row["fid"], row["title"] or row["fid"], row["year"], row["number"], row["seconds"])


def _require_known(result: Result, rows: dict[str, Any], films: dict[str, Any]) -> None:
    unknown = [fid for fid in result.rankings["fid"] if fid not in films]
    unknown += [path for paths in result.rankings["top_paths"] for path in paths if path not in rows]
    if unknown:
        raise StageError(
            f"metrics/rankings/{result.variant}.parquet names {unknown[0]}, which is not among the films and "
            f"candidates of data/dataset.parquet: run `dvc repro evaluate@{result.variant}`"
        )
