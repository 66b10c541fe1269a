"""Initialisation of a training run: whitening fitted to the training films, and towers from the closed form."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from pipeline.core.errors import StageError
from pipeline.model.linear import MIN_FILMS, Components, LinearMap, Side, fit_linear
from pipeline.model.retrieval import RetrievalModel
from pipeline.model.vectors import film_numbers, fit_spaces
from pipeline.model.whitened import AUDIO, WhitenedTower
from pipeline.store.films import FeatureStore, FilmFeatures


def initialise(
    model: RetrievalModel,
    films: Sequence[FilmFeatures],
    store: FeatureStore,
    components: int,
    embed_dim: int,
    closed_form: bool,
) -> None:
    """Fit the whitening of `model`, if its towers have one, to the training films.

    If `closed_form`, the linear heads are set to the maps of `pipeline.model.linear`; else they keep random weights.
    Raises `StageError` if there are too few films.
    """
    query, audio = model.query_tower, model.audio_tower
    if not (isinstance(query, WhitenedTower) and isinstance(audio, WhitenedTower)):
        return
    if len(films) < MIN_FILMS:
        raise StageError(f"the training set has {len(films)} film(s), training needs at least {MIN_FILMS}")
    spaces = fit_spaces(films, store, components)
    found: LinearMap | None = None
    if closed_form:
        x, y = spaces.queries(films, store), spaces.tracks(films, store)
        found = fit_linear(x, y, film_numbers(films), embed_dim)
    _set(query, spaces.inputs, found.query if found else None)
    _set(audio, {AUDIO: spaces.music}, found.audio if found else None)


@torch.no_grad()
def _set(tower: WhitenedTower, components: Mapping[str, Components], side: Side | None) -> None:
    """Copy the fitted components and maps into `tower`, padded with zeros."""
    for name, whitening in tower.parts().items():
        found = components[name]
        whitening.mean.copy_(torch.from_numpy(found.mean))
        whitening.axes.zero_()
        whitening.axes[:, : found.axes.shape[1]] = torch.from_numpy(found.axes)
    if side is None:
        return
    head = tower.head
    if not isinstance(head, nn.Linear):
        raise TypeError(f"the closed form needs a linear head, found {type(head).__name__}")
    head.weight.zero_()
    head.bias.zero_()
    head.bias[: len(side.bias)] = torch.from_numpy(side.bias)
    column = row = 0  # of the head, and of the closed form
    for name, whitening in tower.parts().items():
        kept = components[name].axes.shape[1]
        head.weight[: len(side.bias), column : column + kept] = torch.from_numpy(side.weights[row : row + kept].T)
        column, row = column + whitening.axes.shape[1], row + kept
