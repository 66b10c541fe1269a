"""A corpus in the reference's layout: images, audio and texts by id, without a list of URLs.

    meta/fid_to_text.json     {"AAA": "2023 film teleportation …"}: tags, usually the year first
    meta/meta.json            {"AAA": {"plot": "paragraph\\nparagraph"}}; may be missing
    audio/A/A/A/0.mp3, …      image/AAA.jpg

Either in the corpus's folder or in its `data/`. Texts are not changed; fields other than `plot` are not used. The files
are fetched as those of any corpus, with this folder as the served site.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.core.errors import CorpusError
from pipeline.corpus.entry import BAD_ID, Problem, grouped, is_text, short, unused_fields
from pipeline.corpus.film import FID, ORIGIN, YEARS, Film
from pipeline.corpus.forms import list_file
from pipeline.corpus.title import collapsed

TRACK = re.compile(r"(0|[1-9][0-9]{0,5})\.mp3")
TAGS = "fid_to_text.json"
IMAGE = re.compile(r"([A-Z]{3})\.jpg")


def reference_layout(folder: Path) -> Path | None:
    """Return the folder with `meta`, `audio` and `image`; None if there is a list, or no such layout."""
    if list_file(folder) is not None:
        return None
    return next((place for place in (folder, folder / "data") if (place / "meta" / TAGS).is_file()), None)


def films_of_layout(place: Path) -> tuple[list[Film], list[str]]:
    """Return the films with texts in `place` by id, and the unused fields; raise `CorpusError`.

    The title is unknown: it is set to the id. The year is the first tag, if that is a year. The soundtrack is the
    existing tracks, by number.
    """
    tags = tags_in(place / "meta" / TAGS)
    plots: dict[str, str] = {}
    unused: list[str] = []
    if (place / "meta/meta.json").exists():
        plots = _texts(place / "meta/meta.json", 'an object {"plot": "…"}', lambda value: value.get("plot", ""))
        unused = unused_fields(_object(place / "meta/meta.json").values(), {"plot"})
    images = {found[1] for path in _listed(place / "image") if (found := IMAGE.fullmatch(path.name))}
    films = [_film(place, fid, tags.get(fid), plots.get(fid), fid in images) for fid in sorted({*tags, *plots})]
    return films, unused


def tags_in(path: Path) -> dict[str, str]:
    """Return the tags of each film in a `fid_to_text.json`; raise `CorpusError`."""
    return _texts(path, "a text of tags", lambda value: value)


def _film(place: Path, fid: str, tags: str | None, plot: str | None, has_image: bool) -> Film:
    tracks = [path.name for path in _listed(place.joinpath("audio", *fid)) if TRACK.fullmatch(path.name)]
    first = tags.split()[0] if tags else ""
    return Film(
        fid=fid,
        wikipedia="",
        soundtrack=tuple(
            f"{ORIGIN}/audio/{'/'.join(fid)}/{name}" for name in sorted(tracks, key=lambda name: int(name[:-4]))
        ),
        title=fid,
        year=int(first) if re.fullmatch(r"[0-9]{4}", first) and int(first) in YEARS else None,
        tags=tags,
        plot=plot,
        image=f"{ORIGIN}/image/{fid}.jpg" if has_image else None,
    )


def _texts(path: Path, expected: str, text_of: Callable[[Any], Any]) -> dict[str, str]:
    """Return the text of each id with collapsed lines; empty texts are left out."""
    texts, problems = {}, []
    for fid, value in _object(path).items():
        try:
            text = text_of(value)
        except AttributeError:
            text = None
        if not FID.fullmatch(fid):
            problems.append(Problem(short(fid), "", "", BAD_ID))
        elif is_text(text):
            texts[fid] = "\n".join(filter(None, map(collapsed, text.splitlines())))
        elif text != "":
            problems.append(Problem(fid, "", short(value), f"expected {expected}"))
    if problems:
        raise CorpusError("\n".join(f"{path}: {line}" for line in grouped(problems)))
    return texts


def _object(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON: {error}") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None
    if not isinstance(raw, dict) or not raw:
        raise CorpusError(f'{path} must contain an object {{"AAA": …}} with at least one film, found {short(raw)}')
    return raw


def _listed(folder: Path) -> list[Path]:
    """Return the files of `folder`; empty if it does not exist."""
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []
