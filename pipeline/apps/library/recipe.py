"""The recipe from a file to a model's audio features, with the settings of the model, not those of `params.yaml`.

Models trained on different features have different recipes; results are cached by everything that a recipe depends on.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from pipeline.apps.library.segments import Cutting, cutting_of
from pipeline.apps.recommend.trained import Model
from pipeline.apps.recommend.zero_shot import ZeroShot
from pipeline.core.errors import ModelError
from pipeline.core.machine import BatchSize, choose_device
from pipeline.encoders.audio import AudioEncoder, by_name, libraries_of, load_audio_encoder, tags_of
from pipeline.encoders.log_mel import LogMel
from pipeline.encoders.pretrained import precision_of
from pipeline.encoders.section import (
    PRECISION,
    LogMelFeatures,
    SoundFeatures,
    WindowFeatures,
    audio_features_of,
    is_log_mel,
)
from pipeline.features.sound import VERSION as SOUND_VERSION
from pipeline.media.tracks import INT16_SCALE
from pipeline.model.store import CONFIG
from pipeline.params import Params
from pipeline.store.audio_table import window_starts
from pipeline.store.cache import versions

VERSION = 4  # of the cache; increase when the same file would give different segments or tags
ORIGIN_KEYS = ("encoder", "revision", "width")  # of a spec: the source of an encoder, not what it computes

# From int16 samples [t] of each segment to its features, and the probabilities of its music tags by name.
Extract = Callable[[Sequence[np.ndarray]], list[tuple[np.ndarray, dict[str, float]]]]


@dataclass(frozen=True)
class Recipe:
    """How a file is cut, and the features computed for each segment."""

    spec: dict[str, Any]  # of the features, from the model's config, except for the precision, which is this machine's
    audio: LogMelFeatures | WindowFeatures
    cutting: Cutting
    sound: SoundFeatures
    loaded: AudioEncoder | None = None  # of a joint encoder, whose towers are loaded together

    @property
    def is_log_mel(self) -> bool:
        """Whether the features are log-mel frames, not vectors of a pretrained encoder."""
        return is_log_mel(self.spec["encoder"])

    @property
    def music_tags(self) -> list[str]:
        """The names of the encoder's tags; empty if it has none."""
        tags = tags_of(self.spec["encoder"])
        return list(by_name(tags, np.zeros(len(tags))))

    @property
    def about(self) -> dict[str, Any]:
        """Everything that segments and features depend on, except for the file."""
        return {
            "version": VERSION,
            "spec": self.spec,
            "cutting": asdict(self.cutting),
            "sound": asdict(self.sound) | {"version": SOUND_VERSION},
            "versions": versions(*libraries_of(self.spec["encoder"]), "librosa"),
        }


def recipe_of(model: Model, params: Params) -> Recipe:
    """Return the recipe of `model` on this machine; raise `ModelError` if the model is from another version."""
    if isinstance(model, ZeroShot):
        audio = model.encoder.audio
        cutting = cutting_of(params.segment, audio.sample_rate, params.recommend.max_track_seconds)
        return Recipe(audio.spec, model.encoder.windows, cutting, params.features.sound, audio)
    try:
        spec = json.loads((model.folder / CONFIG).read_text(encoding="utf-8"))["features"]["audio"]
        features = audio_features_of(spec)
        cutting = cutting_of(params.segment, spec["sample_rate"], params.recommend.max_track_seconds)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{model.folder} has no model of this version ({error}): run `dvc repro`") from None
    if isinstance(features, WindowFeatures):  # the vectors differ between devices by rounding only
        spec |= {PRECISION: precision_of(choose_device(params.machine.device))}
    return Recipe(spec, features, cutting, params.features.sound)


def load_encoder(recipe: Recipe, device: torch.device, batch_size: BatchSize) -> AudioEncoder | None:
    """Return the pretrained encoder of a recipe, or None if it uses spectrograms.

    Raises `ModelError` if it cannot be loaded, or computes other features than the models were trained on.
    """
    if recipe.loaded is not None:
        return recipe.loaded
    if isinstance(recipe.audio, LogMelFeatures):
        encoder, found = None, LogMel(recipe.audio).spec
    else:
        encoder = load_audio_encoder(recipe.audio, device, batch_size)
        found = encoder.spec
    for name, value in recipe.spec.items():
        if name not in ORIGIN_KEYS and found.get(name) != value:
            raise ModelError(
                f"features.audio: the model was trained on {recipe.spec['encoder']!r} with {name} {value!r}, here it "
                f"is {found.get(name)!r}: run `dvc repro` to train again, or install the version it was trained with"
            )
    return encoder


def extractor(recipe: Recipe, encoder: AudioEncoder | None) -> Extract:
    """Return the function from segments to the features [steps, width], as stored, and tags of each."""
    if isinstance(recipe.audio, LogMelFeatures):
        return partial(_frames, LogMel(recipe.audio))
    assert encoder is not None, "`load_encoder` returns one"
    return partial(_vectors, recipe.audio, encoder)


def _frames(log_mel: LogMel, segments: Sequence[np.ndarray]) -> list[tuple[np.ndarray, dict[str, float]]]:
    return [(log_mel.stored(log_mel(_scaled(samples))), {}) for samples in segments]


def _vectors(
    audio: WindowFeatures, encoder: AudioEncoder, segments: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, dict[str, float]]]:
    """Return one vector per window, on the same grid as `pipeline.features.audio_windows`."""
    length, hop = (round(s * encoder.sample_rate) for s in (audio.window_seconds, audio.window_hop_seconds))
    windows, ends = [], []
    for samples in segments:
        scaled = _scaled(samples)
        windows += [scaled[s : s + length] for s in window_starts(len(scaled), length, max(1, hop))]
        ends.append(len(windows))
    found = []
    for values in np.split(encoder.encode(windows), ends[:-1]):
        vectors, probabilities = np.split(values, [encoder.width], axis=1)
        found.append((vectors, by_name(encoder.tags, probabilities.mean(0))))
    return found


def _scaled(samples: np.ndarray) -> np.ndarray:
    return samples.astype(np.float32) / INT16_SCALE
