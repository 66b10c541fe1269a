"""The log-mel spectrogram, the same for caching, training and recommending.

Axes: t samples, l frame, m mel band. Frame l is centred on sample l · hop_length; samples beyond either end are
reflected. Power is |X|², in dB relative to a full-scale power of 1, not below `FLOOR_DB`.
"""

import dataclasses
from typing import Any

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

from pipeline.sections import AudioFeatures

FLOOR_POWER = 1e-10
FLOOR_DB = -100.0
MEL = {"power": 2.0, "mel_scale": "htk", "norm": None, "center": True, "pad_mode": "reflect"}
WINDOW = "hann"


class LogMel:
    """Mono samples in, log-mel frames out."""

    def __init__(self, params: AudioFeatures) -> None:
        self.params = params
        self._mel = MelSpectrogram(**dataclasses.asdict(params), window_fn=torch.hann_window, **MEL)

    @property
    def spec(self) -> dict[str, Any]:
        """All settings that the values depend on."""
        return dataclasses.asdict(self.params) | MEL | {"window": WINDOW, "floor_power": FLOOR_POWER}

    @property
    def min_samples(self) -> int:
        """Samples that the reflection needs; silence is appended to less."""
        return self.params.n_fft // 2 + 1

    def frame_count(self, samples: int) -> int:
        """Return the frames of a recording of `samples`."""
        return 1 + max(samples, self.min_samples) // self.params.hop_length

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return float32 dB [l, m] of float32 `samples` [t] in -1 … 1."""
        missing = max(0, self.min_samples - len(samples))
        padded = torch.nn.functional.pad(torch.from_numpy(samples), (0, missing))
        with torch.inference_mode():
            power = self._mel(padded)  # [m, l]
        return (10.0 * power.clamp(min=FLOOR_POWER).log10()).T.numpy()
