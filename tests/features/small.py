"""Feature settings for short sounds, and a reader of their whole table of frames."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.encoders.section import LogMelFeatures, SoundFeatures, WindowFeatures

RATE = 22050  # Hz
AUDIO = LogMelFeatures(
    encoder="log-mel",
    sample_rate=RATE,
    n_fft=1024,
    spectrum="power",
    hop_length=512,
    n_mels=16,
    f_min=0.0,
    f_max=11025.0,
    dtype="float16",
)
SOUND = SoundFeatures(sample_rate=16000, usual_tempo=120.0, least_pulse=0.2, least_key_fit=0.6)
WINDOWS = WindowFeatures(encoder="a folder", pooling="auto", window_seconds=0.5, window_hop_seconds=0.25)


def read_frames(path: Path) -> list[tuple[dict, np.ndarray]]:
    """Return the key columns and the frames [frames, n_mels] of each row of a table, as stored in Parquet."""
    rows = pq.read_table(path)
    found = []
    for key, vector in zip(rows.drop(["vector"]).to_pylist(), rows.to_pandas()["vector"], strict=True):
        values = np.frombuffer(vector, np.uint8) if isinstance(vector, bytes) else vector
        found.append((key, values.reshape(-1, AUDIO.n_mels)))
    return found
