"""The waveform outline of a file: the peak amplitude in each of `COUNT` equal stretches, as a byte, 255 for full scale.

Blocks are added while decoding, before the length is known: `BIN` samples are stored as one byte.
"""

import numpy as np

COUNT = 200
BIN = 32  # samples: 2 ms at 16 kHz, 5 MB for three hours
HIGHEST = 32767  # of int16, whose minimum is -32768


class Peaks:
    """Collects the amplitudes of consecutive int16 mono blocks."""

    def __init__(self) -> None:
        self._bins = bytearray()
        self._rest = np.zeros(0, np.int16)
        self._length = 0

    def add(self, block: np.ndarray) -> None:
        """Add the next samples [t]."""
        self._length += len(block)
        samples = np.concatenate([self._rest, block])
        whole = len(samples) // BIN * BIN
        self._bins += _levels(samples[:whole].reshape(-1, BIN))
        self._rest = samples[whole:]

    def bytes(self) -> bytes:
        """Return the `COUNT` peaks of all samples so far; a bin at a border belongs to the later stretch."""
        rest = np.pad(self._rest, (0, -len(self._rest) % BIN)).reshape(-1, BIN)
        bins = np.frombuffer(bytes(self._bins) + _levels(rest), np.uint8)
        if not len(bins):
            return bytes(COUNT)
        borders = np.arange(COUNT) * self._length // (COUNT * BIN)
        return np.maximum.reduceat(bins, borders).tobytes()


def peaks_of(samples: np.ndarray) -> bytes:
    """Return the peaks of int16 `samples` [t]."""
    peaks = Peaks()
    peaks.add(samples)
    return peaks.bytes()


def _levels(bins: np.ndarray) -> bytes:
    """Return the largest absolute amplitude of each row of int16 [bins, samples] as a byte."""
    highest = np.maximum(bins.max(1, initial=0), -bins.min(1, initial=0).astype(np.int32))
    return np.minimum(np.rint(highest * (255 / HIGHEST)), 255).astype(np.uint8).tobytes()
