"""A joint encoder as a baseline: it alone reads texts, posters and tracks, each once for all variants."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import stages.evaluate
from pipeline.core.errors import MissingFileError, ModelError
from pipeline.core.files import sha256_of
from pipeline.core.tables import DATASET, write_table
from pipeline.core.variants import Variant
from pipeline.encoders.joint import direction, load_joint
from pipeline.evaluate import zero_shot
from pipeline.evaluate.evaluation import measure
from pipeline.evaluate.ranking import one_row_each
from pipeline.evaluate.zero_shot import evaluate_zero_shot
from pipeline.media.audio import mono, write_mp3
from pipeline.store.audio_table import window_starts
from pipeline.store.films import films_of, open_store
from tests.encoders.tiny import JOINT
from tests.evaluate.small_world import BASELINES, EVALUATE, make_world
from tests.segment.sounds import RATE, music
from tests.small_machine import MACHINE

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SETTINGS = replace(EVALUATE, ks=[1, 10])
INPUTS = (["tags"], ["plot"], ["tags_plot"], ["tags", "plot"], ["plot", "image"], ["tags_plot", "image"])
PLOTS = ("A dog runs.", "War begins.\n\n A dog comes home. \n", "Two thieves fall out.\nOne of them is caught.")


@pytest.fixture
def world(tmp_path):
    """A data set with sound, posters, texts, and a model of plot and image."""
    made = make_world(tmp_path)
    rng = np.random.default_rng(0)
    for number, row in enumerate(made.rows):
        film = ord(row["fid"][2]) - ord("A")
        row |= {"tags": f"{row['year']} war {'romance' * (film % 2)}", "plot": PLOTS[film % 3], "seconds": 1.25}
        path = tmp_path / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mp3(path, music(number, 1.3), RATE, 96000)
        row["file_sha256"] = sha256_of(path)
        if not (tmp_path / row["image"]).is_file():
            (tmp_path / row["image"]).parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (40, 30 + film, 3), np.uint8)).save(tmp_path / row["image"])
    write_table(tmp_path / "data/dataset.parquet", made.rows, DATASET)
    return made


def pool(world):
    """Return the films of the test set."""
    rows = [row for row in world.rows if row["split"] == "eval"]
    return films_of(rows, open_store(world.root / "data/features", world.inputs))


def run(world, encoder, inputs, rankings=None):
    films = pool(world)
    ranked = rankings or [{"fid": film.fid, "recall_at_10": 1.0, "mrr": 1.0} for film in films]
    return evaluate_zero_shot(world.root, inputs, films, ranked, replace(SETTINGS, zero_shot=str(encoder)), MACHINE)


def by_hand(world, encoder, inputs):
    """Return the queries [films, e] and tracks [tracks, e] of the pool."""
    rate = encoder.audio.sample_rate
    length = round(encoder.windows.window_seconds * rate)
    queries, tracks = [], []
    for film in pool(world):
        row = film.tracks[0]
        parts = []
        if {"tags", "tags_plot"} & {*inputs}:
            parts.append(encoder.text.encode([row["tags"]])[0])
        if {"plot", "tags_plot"} & {*inputs}:
            lines = [line.strip() for line in row["plot"].split("\n") if line.strip()]
            parts.append(direction(encoder.text.encode(lines)))
        if "image" in inputs:
            parts.append(encoder.image(Image.open(world.root / row["image"]).convert("RGB")))
        queries.append(direction(np.stack(parts)))
        for track in film.tracks:
            samples = np.concatenate(list(mono(world.root / track["path"], rate)))[: round(1.25 * rate)] / 32768
            cut = [samples[s : s + length].astype(np.float32) for s in window_starts(len(samples), length, length)]
            tracks.append(direction(encoder.audio.encode(cut)))
    return np.stack(queries), np.stack(tracks)


@pytest.mark.parametrize("kind", JOINT)
def test_figures_equal_those_of_the_encoders_own_vectors(world, tiny, kind, monkeypatch):
    encoder = load_joint(str(tiny(kind)), CPU, 4)
    seen = []
    beside = zero_shot.figures_beside
    monkeypatch.setattr(zero_shot, "figures_beside", lambda *given: seen.append(given) or beside(*given))
    for inputs in INPUTS:
        if "image" in inputs and encoder.image is None:
            continue
        found = run(world, tiny(kind), inputs)["zero_shot"]
        _, queries, tracks, *_ = seen[-1]
        expected = by_hand(world, encoder, inputs)
        assert np.abs(queries - expected[0]).max() < 1e-5, inputs
        assert np.abs(tracks - expected[1]).max() < 1e-5
        metrics, _ = measure(pool(world), one_row_each(queries), tracks, {}, SETTINGS)
        assert found["mrr"] == metrics["mrr"]
        assert found["ci95"] == metrics["ci95"]
        low, mean, high = found["difference"]
        assert mean == pytest.approx(1 - found["recall_at_10"])
        assert low <= mean <= high
        assert found["encoder"] == str(tiny(kind))


def test_tracks_texts_and_posters_are_encoded_once_for_all_variants(world, tiny, monkeypatch):
    read = []
    for name in ("track_samples", "read_poster"):
        real = getattr(zero_shot, name)
        monkeypatch.setattr(zero_shot, name, lambda path, *more, real=real: read.append(path) or real(path, *more))
    first = run(world, tiny("joint_gemma"), ["tags_plot", "image"])
    tracks = sum(len(film.tracks) for film in pool(world))
    assert len(read) == tracks + len(pool(world))
    for inputs in INPUTS:
        run(world, tiny("joint_gemma"), inputs)
    assert run(world, tiny("joint_gemma"), ["image", "tags_plot"]) == first
    assert len(read) == tracks + len(pool(world))


def test_unreadable_inputs_are_left_out_with_a_reason(world, tiny, caplog):
    for inputs in (["image"], ["tags", "image"]):
        assert run(world, tiny("joint_clap"), inputs) == {}
        assert f"{tiny('joint_clap')} cannot read image" in caplog.text
    assert not (world.root / "data/features/.cache/joint").exists()


def test_the_stage_adds_it_to_the_baselines_if_it_is_named(world, tiny, monkeypatch):
    monkeypatch.setattr(stages.evaluate, "log_evaluation", lambda *arguments: None)
    found = []
    for named in (None, str(tiny("joint_gemma"))):
        settings = replace(SETTINGS, zero_shot=named)
        stages.evaluate.main(
            world.root, world.variant, {world.variant: Variant(world.inputs)}, settings, BASELINES, MACHINE
        )
        found.append(json.loads((world.root / f"metrics/evaluate/{world.variant}.json").read_text()))
        assert (world.root / "data/features/.cache/joint").exists() == (named is not None)
    without, beside = found
    assert list(beside["baselines"]) == [*BASELINES, "zero_shot"]
    figures = beside["baselines"].pop("zero_shot")
    assert beside == without
    assert figures["difference"][1] == pytest.approx(without["recall_at_10"] - figures["recall_at_10"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda path: path.unlink(), "is missing: run `dvc repro segment`"),
        (lambda path: path.write_bytes(b"other"), "is not the file that data/dataset.parquet lists"),
    ],
)
def test_a_missing_track_is_named(world, tiny, change, problem):
    track = pool(world)[1].tracks[0]
    change(world.root / track["path"])
    with pytest.raises(MissingFileError, match=f"{track['path']} {problem}"):
        run(world, tiny("joint_clap"), ["tags"])


def test_a_missing_poster_and_an_invalid_encoder_are_named(world, tiny):
    image = pool(world)[1].tracks[0]["image"]
    (world.root / image).unlink()
    with pytest.raises(MissingFileError, match=f"{image} is missing"):
        run(world, tiny("joint_gemma"), ["image"])
    with pytest.raises(ModelError, match="zero_shot: "):
        run(world, tiny("bert"), ["tags"])
