"""Baselines: what a variant's inputs find in the same features without its training, by the same evaluation.

`linear` is regularised canonical correlation analysis (`pipeline.model.linear`). `nearest` asks for music like that of
the training films whose inputs are most like the film's. Both are fitted to the training split in seconds, and read
feature tables: also beside a model that fine-tunes its encoders they stand for the frozen ones.

A film is the mean of its paragraphs' vectors here, a track the mean of its windows', or of log-mel frames the mean and
deviation of each band.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.evaluation import measure
from pipeline.evaluate.metrics import BEST_RANK
from pipeline.evaluate.ranking import one_row_each
from pipeline.evaluate.section import Baseline, Evaluate
from pipeline.model.linear import MIN_FILMS, fit_linear, reduction, unit
from pipeline.store.films import FeatureStore, FilmFeatures, films_of

log = logging.getLogger(__name__)

NEIGHBOURS = 5  # training films whose music is asked for
HEADLINE = "recall_at_10"  # whose difference is given, where `evaluate.ks` has it
INSTEAD = "mrr"

Row = dict[str, Any]
Fitted = tuple[np.ndarray, np.ndarray]  # vectors [n, e] of the pool's films, and of its tracks


@dataclass(frozen=True)
class Data:
    """The training split, and the pool."""

    inputs: Mapping[str, np.ndarray]  # vectors [films, f] of training films by input
    music: np.ndarray  # [tracks, f] of their tracks
    films: np.ndarray  # [tracks] the number of each track's film
    asked: Mapping[str, np.ndarray]  # vectors of the pool's films
    candidates: np.ndarray  # of its tracks


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
    count = len({row["fid"] for row in training})
    if names and count < MIN_FILMS:
        log.warning("no baselines: they are fitted to training films, of which there are %d", count)
    if not names or count < MIN_FILMS:
        return {}
    known, films = films_of(training, store), films_of(pool, store)
    whose = np.repeat(np.arange(len(known)), [len(film.track_rows) for film in known])
    data = Data(_inputs(known, store), _music(known, store), whose, _inputs(films, store), _music(films, store))
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        queries, tracks = FITS[name](data)
        found[name] = figures_beside(films, queries, tracks, rankings, params)
    return found


def figures_beside(
    films: Sequence[FilmFeatures], queries: np.ndarray, tracks: np.ndarray, rankings: list[Row], params: Evaluate
) -> dict[str, Any]:
    """Return the averages of a baseline, their intervals, and the difference of the model that has `rankings`.

    `queries` [films, e] and `tracks` [tracks, e] are its unit vectors of the pool.
    """
    metrics, rows = measure(list(films), one_row_each(queries), tracks, {}, params)
    averages = {key: value for key, value in metrics.items() if key in metrics["ci95"]}
    return averages | {"ci95": metrics["ci95"], "difference": _difference(rankings, rows, params)}


def _linear(data: Data) -> Fitted:
    fitted = fit_linear(data.inputs, data.music, data.films)
    return unit(fitted.query.project(data.asked)), unit(fitted.audio.project({"audio": data.candidates}))


def _nearest(data: Data) -> Fitted:
    to_x, to_y = reduction(data.inputs, scaled=False), reduction({"audio": data.music}, scaled=True)
    likeness = unit(to_x.project(data.asked)) @ unit(to_x.project(data.inputs)).T  # [films, known]
    tracks = to_y.project({"audio": data.music})
    of_films = np.zeros((likeness.shape[1], tracks.shape[1]))
    np.add.at(of_films, data.films, tracks)
    of_films /= np.bincount(data.films)[:, np.newaxis]
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
    return unit(of_films[nearest].mean(1)), unit(to_y.project({"audio": data.candidates}))


FITS: dict[Baseline, Callable[[Data], Fitted]] = {"linear": _linear, "nearest": _nearest}


def _inputs(films: Sequence[FilmFeatures], store: FeatureStore) -> dict[str, np.ndarray]:
    """Return the vectors [films, f] of each input."""
    return {
        name: np.stack([unit(store.tables[name].read(film.fixed_rows[name]).numpy()).mean(0) for film in films])
        for name in store.inputs
    }


def _music(films: Sequence[FilmFeatures], store: FeatureStore) -> np.ndarray:
    """Return the vectors [tracks, f] of the tracks of `films`, float32."""
    return np.stack(
        [
            _track(store.audio.values(torch.from_numpy(store.audio.read(row))), store.audio.is_log_mel)
            for film in films
            for row in film.track_rows
        ]
    )


def _track(steps: torch.Tensor, are_frames: bool) -> np.ndarray:
    mean = steps.mean(0)
    return (torch.cat([mean, steps.std(0, unbiased=False)]) if are_frames else mean).numpy()


def _difference(model: list[Row], baseline: list[Row], params: Evaluate) -> list[float]:
    """Return [low, mean, high] of the model's figure less the baseline's, over the films that both rank for."""
    name = HEADLINE if HEADLINE in baseline[0] else INSTEAD
    difference = np.array([ours[name] - theirs[name] for ours, theirs in zip(model, baseline, strict=True)])
    columns = {name: difference, BEST_RANK: np.ones(len(difference))}
    low, high = confidence_intervals(columns, params.bootstrap_samples, params.seed)[name]
    return [low, float(difference.mean()), high]
