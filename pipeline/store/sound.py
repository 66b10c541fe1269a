"""The schema of data/features/sound.parquet: tempo, key, loudness and peaks, one row per track."""

import pyarrow as pa

SOUND = pa.schema(
    [
        ("fid", pa.string()),
        ("number", pa.int32()),
        ("sha256", pa.string()),  # of the file
        ("tempo", pa.float64()),  # beats per minute; null without a clear beat
        ("key", pa.string()),  # C major, F# minor; empty without a clear key
        ("loudness", pa.float64()),  # LUFS; null for silence
        ("peaks", pa.binary()),  # of the file, see `pipeline.features.peaks`
    ]
)
