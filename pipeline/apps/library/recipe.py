"""From a file to what the models of one kind of audio features read. The settings are a model's own, not today's.

Models that were trained on other features have another recipe; what it makes is kept by all that it depends on.
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

VERSION = 4  # raise when the same file would give other segments or tags, which are kept by it
ORIGIN_KEYS = ("encoder", "revision", "width")  # of a spec: where it came from, not what it computes

# Of int16 samples [t] of each segment: its features, and the probabilities of tags of the music by name.
Extract = Callable[[Sequence[np.ndarray]], list[tuple[np.ndarray, dict[str, float]]]]


@dataclass(frozen=True)
class Recipe:
    """How a file is cut, and what is computed of each segment."""

    spec: dict[str, Any]  # of the features, as the model's config has it, but for the precision, which is that here
    audio: LogMelFeatures | WindowFeatures
    cutting: Cutting
    sound: SoundFeatures
    loaded: AudioEncoder | None = None  # of a joint encoder, which is loaded as a whole

    @property
    def is_log_mel(self) -> bool:
        """Whether the features are frames and not the vectors of a pretrained encoder."""
        return is_log_mel(self.spec["encoder"])

    @property
    def music_tags(self) -> list[str]:
        """The names of the tags that the encoder gives; none where it does not tag."""
        tags = tags_of(self.spec["encoder"])
        return list(by_name(tags, np.zeros(len(tags))))

    @property
    def about(self) -> dict[str, Any]:
        """All that segments and features depend on beside the file."""
        return {
            "version": VERSION,
            "spec": self.spec,
            "cutting": asdict(self.cutting),
            "sound": asdict(self.sound) | {"version": SOUND_VERSION},
            "versions": versions(*libraries_of(self.spec["encoder"]), "librosa"),
        }


def recipe_of(model: Model, params: Params) -> Recipe:
    """Return the recipe that `model` needs on this machine; raise `ModelError` when it is none of this version."""
    if isinstance(model, ZeroShot):
        audio = model.encoder.audio
        cutting = cutting_of(params.segment, audio.sample_rate, params.recommend.max_track_seconds)
        return Recipe(audio.spec, model.encoder.windows, cutting, params.features.sound, audio)
    try:
        spec = json.loads((model.folder / CONFIG).read_text(encoding="utf-8"))["features"]["audio"]
        features = audio_features_of(spec)
        cutting = cutting_of(params.segment, spec["sample_rate"], params.recommend.max_track_seconds)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{model.folder} does not hold a model of this version ({error}): run `dvc repro`") from None
    if isinstance(features, WindowFeatures):  # on another device than trained on, the same vectors but for rounding
        spec |= {PRECISION: precision_of(choose_device(params.machine.device))}
    return Recipe(spec, features, cutting, params.features.sound)


def load_encoder(recipe: Recipe, device: torch.device, batch_size: BatchSize) -> AudioEncoder | None:
    """Return the pretrained encoder of a recipe, None where it is the spectrogram; one that is loaded as it is.

    Raises `ModelError` when it cannot be loaded, or computes something else than what the models were trained on.
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
                f"is {found.get(name)!r}: run `dvc repro` to train again, or install what it was trained with"
            )
    return encoder


def extractor(recipe: Recipe, encoder: AudioEncoder | None) -> Extract:
    """Return the function from segments to the features [steps, width] of each, as stored, and its tags."""
    if isinstance(recipe.audio, LogMelFeatures):
        return partial(_frames, LogMel(recipe.audio))
    assert encoder is not None, "`load_encoder` gives one"
    return partial(_vectors, recipe.audio, encoder)


def _frames(log_mel: LogMel, segments: Sequence[np.ndarray]) -> list[tuple[np.ndarray, dict[str, float]]]:
    return [(log_mel.stored(log_mel(_scaled(samples))), {}) for samples in segments]


def _vectors(
    audio: WindowFeatures, encoder: AudioEncoder, segments: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, dict[str, float]]]:
    """Return one vector per window of the grid that `pipeline.features.audio_windows` lays."""
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
