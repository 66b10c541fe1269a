"""The features stage, killed at random moments and run again, leaves the same files as an undisturbed run."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.core.files import sha256_of
from pipeline.core.tables import DATASET, write_table
from pipeline.media.audio import write_mp3

ROOT = Path(__file__).parents[2]
TRACKS, KILLS, FEWEST = 120, 4, 2
RUN = """
import torchaudio.functional  # so that its seconds do not fall into the work
from pipeline.features import audio_frames
audio_frames.GROUP_ROWS = 2
from pipeline.core.stage import launch
from pipeline.params import Params
from stages.features import main
def run(root, params):
    print("ready", flush=True)
    main(root, "audio", params.features.audio, params.machine)
launch(run, {"": Params})
"""


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


def launched(folder: Path) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    return process


def shards(folder: Path) -> set[Path]:
    return set((folder / "data/features/.cache/audio").glob("*/[!.]*.safetensors"))


@pytest.mark.slow
def test_killed_at_random_moments(start, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    shutil.copytree(start, undisturbed)
    shutil.copytree(start, disturbed)
    process = launched(undisturbed)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    dice, kept, kills = random.Random(0), set(), 0
    for _ in range(KILLS):
        process = launched(disturbed)
        more = len(kept) + dice.randint(0, 4)
        while len(shards(disturbed)) < more and process.poll() is None:
            time.sleep(0.002)
        time.sleep(dice.uniform(0.0, 0.03))
        if process.poll() is not None:  # a busy machine woke this test too late
            process.communicate()
            break
        process.kill()
        process.communicate()
        kills += 1
        assert kept <= shards(disturbed), "what was finished is lost"
        kept = shards(disturbed)
    assert kills >= FEWEST, "it has ended too soon: the test shows nothing"
    kept = shards(disturbed)
    (disturbed / "data/features/.part-audio.parquet-1.parquet").write_bytes(b"PAR1")  # killed while it wrote the table
    process = launched(disturbed)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    known = TRACKS - 2 * len(kept)
    assert kept and f"{known} tracks computed" in errors.decode()
    tables = [folder / "data/features/audio.parquet" for folder in (disturbed, undisturbed)]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert not shards(disturbed), "the table has them"
    assert not list((disturbed / "data/features").glob(".part-*.parquet*")), "a killed run's table stays"
