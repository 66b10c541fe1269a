"""Films with their features, for training, evaluation and recommendation.

A film's inputs are rows of the image and text tables (several for a plot with several paragraphs) and may be missing;
its tracks are tracks of the audio table. A window is a number of consecutive steps of a track: log-mel frames, repeated
for a shorter track, or one vector of a pretrained encoder. Rows are read as stored and converted into a batch on the
model's device.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import MissingFileError, ModelError
from pipeline.encoders.section import PRECISION
from pipeline.store.audio_table import AudioTable, open_audio, steps_per_second, window_of
from pipeline.store.inputs import known_inputs
from pipeline.store.table import FeatureTable, open_features

INPUT_TABLES = {"image": "image", "tags": "text", "plot": "text", "tags_plot": "text"}  # table by input
PARAGRAPHS = ("plot", "tags_plot")  # inputs with one row per paragraph of the plot, in order
ABSENT = -1  # row of a missing input
PRESENT = "present"  # key of a batch: the films with each input
ROUNDING = 1e-6  # steps: far above floating-point errors, far below the precision of settings in seconds

Stored = Tensor | dict[str, Tensor]  # a tensor, or tokens with their mask


class InputRows(Protocol):
    """Rows of a kind of input: vectors of a frozen encoder, or the tokens or pixels of `pipeline.store.raw`."""

    def read(self, rows: Sequence[int]) -> Any:
        """Return `rows` as stored."""

    def values(self, stored: Any) -> Any:
        """Return the model's inputs, on the device of `stored`."""


class InputTable(InputRows, Protocol):
    """Rows of a kind of input of a data set, with their keys."""

    @property
    def keys(self) -> dict[str, np.ndarray]:
        """The key columns by name, in row order."""


@dataclass(frozen=True)
class FilmFeatures:
    """A film of the data set and the rows of its features."""

    fid: str
    tracks: tuple[dict[str, Any], ...]  # rows of data/dataset.parquet, in order
    track_rows: tuple[int, ...]  # tracks of the audio table
    input_rows: dict[str, tuple[int, ...]]  # rows by available input, for sampling in training
    fixed_rows: dict[str, tuple[int, ...]]  # those used otherwise: only the centre of a poster's crops

    @property
    def split(self) -> str:
        """Its split: train, valid or eval."""
        return self.tracks[0]["split"]

    @property
    def is_compared(self) -> bool:
        """Whether every variant can read it, which makes it a query of the evaluation."""
        return self.tracks[0]["compared"]

    def has(self, inputs: Collection[str]) -> bool:
        """Return whether it has all of `inputs`."""
        return all(name in self.fixed_rows for name in inputs)


@dataclass(frozen=True)
class FeatureStore:
    """The tables that one variant reads."""

    inputs: tuple[str, ...]
    audio: AudioTable
    tables: dict[str, InputTable]  # by input

    def specs(self) -> dict[str, Any]:
        """Return the settings and width of each feature, which must match those of a model.

        Tokens and pixels are not included: a model that reads them has its encoders' settings.
        """
        tables = {"audio": self.audio} | {n: t for n, t in self.tables.items() if isinstance(t, FeatureTable)}
        return {name: table.about["spec"] | {"width": table.width} for name, table in tables.items()}

    def window_steps(self, seconds: float) -> int:
        """Return the steps of a window: the frames centred within `seconds`, the first at its start; 1 for vectors.

        The number of hops is truncated after adding `ROUNDING`, as multiples of the hop may be just below an integer.
        """
        return 1 + int(seconds * steps_per_second(self.audio.spec) + ROUNDING) if self.audio.is_log_mel else 1

    def read_windows(self, tracks: Sequence[int], starts: Sequence[int], length: int) -> Tensor:
        """Return `length` steps of each track from its start on, [n, length, width], repeating short tracks."""
        windows = np.empty((len(tracks), length, self.audio.width), self.audio.dtype)
        for window, track, start in zip(windows, tracks, starts, strict=True):
            steps = int(self.audio.steps[track])
            if start + length <= steps:
                self.audio.read_into(window, track, start)
            else:
                self.audio.read_into(window[:steps], track, 0)
                window[:] = window_of(window[:steps], start, length)
        return torch.from_numpy(windows)

    def read_inputs(self, rows: Mapping[str, Sequence[int]]) -> dict[str, Stored]:
        """Return the rows of each input's table.

        `ABSENT` rows are filled with another row; `PRESENT` then holds masks of the available ones by input, bool
        [n, 1].
        """
        stored: dict[str, Stored] = {
            name: self.tables[name].read([max(row, 0) for row in of_input]) for name, of_input in rows.items()
        }
        if any(row == ABSENT for of_input in rows.values() for row in of_input):
            has = {name: [[row != ABSENT] for row in of_input] for name, of_input in rows.items()}
            stored[PRESENT] = {name: torch.tensor(of_input) for name, of_input in has.items()}
        return stored

    def batch(self, stored: Mapping[str, Stored], device: torch.device) -> dict[str, Stored]:
        """Return a model's batch from stored rows, float32 (tokens int64), on `device`.

        Rows are copied as stored, at a quarter or half of the final size.
        """
        moved = {name: _moved(value, device) for name, value in stored.items()}
        return {name: self._values(name, value) for name, value in moved.items()}

    def windows(self, tracks: Sequence[int], starts: Sequence[int], length: int, device: torch.device) -> Tensor:
        """Return windows as a model's input, float32 [n, length, width]."""
        return self.audio.values(_tensor(_moved(self.read_windows(tracks, starts, length), device)))

    def _values(self, name: str, stored: Stored) -> Stored:
        if name == "audio":
            return self.audio.values(_tensor(stored))
        if name == PRESENT:
            return stored
        return self.tables[name].values(stored)


def open_store(folder: Path, inputs: Sequence[str], raw: Mapping[str, InputTable] | None = None) -> FeatureStore:
    """Open the audio table and the tables of `inputs` in `folder`.

    `raw` are tables of tokens and pixels by kind (text, image), which replace the feature tables of that kind.
    """
    opened: dict[str, InputTable] = dict(raw or {})
    for kind in sorted({INPUT_TABLES[name] for name in inputs} - set(opened)):
        opened[kind] = open_features(folder / f"{kind}.parquet")
    audio = open_audio(folder / "audio.parquet")
    return FeatureStore(tuple(inputs), audio, {name: opened[INPUT_TABLES[name]] for name in inputs})


def films_of(dataset: Iterable[dict[str, Any]], store: FeatureStore) -> list[FilmFeatures]:
    """Return the films of `dataset` rows in order, each with its available inputs of the store.

    Raises `MissingFileError` if features of a film or track are missing.
    """
    drawn = {name: _rows_by_film(name, store.tables[name], every_crop=True) for name in store.inputs}
    fixed = {name: _rows_by_film(name, store.tables[name], every_crop=False) for name in store.inputs}
    tracks: dict[str, list[dict[str, Any]]] = {}
    for track in dataset:
        tracks.setdefault(track["fid"], []).append(track)
    try:
        return [
            FilmFeatures(
                fid,
                tuple(of_film),
                tuple(store.audio.index[fid, track["number"]] for track in of_film),
                {name: tuple(drawn[name][fid]) for name in known_inputs(of_film[0], store.inputs)},
                {name: tuple(fixed[name][fid]) for name in known_inputs(of_film[0], store.inputs)},
            )
            for fid, of_film in tracks.items()
        ]
    except KeyError as error:
        raise MissingFileError(
            f"data/features has no row for {error.args[0]} of data/dataset.parquet: run `dvc repro features`"
        ) from None


def readable(films: Iterable[FilmFeatures], inputs: Collection[str], answers_subsets: bool) -> list[FilmFeatures]:
    """Return the films with all of `inputs`, or with at least one if the model `answers_subsets`."""
    return [film for film in films if film.has(inputs) or (answers_subsets and film.fixed_rows)]


def require_specs(found: dict[str, Any], expected: dict[str, Any], model: str) -> None:
    """Raise `ModelError` if features with specs `found` are not those that `model` was trained on.

    The precision of a pretrained encoder may differ: the cache and the tables distinguish it, but the vectors are the
    same up to rounding.
    """
    for name, spec in expected.items():
        if _but_for_precision(found.get(name, {})) != _but_for_precision(spec):
            raise ModelError(
                f"{model} was trained on {name} features {spec}, data/features holds {found.get(name)}: "
                "run `dvc repro` to retrain it, or restore the parameters under features"
            )


def _but_for_precision(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name != PRECISION}


def _rows_by_film(name: str, table: InputTable, every_crop: bool) -> dict[str, list[int]]:
    wanted = np.ones(len(table.keys["fid"]), bool)
    if "input" in table.keys:
        wanted = table.keys["input"] == name
    elif not every_crop:
        wanted = table.keys["crop"] == 0
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(wanted):
        rows.setdefault(table.keys["fid"][row], []).append(int(row))
    return rows


def _tensor(stored: Stored) -> Tensor:
    """Return `stored`, which must be a tensor for audio."""
    if not isinstance(stored, Tensor):
        raise TypeError(f"audio must be a tensor, found {type(stored).__name__}")
    return stored


def _moved(stored: Stored, device: torch.device) -> Stored:
    if isinstance(stored, dict):
        return {name: value.to(device, non_blocking=True) for name, value in stored.items()}
    return stored.to(device, non_blocking=True)
