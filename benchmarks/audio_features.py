"""Audio features of both kinds for the films of `dvc repro`, each in a folder for training and evaluation."""

import shutil
from pathlib import Path

from benchmarks.settings import ROOT, log_mel_settings
from pipeline.core.tables import DATASET, read_table
from pipeline.encoders.section import LOG_MEL, WindowFeatures
from pipeline.features.audio_frames import write_frames
from pipeline.features.audio_windows import write_windows
from pipeline.params import load_params

MUSICNN = "musicnn"
FEATURES = (LOG_MEL, MUSICNN)
WINDOW_SECONDS = 30.0  # for MusiCNN: a whole segment


def features_root(kind: str) -> Path:
    """Return the folder with data/features for a kind of audio features."""
    return ROOT / "data/features/.benchmarks" / kind


def compute_features(kind: str) -> None:
    """Write the audio table of a kind, unless it exists, and copies of the text and image tables."""
    params, dataset = load_params(ROOT / "params.yaml"), read_table(ROOT / "data/dataset.parquet", DATASET, "split")
    folder = features_root(kind) / "data/features"
    folder.mkdir(parents=True, exist_ok=True)
    for table in ("text.parquet", "image.parquet"):
        shutil.copyfile(ROOT / "data/features" / table, folder / table)
    if kind == LOG_MEL:
        write_frames(ROOT, folder / "audio.parquet", dataset, log_mel_settings(), params.machine)
    else:
        windows = WindowFeatures(MUSICNN, "auto", WINDOW_SECONDS, WINDOW_SECONDS)
        write_windows(ROOT, folder / "audio.parquet", dataset, windows, params.machine)
