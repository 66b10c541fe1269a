"""Loudness against a slow implementation of ITU-R BS.1770-4: its filters for 48 kHz, blocks and gates."""

import math

import numpy as np
import pytest
import torch
from torchaudio.functional import lfilter

from pipeline.media.loudness import loudness_lufs, peak_dbfs
from tests.segment.sounds import music, tone

SHELF = ([1.0, -1.69065929318241, 0.73248077421585], [1.53512485958697, -2.69169618940638, 1.19839281085285])
HIGH_PASS = ([1.0, -1.99004745483398, 0.99007225036621], [1.0, -2.0, 1.0])


def slow_loudness(samples, rate=48000):
    wave = torch.from_numpy(samples / 32768)
    for poles, zeros in (SHELF, HIGH_PASS):
        wave = lfilter(wave, torch.tensor(poles).double(), torch.tensor(zeros).double(), clamp=False)
    length, step = round(0.4 * rate), round(0.1 * rate)
    power = wave.unfold(0, length, step).square().mean(dim=1).numpy()
    loudness = -0.691 + 10 * np.log10(np.maximum(power, 1e-20))
    loud = power[loudness > -70]
    gate = -0.691 + 10 * math.log10(loud.mean()) - 10
    return -0.691 + 10 * math.log10(power[(loudness > -70) & (loudness > gate)].mean())


def test_a_sine_at_full_scale():
    assert loudness_lufs(tone(997, 5, 48000, 1.0), 48000) == pytest.approx(-3.01, abs=0.01)
    assert loudness_lufs(tone(997, 5, 48000, 0.1), 48000) == pytest.approx(-23.01, abs=0.01)
    for rate in (16000, 22050, 32000, 44100):
        assert loudness_lufs(tone(997, 5, rate, 1.0), rate) == pytest.approx(-3.01, abs=0.05)


def test_against_the_standard():
    quiet = (music(5, 30) * np.repeat([1.0, 0.01, 0.3], 10 * 22050)).astype(np.int16)  # a part is under the gate
    noise = (500 * np.random.default_rng(0).standard_normal(12 * 48000)).astype(np.int16)
    for samples in (quiet, music(6, 20), noise, tone(60, 4, 48000), tone(9000, 4, 48000)):
        assert loudness_lufs(samples, 48000) == pytest.approx(slow_loudness(samples), abs=0.05)


def test_samples_without_loudness():
    assert loudness_lufs(np.zeros(48000, np.int16), 48000) is None
    assert loudness_lufs(np.full(48000, 3, np.int16) * np.tile([1, -1], 24000).astype(np.int16), 48000) is None
    assert loudness_lufs(tone(997, 0.39, 48000), 48000) is None
    assert loudness_lufs(tone(997, 0.4, 48000), 48000) == pytest.approx(-11, abs=0.5)
    assert loudness_lufs(tone(997, 1.034, 22050), 22050) == pytest.approx(-11, abs=0.1)


def test_the_peak():
    assert peak_dbfs(np.array([0, 16384, -5], np.int16)) == pytest.approx(-6.02, abs=0.01)
    assert peak_dbfs(np.array([-32768, 16384], np.int16)) == 0.0
    assert peak_dbfs(np.array([32767], np.int16)) == pytest.approx(0, abs=0.001)
    assert peak_dbfs(np.zeros(5, np.int16)) is None
