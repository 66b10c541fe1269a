"""Where artifacts lie, mended in `mlflow.db`: MLflow records absolute places, which a moved repository has left.

New models would go to the old place, those of a copy into the original's folder, and none of before could be loaded.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

ARTIFACTS = "mlartifacts"
BUSY_SECONDS = 30.0  # to wait for another process that writes
OF_EXPERIMENT = "WHERE experiment_id IN (SELECT experiment_id FROM experiments WHERE name = ?)"
RECORDS = {  # by table and column, what selects the records of an experiment and of the model registered by its name
    ("experiments", "artifact_location"): "WHERE name = ?",
    ("runs", "artifact_uri"): OF_EXPERIMENT,
    ("logged_models", "artifact_location"): OF_EXPERIMENT,
    ("model_versions", "storage_location"): "WHERE name = ?",
}


def database(home: Path) -> Path:
    """Return the store of the repository `home`."""
    return home / "mlflow.db"


def artifact_root(home: Path) -> str:
    """Return the address of the artifacts of the repository `home`."""
    return (home / ARTIFACTS).as_uri()


def relocate(home: Path, name: str) -> int:
    """Let the records of the experiment and the model `name` lead to the artifacts of `home`; return how many did not.

    A place that this project did not choose, in a bucket or a folder of another name, stays; so does what is there and
    not here, as in a copy without artifacts. New ones go here in any case. Raises `sqlite3.Error` for a store that
    cannot be opened, which MLflow itself would try for minutes.
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
    """Return whether the experiment `name` was deleted, and the repository where its artifacts go unless it is `home`.

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
    """Return the path of `location` below artifacts of a repository other than `home`, None where it is no such place.

    It is empty for the artifacts' own folder, which an experiment has.
    """
    path = _path(location or "")
    if ARTIFACTS not in path.parts or path.is_relative_to(home / ARTIFACTS):
        return None
    return "/".join(path.parts[len(path.parts) - path.parts[::-1].index(ARTIFACTS) :])


def _path(location: str) -> Path:
    """Return the path of a location in the file system; an empty one for an address of another kind."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return Path(location if location.startswith("/") else "")
