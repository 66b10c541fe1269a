"""Compute the features of one kind: log-mel frames or embeddings of the tracks, embeddings of the posters or of the
texts, or the tempo, key and peaks of the tracks.

Reads: data/dataset.parquet, and data/audio (audio, sound) or data/image (image)
Writes: data/features/audio.parquet, image.parquet, text.parquet or sound.parquet
Run: dvc repro features@audio features@image features@text features@sound
"""

import argparse
import logging
from pathlib import Path
from typing import Any

from pipeline.core.errors import StageError
from pipeline.core.machine import Machine
from pipeline.core.stage import launch
from pipeline.core.tables import DATASET, read_table
from pipeline.encoders.section import AudioFeatures, ImageFeatures, SoundFeatures, TextFeatures, is_log_mel
from pipeline.features.audio_frames import write_frames
from pipeline.features.audio_windows import write_windows
from pipeline.features.image import write_image_features
from pipeline.features.sound_table import write_sounds
from pipeline.features.text import write_text_features
from pipeline.store.table import count_rows

log = logging.getLogger(__name__)

KINDS: dict[str, tuple[str, Any]] = {  # the items, and the section of the parameters
    "audio": ("tracks", AudioFeatures),
    "image": ("posters", ImageFeatures),
    "text": ("texts", TextFeatures),
    "sound": ("tracks", SoundFeatures),
}


def main(root: Path, kind: str, features: Any, machine: Machine) -> None:
    """Write the table of `kind`; `features` is its section of the parameters."""
    dataset = read_table(root / "data/dataset.parquet", DATASET, "split")
    if not dataset:
        raise StageError("data/dataset.parquet lists no tracks: run `dvc repro split`")
    path = root / f"data/features/{kind}.parquet"
    if kind == "text":
        computed = write_text_features(path, dataset, features, machine)
    elif kind == "image":
        computed = write_image_features(root, path, dataset, features, machine)
    elif kind == "sound":
        computed = write_sounds(root, path, dataset, features, machine)
    elif is_log_mel(features.encoder):
        computed = write_frames(root, path, dataset, features, machine)
    else:
        computed = write_windows(root, path, dataset, features, machine)
    films = len({row["fid"] for row in dataset})
    what = KINDS[kind][0]
    log.info("%s: %d rows of %d films; %d %s computed, others known", path, count_rows(path), films, computed, what)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", required=True, choices=KINDS)
    name = parser.parse_args().kind
    launch(main, {f"features.{name}": KINDS[name][1], "machine": Machine}, name)
