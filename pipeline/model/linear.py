"""Linear maps from a film's inputs and from its music into one space, in closed form.

Regularised canonical correlation analysis (Vinod 1976, Canonical ridge and econometrics of joint production). The
vectors of each input and of the music are centred and reduced to their first principal components over the training
films, scaled to a mean variance of one. Both sides are then mapped to their canonical directions, weighted by
correlation. The ridge added to the covariances is chosen by cross-validation over the training films.

PyTorch computes everything in one thread, so that sums do not depend on the number of cores; NumPy's sums do.

Axes: f values of a vector, r component, e embedding width.
"""

from dataclasses import dataclass

import numpy as np
import torch

from pipeline.core.machine import cpu_threads

SAMPLE = 4096  # evenly spaced rows, for the principal components
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)  # times the mean variance of a component; doubled on the audio side
FOLDS = 5
CUT = 10  # of the recall in cross-validation
TINY = 1e-6  # deviations below this share of the largest count as none
MIN_FILMS = 2  # for a fit
FILMS_TO_CHOOSE = 8  # with fewer films the middle ridge is used


@dataclass(frozen=True)
class Components:
    """Principal components of vectors: (x − mean) · axes."""

    mean: np.ndarray  # [f]
    axes: np.ndarray  # [f, r]

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Return [n, r] of vectors [n, f]."""
        return _product(rows - self.mean, self.axes)


@dataclass(frozen=True)
class Side:
    """An affine map of components: x · weights + bias."""

    weights: np.ndarray  # [r, e]
    bias: np.ndarray  # [e]

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Return [n, e] of components [n, r]."""
        return _product(rows, self.weights) + self.bias


@dataclass(frozen=True)
class LinearMap:
    """The maps of both sides, and the chosen ridge."""

    query: Side
    audio: Side
    ridge: float


@cpu_threads(1)
def components_of(rows: np.ndarray, most: int, scaled: bool) -> Components:
    """Return the first principal components of vectors [n, f], at most `most`, with a mean variance of one.

    If `scaled`, each value is first divided by its standard deviation.
    """
    sample = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(int)].astype(np.float64)
    mean, scales = sample.mean(0), np.ones(sample.shape[1])
    if scaled:
        deviations = sample.std(0)
        scales = np.maximum(deviations, TINY * deviations.max() + np.finfo(np.float64).tiny)
    _, singular, axes = _svd((sample - mean) / scales)
    kept = max(1, int(np.count_nonzero(singular[:most] > TINY * singular[0])))
    variance = np.square(singular[:kept]).mean() / len(sample)
    return Components(mean, axes[:kept].T / scales[:, np.newaxis] / np.sqrt(max(variance, np.finfo(np.float64).tiny)))


@cpu_threads(1)
def fit_linear(x: np.ndarray, y: np.ndarray, films: np.ndarray, embed_dim: int) -> LinearMap:
    """Return maps fitted to training films, with at most `embed_dim` directions.

    `x` [films, r] are the films' components, `y` [tracks, r] those of their tracks, `films` [tracks] the number of each
    track's film. All films have equal weight; there must be `MIN_FILMS` or more.
    """
    ridge = _best_ridge(x, y, films, embed_dim) if len(x) >= FILMS_TO_CHOOSE else RIDGES[len(RIDGES) // 2]
    return LinearMap(*_correlated(x, y, films, ridge, embed_dim), ridge)


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows [n, f] scaled to unit norm; zero rows stay zero."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)


def _correlated(x: np.ndarray, y: np.ndarray, films: np.ndarray, ridge: float, embed_dim: int) -> tuple[Side, Side]:
    """Return the maps of both sides to their canonical directions, the query's times the canonical correlations."""
    weights = 1.0 / np.bincount(films, minlength=len(x))[films]
    weights /= weights.sum()
    mean_x, mean_y = _product(weights, x[films]), _product(weights, y)
    pairs, y = x[films] - mean_x, y - mean_y
    weighted = pairs * weights[:, np.newaxis]
    root_x = _inverse_root(_product(weighted.T, pairs), ridge)
    root_y = _inverse_root(_product((y * weights[:, np.newaxis]).T, y), 2 * ridge)
    left, correlations, right = _svd(_product(_product(root_x, _product(weighted.T, y)), root_y))
    to_x = _product(root_x, left)[:, :embed_dim] * correlations[:embed_dim]
    to_y = _product(root_y, right.T)[:, :embed_dim]
    return Side(to_x, -_product(mean_x, to_x)), Side(to_y, -_product(mean_y, to_y))


def _inverse_root(covariance: np.ndarray, ridge: float) -> np.ndarray:
    """Return (covariance + ridge · mean variance · identity) to the power −1/2."""
    values, vectors = (found.numpy() for found in torch.linalg.eigh(torch.from_numpy(covariance)))
    lifted = np.maximum(values, 0.0) + ridge * max(values.mean(), np.finfo(np.float64).tiny)
    return _product(vectors / np.sqrt(lifted), vectors.T)


def _svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the thin singular value decomposition."""
    left, singular, right = torch.linalg.svd(torch.from_numpy(matrix), full_matrices=False)
    return left.numpy(), singular.numpy(), right.numpy()


@cpu_threads(1)
def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (torch.from_numpy(np.ascontiguousarray(a)) @ torch.from_numpy(np.ascontiguousarray(b))).numpy()


def _best_ridge(x: np.ndarray, y: np.ndarray, films: np.ndarray, embed_dim: int) -> float:
    """Return the ridge with the best cross-validated recall, of held-out films among the tracks of their fold."""
    folds = np.arange(len(x)) % min(FOLDS, len(x))
    np.random.default_rng(0).shuffle(folds)
    found = {ridge: np.zeros(len(x)) for ridge in RIDGES}
    for fold in range(folds.max() + 1):
        out = folds == fold
        numbers = np.cumsum(~out) - 1  # of the films that stay
        stays = ~out[films]
        for ridge, recalls in found.items():
            query, audio = _correlated(x[~out], y[stays], numbers[films[stays]], ridge, embed_dim)
            scores = _product(unit(query.of(x[out])), unit(audio.of(y[~stays])).T)
            own = films[~stays] == np.flatnonzero(out)[:, np.newaxis]
            places = (-scores).argsort(axis=1, kind="stable").argsort(axis=1)
            recalls[out] = ((places < CUT) & own).sum(1) / np.maximum(own.sum(1), 1)
    return max(RIDGES, key=lambda ridge: (found[ridge].mean(), ridge))  # the larger of equal ones
