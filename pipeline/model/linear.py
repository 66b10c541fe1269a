"""A linear map from a film's inputs and one from its music into one space, in closed form: what training must beat.

Regularised canonical correlation analysis (Vinod 1976, Canonical ridge and econometrics of joint production). Either
side is centred and scaled by the training films, reduced to its first principal components (which are brought closer to
one deviation: their own to the power `WHITENING` is divided out), and then turned to the directions in which both sides
vary together, the stronger ones counting more. What ridge is added to the covariances is chosen by cross-validation
over the training films.

Axes: f values of a vector, r component, e embedding width.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

COMPONENTS = 60  # of either side, at the most
SAMPLE = 4096  # rows that principal components are taken of, evenly spaced over all
WHITENING = 0.5
RIDGES = (1.0, 3.0, 10.0, 30.0)  # times the mean variance of a component; twice that on the audio side
FOLDS = 5
CUT = 10  # of the recall that the cross-validation looks at
TINY = 1e-6  # of the largest: what has a smaller deviation carries nothing
MIN_FILMS = 2  # of which something can be learned
FILMS_TO_CHOOSE = 8  # with fewer it is the first

Vectors = Mapping[str, np.ndarray]  # by name, [n, f] each


@dataclass(frozen=True)
class Side:
    """A map of vectors by name, side by side: the sum over names of (x − mean) · weights."""

    means: dict[str, np.ndarray]  # [f]
    weights: dict[str, np.ndarray]  # [f, e]

    def project(self, vectors: Vectors) -> np.ndarray:
        """Return [n, e]."""
        return np.asarray(sum((vectors[name] - mean) @ self.weights[name] for name, mean in self.means.items()))

    def then(self, matrix: np.ndarray) -> "Side":
        """Return this map followed by `matrix` [e, e']."""
        return Side(self.means, {name: weights @ matrix for name, weights in self.weights.items()})


@dataclass(frozen=True)
class LinearMap:
    """Both sides' maps, and the ridge that was chosen."""

    query: Side
    audio: Side
    ridge: float


def fit_linear(query: Vectors, audio: np.ndarray, films: np.ndarray) -> LinearMap:
    """Return the maps that are fitted to training films.

    `query` are the films' vectors [films, f] by input, `audio` [tracks, f] those of their tracks, `films` [tracks] the
    number of each track's film; every film counts the same. There must be `MIN_FILMS`.
    """
    count = len(next(iter(query.values())))
    to_x, to_y = reduction(query, scaled=False), reduction({"audio": audio}, scaled=True)
    x, y = to_x.project(query), to_y.project({"audio": audio})
    ridge = _best_ridge(x, y, films) if count >= FILMS_TO_CHOOSE else RIDGES[0]
    query_turn, audio_turn = _correlated(x, y, films, ridge)
    return LinearMap(to_x.then(query_turn), to_y.then(audio_turn), ridge)


def reduction(vectors: Vectors, scaled: bool) -> Side:
    """Return the map of `vectors` to their principal components, whose deviations are brought closer to one.

    Each name's vectors are divided by their total deviation before, or, if `scaled`, each of their values by its own.
    """
    count = len(next(iter(vectors.values())))
    sample = np.linspace(0, count - 1, min(count, SAMPLE)).astype(int)
    means = {name: rows.mean(0) for name, rows in vectors.items()}
    scales: dict[str, np.ndarray] = {}
    for name, rows in vectors.items():
        deviations = rows.std(0)
        least = TINY * deviations.max() + np.finfo(np.float64).tiny
        scales[name] = np.maximum(deviations if scaled else np.full_like(deviations, norm(deviations)), least)
    joined = np.concatenate([(rows[sample] - means[name]) / scales[name] for name, rows in vectors.items()], axis=1)
    _, singular, axes = np.linalg.svd(joined, full_matrices=False)
    kept = max(1, int(np.count_nonzero(singular[:COMPONENTS] > TINY * singular[0])))
    deviations = np.maximum(singular[:kept] / np.sqrt(len(joined)), np.finfo(np.float64).tiny)
    components = axes[:kept].T / deviations**WHITENING  # [f, r]
    ends = np.cumsum([rows.shape[1] for rows in vectors.values()])[:-1]
    parts = dict(zip(vectors, np.split(components, ends), strict=True))
    return Side(means, {name: parts[name] / scales[name][:, np.newaxis] for name in vectors})


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows [n, f] at unit norm; zeros stay zeros."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)


def norm(values: np.ndarray) -> float:
    """Return the Euclidean norm."""
    return float(np.linalg.norm(values))


def _correlated(x: np.ndarray, y: np.ndarray, films: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps [r, e] of either side's components to the directions in which both vary together.

    `x` [films, r], `y` [tracks, r]. The query's directions are multiplied by their canonical correlations.
    """
    weights = 1.0 / np.bincount(films, minlength=len(x))[films]
    weights /= weights.sum()
    pairs = x[films]
    pairs, y = pairs - weights @ pairs, y - weights @ y
    weighted = pairs * weights[:, np.newaxis]
    root_x = _inverse_root(weighted.T @ pairs, ridge)
    root_y = _inverse_root((y * weights[:, np.newaxis]).T @ y, 2 * ridge)
    left, correlations, right = np.linalg.svd(root_x @ (weighted.T @ y) @ root_y, full_matrices=False)
    return root_x @ left * correlations, root_y @ right.T


def _inverse_root(covariance: np.ndarray, ridge: float) -> np.ndarray:
    """Return (covariance + ridge · mean variance · 1) to the power −1/2."""
    values, vectors = np.linalg.eigh(covariance)
    lifted = np.maximum(values, 0.0) + ridge * max(values.mean(), np.finfo(np.float64).tiny)
    return (vectors / np.sqrt(lifted)) @ vectors.T


def _best_ridge(x: np.ndarray, y: np.ndarray, films: np.ndarray) -> float:
    """Return the ridge under which films that were left out find most of their tracks among each other's."""
    folds = np.arange(len(x)) % min(FOLDS, len(x))
    np.random.default_rng(0).shuffle(folds)
    found = {ridge: np.zeros(len(x)) for ridge in RIDGES}
    for fold in range(folds.max() + 1):
        out = folds == fold
        numbers = np.cumsum(~out) - 1  # of the films that stay
        stays = ~out[films]
        for ridge, recalls in found.items():
            to_x, to_y = _correlated(x[~out], y[stays], numbers[films[stays]], ridge)
            centre = x[~out].mean(0), y[stays].mean(0)
            scores = unit((x[out] - centre[0]) @ to_x) @ unit((y[~stays] - centre[1]) @ to_y).T
            own = films[~stays] == np.flatnonzero(out)[:, np.newaxis]
            places = (-scores).argsort(axis=1, kind="stable").argsort(axis=1)
            recalls[out] = ((places < CUT) & own).sum(1) / np.maximum(own.sum(1), 1)
    return max(RIDGES, key=lambda ridge: (found[ridge].mean(), ridge))  # of equal ones the stronger
