"""Baselines on a variant's inputs and features without its training, by the same evaluation.

`linear` is regularised canonical correlation analysis (`pipeline.model.linear`). `nearest` retrieves music like that of
the training films with the most similar inputs. Both are fitted to the training set in seconds, and always to the
features of frozen encoders, even for a model with fine-tuned ones.

A film and a track are one vector each (`pipeline.model.vectors`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.evaluation import compared, measure
from pipeline.evaluate.metrics import BEST_RANK
from pipeline.evaluate.ranking import one_row_each
from pipeline.evaluate.section import HEADLINE, INSTEAD, Baseline, Evaluate
from pipeline.model.linear import MIN_FILMS, fit_linear, unit
from pipeline.model.vectors import film_numbers, fit_spaces
from pipeline.store.films import FeatureStore, FilmFeatures, films_of, readable

log = logging.getLogger(__name__)

COMPONENTS = 60  # limit for each input and the music
NEIGHBOURS = 5  # training films averaged

Row = dict[str, Any]
Fitted = tuple[np.ndarray, np.ndarray]  # vectors [n, e] of the pool's films, and of its tracks


@dataclass(frozen=True)
class Data:
    """The training set and the pool, as components fitted to the training films."""

    queries: np.ndarray  # [films, q], training films
    music: np.ndarray  # [tracks, r], their tracks
    films: np.ndarray  # [tracks], the number of each track's film
    asked: np.ndarray  # [films, q], the pool's films that every variant can read
    candidates: np.ndarray  # [tracks, r], the pool's tracks


def evaluate_baselines(
    names: Sequence[Baseline],
    store: FeatureStore,
    training: list[Row],
    pool: list[Row],
    rankings: list[Row],
    params: Evaluate,
) -> dict[str, dict[str, Any]]:
    """Return each baseline's averages, their intervals, and the model's difference from it, by name.

    `training` and `pool` are rows of the data set, `rankings` the model's on the query films, in order. `difference` is
    [low, mean, high] of the model's `HEADLINE` minus the baseline's, over the same films. With too few training films
    there are no baselines.
    """
    known, films = readable(films_of(training, store), store.inputs, answers_subsets=False), films_of(pool, store)
    if names and len(known) < MIN_FILMS:
        log.warning("no baselines: found %d training films, they need at least %d", len(known), MIN_FILMS)
    if not names or len(known) < MIN_FILMS:
        return {}
    spaces = fit_spaces(known, store, COMPONENTS)
    queries, asked = spaces.queries(known, store), spaces.queries(compared(films), store)
    data = Data(queries, spaces.tracks(known, store), film_numbers(known), asked, spaces.tracks(films, store))
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        queries, tracks = FITS[name](data)
        found[name] = figures_beside(films, queries, tracks, rankings, params)
    return found


def figures_beside(
    films: Sequence[FilmFeatures], queries: np.ndarray, tracks: np.ndarray, rankings: list[Row], params: Evaluate
) -> dict[str, Any]:
    """Return a baseline's averages, their intervals, and how much the model with `rankings` differs from it.

    `films` are the pool's films, `tracks` [tracks, e] unit vectors of their tracks, and `queries` [n, e] unit vectors
    of the films that every variant can read.
    """
    metrics, rows = measure(list(films), one_row_each(queries), tracks, {}, params)
    averages = {key: value for key, value in metrics.items() if key in metrics["ci95"]}
    return averages | {"ci95": metrics["ci95"], "difference": _difference(rankings, rows, params)}


def _linear(data: Data) -> Fitted:
    fitted = fit_linear(data.queries, data.music, data.films, COMPONENTS)
    return unit(fitted.query.of(data.asked)), unit(fitted.audio.of(data.candidates))


def _nearest(data: Data) -> Fitted:
    likeness = unit(data.asked) @ unit(data.queries).T  # [films, known]
    of_films = np.zeros((likeness.shape[1], data.music.shape[1]))
    np.add.at(of_films, data.films, data.music)
    of_films /= np.bincount(data.films)[:, np.newaxis]
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
    return unit(of_films[nearest].mean(1)), unit(data.candidates)


FITS: dict[Baseline, Callable[[Data], Fitted]] = {"linear": _linear, "nearest": _nearest}


def _difference(model: list[Row], baseline: list[Row], params: Evaluate) -> list[float]:
    """Return [low, mean, high] of the model's metric minus the baseline's, over the same films."""
    name = HEADLINE if HEADLINE in baseline[0] else INSTEAD
    difference = np.array([ours[name] - theirs[name] for ours, theirs in zip(model, baseline, strict=True)])
    columns = {name: difference, BEST_RANK: np.ones(len(difference))}
    low, high = confidence_intervals(columns, params.bootstrap_samples, params.seed)[name]
    return [low, float(difference.mean()), high]
