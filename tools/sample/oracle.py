"""The best possible ranking of the embedded corpus, by an oracle that knows the rules of its generation.

    PYTHONPATH=. python tools/sample/oracle.py    # after `dvc repro split`, in the project's environment; a minute

The casting of every film is reproduced from the build's random draws; a poster or page that differs from the corpus is
an error, as the draws then differ too. The oracle ranks the tracks of the test set. It knows the mood and the band of
each track, and of a film what the rules derive from a variant's inputs:

    tags            the usual band for country and genre
    plot            the moods of the film and its scenes
    image           the mood of the poster

Tracks are ranked by P(mood, band | known) / P(mood, band), which is proportional to the probability that a track
belongs to the film: no ranking that scores tracks independently has a higher expected recall (the probability ranking
principle, Robertson 1977). Given the film, the mood and the band of a cue are independent. Unknown properties of a film
are averaged over the other films of the corpus, in two ways: `rules` treats moods and bands as independent across
films, `company` uses their joint distribution (comedies are comic, so that tags are informative about moods, and plots
about bands).

Axes: m moods, b bands. The metrics are those of `pipeline.evaluate`; they are written to
benchmarks/results/oracle.json.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from casting import (
    GUEST_SHARE,
    NEIGHBOURS,
    OTHER_BAND_SHARE,
    POSTER_MOOD_SHARE,
    THEME_SHARE,
    WRONG_MOOD_SHARE,
    cue_list,
    usual_band,
)
from ensembles import ENSEMBLES
from records import SEED, film_id, load_films
from rich.console import Console
from rich.table import Table
from shown import page_name, show

from pipeline.core.tables import DATASET, read_table
from pipeline.core.variants import apart
from pipeline.evaluate.evaluation import compared, measure, pool_of
from pipeline.evaluate.ranking import one_row_each
from pipeline.evaluate.section import Evaluate
from pipeline.params import load_params
from pipeline.store.films import FilmFeatures

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results/oracle.json"
MOODS, BANDS = sorted(NEIGHBOURS), sorted(ENSEMBLES)
METRICS = ("recall_at_10", "mrr")
KINDS = ("rules", COMPANY := "company")
UNLIKE = 0.1  # weight of a film known to differ from the query film, relative to others

Row = dict[str, Any]


@dataclass(frozen=True)
class Casting:
    """The build's random draws for a film."""

    film: dict  # its record
    poster: str  # mood of the poster
    cues: list[tuple[str, str]]  # mood and band of each, in the order of the scenes

    @cached_property
    def moods(self) -> np.ndarray:
        """P(mood) of its cues, [m]."""
        return mood_chances(self.film)

    @cached_property
    def posters(self) -> np.ndarray:
        """P(mood) of its poster, [m]."""
        return poster_chances(self.film)

    @cached_property
    def usual(self) -> str:
        """The usual band for country and genre."""
        return usual_band(self.film)


def main() -> None:
    """Print and write the figures of every variant."""
    params = load_params(ROOT / "params.yaml")
    with ProcessPoolExecutor() as pool:
        told = list(pool.map(retold, *zip(*enumerate(load_films()), strict=True)))
    castings = {film_id(number): casting for number, casting in enumerate(told)}
    rows = pool_of(read_table(ROOT / "data/dataset.parquet", DATASET, "split"), "eval")
    tracks = cues_of(rows, castings, json.loads((ROOT / "data/sample/meta.json").read_text(encoding="utf-8")))
    lines = [
        figures(name, apart(row.inputs), rows, tracks, castings, params.evaluate)
        for name, row in params.variants.items()
    ]
    columns = [(kind, metric) for kind in KINDS for metric in METRICS]
    table = Table("inputs", *map(": ".join, columns), title=f"{lines[0]['films']} films, {lines[0]['tracks']} tracks")
    for line in lines:
        table.add_row(line["variant"], *(_readable(line[kind][metric]) for kind, metric in columns))
    table.add_row("chance", *(f"{lines[0]['chance'][metric]:.3f}" for _, metric in columns))
    Console(width=150).print(table)
    RESULTS.write_text(json.dumps(lines, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def retold(number: int, film: dict) -> Casting:
    """Return the build's draws for film `number`.

    Raises `RuntimeError` if its poster or page differs from the corpus.
    """
    rng = np.random.default_rng([SEED, number])
    shown = show(film, rng)
    site = ROOT / "data/sample/site"
    page = (site / "wiki" / page_name(film)).read_text(encoding="utf-8")
    if page != shown.page or not (site / "media" / shown.picture_name).is_file():
        raise RuntimeError(
            f"{film['title']} looks different here: install the versions of tools/sample/requirements.txt"
        )
    return Casting(film, shown.mood, cue_list(film, rng))


def cues_of(rows: list[Row], castings: dict[str, Casting], meta: dict[str, Row]) -> list[tuple[str, str]]:
    """Return the mood and band of each row of the data set, located by its URL in meta.json.

    Raises `ValueError` if a row is cut from a recording of several cues.
    """
    found = []
    for row in rows:
        addresses, cues = meta[row["fid"]]["soundtrack"], castings[row["fid"]].cues
        if len(addresses) != len(cues):
            raise ValueError(
                f"{row['path']} is cut from a recording of {len(cues)} cues: move its film to another split"
            )
        found.append(cues[addresses.index(row["source_url"])])
    return found


def figures(
    name: str,
    inputs: Sequence[str],
    rows: list[Row],
    tracks: list[tuple[str, str]],
    castings: dict[str, Casting],
    params: Evaluate,
) -> Row:
    """Return averages, intervals and chance of the oracle with `inputs`, for the films of `rows`.

    `tracks` are the mood and band of each of `rows`.
    """
    of_films: dict[str, list[Row]] = {}
    for row in rows:
        of_films.setdefault(row["fid"], []).append(row)
    films = [FilmFeatures(fid, tuple(of_film), (), {}, {}) for fid, of_film in of_films.items()]
    heard = np.zeros((len(tracks), len(MOODS), len(BANDS)))
    for track, (mood, band) in enumerate(tracks):
        heard[track, MOODS.index(mood), BANDS.index(band)] = 1.0
    line: Row = {"variant": name, "films": len(films), "tracks": len(tracks)}
    for kind in KINDS:
        asking = [film.fid for film in compared(films)]
        odds = np.stack([odds_of(fid, inputs, castings, kind == COMPANY).ravel() for fid in asking])  # [films, m · b]
        metrics, _ = measure(films, one_row_each(odds), heard.reshape(len(tracks), -1), {}, params)
        line[kind] = {key: {"mean": metrics[key], "ci95": metrics["ci95"][key]} for key in METRICS}
    return line | {"chance": {key: metrics["chance"][key] for key in METRICS}}


def odds_of(fid: str, inputs: Sequence[str], castings: dict[str, Casting], company: bool) -> np.ndarray:
    """Return P(mood, band | known) / P(mood, band), float64 [m, b], of a track of film `fid`, given `inputs`.

    A priori a film has the moods of a random other film i and the usual band of a random other film j; with `company`
    i = j. Known properties weight these films, or replace them if known exactly.
    """
    own, others = castings[fid], [casting for other, casting in castings.items() if other != fid]
    usual = [other.usual for other in others]
    moods = np.array([other.moods for other in others])  # [i, m]
    bands = np.array([band_chances(band) for band in usual])  # [j, b]
    pairs = np.eye(len(others)) if company else np.ones((len(others), len(others)))
    anyone = moods.T @ pairs @ bands
    if "tags" in inputs:
        bands[:] = band_chances(own.usual)
        pairs = pairs * np.where(np.equal(usual, own.usual), 1.0, UNLIKE)
    if "plot" in inputs:
        moods[:] = own.moods
        pairs = pairs * [[1.0 if other.film["mood"] == own.film["mood"] else UNLIKE] for other in others]
    elif "image" in inputs:
        pairs = pairs * [[other.posters[MOODS.index(own.poster)]] for other in others]
    return (moods.T @ pairs @ bands) / pairs.sum() / (anyone / anyone.sum())


def mood_chances(film: dict) -> np.ndarray:
    """Return P(mood) of a cue of `film`, any of its scenes, as `casting.cue_list` draws it, [m]."""
    meant = THEME_SHARE * _one(MOODS, film["mood"])
    meant += (1 - THEME_SHARE) * np.mean([_one(MOODS, scene) for scene in film["scenes"]], axis=0)
    mistaken = sum(
        share * np.mean([_one(MOODS, n) for n in NEIGHBOURS[m]], axis=0) for m, share in zip(MOODS, meant, strict=True)
    )
    return (1 - WRONG_MOOD_SHARE) * meant + WRONG_MOOD_SHARE * mistaken


def poster_chances(film: dict) -> np.ndarray:
    """Return P(mood) of the poster of `film`, as `casting.poster_mood` draws it, [m]."""
    scenes = np.mean([_one(MOODS, scene) for scene in film["scenes"]], axis=0)
    return POSTER_MOOD_SHARE * _one(MOODS, film["mood"]) + (1 - POSTER_MOOD_SHARE) * scenes


def band_chances(usual: str) -> np.ndarray:
    """Return P(band) of a cue, as `casting.cue_list` draws it, [b], where `casting.usual_band` is `usual`."""
    house = (1 - OTHER_BAND_SHARE) * _one(BANDS, usual) + OTHER_BAND_SHARE / len(BANDS)
    return (1 - GUEST_SHARE) * house + GUEST_SHARE / len(BANDS)


def _one(names: Sequence[str], name: str) -> np.ndarray:
    """Return 1.0 at `name`, 0.0 elsewhere."""
    return np.equal(names, name).astype(np.float64)


def _readable(figure: Row) -> str:
    low, high = figure["ci95"]
    return f"{figure['mean']:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
