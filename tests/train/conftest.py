"""A small set of feature tables whose music is determined by the film."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.store.frames import write_frames_table
from pipeline.store.table import IMAGE_KEYS, TEXT_KEYS, write_features

MELS, MAX_FRAMES, TRACKS = 8, 20, 3


def dataset_rows(splits: dict[str, int]) -> list[dict]:
    """Return rows of data/dataset.parquet: `splits` films per set, TRACKS tracks per film."""
    rows, film = [], 0
    for split, count in splits.items():
        for _ in range(count):
            fid = f"AA{chr(65 + film)}"
            known = {"fid": fid, "split": split, "tags": "t", "plot": "p", "image": "i.jpg"}
            rows += [known | {"number": number, "path": f"{fid}/{number}"} for number in range(TRACKS)]
            film += 1
    return rows


@pytest.fixture
def dataset() -> list[dict]:
    """Eight training films, four for validation."""
    return dataset_rows({"train": 8, "valid": 4})


@pytest.fixture
def features(tmp_path: Path, dataset: list[dict]) -> Path:
    """The folder of feature tables for `dataset`: image, texts and spectra depend on a film's number."""
    rng = np.random.default_rng(0)
    fids = sorted({row["fid"] for row in dataset})
    folder = tmp_path / "data/features"
    kinds = {fid: rng.normal(size=6) for fid in fids}

    def noisy(fid: str, width: int) -> np.ndarray:
        return np.resize(kinds[fid], width) + 0.1 * rng.normal(size=width)

    audio = np.stack([noisy(row["fid"], MAX_FRAMES * MELS) for row in dataset])
    keys = [
        {"fid": row["fid"], "number": row["number"], "frames": MAX_FRAMES - row["number"], "sha256": row["path"]}
        for row in dataset
    ]
    spec = {"encoder": "log-mel", "sample_rate": 100, "hop_length": 10, "n_mels": MELS}
    about = {"spec": spec, "versions": {}}
    tracks = [
        of_track.reshape(MAX_FRAMES, MELS)[: key["frames"]].astype(np.float16)
        for key, of_track in zip(keys, audio, strict=True)
    ]
    write_frames_table(folder / "audio.parquet", [(keys, tracks)], "float16", about)
    image = np.stack([noisy(fid, 10) for fid in fids])
    about = {"spec": {"encoder": "test"}}
    keys = [{"fid": fid, "crop": 0, "sha256": fid} for fid in fids]
    write_features(folder / "image.parquet", IMAGE_KEYS, [(keys, image)], 10, np.float32, about)
    texts = [("tags", 0), ("plot", 0), ("plot", 1), ("tags_plot", 0), ("tags_plot", 1)]
    keys = [{"fid": f, "input": name, "paragraph": n, "sha256": f"{f}{name}{n}"} for f in fids for name, n in texts]
    text = np.stack([noisy(key["fid"], 6) for key in keys])
    write_features(folder / "text.parquet", TEXT_KEYS, [(keys, text)], 6, np.float32, about)
    return folder
