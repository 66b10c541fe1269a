"""A given split: the split of each of its films.

Either a folder with train.json, valid.json and eval.json as in the published data, each
{"0": {"path": "./data/audio/A/A/A/0.mp3", "FID": "AAA"}, …}, or one file {"AAA": "train", "AAB": "eval", …}.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import StageError
from pipeline.split.assign import SPLITS, split_by_given

PLACES = ("", "meta", "data/meta")  # folders of a split in a corpus of the published layout
EXAMPLES = 5  # films in a message
SHOWN = 10  # groups, one message each

log = logging.getLogger(__name__)


def given_split(root: Path, corpus: str, given: str | None) -> dict[str, str]:
    """Return the split of each film in `split.given`, else in the corpus's own split; {} if there is neither.

    `corpus` is the corpus's folder and `given` a path, both relative to `root`. Raises `StageError` if it is not valid,
    or a film is in two splits.
    """
    if given is None:
        folders = (root / corpus / place for place in PLACES)
        path = next((folder for folder in folders if all(_file(folder, split).is_file() for split in SPLITS)), None)
    else:
        path = root / given
    if path is None:
        return {}
    sides = _of_folder(path) if path.is_dir() else _of_file(path)
    if not sides:
        raise StageError(f"split.given: {path} names no films")
    log.info("split: %d films are given by %s", len(sides), path)
    if given is not None and not path.resolve().is_relative_to((root / corpus).resolve()):
        log.info("split: DVC does not track %s: after a change, run `dvc repro -f -s split`, then `dvc repro`", given)
    return sides


def warn_of_split_groups(groups: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Log each group of films that share a recording but not a split in `given`, and given films that are missing.

    `groups` maps each film to the least film of its group.
    """
    found = split_by_given(groups, given)
    for fids in found[:SHOWN]:
        sides = ", ".join(f"{fid} ({given[fid]})" for fid in fids[:EXAMPLES])
        log.warning("split: the given split separates films that share a recording: %s", sides)
    if found:
        log.warning(
            "split: %d groups of films that share recordings are in several splits: the test set has training data",
            len(found),
        )
    if absent := sorted(given.keys() - groups.keys()):
        names = ", ".join(absent[:EXAMPLES])
        log.warning("split: %d films of the given split are not in the data set: %s …", len(absent), names)


def _of_folder(folder: Path) -> dict[str, str]:
    sides: dict[str, str] = {}
    twice: dict[str, str] = {}
    for split in SPLITS:
        path = _file(folder, split)
        for number, entry in _object(path, '{"0": {"path": "./data/audio/A/A/A/0.mp3", "FID": "AAA"}, …}').items():
            fid = entry.get("FID") if isinstance(entry, dict) else None
            if not isinstance(fid, str):
                raise StageError(f"split.given: {path}: entry {number[:20]!r} has no FID")
            if sides.setdefault(fid, split) != split:
                twice[fid] = f"{fid} is in {sides[fid]}.json and in {split}.json"
    if twice:
        found = "; ".join(list(twice.values())[:EXAMPLES])
        raise StageError(f"split.given: {folder}: films in two splits: {len(twice)}, {found}; keep each in one")
    return sides


def _of_file(path: Path) -> dict[str, str]:
    sides = _object(path, '{"AAA": "train", "AAB": "eval", …}')
    wrong = [f"{fid[:20]!r}: found {str(side)[:20]!r}" for fid, side in sides.items() if side not in SPLITS]
    if wrong:
        found = "; ".join(wrong[:EXAMPLES])
        raise StageError(f"split.given: {path}: {len(wrong)} unknown splits, allowed are {', '.join(SPLITS)}: {found}")
    return sides


def _file(folder: Path, split: str) -> Path:
    return folder / f"{split}.json"


def _object(path: Path, expected: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_unique)
    except FileNotFoundError:
        raise StageError(
            f"split.given: {path} is missing; expected a folder with {', '.join(f'{split}.json' for split in SPLITS)}, "
            'or a file {"AAA": "train", …}'
        ) from None
    except OSError as error:
        raise StageError(f"split.given: {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise StageError(f"split.given: {path} is not JSON of {expected}: {error}") from None
    if not isinstance(found, dict):
        raise StageError(f"split.given: {path}: found {type(found).__name__}, expected {expected}")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found
