"""Baselines: what a variant's inputs find in the same features without its training, by the same evaluation.

`linear` is regularised canonical correlation analysis (`pipeline.model.linear`). `nearest` asks for music like that of
the training films whose inputs are most like the film's. Both are fitted to the training split in seconds, and read
feature tables: also beside a model that fine-tunes its encoders they stand for the frozen ones.

A film and a track are one vector each here (`pipeline.model.vectors`).
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
from pipeline.evaluate.section import Baseline, Evaluate
from pipeline.model.linear import MIN_FILMS, fit_linear, unit
from pipeline.model.vectors import film_numbers, fit_spaces
from pipeline.store.films import FeatureStore, FilmFeatures, films_of, readable

log = logging.getLogger(__name__)

COMPONENTS = 60  # of each input and of the music, at the most
NEIGHBOURS = 5  # training films whose music is asked for
HEADLINE = "recall_at_10"  # whose difference is given, where `evaluate.ks` has it
INSTEAD = "mrr"

Row = dict[str, Any]
Fitted = tuple[np.ndarray, np.ndarray]  # vectors [n, e] of the pool's films, and of its tracks


@dataclass(frozen=True)
class Data:
    """The training split and the pool, as components over the training films."""

    queries: np.ndarray  # [films, q] of training films
    music: np.ndarray  # [tracks, r] of their tracks
    films: np.ndarray  # [tracks] the number of each track's film
    asked: np.ndarray  # of the pool's films that every variant can read
    candidates: np.ndarray  # of the pool's tracks


def evaluate_baselines(
    names: Sequence[Baseline],
    store: FeatureStore,
    training: list[Row],
    pool: list[Row],
    rankings: list[Row],
    params: Evaluate,
) -> dict[str, dict[str, Any]]:
    """Return the averages of each baseline of `names`, their intervals, and by how much the model beats it.

    `training` and `pool` are rows of the data set, `rankings` what the model has on the films that ask, in their order.
    `difference` is [low, mean, high] of the model's `HEADLINE` less the baseline's, over the same films. With too few
    training films there are no baselines.
    """
    known, films = readable(films_of(training, store), store.inputs, answers_subsets=False), films_of(pool, store)
    if names and len(known) < MIN_FILMS:
        log.warning("no baselines: they are fitted to training films, of which there are %d", len(known))
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
    """Return the averages of a baseline, their intervals, and the difference of the model that has `rankings`.

    `films` are those of the pool, `tracks` [tracks, e] its unit vectors of their tracks, and `queries` [n, e] those of
    the films that every variant can read.
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
    """Return [low, mean, high] of the model's figure less the baseline's, over the films that both rank for."""
    name = HEADLINE if HEADLINE in baseline[0] else INSTEAD
    difference = np.array([ours[name] - theirs[name] for ours, theirs in zip(model, baseline, strict=True)])
    columns = {name: difference, BEST_RANK: np.ones(len(difference))}
    low, high = confidence_intervals(columns, params.bootstrap_samples, params.seed)[name]
    return [low, float(difference.mean()), high]
