"""Verification that a downloaded file is complete: it is decoded to its end and its length compared.

A truncated MP3 or WebM decodes without an error, while its header still states the full length.
"""

from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer

from pipeline.download.ending import is_cut_off
from pipeline.media import sandbox
from pipeline.media.audio import SUFFIXES, NotAudioError, frames, opened

# Tolerance for a decoded length below the stated one: sites round to whole seconds, encoders pad.
TOLERANCE_SECONDS = 1.0
TOLERANCE_SHARE = 0.01
# Without a header, FFmpeg's length of these is an estimate: size / bit rate of the first frames.
FORMATS_WITHOUT_LENGTH = ("mp3", "aac")


@dataclass(frozen=True)
class Check:
    """The result of decoding a file; `expected_seconds` is None if the length is not stated."""

    suffix: str  # of the actual container
    expected_seconds: float | None
    decoded_seconds: float
    cut_off: bool  # by its structure, if the site states no length

    @property
    def truncated(self) -> str:
        """Why the file is incomplete; "" if it appears complete."""
        if self.expected_seconds is not None and is_short(self.decoded_seconds, self.expected_seconds):
            return f"only {self.decoded_seconds:.1f} of {self.expected_seconds:.1f} s can be decoded"
        return "the end of the file is missing" if self.cut_off else ""


class CutOffError(NotAudioError):
    """Nothing can be decoded, because the file is truncated."""


def check(path: Path, stated_seconds: float | None, max_seconds: float) -> Check:
    """Decode `path`, up to `max_seconds`, and return its length and the one stated by the site or else by the file.

    Decodes in another process. Raises `NotAudioError` if nothing can be decoded, `CutOffError` if the file is
    truncated.
    """
    try:
        return sandbox.call(_decoded, path, stated_seconds, max_seconds)
    except NotAudioError:
        if is_cut_off(path):
            raise CutOffError("truncated: the end of the file is missing, and it cannot be decoded") from None
        raise


def is_short(decoded_seconds: float, expected_seconds: float) -> bool:
    """Return whether the decoded length is below the expected one by more than the tolerance."""
    return decoded_seconds < expected_seconds * (1.0 - TOLERANCE_SHARE) - TOLERANCE_SECONDS


def _decoded(path: Path, stated_seconds: float | None, max_seconds: float) -> Check:
    with opened(path) as container:
        suffix = SUFFIXES[container.format.name]
        expected = stated_seconds or (container.duration / 1e6 if container.duration else None)
        estimated = not stated_seconds and _is_estimate(container)
        decoded = 0.0
        for frame in frames(container):
            decoded += frame.samples / frame.sample_rate
            if decoded > max_seconds:
                break
    if decoded == 0.0:
        raise NotAudioError("nothing in it can be decoded")
    if estimated and expected is not None and is_short(decoded, expected):
        expected = None
    cut_off = not stated_seconds and is_cut_off(path)
    if cut_off and expected is not None and not is_short(decoded, expected):
        expected = None  # the length of the truncated file
    return Check(suffix, expected, decoded, cut_off)


def _is_estimate(container: InputContainer) -> bool:
    bit_rate = container.streams.audio[0].bit_rate
    if container.format.name not in FORMATS_WITHOUT_LENGTH or not bit_rate or not container.duration:
        return False
    return abs(container.duration / 1e6 - container.size * 8 / bit_rate) <= 0.01 * container.duration / 1e6
