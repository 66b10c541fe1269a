"""The films of one side of the split with their features: what training, evaluation and recommendation read.

A film's query inputs are rows of the image and text tables (several where a plot has several paragraphs); its tracks
are rows of the audio table. A window is `window_frames` consecutive frames of a track; a track shorter than that is
repeated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import MissingFileError, ModelError
from pipeline.features.table import FeatureTable, open_features

INPUT_TABLES = {"image": "image", "tags": "text", "plot": "text", "tags_plot": "text"}  # input of a variant: its table


@dataclass(frozen=True)
class Film:
    """A film of the data set and where its features lie."""

    fid: str
    tracks: tuple[dict[str, Any], ...]  # rows of data/dataset.parquet, in order
    track_rows: tuple[int, ...]  # of the audio table, one a track
    input_rows: dict[str, tuple[int, ...]]  # of the input's table


@dataclass(frozen=True)
class FeatureStore:
    """The feature tables that one variant reads."""

    inputs: tuple[str, ...]
    audio: FeatureTable
    tables: dict[str, FeatureTable]  # by input

    @property
    def n_mels(self) -> int:
        """Mel bands of a frame."""
        return self.audio.about["spec"]["n_mels"]

    @property
    def frames_per_second(self) -> float:
        """Spectrogram frames a second."""
        return self.audio.about["spec"]["sample_rate"] / self.audio.about["spec"]["hop_length"]

    def specs(self) -> dict[str, Any]:
        """Return what a model must be given again: the settings behind each feature, and each input's width."""
        specs: dict[str, Any] = {"audio": self.audio.about["spec"]}
        for name in self.inputs:
            specs[name] = self.tables[name].about["spec"] | {"width": self.tables[name].width}
        return specs

    def window_frames(self, seconds: float) -> int:
        """Return the frames of a window of `seconds`, the first and the last centred on its ends."""
        return 1 + int(seconds * self.frames_per_second)

    def frames(self, row: int) -> np.ndarray:
        """Return the track's log-mel [frames, n_mels] in dB, float16."""
        return self.audio.vectors[row].reshape(-1, self.n_mels)[: self.audio.keys["frames"][row]]

    def window(self, row: int, start: int, length: int) -> np.ndarray:
        """Return `length` frames of a track from frame `start`, repeating the track where it is shorter."""
        frames = self.frames(row)
        if start + length <= len(frames):
            return frames[start : start + length]
        return frames[np.arange(start, start + length) % len(frames)]

    def grid(self, row: int, length: int, hop: int) -> list[int]:
        """Return the first frames of a track's windows, every `hop` frames, the last one ending with the track."""
        last = max(int(self.audio.keys["frames"][row]) - length, 0)
        return sorted({*range(0, last + 1, hop), last})


def open_store(folder: Path, inputs: Sequence[str]) -> FeatureStore:
    """Open the tables under `folder` that `inputs` need, and the audio table."""
    opened = {name: open_features(folder / f"{name}.parquet") for name in sorted({INPUT_TABLES[i] for i in inputs})}
    audio = open_features(folder / "audio.parquet")
    return FeatureStore(tuple(inputs), audio, {name: opened[INPUT_TABLES[name]] for name in inputs})


def films_of(dataset: Iterable[dict[str, Any]], store: FeatureStore) -> list[Film]:
    """Return the films of `dataset` rows in order; raise `MissingFileError` naming a film or track without features."""
    audio_rows = {
        key: row for row, key in enumerate(zip(store.audio.keys["fid"], store.audio.keys["number"], strict=True))
    }
    input_rows = {name: _rows_by_film(name, store.tables[name]) for name in store.inputs}
    tracks: dict[str, list[dict[str, Any]]] = {}
    for track in dataset:
        tracks.setdefault(track["fid"], []).append(track)
    try:
        return [
            Film(
                fid,
                tuple(of_film),
                tuple(audio_rows[fid, track["number"]] for track in of_film),
                {name: tuple(input_rows[name][fid]) for name in store.inputs},
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


def _rows_by_film(name: str, table: FeatureTable) -> dict[str, list[int]]:
    wanted = table.keys["input"] == name if "input" in table.keys else np.ones(len(table), bool)
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(wanted):
        rows.setdefault(table.keys["fid"][row], []).append(int(row))
    return rows
