"""The log-mel spectrogram against a slow one in float64, and on sounds of known content."""

import dataclasses
import json

import numpy as np
import pytest

from pipeline.features.spectrogram import FLOOR_DB, FLOOR_POWER, LogMel
from pipeline.sections import AudioFeatures

RATE = 22050
SETTINGS = AudioFeatures(sample_rate=RATE, n_fft=512, hop_length=200, n_mels=32, f_min=50.0, f_max=10000.0)


def slow_log_mel(samples: np.ndarray, params: AudioFeatures) -> np.ndarray:
    """Return dB [l, m], frame by frame and band by band, with a DFT written out."""
    n = np.arange(params.n_fft)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / params.n_fft)
    bins = np.arange(params.n_fft // 2 + 1)
    dft = np.exp(-2j * np.pi * np.outer(bins, n) / params.n_fft)
    padded = np.pad(samples.astype(np.float64), params.n_fft // 2, mode="reflect")
    edges_mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (params.f_min, params.f_max)), params.n_mels + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)  # Hz
    hertz = bins * params.sample_rate / params.n_fft
    frames = []
    for start in range(0, len(padded) - params.n_fft + 1, params.hop_length):
        power = np.abs(dft @ (window * padded[start : start + params.n_fft])) ** 2
        bands = []
        for low, centre, high in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
            weights = np.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre)).clip(min=0)
            bands.append(10 * np.log10(max(weights @ power, FLOOR_POWER)))
        frames.append(bands)
    return np.array(frames)


@pytest.mark.filterwarnings("ignore:At least one mel filterbank")
@pytest.mark.parametrize("length", [4000, 4001, 257])
def test_equals_the_slow_computation(length):
    samples = np.random.default_rng(0).uniform(-1, 1, length).astype(np.float32)
    found = LogMel(SETTINGS)(samples)
    expected = slow_log_mel(samples, SETTINGS)
    assert found.dtype == np.float32
    assert found.shape == expected.shape == (LogMel(SETTINGS).frame_count(length), 32)
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize("phase", [0.0, np.pi / 2])
@pytest.mark.parametrize("hertz", [220.0, 440.0, 3000.0])
def test_a_tone_peaks_in_its_band_whatever_its_phase(hertz, phase):
    params = AudioFeatures(sample_rate=RATE, n_fft=2048, hop_length=1024, n_mels=64, f_min=0.0, f_max=11025.0)
    tone = 0.5 * np.cos(2 * np.pi * hertz * np.arange(RATE) / RATE + phase).astype(np.float32)
    frames = LogMel(params)(tone)[2:-2]
    step = 2595 * np.log10(1 + 11025 / 700) / 65  # mel between centres
    expected = 2595 * np.log10(1 + hertz / 700) / step - 1
    assert np.abs(frames.argmax(1) - expected).max() <= 0.75
    assert np.ptp(frames.max(1)) < 0.1, "the power of a steady tone is steady: both parts of the DFT count"


def test_silence_is_the_floor():
    frames = LogMel(SETTINGS)(np.zeros(1000, np.float32))
    assert (frames == FLOOR_DB).all()


@pytest.mark.parametrize("length", [0, 1, 256])
def test_less_than_half_a_window_is_followed_by_silence(length):
    log_mel = LogMel(SETTINGS)
    samples = np.full(length, 0.5, np.float32)
    expected = log_mel(np.concatenate([samples, np.zeros(257 - length, np.float32)]))
    assert np.array_equal(log_mel(samples), expected)
    assert len(expected) == log_mel.frame_count(length) == 2


def test_spec_holds_every_setting_and_survives_json():
    spec = LogMel(SETTINGS).spec
    assert dataclasses.asdict(SETTINGS).items() <= spec.items()
    assert {"power", "mel_scale", "norm", "center", "pad_mode", "window", "floor_power"} <= spec.keys()
    assert json.loads(json.dumps(spec)) == spec
