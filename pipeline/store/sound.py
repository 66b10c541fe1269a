"""The table of what the tracks of the data set sound like: data/features/sound.parquet, one row per track."""

import pyarrow as pa

SOUND = pa.schema(
    [
        ("fid", pa.string()),
        ("number", pa.int32()),
        ("sha256", pa.string()),  # of the file
        ("tempo", pa.float64()),  # beats per minute; null where there is no clear beat
        ("key", pa.string()),  # C major, F# minor; empty where none is clear
        ("loudness", pa.float64()),  # LUFS; null for silence
        ("peaks", pa.binary()),  # of the file, as `pipeline.features.peaks` has them
    ]
)
