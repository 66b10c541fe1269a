"""The section `features` of params.yaml."""

from typing import Literal

from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Name, NotNegative, Positive

LOG_MEL = "log-mel"  # what `features.audio.encoder` calls the spectrogram, which no pretrained model is behind
Pooling = Literal["auto", "cls", "mean", "pooler"]


@dataclass(frozen=True, config=STRICT)
class AudioFeatures:
    """The log-mel spectrogram, or a pretrained encoder of windows."""

    encoder: Name
    sample_rate: Count
    n_fft: Count
    spectrum: Literal["power", "real"]
    hop_length: Count
    n_mels: Count
    f_min: NotNegative
    f_max: Positive
    dtype: Literal["float16", "uint8"]
    pooling: Pooling
    window_seconds: Positive
    window_hop_seconds: Positive
    batch_size: Count
    processes: Count

    def __post_init__(self) -> None:
        if not self.f_min < self.f_max <= self.sample_rate / 2:
            found = f"found {self.f_min:g}, {self.f_max:g} and {self.sample_rate}"
            raise ValueError(f"f_min < f_max <= sample_rate / 2 must hold, {found}")
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length ({self.hop_length}) must not exceed n_fft ({self.n_fft})")


@dataclass(frozen=True, config=STRICT)
class ImageFeatures:
    """The image encoder."""

    encoder: Name
    pooling: Pooling
    crops: Count
    batch_size: Count


@dataclass(frozen=True, config=STRICT)
class TextFeatures:
    """The text encoder."""

    encoder: Name
    pooling: Pooling
    max_tokens: Count
    batch_size: Count


@dataclass(frozen=True, config=STRICT)
class Features:
    """What is computed once and cached."""

    audio: AudioFeatures
    image: ImageFeatures
    text: TextFeatures
