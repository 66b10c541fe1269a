"""The log-mel spectrogram for caching, training and recommending.

Axes: t samples, l frame, k frequency bin, m mel band. Frame l is centred on sample l · hop_length, with reflection at
both ends. Power is |X|², in dB relative to a full-scale power of 1, at least `FLOOR_DB`; with `spectrum: real` it is
Re(X)², which depends on the phase of a frame: a bug of the reference that its published checkpoints require.

Frames are stored as float16, or as uint8 codes: dB = FLOOR_DB + code · step, where code 255 is above the level of any
full-scale signal (by Parseval's theorem no band's power exceeds n_fft · Σ window²).
"""

import math
from dataclasses import fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.encoders.section import LOG_MEL, LogMelFeatures

VERSION = 1  # part of the cache key: raise when the values for the same file change
FLOOR_POWER = 1e-10
FLOOR_DB = -100.0
CODES = 255
BLOCK_FRAMES = 128  # at a time: fits into the CPU's cache, twice as fast as all at once
SETTINGS = tuple(field.name for field in fields(LogMelFeatures) if field.name != "encoder")


class LogMel:
    """Transform from mono samples to log-mel frames."""

    def __init__(self, params: LogMelFeatures) -> None:
        from torchaudio.functional import melscale_fbanks  # not needed for reading stored frames

        self.params = params
        self.window = torch.hann_window(params.n_fft)  # [n_fft]
        self.bands = melscale_fbanks(
            params.n_fft // 2 + 1, params.f_min, params.f_max, params.n_mels, params.sample_rate, None, "htk"
        )  # [k, m]

    @property
    def spec(self) -> dict[str, Any]:
        """All settings that determine the stored values."""
        chosen = {name: getattr(self.params, name) for name in SETTINGS}
        fixed = {"mel_scale": "htk", "norm": None, "center": True, "pad_mode": "reflect"}
        spec = {"encoder": LOG_MEL, "version": VERSION, "window": "hann", "floor_power": FLOOR_POWER} | fixed | chosen
        return spec | {"scale": self._step, "offset": FLOOR_DB} if self.params.dtype == "uint8" else spec

    @property
    def min_samples(self) -> int:
        """The number of samples needed for reflection; shorter input is padded with silence."""
        return self.params.n_fft // 2 + 1

    def frame_count(self, samples: int) -> int:
        """Return the number of frames of a recording of `samples`."""
        return 1 + max(samples, self.min_samples) // self.params.hop_length

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return float32 dB [l, m] of float32 `samples` [t] in -1 … 1."""
        missing = max(0, self.min_samples - len(samples))
        with torch.inference_mode():
            padded = F.pad(torch.from_numpy(samples), (0, missing))
            padded = F.pad(padded[None], (self.params.n_fft // 2,) * 2, mode="reflect")[0]
            frames = padded.unfold(0, self.params.n_fft, self.params.hop_length)  # [l, n_fft], a view
            power = torch.empty(len(frames), self.params.n_mels)
            for start in range(0, len(frames), BLOCK_FRAMES):
                block = slice(start, start + BLOCK_FRAMES)
                torch.mm(self._power(frames[block]), self.bands, out=power[block])
            return power.clamp_(min=FLOOR_POWER).log10_().mul_(10.0).numpy()

    def stored(self, decibels: np.ndarray) -> np.ndarray:
        """Return frames in dB as stored, in `params.dtype`."""
        if self.params.dtype == "float16":
            return decibels.astype(np.float16)
        return np.rint((decibels - FLOOR_DB) / self._step).clip(0, CODES).astype(np.uint8)

    @property
    def floor(self) -> float:
        """The stored value of `FLOOR_DB`."""
        return 0 if self.params.dtype == "uint8" else FLOOR_DB

    @property
    def _step(self) -> float:
        highest = 10.0 * math.log10(self.params.n_fft * self.window.square().sum().item())
        return (highest - FLOOR_DB) / CODES

    def _power(self, frames: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(frames * self.window)  # [l, k]
        power = spectrum.real * spectrum.real
        return torch.addcmul(power, spectrum.imag, spectrum.imag) if self.params.spectrum == "power" else power


def decibels(stored: Tensor, spec: dict[str, Any]) -> Tensor:
    """Return stored frames [..., m] in dB, float32; `spec` is their `LogMel.spec`."""
    values = stored.float()
    return values.mul_(spec["scale"]).add_(spec["offset"]) if stored.dtype == torch.uint8 else values
