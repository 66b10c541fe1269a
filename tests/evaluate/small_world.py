"""A root folder with a data set, features and an untrained model: the inputs of evaluation and publishing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.core.tables import DATASET, DOWNLOADS, FILMS, SEGMENTS, SOUND, write_table
from pipeline.evaluate.section import Evaluate
from pipeline.model.section import AudioTower, Model, Projector, QueryTower
from pipeline.model.store import build_model, model_config, save_model
from pipeline.store.films import open_store
from pipeline.store.frames import write_frames_table
from pipeline.store.table import IMAGE_KEYS, TEXT_KEYS, write_features

TRACKS = {"train": [2, 1], "valid": [2], "eval": [1, 3, 2, 4, 1]}  # tracks of each film in a set
MELS, MAX_FRAMES = 8, 30
MODEL = Model(
    embed_dim=6,
    temperature=0.2,
    max_logit_scale=100.0,
    towers="paper",
    components=6,
    noise=0.0,
    audio=AudioTower(
        window_seconds=0.8,  # 9 frames
        window_hop_seconds=0.4,  # 4 frames
        channels=3,
        blocks=2,
        width=8,
        layers=1,
        heads=2,
        head_width=3,
        feedforward=4,
        positions=9,
        dropout=0.3,
    ),
    query=QueryTower(input_dropout=0.0, width=8, layers=1, heads=2, head_width=3, feedforward=4, dropout=0.3),
    projector=Projector(hidden=7, dropout=0.3),
)
EVALUATE = Evaluate(
    pool="eval",
    paragraphs="mean",
    unit="segment",
    ks=[1, 5, 100],
    genres=["tag"],
    min_slice_films=2,
    bootstrap_samples=50,
    seed=0,
    zero_shot=None,
)


BASELINES = ["linear", "nearest"]


@dataclass(frozen=True)
class World:
    """The root folder, and the variant that has a model."""

    root: Path
    rows: list[dict[str, Any]]  # rows of the data set
    variant: str
    inputs: list[str]


def make_world(
    root: Path, variant: str = "ImPlo", inputs: tuple[str, ...] = ("plot", "image"), drop_inputs: float = 0.0
) -> World:
    """Write a data set, features and a model with fixed pseudo-random weights below `root`."""
    rng = np.random.default_rng(0)
    rows = dataset_rows()
    write_table(root / "data/dataset.parquet", rows, DATASET)
    write_table(root / "data/films.parquet", film_rows(rows), FILMS)
    write_table(root / "data/segments.parquet", segment_rows(rows), SEGMENTS)
    write_table(root / "data/downloads.parquet", download_rows(rows), DOWNLOADS)
    folder, fids = root / "data/features", sorted({row["fid"] for row in rows})

    frames = rng.integers(5, MAX_FRAMES + 1, size=len(rows))  # some tracks are shorter than a window
    frames[-1] = 5
    keys = [
        {"fid": row["fid"], "number": row["number"], "frames": int(n), "sha256": row["file_sha256"]}
        for row, n in zip(rows, frames, strict=True)
    ]
    audio = rng.normal(-40, 10, size=(len(rows), MAX_FRAMES, MELS)).astype(np.float16)
    tracks = [track[:n] for track, n in zip(audio, frames, strict=True)]
    about = {
        "spec": {"encoder": "log-mel", "sample_rate": 100, "hop_length": 10, "n_mels": MELS},
        "versions": {},
    }
    groups = [(keys[:5], tracks[:5]), (keys[5:], tracks[5:])]
    write_frames_table(folder / "audio.parquet", groups, "float16", about)
    about = {"spec": {"encoder": "test"}}
    squares = [{"fid": fid, "crop": n, "sha256": fid} for fid in fids for n in range(3 if fid == fids[-1] else 1)]
    image = [(squares, rng.normal(size=(len(squares), 10)))]
    write_features(folder / "image.parquet", IMAGE_KEYS, image, 10, np.float32, about)
    texts = [
        {"fid": fid, "input": name, "paragraph": paragraph, "sha256": f"{fid}{name}{paragraph}"}
        for number, fid in enumerate(fids)
        for name, paragraphs in (("tags", 1), ("plot", 1 + number % 3), ("tags_plot", 1 + number % 3))
        for paragraph in range(paragraphs)
    ]
    text = [(texts, rng.normal(size=(len(texts), 6)))]
    write_features(folder / "text.parquet", TEXT_KEYS, text, 6, np.float32, about)
    write_table(folder / "sound.parquet", sound_rows(rows), SOUND)

    store = open_store(folder, inputs)
    steps = store.window_steps(0.8)
    config = model_config(variant, list(inputs), MODEL, store.specs(), steps, drop_inputs=drop_inputs)
    torch.manual_seed(0)
    save_model(root / "models" / variant, build_model(config), config)
    (root / "models" / variant / "history.csv").write_text("epoch,train_loss,valid_loss\n1,2.0,3.0\n")
    return World(root, rows, variant, list(inputs))


def film_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of films.parquet; the last film's plot is a placeholder."""
    films = {row["fid"]: row for row in rows}
    return [
        {name: film.get(name) for name in FILMS.names}
        | {"status": "ok", "reason": "", "placeholders": ["plot"] if fid == max(films) else []}
        | {"categories": [], "poster_url": "", "poster_page": ""}
        for fid, film in films.items()
    ]


def segment_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of segments.parquet: each film's tracks are consecutive parts of one recording."""
    return [
        dict.fromkeys(SEGMENTS.names)
        | {name: row[name] for name in SEGMENTS.names if name in row}
        | {"status": "ok", "reason": "", "title": f"Suite {row['fid']}", "start_seconds": 2.0 * row["number"]}
        | {"source": row["recording"]}
        for row in rows
    ]


def download_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of downloads.parquet: a one-minute recording per film, the last with two chapters."""
    chapter = {"title": "Second", "start_seconds": 1.5, "end_seconds": 60.0}
    films = {row["fid"]: row for row in rows}
    return [
        dict.fromkeys(DOWNLOADS.names)
        | {"fid": fid, "number": 0, "status": "ok", "reason": "", "path": film["recording"], "decoded_seconds": 60.0}
        | {"chapters": [chapter] if fid == max(films) else []}
        for fid, film in films.items()
    ]


def sound_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of sound.parquet; the last track has no beat and no key."""
    known = [
        {"tempo": 60.0 + number, "key": "F# minor", "loudness": -20.0, "peaks": bytes([number, 255])}
        for number in range(len(rows))
    ]
    known[-1] |= {"tempo": None, "key": ""}
    return [
        {"fid": row["fid"], "number": row["number"], "sha256": row["file_sha256"], **sound}
        for row, sound in zip(rows, known, strict=True)
    ]


def dataset_rows() -> list[dict[str, Any]]:
    """Return the rows of a data set with `TRACKS`."""
    films = [(split, tracks) for split, of_films in TRACKS.items() for tracks in of_films]
    return [
        {
            "fid": f"AA{chr(65 + film)}",
            "split": split,
            "number": number,
            "path": f"data/audio/A/A/{chr(65 + film)}/{number}.mp3",
            "seconds": 2.0,
            "sha256": f"{film}{number}",
            "file_sha256": f"file {film}{number}",
            "title": f"Film {film}",
            "year": None if film == 3 else 1950 + film,
            "tags": "tag",
            "plot": "plot",
            "image": f"data/image/AA{chr(65 + film)}.jpg",
            "url": f"https://example.org/{film}",
            "source_url": f"https://example.org/{film}.mp3",
            "compared": True,
            "recording": f"data/downloads/AA{chr(65 + film)}/000.mp3",
            "sound": f"data/audio/A/A/{chr(65 + film)}/{number}.mp3",
        }
        for film, (split, tracks) in enumerate(films)
        for number in range(tracks)
    ]
