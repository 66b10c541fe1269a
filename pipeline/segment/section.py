"""The section `segment` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Positive, Share


@dataclass(frozen=True, config=STRICT)
class Segment:
    """Cutting of recordings into segments."""

    seconds: Positive
    hop_seconds: Positive
    min_seconds: Positive
    rest: Literal["drop", "join"]
    silence_lufs: Annotated[float, Field(ge=-70.0, lt=0.0)] | None
    duplicate_bit_errors: Annotated[float, Field(ge=0.0, lt=0.5)] | None
    max_per_film: Count | None
    sample_rate: Literal[16000, 22050, 24000, 32000, 44100, 48000]  # the rates of MP3
    format: Literal["mp3", "flac", "ogg"]
    bit_rate: Annotated[int, Field(ge=8000, le=320000)]
    min_success_rate: Share

    def __post_init__(self) -> None:
        if self.min_seconds > self.seconds:
            raise ValueError(f"min_seconds ({self.min_seconds}) must not exceed seconds ({self.seconds})")
        low, high = (32000, 320000) if self.sample_rate >= 32000 else (8000, 160000)  # MPEG-1 and MPEG-2
        if self.format == "mp3" and not low <= self.bit_rate <= high:
            at = f"at sample_rate {self.sample_rate} MP3 takes {low} to {high}"
            raise ValueError(f"bit_rate: found {self.bit_rate}; {at} bit/s")
