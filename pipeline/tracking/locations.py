"""Locations of artifacts, corrected in `mlflow.db`: MLflow records absolute paths, which are wrong after a move.

Otherwise new models would be written to the old path, or from a copy to the original, and old ones could not be loaded.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

ARTIFACTS = "mlartifacts"
BUSY_SECONDS = 30.0  # to wait for another writer
OF_EXPERIMENT = "WHERE experiment_id IN (SELECT experiment_id FROM experiments WHERE name = ?)"
RECORDS = {  # by table and column: the condition for records of an experiment and of the model registered by its name
    ("experiments", "artifact_location"): "WHERE name = ?",
    ("runs", "artifact_uri"): OF_EXPERIMENT,
    ("logged_models", "artifact_location"): OF_EXPERIMENT,
    ("model_versions", "storage_location"): "WHERE name = ?",
}


def database(home: Path) -> Path:
    """Return the store of the repository `home`."""
    return home / "mlflow.db"


def artifact_root(home: Path) -> str:
    """Return the URI of the artifacts of the repository `home`."""
    return (home / ARTIFACTS).as_uri()


def relocate(home: Path, name: str) -> int:
    """Correct the locations of the experiment and the model `name` to the artifacts of `home`; return their number.

    Locations that this project did not choose, in a bucket or a folder of another name, are not changed; nor are
    existing artifacts that are missing here, as in a copy without artifacts. New ones are always written here. Raises
    `sqlite3.Error` for a store that cannot be opened, which MLflow itself would retry for minutes.
    """
    with closing(sqlite3.connect(database(home), timeout=BUSY_SECONDS)) as store:
        if not _has_tables(store):
            return 0
        found = [
            (table, column, row, tail)
            for (table, column), selection in RECORDS.items()
            for row, location in store.execute(f"SELECT rowid, {column} FROM {table} {selection}", [name])
            if (tail := _strayed(home, location)) is not None
            and (not tail or (home / ARTIFACTS / tail).exists() or not _path(location).exists())
        ]
        with store:  # one transaction
            for table, column, row, tail in found:
                location = (home / ARTIFACTS / tail).as_uri()
                store.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", [location, row])
    return len(found)


def read_experiment(home: Path, name: str) -> tuple[bool, Path | None]:
    """Return whether the experiment `name` was deleted, and the repository of its artifacts if it is not `home`.

    Raises `sqlite3.Error` for a store that cannot be opened.
    """
    with closing(sqlite3.connect(f"{database(home).as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as store:
        if not _has_tables(store):
            return False, None
        rows = store.execute("SELECT lifecycle_stage, artifact_location FROM experiments WHERE name = ?", [name])
        stage, location = rows.fetchone() or ("", "")
    return stage == "deleted", _path(location).parent if _strayed(home, location) == "" else None


def _has_tables(store: sqlite3.Connection) -> bool:
    return store.execute("SELECT 1 FROM sqlite_master WHERE name = 'model_versions'").fetchone() is not None


def _strayed(home: Path, location: str | None) -> str | None:
    """Return the path of `location` within the artifacts of another repository than `home`; None if it is elsewhere.

    It is empty for the artifacts folder itself, the location of an experiment.
    """
    path = _path(location or "")
    if ARTIFACTS not in path.parts or path.is_relative_to(home / ARTIFACTS):
        return None
    return "/".join(path.parts[len(path.parts) - path.parts[::-1].index(ARTIFACTS) :])


def _path(location: str) -> Path:
    """Return the path of a location in the file system; empty for other URIs."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return Path(location if location.startswith("/") else "")
