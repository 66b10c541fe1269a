"""No network, and a data set of three films with generated sound."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.core.files import sha256_of
from pipeline.core.tables import DATASET, write_table
from pipeline.encoders.section import Features, ImageFeatures, TextFeatures
from pipeline.media.audio import write_mp3
from tests.features.small import AUDIO, RATE, SOUND

LENGTHS = {("AAA", 0): 22050, ("AAA", 1): 30001, ("AAB", 0): 500, ("AAC", 0): 22050}  # samples of each track


@pytest.fixture(autouse=True)
def no_network(without_network: None) -> None:
    """Fail the test on any connection or name look-up."""


@pytest.fixture
def features() -> Features:
    """Small spectrograms and the packaged encoders."""
    return Features(
        AUDIO,
        ImageFeatures(encoder="efficientnet-lite0", pooling="auto", crops=1),
        TextFeatures(encoder="all-MiniLM-L6-v2", pooling="auto", max_tokens=64),
        SOUND,
    )


@pytest.fixture
def dataset(tmp_path: Path) -> list[dict[str, Any]]:
    """Rows of data/dataset.parquet, with their files below `tmp_path`."""
    rng = np.random.default_rng(0)
    plots = {"AAA": "A dog runs away.\nIt comes home.", "AAB": "Two thieves fall out.", "AAC": "War begins."}
    rows = []
    for (fid, number), length in LENGTHS.items():
        path = f"data/audio/{'/'.join(fid)}/{number}.mp3"
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        write_mp3(tmp_path / path, (3000 * rng.standard_normal(length)).astype(np.int16), RATE, 96000)
        row = dict.fromkeys(DATASET.names, "") | {"fid": fid, "number": number, "path": path, "year": 1950}
        row |= {"file_sha256": sha256_of(tmp_path / path), "compared": True}
        row |= {"seconds": length / RATE, "tags": f"1950 tag {fid.lower()}", "plot": plots[fid]}
        rows.append(row | {"split": "train", "image": f"data/image/{fid}.jpg"})
    (tmp_path / "data/image").mkdir()
    for fid, size in {"AAA": (224, 330), "AAB": (400, 224), "AAC": (224, 224)}.items():
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"data/image/{fid}.jpg")
    write_table(tmp_path / "data/dataset.parquet", rows, DATASET)
    return rows
