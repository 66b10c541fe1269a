"""The films of one split of the split with their features: what training, evaluation and recommendation read.

A film's query inputs are rows of the image and text tables (several where a plot has several paragraphs), and it may
lack some; its tracks are tracks of the audio table. A window is so many consecutive steps of a track: frames of its
log-mel, repeated where it is shorter, or one vector of a pretrained encoder. What is read is as it is stored; it
becomes what a model reads (a batch) on the model's device.
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

INPUT_TABLES = {"image": "image", "tags": "text", "plot": "text", "tags_plot": "text"}  # input of a variant: its table
PARAGRAPHS = ("plot", "tags_plot")  # inputs with a row a paragraph of the plot, in the plot's order
ABSENT = -1  # instead of a row of an input's table: the film lacks the input
PRESENT = "present"  # of a batch: by input, which films have it
ROUNDING = 1e-6  # of a step: far above the error of floating-point numbers, far below what seconds are given to

Stored = Tensor | dict[str, Tensor]  # a tensor, or tokens with their mask


class InputRows(Protocol):
    """Rows of a kind of input: vectors of a frozen encoder, or the tokens or pixels of `pipeline.store.raw`."""

    def read(self, rows: Sequence[int]) -> Any:
        """Return `rows` as they are stored."""

    def values(self, stored: Any) -> Any:
        """Return what the model reads, on the device of `stored`."""


class InputTable(InputRows, Protocol):
    """Rows of a kind of input of a data set, with their keys."""

    @property
    def keys(self) -> dict[str, np.ndarray]:
        """The key columns by name, in row order."""


@dataclass(frozen=True)
class FilmFeatures:
    """A film of the data set and where its features lie."""

    fid: str
    tracks: tuple[dict[str, Any], ...]  # rows of data/dataset.parquet, in order
    track_rows: tuple[int, ...]  # tracks of the audio table
    input_rows: dict[str, tuple[int, ...]]  # of the table of each input that it has: what training draws from
    fixed_rows: dict[str, tuple[int, ...]]  # those that all else reads: of a poster's squares the centre

    @property
    def split(self) -> str:
        """Its side of the split: train, valid or eval."""
        return self.tracks[0]["split"]

    @property
    def is_compared(self) -> bool:
        """Whether every variant can read it, so that evaluation asks with it."""
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
        """Return what a model must be given again: the settings behind each feature, and its width.

        Tokens and pixels are not among them: a model that reads those brings its encoders' settings itself.
        """
        tables = {"audio": self.audio} | {n: t for n, t in self.tables.items() if isinstance(t, FeatureTable)}
        return {name: table.about["spec"] | {"width": table.width} for name, table in tables.items()}

    def window_steps(self, seconds: float) -> int:
        """Return the steps of a window: the frames that are centred within `seconds`, the first at its start; or 1.

        The hops between them are cut, not rounded, to a whole number, once `ROUNDING` has been added: a multiple of the
        hop often comes out just below a whole number.
        """
        return 1 + int(seconds * steps_per_second(self.audio.spec) + ROUNDING) if self.audio.is_log_mel else 1

    def read_windows(self, tracks: Sequence[int], starts: Sequence[int], length: int) -> Tensor:
        """Return `length` steps of each track from its start on, [n, length, width]; a short one is repeated."""
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

        Where some are `ABSENT` another row stands in, and `PRESENT` holds by input whether it is a film's own, bool
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
        """Return what a model reads of what was read: float32, tokens int64, on `device`.

        They go there as they are stored, a quarter or half of what they become.
        """
        moved = {name: _moved(value, device) for name, value in stored.items()}
        return {name: self._values(name, value) for name, value in moved.items()}

    def windows(self, tracks: Sequence[int], starts: Sequence[int], length: int, device: torch.device) -> Tensor:
        """Return windows as a model reads them, float32 [n, length, width]."""
        return self.audio.values(_tensor(_moved(self.read_windows(tracks, starts, length), device)))

    def _values(self, name: str, stored: Stored) -> Stored:
        if name == "audio":
            return self.audio.values(_tensor(stored))
        if name == PRESENT:
            return stored
        return self.tables[name].values(stored)


def open_store(folder: Path, inputs: Sequence[str], raw: Mapping[str, InputTable] | None = None) -> FeatureStore:
    """Open the tables under `folder` that `inputs` need, and the audio table.

    `raw` are tables of tokens and pixels by kind (text, image), which stand in for the feature tables of theirs.
    """
    opened: dict[str, InputTable] = dict(raw or {})
    for kind in sorted({INPUT_TABLES[name] for name in inputs} - set(opened)):
        opened[kind] = open_features(folder / f"{kind}.parquet")
    audio = open_audio(folder / "audio.parquet")
    return FeatureStore(tuple(inputs), audio, {name: opened[INPUT_TABLES[name]] for name in inputs})


def films_of(dataset: Iterable[dict[str, Any]], store: FeatureStore) -> list[FilmFeatures]:
    """Return the films of `dataset` rows in order, each with those of the store's inputs that it has.

    Raises `MissingFileError` naming a film or track without the features that it should have.
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
            f"data/features has no row for {error.args[0]}, which data/dataset.parquet lists: run `dvc repro features`"
        ) from None


def readable(films: Iterable[FilmFeatures], inputs: Collection[str], answers_subsets: bool) -> list[FilmFeatures]:
    """Return the films that a model of `inputs` can read: those that have all of them, or any if it answers subsets."""
    return [film for film in films if film.has(inputs) or (answers_subsets and film.fixed_rows)]


def require_specs(found: dict[str, Any], expected: dict[str, Any], model: str) -> None:
    """Raise `ModelError` when features of specs `found` are not those that `model` was trained on.

    The precision that a pretrained encoder computed in may differ: the cache and the tables keep it apart, but a model
    reads either, the same vectors but for rounding.
    """
    for name, spec in expected.items():
        if _but_for_precision(found.get(name, {})) != _but_for_precision(spec):
            raise ModelError(
                f"{model} was trained on {name} features {spec}, data/features holds {found.get(name)}: "
                f"run `dvc repro` to train it again, or restore the parameters under features"
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
    """Return `stored`, which as audio is one tensor."""
    if not isinstance(stored, Tensor):
        raise TypeError(f"audio is one tensor, found {type(stored).__name__}")
    return stored


def _moved(stored: Stored, device: torch.device) -> Stored:
    if isinstance(stored, dict):
        return {name: value.to(device, non_blocking=True) for name, value in stored.items()}
    return stored.to(device, non_blocking=True)
