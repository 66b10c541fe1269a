"""The data set: usable films joined with their segments, and its files."""

import pickle
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import StageError
from pipeline.core.files import write_bytes, write_json
from pipeline.core.tables import DATASET, write_table
from pipeline.core.variants import Variant, known_parts
from pipeline.split.assign import SPLITS
from pipeline.split.groups import Groups
from pipeline.split.section import Split

FOLDER = Path("data/meta")  # relative to the root
USABLE = ("ok", "no_plot", "no_tags", "no_poster", "bad_poster")  # statuses of films with at least one input

Row = dict[str, Any]
LeftOut = dict[str, tuple[str, str]]  # status and reason by film


def usable_films(
    films: Iterable[Row],
    segments: Iterable[Row],
    variants: Mapping[str, Variant],
    settings: Split,
    given: Mapping[str, str],
) -> tuple[list[Row], dict[str, list[Row]], LeftOut]:
    """Return the films with audio and the inputs of a variant, their segments by number, and the films left out.

    `split.films` leaves out incomplete films, and `split.others` those that the `given` split does not name.
    """
    audio: dict[str, list[Row]] = {}
    for segment in segments:
        if segment["status"] == "ok":
            audio.setdefault(segment["fid"], []).append(segment)
    usable: list[Row] = []
    left_out: LeftOut = {}
    for film in films:
        if film["status"] not in USABLE or (settings.films == "complete" and film["status"] != "ok"):
            left_out[film["fid"]] = (film["status"], film["reason"])
        elif given and settings.others == "leave_out" and film["fid"] not in given:
            left_out[film["fid"]] = ("not_given", "the given split does not name it, and split.others is leave_out")
        elif not any(row.reads(known_parts(film)) for row in variants.values()):
            left_out[film["fid"]] = ("not_read", f"no variant can use it: {film['reason']}")
        elif film["fid"] not in audio:
            left_out[film["fid"]] = ("no_audio", "it has no segments")
        else:
            usable.append(film)
    tracks = {film["fid"]: sorted(audio[film["fid"]], key=lambda segment: segment["number"]) for film in usable}
    return usable, tracks, left_out


def require_films(usable: list[Row], left_out: LeftOut) -> None:
    """Raise `StageError` if no film is usable."""
    if not usable:
        raise StageError(
            f"split: none of the {len(left_out)} films is usable ({reasons(left_out)}); "
            "see `reason` in data/films.parquet, data/downloads.parquet and data/segments.parquet"
        )


def compared_films(films: Iterable[Row], variants: Mapping[str, Variant]) -> set[str]:
    """Return the ids of the films with the inputs of every variant."""
    return {film["fid"] for film in films if all(row.reads(known_parts(film)) for row in variants.values())}


def reasons(left_out: LeftOut) -> str:
    """Return e.g. `3 no_audio, 1 no_plot`, most frequent first."""
    counts = Counter(status for status, _ in left_out.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {status}" for status, count in ordered)


def dataset_rows(
    films: Iterable[Row],
    tracks: dict[str, list[Row]],
    splits: dict[str, list[str]],
    compared: Collection[str],
    groups: Groups,
) -> list[Row]:
    """Return the rows of `data/dataset.parquet`, by split, film and number.

    `compared` are the films with the inputs of every variant, `groups` the shared music.
    """
    known = {film["fid"]: film for film in films}
    texts = ("title", "year", "tags", "plot", "image", "url")
    sounds = ("fid", "number", "path", "seconds", "sha256", "file_sha256", "source_url")
    return [
        {name: known[fid][name] for name in texts}
        | {name: track[name] for name in sounds}
        | {"recording": groups.recordings[track["source"]], "sound": groups.sounds[track["path"]]}
        | {"split": split, "compared": fid in compared}
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
