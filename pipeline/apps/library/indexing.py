"""Create or update a library from a folder of music: only new files are decoded and embedded.

Files with unchanged size and times are not read, unless a rescan is requested. Results are cached by the SHA-256 of a
file's content, so a renamed file is only read. A killed run resumes from the cache; the tables are written last.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path

from pipeline.apps.library.decode import Trouble, decode_files, read_facts, read_landmarks
from pipeline.apps.library.duplicates import write_duplicates
from pipeline.apps.library.embed import embed_all
from pipeline.apps.library.identify import identified
from pipeline.apps.library.library import is_library, write_contents
from pipeline.apps.library.place import library_folder, music_folder
from pipeline.apps.library.progress import Report, unreported
from pipeline.apps.library.recipe import Recipe, recipe_of
from pipeline.apps.library.report import Summary, summary_of, troubles
from pipeline.apps.library.table import OK, PENDING, Row, read_files, with_facts, write_files
from pipeline.apps.library.tracks import keep_only, write_tracks
from pipeline.apps.library.walk import AUDIO, walk
from pipeline.apps.recommend.trained import Model, Trained, require, trained_models
from pipeline.core.errors import ModelError, StageError, disk_error
from pipeline.core.machine import Machine, choose_device
from pipeline.params import Params
from pipeline.store.cache import FeatureCache, open_cache


def update_library(
    root: Path,
    params: Params,
    folder: Path,
    out: Path,
    variants: Sequence[str] | None = None,
    alone: Model | None = None,
    rescan: bool = False,
    report: Report = unreported,
) -> Summary:
    """Create or update the library at `out` of the music in `folder`, with the models below `root`.

    It gets an index for each of `variants` (None: all trained ones) and no other; or only for `alone`, a joint encoder
    or a published model, and then nothing below `root` is read. With `rescan` all files are read again, even those that
    look unchanged. `report` is called after each file or group of files.

    Raises `MissingFileError` if there is no folder or no model, `ModelError` for an untrained variant or an `out` that
    cannot be written to, `StageError` if there is no usable audio file, and for a full or failing disk.
    """
    try:
        return _update(root, params, folder, out, variants, alone, rescan, report)
    except OSError as error:
        raise disk_error(error, out, "python -m pipeline index") from error


def _update(
    root: Path,
    params: Params,
    folder: Path,
    out: Path,
    variants: Sequence[str] | None,
    alone: Model | None,
    rescan: bool,
    report: Report,
) -> Summary:
    models: list[Model]
    models = [alone] if alone is not None else [*_chosen(trained_models(root), variants)]
    music = music_folder(folder)
    place = library_folder(out, music)
    found = walk(music, place)
    if not found:
        raise StageError(f"FOLDER: {music} has no audio files; allowed are {', '.join(sorted(AUDIO))}")
    _begin(place, music)
    before = {row["path"]: row for row in read_files(place)}
    rows = identified(music, found, {} if rescan else before, params.machine.processes, report)
    device = choose_device(params.machine.device)
    made: list[tuple[Model, Recipe, list[Row], dict[str, Row], FeatureCache, FeatureCache]] = []
    for recipe, of_recipe in _by_recipe(models, params):
        features = open_cache(place, "audio", recipe.about)
        facts, trouble = _facts(place, music, rows, recipe, features, params.machine, report)
        files = _told(rows, facts, trouble, music)
        if not any(row["status"] == OK for row in files):
            write_files(place, made[0][2] if made else files)
            raise StageError("\n".join([f"none of {len(files)} files can be used:", *troubles(files, place)]))
        if not made:
            duplicates = write_duplicates(place, files, recipe.about, partial(read_landmarks, features))
        for model in of_recipe:
            vectors = open_cache(place, "vectors", {"audio": recipe.about, "model": model.digest})
            embed_all(model, recipe, facts, features, vectors, params, device, report)
            made.append((model, recipe, files, facts, features, vectors))
    segments = {of_one[0].name: write_tracks(place, *of_one) for of_one in made}  # a server may be reading the old ones
    keep_only(place, models)
    file_rows = made[0][2]
    write_files(place, file_rows)
    write_contents(place, music, {model.name: model.digest for model in models})
    return summary_of(music, file_rows, before, segments, models, duplicates)


def _chosen(models: dict[str, Trained], variants: Sequence[str] | None) -> list[Trained]:
    if variants is None:
        return list(models.values())
    if not variants:
        raise ModelError(f"--variants: found none, allowed are the trained variants {', '.join(models)}")
    return [require(models, variant) for variant in dict.fromkeys(variants)]


def _begin(place: Path, music: Path) -> None:
    """Create the library folder with its library.json, so that a killed run can resume there."""
    if is_library(place):
        return
    try:
        write_contents(place, music, {})
    except OSError as error:
        raise ModelError(f"--out: {place} cannot be written to ({error.strerror}); choose another folder") from None


def _by_recipe(models: Sequence[Model], params: Params) -> list[tuple[Recipe, list[Model]]]:
    """Return the models grouped by the features that they need."""
    groups: dict[str, tuple[Recipe, list[Model]]] = {}
    for model in models:
        recipe = recipe_of(model, params)
        groups.setdefault(json.dumps(recipe.about), (recipe, []))[1].append(model)
    return list(groups.values())


def _facts(
    place: Path,
    music: Path,
    rows: Sequence[Row],
    recipe: Recipe,
    features: FeatureCache,
    machine: Machine,
    report: Report,
) -> tuple[dict[str, Row], Trouble]:
    """Return the facts of each file by digest, decoding new files, and the files that cannot be read."""
    first = {row["sha256"]: row for row in reversed(rows) if not row["status"]}
    facts = {sha256: read_facts(features, sha256) for sha256 in first if sha256 in features}
    missing = sorted((row for sha256, row in first.items() if sha256 not in facts), key=itemgetter("path"))
    if not missing:
        return facts, {}
    write_files(place, _told(rows, facts, {}, music))  # keeps the digests if the run is killed
    trouble = decode_files(music, missing, recipe, features, machine, report)
    decoded = [row["sha256"] for row in missing if row["sha256"] not in trouble]
    return facts | {sha256: read_facts(features, sha256) for sha256 in decoded}, trouble


def _told(rows: Sequence[Row], facts: Mapping[str, Row], trouble: Trouble, music: Path) -> list[Row]:
    """Return `rows` with the facts of their files."""
    file_rows = []
    for row in rows:
        sha256 = row["sha256"]
        if row["status"]:
            file_rows.append(row)
        elif sha256 in facts:
            file_rows.append(with_facts(row, facts[sha256], music.name))
        elif sha256 in trouble:
            status, reason = trouble[sha256]
            file_rows.append(row | {"status": status, "reason": reason, "sha256": ""})
        else:
            file_rows.append(row | {"status": PENDING, "reason": "not decoded yet"})
    return file_rows
