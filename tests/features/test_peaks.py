"""The waveform outline of a file, against its definition."""

import numpy as np
import pytest

from pipeline.features.peaks import BIN, COUNT, Peaks, peaks_of


@pytest.mark.parametrize("stretch", [BIN, 5 * BIN])
def test_peaks_are_the_largest_amplitudes_of_equal_stretches(stretch):
    samples = np.random.default_rng(0).integers(-32768, 32768, COUNT * stretch).astype(np.int16)
    largest = np.abs(samples.reshape(COUNT, stretch).astype(int)).max(1)
    assert [*peaks_of(samples)] == [min(255, round(amplitude * 255 / 32767)) for amplitude in largest]


@pytest.mark.parametrize("length", [COUNT * BIN, 100_001, 100_002, 33, 2])
def test_a_file_that_is_silent_in_its_first_half_has_zeros_there(length):
    samples = np.zeros(length, np.int16)
    samples[(length + 1) // 2 :] = -32768
    found = peaks_of(samples)
    assert len(found) == COUNT
    if length > COUNT * BIN:
        assert found == bytes(COUNT // 2) + b"\xff" * (COUNT // 2)
    assert max(found) == 255


def test_blocks_of_any_size_give_the_same_peaks():
    rng = np.random.default_rng(1)
    samples = rng.integers(-9000, 9000, 70_000).astype(np.int16)
    peaks, start = Peaks(), 0
    while start < len(samples):
        size = int(rng.integers(0, 900))
        peaks.add(samples[start : start + size])
        start += size
    assert peaks.bytes() == peaks_of(samples)


def test_an_empty_file_has_peaks_of_zero():
    assert peaks_of(np.zeros(0, np.int16)) == bytes(COUNT)
