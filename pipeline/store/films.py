"""The films of one side of the split with their features: what training, evaluation and recommendation read.

A film's query inputs are rows of the image and text tables (several where a plot has several paragraphs); its tracks
are tracks of the audio table. A window is so many consecutive steps of a track: frames of its log-mel, repeated where
it is shorter, or one vector of a pretrained encoder.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import MissingFileError, ModelError
from pipeline.store.audio_table import AudioTable, open_audio
from pipeline.store.table import FeatureTable, open_features
from pipeline.store.windows import window_starts

INPUT_TABLES = {"image": "image", "tags": "text", "plot": "text", "tags_plot": "text"}  # input of a variant: its table


@dataclass(frozen=True)
class Film:
    """A film of the data set and where its features lie."""

    fid: str
    tracks: tuple[dict[str, Any], ...]  # rows of data/dataset.parquet, in order
    track_rows: tuple[int, ...]  # tracks of the audio table
    input_rows: dict[str, tuple[int, ...]]  # of the input's table: what training draws from
    fixed_rows: dict[str, tuple[int, ...]]  # those that all else reads: of a poster's squares the centre


@dataclass(frozen=True)
class FeatureStore:
    """The feature tables that one variant reads."""

    inputs: tuple[str, ...]
    audio: AudioTable
    tables: dict[str, FeatureTable]  # by input

    @property
    def steps_per_second(self) -> float:
        """Frames, or vectors, a second of audio."""
        spec = self.audio.spec
        return spec["sample_rate"] / spec["hop_length"] if self.audio.is_log_mel else 1 / spec["window_hop_seconds"]

    def specs(self) -> dict[str, Any]:
        """Return what a model must be given again: the settings behind each feature, and its width."""
        tables = {"audio": self.audio} | {name: self.tables[name] for name in self.inputs}
        return {name: table.about["spec"] | {"width": table.width} for name, table in tables.items()}

    def window_steps(self, seconds: float) -> int:
        """Return the steps of a window: the frames of `seconds`, the first and the last centred on its ends, or 1."""
        return 1 + int(seconds * self.steps_per_second) if self.audio.is_log_mel else 1

    def hop_steps(self, seconds: float) -> int:
        """Return the steps between the windows of a grid every `seconds`."""
        return max(1, int(seconds * self.steps_per_second))

    def windows(self, tracks: Sequence[int], starts: Sequence[int], length: int, device: torch.device) -> Tensor:
        """Return `length` steps of each track from its start on, float32 [n, length, width]; a short one is repeated.

        They go to `device` as they are stored, and become float32 there.
        """
        windows = np.empty((len(tracks), length, self.audio.width), self.audio.dtype)
        for window, track, start in zip(windows, tracks, starts, strict=True):
            steps = int(self.audio.steps[track])
            if start + length <= steps:
                self.audio.read_into(window, track, start)
            else:
                self.audio.read_into(window[:steps], track, 0)
                window[:] = window[np.arange(start, start + length) % steps]
        return self.audio.values(torch.from_numpy(windows).to(device))

    def vectors(self, name: str, rows: Sequence[int], device: torch.device) -> Tensor:
        """Return rows of an input's table, float32 [n, f]."""
        return torch.from_numpy(self.tables[name].vectors[list(rows)]).to(device)

    def grid(self, track: int, length: int, hop: int) -> list[int]:
        """Return the first steps of a track's windows, every `hop` steps, the last one ending with the track."""
        return window_starts(int(self.audio.steps[track]), length, hop)


def open_store(folder: Path, inputs: Sequence[str]) -> FeatureStore:
    """Open the tables under `folder` that `inputs` need, and the audio table."""
    opened = {name: open_features(folder / f"{name}.parquet") for name in sorted({INPUT_TABLES[i] for i in inputs})}
    audio = open_audio(folder / "audio.parquet")
    return FeatureStore(tuple(inputs), audio, {name: opened[INPUT_TABLES[name]] for name in inputs})


def films_of(dataset: Iterable[dict[str, Any]], store: FeatureStore) -> list[Film]:
    """Return the films of `dataset` rows in order; raise `MissingFileError` naming a film or track without features."""
    drawn = {name: _rows_by_film(name, store.tables[name], every_crop=True) for name in store.inputs}
    fixed = {name: _rows_by_film(name, store.tables[name], every_crop=False) for name in store.inputs}
    tracks: dict[str, list[dict[str, Any]]] = {}
    for track in dataset:
        tracks.setdefault(track["fid"], []).append(track)
    try:
        return [
            Film(
                fid,
                tuple(of_film),
                tuple(store.audio.index[fid, track["number"]] for track in of_film),
                {name: tuple(drawn[name][fid]) for name in store.inputs},
                {name: tuple(fixed[name][fid]) for name in store.inputs},
            )
            for fid, of_film in tracks.items()
        ]
    except KeyError as error:
        raise MissingFileError(
            f"data/features has no row for {error.args[0]}, which data/dataset.parquet lists: run `dvc repro features`"
        ) from None


def require_specs(found: dict[str, Any], expected: dict[str, Any], model: str) -> None:
    """Raise `ModelError` when features of specs `found` are not those that `model` was trained on."""
    for name, spec in expected.items():
        if found.get(name) != spec:
            raise ModelError(
                f"{model} was trained on {name} features {spec}, data/features holds {found.get(name)}: "
                f"run `dvc repro` to train it again, or restore the parameters under features"
            )


def _rows_by_film(name: str, table: FeatureTable, every_crop: bool) -> dict[str, list[int]]:
    wanted = np.ones(len(table), bool)
    if "input" in table.keys:
        wanted = table.keys["input"] == name
    elif not every_crop:
        wanted = table.keys["crop"] == 0
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(wanted):
        rows.setdefault(table.keys["fid"][row], []).append(int(row))
    return rows
