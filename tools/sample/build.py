"""Build the embedded corpus, `data/sample/`: meta.json and the site with its pages, posters and audio.

    python -m venv VENV && VENV/bin/pip install -r tools/sample/requirements.txt
    VENV/bin/python tools/sample/build.py data/sample

The other modules turn film records (`films/*.yaml`) into pages, posters and cues; this one assigns them, adds the
faults of the real web, and names files by their content, so that names do not reveal what belongs together. The result
is deterministic with the versions of requirements.txt and the system packages listed in `performance`.
"""

import json
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import music
import numpy as np
import pages
from casting import cue_list
from records import SEED, film_id, load_films
from shown import name_of, page_name, show

CUE_SECONDS = (12.0, 14.0)
LONG_CUE_SECONDS = (22.0, 25.0)  # for films whose cues form one recording
CONTAINERS = {"webm": 20_000, "m4a": 24_000, "mp3": 24_000, "ogg": 0}  # bit/s; Vorbis has a fixed quality
CONTAINER_SHARES = (0.45, 0.25, 0.2, 0.1)


def main(folder: Path) -> None:
    """Write `folder`/meta.json and `folder`/site."""
    films = load_films()
    site = folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    for part in ("wiki", "media", "audio"):
        (site / part).mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        entries = list(pool.map(build_film, [site] * len(films), range(len(films)), films))
    meta = {film_id(number): entry for number, entry in enumerate(entries)}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(films)} films, {sum(len(entry['soundtrack']) for entry in entries)} audio URLs")


def build_film(site: Path, number: int, film: dict) -> dict:
    """Write one film's page, poster and audio under `site` and return its entry of meta.json."""
    rng = np.random.default_rng([SEED, number])
    shown = show(film, rng)
    (site / "media" / shown.picture_name).write_bytes(shown.picture)
    (site / "wiki" / page_name(film)).write_text(shown.page, encoding="utf-8")
    return {
        "wikipedia": "{origin}" + pages.wiki_path(film["title"]),
        "soundtrack": ["{origin}/audio/" + name for name in audio_files(site / "audio", film, rng)],
    }


def audio_files(folder: Path, film: dict, rng: np.random.Generator) -> list[str]:
    """Write the film's cues, or its single recording, and return the names of the files in the order of the scenes."""
    trouble = film.get("trouble")
    shortest, longest = LONG_CUE_SECONDS if trouble == "one_recording" else CUE_SECONDS
    cues = [
        music.arrange(mood, band, round(float(rng.uniform(shortest, longest)), 2), rng).samples
        for mood, band in cue_list(film, rng)
    ]
    if trouble == "one_recording":
        cues = [np.concatenate(cues)]
    names = []
    for position, samples in enumerate(cues):
        container = str(rng.choice(list(CONTAINERS), p=CONTAINER_SHARES))
        data = music.encode(samples, container, CONTAINERS[container])
        if trouble == "truncated" and position == 1:
            data = data[: len(data) * 3 // 5]
        name = store(folder, data, container)
        if trouble == "dead_link" and position == 1:
            (folder / name).unlink()
        names.append(name)
    return names


def store(folder: Path, data: bytes, suffix: str) -> str:
    """Write `data` under a name derived from its content, and return the name."""
    name = name_of(data, suffix)
    (folder / name).write_bytes(data)
    return name


if __name__ == "__main__":
    main(Path(sys.argv[1]))
