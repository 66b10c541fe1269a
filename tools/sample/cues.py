"""The true tempo and key of every cue of the embedded corpus, reproduced from the build: `cues.csv` in this folder.

    VENV/bin/python tools/sample/cues.py    # in the environment of build.py, without its system packages; ten minutes

The random draws of every film are repeated up to the notes, without rendering them. If a film's page or containers
differ from the corpus, the draws differ too, which is an error. Films whose cues form one recording are left out. The
tempo is that of the beat of the composition's metre, which layers of the arrangement halve or double; the key is
estimated from the excerpt's notes with Krumhansl's profiles, transposed like the arrangement.
"""

import csv
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from build import CONTAINER_SHARES, CONTAINERS, CUE_SECONDS
from casting import cue_list
from music import compose
from records import SEED, film_id, load_films
from shown import page_name, show

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "data/sample"
TABLE = Path(__file__).with_name("cues.csv")


class KnownCue(NamedTuple):
    """The facts about the music in a file of the corpus."""

    audio: str  # the file's name in site/audio
    seconds: float
    mood: str
    band: str
    piece: str
    tempo: float  # beats per minute
    key: str


def main() -> None:
    """Write the table."""
    films = load_films()
    meta = json.loads((CORPUS / "meta.json").read_text(encoding="utf-8"))
    names = [[url.rpartition("/")[2] for url in meta[film_id(number)]["soundtrack"]] for number in range(len(films))]
    with ProcessPoolExecutor() as pool:
        found = [cue for cues in pool.map(cues_of, range(len(films)), films, names) for cue in cues]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([KnownCue._fields, *found])
    print(f"{TABLE}: {len(found)} cues")


def cues_of(number: int, film: dict, names: list[str]) -> list[KnownCue]:
    """Return the cues of film `number` with files `names`; raise `RuntimeError` if the draws differ."""
    if film.get("trouble") == "one_recording":
        return []
    rng = np.random.default_rng([SEED, number])
    page = (CORPUS / "site/wiki" / page_name(film)).read_text(encoding="utf-8")
    is_same = page == show(film, rng).page
    cues = []
    for mood, band in cue_list(film, rng):
        seconds = round(float(rng.uniform(*CUE_SECONDS)), 2)
        cues.append((seconds, mood, band, compose(mood, seconds, rng)))
    suffixes = [str(rng.choice(list(CONTAINERS), p=CONTAINER_SHARES)) for _ in cues]
    if not is_same or suffixes != [name.rpartition(".")[2] for name in names]:
        raise RuntimeError(f"{film['title']} differs from the corpus: install tools/sample/requirements.txt")
    known = [KnownCue(name, *cue, one.piece, one.tempo, one.key) for name, (*cue, one) in zip(names, cues, strict=True)]
    return [cue for cue in known if (CORPUS / "site/audio" / cue.audio).is_file()]  # the others are dead links


if __name__ == "__main__":
    main()
