"""Pushing the published model to the hub with a generated card; local paths and passwords are refused."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

from pipeline.apps.published.card import Facts, model_card
from pipeline.apps.published.folder import LIMITS, encoders_of, is_shareable, read_config
from pipeline.apps.recommend.index import TrackIndex, open_index
from pipeline.apps.recommend.trained import PUBLISHED
from pipeline.core.errors import HubError, MissingFileError, ModelError
from pipeline.core.files import sha256_of, write_bytes
from pipeline.core.hub import Address, explained, hub
from pipeline.model.store import CONFIG, WEIGHTS
from pipeline.store.index import INDEX, INDEX_KEYS

CARD = "README.md"
REPUBLISH = "run `dvc repro publish`"
LICENSES = {"MIT License": "mit", "Apache License": "apache-2.0"}  # first line of LICENSE: id on the hub
OTHER = "other"
PRIVATE = re.compile(
    r"/|~|[A-Za-z]:\\|file:|\w+://[^/]*@", re.IGNORECASE
)  # start of a path, or of a URL with a password
UPLOADED = "is not published:"


def prepare(root: Path, address: Address, corpus: str, license_id: str | None, out: Path) -> None:
    """Write models/published below `root` and a model card to the folder `out`.

    `license_id` defaults to the repository's licence. Raises `MissingFileError` if the model or its evaluation is
    missing, and `ModelError` if they are inconsistent or name local files, or if `out` holds other files than an
    earlier call wrote.
    """
    folder = root / "models" / PUBLISHED
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if there and (CARD not in there or there - {CARD, *LIMITS}):
        raise ModelError(f"{out} holds other files ({min(there)}, ...): name a new folder")
    for name in LIMITS:
        if not (folder / name).is_file():
            raise MissingFileError(f"{folder / name} is missing: {REPUBLISH}")
    config, digest = read_config(str(folder), folder), sha256_of(folder / WEIGHTS)
    metrics = _metrics(root / f"metrics/evaluate/{config.variant}.json", digest)
    index = open_index(folder / INDEX, REPUBLISH)
    if index.about.get("model") != digest:
        raise ModelError(f"{folder / INDEX} was computed with other weights than {folder / WEIGHTS}: {REPUBLISH}")
    for key, name in encoders_of(config):
        if not is_shareable(name):
            raise ModelError(
                f"{folder / CONFIG}: {key}: found {name!r}, a local folder; allowed are models of a package or the hub"
            )
    _require_public(index, folder / INDEX)
    tracks = index.tracks.select(["fid", "split"]).to_pylist()
    facts = Facts(address, corpus, license_id or _license(root), digest, tracks)
    try:
        card = model_card(config, metrics, facts)
    except KeyError as error:
        advice = f"run `dvc repro -f -s evaluate@{config.variant}`"
        raise ModelError(f"metrics/evaluate/{config.variant}.json lacks {error}: {advice}") from None
    try:
        for name in LIMITS:
            write_bytes(out / name, (folder / name).read_bytes())
        write_bytes(out / CARD, card.encode())
    except OSError as error:
        raise ModelError(f"{out} cannot be written ({error.strerror or error}): name another folder") from None


def push(folder: Path, address: Address, private: bool, message: str) -> str:
    """Push the files of `folder` as a commit to the model at `address`, created if missing; return the commit's URL.

    Raises `HubError` if the hub refuses or is unreachable, or if `private` is set for an existing public model.
    """
    api = hub()
    with explained(address, UPLOADED), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about a Parquet file in a model's repository, which is intended
        api.create_repo(address.repository, private=private or None, exist_ok=True)
        if private and not api.model_info(address.repository).private:
            raise HubError(f"{address} {UPLOADED} it is public; make it private on the hub, or leave out --private")
        commit = api.upload_folder(
            repo_id=address.repository, folder_path=folder, commit_message=message, revision=address.revision
        )
    return str(commit.commit_url)


def _metrics(path: Path, digest: str) -> dict[str, Any]:
    """Return the figures in `path`, which must be those of the weights with `digest`."""
    advice = f"run `dvc repro evaluate@{path.stem}`"
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        measured = metrics["model"][WEIGHTS]
    except FileNotFoundError:
        raise MissingFileError(f"{path} is missing: {advice}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise MissingFileError(f"{path} cannot be read ({error}): remove it and {advice}") from None
    if measured != digest:
        raise ModelError(
            f"{path} belongs to other weights ({str(measured)[:8]}) than models/{PUBLISHED} ({digest[:8]}): "
            "run `dvc repro`"
        )
    return metrics


def _require_public(index: TrackIndex, path: Path) -> None:
    """Raise `ModelError` if a field of a track is a local path or holds a password."""
    names = [name for name in INDEX_KEYS.names if name not in ("film", "title", "artist", "music_tags")]
    for track in index.tracks.select(names).to_pylist():
        for name in names:
            if PRIVATE.match(str(track[name])):
                raise ModelError(f"{path}: {track['fid']}/{track['number']}: {name} is private: {track[name]!r}")


def _license(root: Path) -> str:
    """Return the repository's licence as its id on the hub."""
    try:
        first = (root / "LICENSE").read_text(encoding="utf-8").lstrip().splitlines()[0].strip()
    except (OSError, ValueError, IndexError):
        return OTHER
    return LICENSES.get(first, OTHER)
