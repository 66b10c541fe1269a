"""The log-mel spectrogram against a slow one in float64, and on sounds with known content."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from benchmarks.log_mel import librosa_log_mel
from benchmarks.settings import log_mel_settings
from pipeline.encoders.log_mel import FLOOR_DB, FLOOR_POWER, LogMel, decibels
from pipeline.encoders.section import LogMelFeatures

RATE = 22050
DEFAULT = log_mel_settings()
SETTINGS = dataclasses.replace(DEFAULT, n_fft=512, hop_length=200, n_mels=32, f_min=50.0, f_max=10000.0)
PINNED = [-12.445, -10.015, -8.418, -9.198, 5.096, 16.147]  # dB in six bands of frame 50
PAPER = dataclasses.replace(DEFAULT, n_fft=1024, hop_length=220, n_mels=128)


def slow_log_mel(samples: np.ndarray, params: LogMelFeatures) -> np.ndarray:
    """Return dB [l, m], frame by frame and band by band, with an explicit DFT."""
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


@pytest.mark.parametrize("params", [DEFAULT, PAPER, SETTINGS], ids=["default", "paper", "other"])
def test_equals_librosa(params):
    """On 30 s with loud and quiet parts, a tone, noise and digital silence."""
    rng, t = np.random.default_rng(1), np.arange(30 * RATE) / RATE
    noise = rng.standard_normal(len(t)) * np.where(t > 8, 0.2, 0.01)
    samples = 0.3 * np.sin(2 * np.pi * 440 * t) * (t < 12) + noise
    samples = (samples * np.linspace(1, 1e-3, len(t)) * (t < 25)).clip(-1, 1).astype(np.float32)
    expected = librosa_log_mel(samples, params).T
    found = LogMel(params)(samples)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3


def test_values_are_pinned_to_the_version():
    """The cache is keyed by VERSION: if values for the same sound change, increase it and update the numbers here."""
    t = np.arange(RATE) / RATE
    chirp = (0.5 * np.sin(2 * np.pi * (20 * t + 5000 * t**2)) + 0.1 * np.sin(1e6 * t**3)).astype(np.float32)
    found = LogMel(PAPER)(chirp)
    assert LogMel(PAPER).spec["version"] == 1
    assert found[50, [0, 10, 34, 35, 80, 127]] == pytest.approx(PINNED, abs=2e-3)


@pytest.mark.parametrize("params", [DEFAULT, PAPER])
def test_one_byte_codes_are_close_and_cover_the_loudest_sound(params):
    coded = LogMel(dataclasses.replace(params, dtype="uint8"))
    spec = json.loads(json.dumps(coded.spec))
    rng = np.random.default_rng(0)
    sounds = {
        "noise": rng.uniform(-1, 1, RATE),
        "square": np.sign(np.sin(2 * np.pi * 30 * np.arange(RATE) / RATE)),
        "impulse": np.eye(1, RATE, RATE // 2)[0],
        "silence": np.zeros(RATE),
    }
    for name, samples in sounds.items():
        frames = coded(samples.astype(np.float32))
        stored = coded.stored(frames)
        assert stored.dtype == np.uint8
        assert np.abs(decibels(torch.from_numpy(stored), spec).numpy() - frames).max() <= spec["scale"] / 2 + 1e-4, name
    assert spec["scale"] < 0.65
    assert (decibels(torch.full((1, 4), coded.floor, dtype=torch.uint8), spec) == FLOOR_DB).all()


@pytest.mark.parametrize("phase", [0.0, np.pi / 2])
@pytest.mark.parametrize("hertz", [220.0, 440.0, 3000.0])
def test_a_tone_peaks_in_its_band_whatever_its_phase(hertz, phase):
    params = dataclasses.replace(SETTINGS, n_fft=2048, hop_length=1024, n_mels=64, f_min=0.0, f_max=11025.0)
    tone = 0.5 * np.cos(2 * np.pi * hertz * np.arange(RATE) / RATE + phase).astype(np.float32)
    frames = LogMel(params)(tone)[2:-2]
    step = 2595 * np.log10(1 + 11025 / 700) / 65  # mel between band centres
    expected = 2595 * np.log10(1 + hertz / 700) / step - 1
    assert np.abs(frames.argmax(1) - expected).max() <= 0.75
    assert np.ptp(frames.max(1)) < 0.1, "the power of a steady tone is steady: both parts of the DFT count"


def test_silence_is_the_floor():
    frames = LogMel(SETTINGS)(np.zeros(1000, np.float32))
    assert (frames == FLOOR_DB).all()


@pytest.mark.parametrize("length", [0, 1, 256])
def test_less_than_half_a_window_is_padded_with_silence(length):
    log_mel = LogMel(SETTINGS)
    samples = np.full(length, 0.5, np.float32)
    expected = log_mel(np.concatenate([samples, np.zeros(257 - length, np.float32)]))
    assert np.array_equal(log_mel(samples), expected)
    assert len(expected) == log_mel.frame_count(length) == 2


def test_spec_holds_every_setting_and_survives_json():
    spec = LogMel(SETTINGS).spec
    assert {"sample_rate", "n_fft", "hop_length", "n_mels", "f_min", "f_max", "dtype", "encoder"} <= spec.keys()
    assert all(spec[name] == getattr(SETTINGS, name) for name in ("n_fft", "hop_length", "f_min", "dtype"))
    changed = [{"n_fft": 1024}, {"f_max": 9000.0}, {"dtype": "uint8"}, {"n_mels": 16}, {"sample_rate": 24000}]
    changed += [{"spectrum": "real"}]
    assert all(LogMel(dataclasses.replace(SETTINGS, **change)).spec != spec for change in changed)
    assert {"spectrum", "mel_scale", "norm", "center", "pad_mode", "window", "floor_power"} <= spec.keys()
    assert json.loads(json.dumps(spec)) == spec


def test_real_spectrum_is_the_square_of_the_real_part_alone():
    samples = np.random.default_rng(0).normal(0, 0.1, 5000).astype(np.float32)
    log_mel = LogMel(dataclasses.replace(SETTINGS, spectrum="real"))
    window = torch.hann_window(SETTINGS.n_fft)
    spectrum = torch.stft(
        torch.from_numpy(samples), SETTINGS.n_fft, SETTINGS.hop_length, window=window, return_complex=True
    )
    bands = log_mel.bands.T @ spectrum.real.square()
    expected = 10 * bands.clamp(min=1e-10).log10().T.numpy()
    assert np.abs(log_mel(samples) - expected).max() < 1e-3
    assert np.abs(LogMel(SETTINGS)(samples) - expected).max() > 1.0
