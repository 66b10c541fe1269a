"""The films that can be used, joined with their segments, and the files that are written of them."""

import pickle
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.core.errors import StageError
from pipeline.core.files import write_bytes, write_json
from pipeline.core.tables import DATASET, write_table
from pipeline.split.assign import SPLITS

FOLDER = Path("data/meta")  # below the root

Row = dict[str, Any]


def usable_films(films: Iterable[Row], segments: Iterable[Row]) -> tuple[list[Row], dict[str, list[Row]], Counter[str]]:
    """Return the films that are ok and have audio, the segments of each by number, and how many films lack what.

    Raises `StageError` when no film is left.
    """
    audio: dict[str, list[Row]] = {}
    for segment in segments:
        if segment["status"] == "ok":
            audio.setdefault(segment["fid"], []).append(segment)
    usable: list[Row] = []
    left_out: Counter[str] = Counter()
    for film in films:
        if film["status"] != "ok":
            left_out[film["status"]] += 1
        elif film["fid"] not in audio:
            left_out["no_audio"] += 1
        else:
            usable.append(film)
    if not usable:
        raise StageError(
            f"split: none of the {left_out.total()} films can be used ({reasons(left_out)}); "
            "see `reason` in data/films.parquet, data/downloads.parquet and data/segments.parquet"
        )
    tracks = {film["fid"]: sorted(audio[film["fid"]], key=lambda segment: segment["number"]) for film in usable}
    return usable, tracks, left_out


def reasons(left_out: Counter[str]) -> str:
    """Return e.g. `3 no_audio, 1 no_plot`, the most frequent first."""
    ordered = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {reason}" for reason, count in ordered)


def dataset_rows(films: Iterable[Row], tracks: dict[str, list[Row]], splits: dict[str, list[str]]) -> list[Row]:
    """Return the rows of `data/dataset.parquet`: by split, film and number."""
    known = {film["fid"]: film for film in films}
    texts = ("title", "year", "tags", "plot", "image", "url")
    sounds = ("fid", "number", "path", "seconds", "sha256", "file_sha256", "source_url")
    return [
        {name: known[fid][name] for name in texts} | {name: track[name] for name in sounds} | {"split": split}
        for split in SPLITS
        for fid in splits[split]
        for track in tracks[fid]
    ]


def write_dataset(root: Path, rows: list[Row]) -> None:
    """Write the table and the reference's files."""
    folder = root / FOLDER
    for split in SPLITS:
        write_json(folder / f"{split}.json", _index(row for row in rows if row["split"] == split))
    films = {row["fid"]: row for row in sorted(rows, key=lambda row: row["fid"])}
    write_json(folder / "fid_to_text.json", {fid: row["tags"] for fid, row in films.items()})
    write_json(folder / "meta.json", {fid: {"plot": row["plot"]} for fid, row in films.items()})
    candidates = [_reference_path(row) for row in rows if row["split"] == "eval"]
    write_bytes(folder / "movie_all_audio_paths.pkl", pickle.dumps(candidates, protocol=4))
    write_table(root / "data/dataset.parquet", rows, DATASET)


def _index(rows: Iterable[Row]) -> dict[str, dict[str, str]]:
    return {str(i): {"path": _reference_path(row), "FID": row["fid"]} for i, row in enumerate(rows)}


def _reference_path(row: Row) -> str:
    return f"./{row['path']}"
