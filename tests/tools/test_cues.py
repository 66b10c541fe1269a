"""The record of the embedded corpus's music: it refers to existing files."""

import csv
from pathlib import Path

from pipeline.media.audio import mono

ROOT = Path(__file__).parents[2]
AUDIO = ROOT / "data/sample/site/audio"


def test_cues_are_files_of_the_corpus_and_as_long_as_they_were_played():
    with (ROOT / "tools/sample/cues.csv").open(encoding="utf-8", newline="") as file:
        cues = list(csv.DictReader(file))
    names = [cue["audio"] for cue in cues]
    assert len(set(names)) == len(names)
    there = {path.name for path in AUDIO.iterdir()}
    assert set(names) <= there and len(there - set(names)) <= 4, "what is left out is one recording of several cues"
    assert all(30 <= float(cue["tempo"]) <= 320 and cue["key"].split(" ")[-1] in ("major", "minor") for cue in cues)
    for cue in cues[:8]:
        seconds = sum(len(block) for block in mono(AUDIO / cue["audio"], 16000)) / 16000
        assert abs(seconds - float(cue["seconds"])) < 0.1
