"""The log-mel spectrogram on one core, against librosa's with the same settings.

Prints times real time for one file of 30 s and for a batch of 64, at the default settings and at the paper's.

    OMP_NUM_THREADS=1 python -m benchmarks.log_mel
"""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from benchmarks.report import Figure, best_seconds, figure, publish
from benchmarks.settings import log_mel_settings
from pipeline.encoders.log_mel import FLOOR_POWER, LogMel
from pipeline.encoders.section import LogMelFeatures
from pipeline.features.sound import import_librosa

SECONDS, FILES = 30, 64


def main() -> None:
    """Run all and print the figures."""
    torch.set_num_threads(1)
    default = log_mel_settings()
    settings = {"default": default, "paper": replace(default, n_fft=1024, hop_length=220, n_mels=128)}
    publish("log_mel", [line for name, params in settings.items() for line in measure(name, params)])


def measure(name: str, params: LogMelFeatures) -> list[Figure]:
    """Return the lines of one setting."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (FILES, SECONDS * params.sample_rate)).astype(np.float32)
    log_mel = LogMel(params)
    figures = []
    for what, audio, repeats in (("one file", samples[:1], 10), (f"{FILES} files", samples, 2)):
        ours = best_seconds(partial(each, log_mel, audio), repeats)
        theirs = best_seconds(partial(librosa_log_mel, audio, params), repeats)
        length = len(audio) * SECONDS
        figures.append(
            figure(f"{name}, {what}", length / ours, "times real time", length / theirs, "librosa", "1 or more")
        )
    worst = np.abs(log_mel(samples[0]) - librosa_log_mel(samples[0], params).T).max()
    return [*figures, figure(f"{name}, largest difference", float(worst), "dB", goal="0.001 or less")]


def each(log_mel: LogMel, audio: np.ndarray) -> list[np.ndarray]:
    """Return the frames of each row of `audio` [files, t]."""
    return [log_mel(samples) for samples in audio]


def librosa_log_mel(samples: np.ndarray, params: LogMelFeatures) -> np.ndarray:
    """Return dB [..., m, l] by librosa, in one call."""
    power = import_librosa().feature.melspectrogram(
        y=samples,
        sr=params.sample_rate,
        n_fft=params.n_fft,
        hop_length=params.hop_length,
        n_mels=params.n_mels,
        fmin=params.f_min,
        fmax=params.f_max,
        pad_mode="reflect",
        htk=True,
        norm=None,
    )
    return 10 * np.log10(np.maximum(power, FLOOR_POWER))


if __name__ == "__main__":
    main()
