"""Loudness (EBU R 128: gated ITU-R BS.1770) by FFmpeg's filter, and peak.

The samples are one channel: a sine of 997 Hz at full scale has -3.01 LUFS.
"""

import math

import av
import numpy as np
from av.filter import Graph

GATE_LUFS = -70.0  # quieter blocks are ignored; a segment with no others has no loudness
BLOCK_SECONDS = 0.4  # of a gating block; shorter segments have no loudness
FULL_SCALE = 32768


def loudness_lufs(samples: np.ndarray, sample_rate: int) -> float | None:
    """Return the integrated loudness of int16 mono `samples` [t]; None below the gate, or for less than 0.4 s."""
    if len(samples) < BLOCK_SECONDS * sample_rate:
        return None
    whole = samples[: len(samples) // (sample_rate // 10) * (sample_rate // 10)]  # steps of 100 ms
    frame = av.AudioFrame.from_ndarray(whole[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = sample_rate
    graph = Graph()
    source = graph.add_abuffer(sample_rate=sample_rate, format="s16", layout="mono")
    graph.link_nodes(source, graph.add("ebur128", metadata="1", framelog="quiet"), graph.add("abuffersink"))
    graph.configure()
    graph.push(frame)
    graph.push(None)
    last = None
    while True:
        try:
            last = graph.pull()  # one frame per step, with the loudness so far
        except av.EOFError:
            break
    assert last is not None, "at least one step"
    value = float(last.metadata["lavfi.r128.I"])
    return value if math.isfinite(value) and value > GATE_LUFS else None


def peak_dbfs(samples: np.ndarray) -> float | None:
    """Return the highest absolute sample in dB relative to full scale, at most 0; None if all are 0."""
    peak = max(int(samples.max()), -int(samples.min()))
    return round(20 * math.log10(peak / FULL_SCALE), 3) + 0.0 if peak else None  # no -0.0
