"""A folder of music made into a library, or one brought up to date: only what is new is decoded and embedded.

A file whose size and times are as they were is not read, unless all are asked for. One that is new or changed is known
by the SHA-256 of its content, under which all that was computed is kept, so a file that was renamed is only read. What
a killed run had finished stays; the tables are made of it whole, last.
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
    """Make the library of the music in `folder` at `out`, or bring it up to date, by the models below `root`.

    It has an index for each of `variants` (None: all that are trained) and for no other; or for `alone`, a joint
    encoder or somebody's model, and nothing below `root` is looked at. With `rescan` all files are read again, also
    those that look unchanged. `report` is called with each file or group of files that is done. Raises
    `MissingFileError` where there is no folder or no model, `ModelError` for a variant that is not trained and for a
    place that cannot be written to, `StageError` where no file is audio or none can be used, and for a disk that is
    full or refuses.
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
        raise StageError(f"FOLDER: {music} holds no audio file; they are known by {', '.join(sorted(AUDIO))}")
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
    segments = {of_one[0].name: write_tracks(place, *of_one) for of_one in made}  # a server reads them meanwhile
    keep_only(place, models)
    file_rows = made[0][2]
    write_files(place, file_rows)
    write_contents(place, music, {model.name: model.digest for model in models})
    return summary_of(music, file_rows, before, segments, models, duplicates)


def _chosen(models: dict[str, Trained], variants: Sequence[str] | None) -> list[Trained]:
    if variants is None:
        return list(models.values())
    if not variants:
        raise ModelError(f"variants: none is named, trained are {', '.join(models)}")
    return [require(models, variant) for variant in dict.fromkeys(variants)]


def _begin(place: Path, music: Path) -> None:
    """Make the folder of the library and let it say whose it is, so that a run that is killed can go on there."""
    if is_library(place):
        return
    try:
        write_contents(place, music, {})
    except OSError as error:
        raise ModelError(f"--out: {place} cannot be written to ({error.strerror}); name another place") from None


def _by_recipe(models: Sequence[Model], params: Params) -> list[tuple[Recipe, list[Model]]]:
    """Return the models that need the same features together."""
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
    """Return what is found in each file, by digest, decoding what is new; and which files cannot be read."""
    first = {row["sha256"]: row for row in reversed(rows) if not row["status"]}
    facts = {sha256: read_facts(features, sha256) for sha256 in first if sha256 in features}
    missing = sorted((row for sha256, row in first.items() if sha256 not in facts), key=itemgetter("path"))
    if not missing:
        return facts, {}
    write_files(place, _told(rows, facts, {}, music))  # their digests need not be taken again after a kill
    trouble = decode_files(music, missing, recipe, features, machine, report)
    decoded = [row["sha256"] for row in missing if row["sha256"] not in trouble]
    return facts | {sha256: read_facts(features, sha256) for sha256 in decoded}, trouble


def _told(rows: Sequence[Row], facts: Mapping[str, Row], trouble: Trouble, music: Path) -> list[Row]:
    """Return `rows` with what is known of their files."""
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
            file_rows.append(row | {"status": PENDING, "reason": "it has not been decoded yet"})
    return file_rows
