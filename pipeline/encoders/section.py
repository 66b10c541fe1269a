"""The section `features` of params.yaml.

`features.audio` has two shapes, distinguished by `encoder`: the log-mel spectrogram, or a pretrained encoder of
windows. Keys of the other shape are allowed and ignored, so that `-S features.audio.encoder=…` is enough to switch.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Name, NotNegative, Positive, Share

LOG_MEL = "log-mel"  # `features.audio.encoder` of the spectrogram
PRECISION = "precision"  # key of a pretrained encoder's spec: the precision of products
Pooling = Literal["auto", "cls", "mean", "pooler"]
AudioPooling = Literal["auto", "cls", "mean", "pooler", "max", "penultimate", "tags"]  # the last three are MusiCNN's


@dataclass(frozen=True, config=STRICT)
class LogMelFeatures:
    """The log-mel spectrogram."""

    encoder: Literal["log-mel"]
    sample_rate: Count
    n_fft: Count
    spectrum: Literal["power", "real"]
    hop_length: Count
    n_mels: Count
    f_min: NotNegative
    f_max: Positive
    dtype: Literal["float16", "uint8"]

    def __post_init__(self) -> None:
        if not self.f_min < self.f_max <= self.sample_rate / 2:
            found = f"found {self.f_min:g}, {self.f_max:g} and {self.sample_rate}"
            raise ValueError(f"f_min < f_max <= sample_rate / 2 must hold, {found}")
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length ({self.hop_length}) must not exceed n_fft ({self.n_fft})")


@dataclass(frozen=True, config=STRICT)
class WindowFeatures:
    """A pretrained audio encoder, with one vector per window."""

    encoder: Name
    pooling: AudioPooling
    window_seconds: Positive
    window_hop_seconds: Positive


def is_log_mel(encoder: Any) -> bool:
    """Return whether `encoder`, of params.yaml, a table or a model, is the log-mel spectrogram."""
    return bool(encoder == LOG_MEL)


def audio_features_of(spec: Mapping[str, Any]) -> LogMelFeatures | WindowFeatures:
    """Return the section for `spec`, the settings of a table or model; raise `KeyError` if one is missing."""
    shape = LogMelFeatures if is_log_mel(spec["encoder"]) else WindowFeatures
    return shape(**{field.name: spec[field.name] for field in fields(shape)})


def _own_keys(section: Any) -> Any:
    """Return the section without the keys of the other shape."""
    if not isinstance(section, Mapping):
        return section
    frames, windows = ({field.name for field in fields(shape)} for shape in (LogMelFeatures, WindowFeatures))
    foreign = windows - frames if is_log_mel(section.get("encoder")) else frames - windows
    return {key: value for key, value in section.items() if key not in foreign}


def _shape(section: Any) -> str:
    encoder = section.get("encoder") if isinstance(section, Mapping) else getattr(section, "encoder", None)
    return "<log-mel>" if is_log_mel(encoder) else "<windows>"


AudioFeatures = Annotated[
    Annotated[LogMelFeatures, Tag("<log-mel>")] | Annotated[WindowFeatures, Tag("<windows>")],
    Discriminator(_shape),
    BeforeValidator(_own_keys),
]


@dataclass(frozen=True, config=STRICT)
class ImageFeatures:
    """The image encoder."""

    encoder: Name
    pooling: Pooling
    crops: Count


@dataclass(frozen=True, config=STRICT)
class TextFeatures:
    """The text encoder."""

    encoder: Name
    pooling: Pooling
    max_tokens: Count


@dataclass(frozen=True, config=STRICT)
class SoundFeatures:
    """Estimation of tempo and key."""

    sample_rate: Annotated[int, Field(ge=8000, le=48000)]
    usual_tempo: Positive
    least_pulse: Share
    least_key_fit: Share


@dataclass(frozen=True, config=STRICT)
class Features:
    """Features, computed once and cached."""

    audio: AudioFeatures
    image: ImageFeatures
    text: TextFeatures
    sound: SoundFeatures
