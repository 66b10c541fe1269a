"""The features stage, killed at random moments and run again, leaves the same files as an undisturbed run."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.core.files import sha256_of
from pipeline.core.stage import launch
from pipeline.core.tables import DATASET, write_table
from pipeline.features import audio_frames
from pipeline.media.audio import write_mp3
from pipeline.params import Params
from stages import features
from tests.forks import Fork

ROOT = Path(__file__).parents[2]
TRACKS, KILLS, FEWEST = 120, 4, 2


def work(say: Callable[[str], None]) -> None:
    """Run the stage on audio, two rows per shard; its work begins with the message."""

    def run(root: Path, params: Params) -> None:
        say("ready")
        features.main(root, "audio", params.features.audio, params.machine)

    audio_frames.GROUP_ROWS = 2
    launch(run, {"": Params})


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A root folder with params.yaml and a data set of short tracks."""
    folder, rng, rows = tmp_path / "start", np.random.default_rng(0), []
    for number in range(TRACKS):
        path = f"data/audio/A/A/A/{number}.mp3"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_mp3(folder / path, (3000 * rng.standard_normal(22050)).astype(np.int16), 22050, 96000)
        row = dict.fromkeys(DATASET.names, "") | {"fid": "AAA", "number": number, "path": path, "year": 1950}
        rows.append(row | {"seconds": 1.0, "compared": True, "file_sha256": sha256_of(folder / path)})
    write_table(folder / "data/dataset.parquet", rows, DATASET)
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["machine"]["processes"] = 1
    params["features"]["audio"]["encoder"] = "log-mel"
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    return folder


def launched(folder: Path) -> Fork:
    """Return the stage's process once its work begins."""
    process = Fork(folder, work)
    assert process.message() == "ready"
    return process


def shards(folder: Path) -> set[Path]:
    return set((folder / "data/features/.cache/audio").glob("*/[!.]*.safetensors"))


@pytest.mark.slow
def test_killed_at_random_moments(start, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    shutil.copytree(start, undisturbed)
    shutil.copytree(start, disturbed)
    launched(undisturbed).finish()
    dice, kept, kills = random.Random(0), set(), 0
    for _ in range(KILLS):
        process = launched(disturbed)
        more = len(kept) + dice.randint(0, 4)
        while len(shards(disturbed)) < more and not process.ended():
            time.sleep(0.002)
        time.sleep(dice.uniform(0.0, 0.03))
        if process.ended():  # a busy machine woke this test too late
            break
        process.kill()
        kills += 1
        assert kept <= shards(disturbed), "what was finished is lost"
        kept = shards(disturbed)
    assert kills >= FEWEST, "it has ended too soon: the test shows nothing"
    kept = shards(disturbed)
    (disturbed / "data/features/.part-audio.parquet-1.parquet").write_bytes(b"PAR1")  # killed while it wrote the table
    log = launched(disturbed).finish()
    known = TRACKS - 2 * len(kept)
    assert kept and f"{known} tracks computed" in log
    tables = [folder / "data/features/audio.parquet" for folder in (disturbed, undisturbed)]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert not shards(disturbed), "the table has them"
    assert not list((disturbed / "data/features").glob(".part-*.parquet*")), "a killed run's table stays"
