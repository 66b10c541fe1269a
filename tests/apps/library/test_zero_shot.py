"""Own music indexed and searched with a joint encoder, without a corpus, a trained model or a data set."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML

from pipeline.__main__ import main
from pipeline.apps.library.embed import embed_file
from pipeline.apps.library.library import open_library
from pipeline.apps.library.table import read_files
from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import open_recommender
from pipeline.apps.recommend.zero_shot import open_zero_shot
from pipeline.encoders.joint import direction, load_joint
from pipeline.media.audio import mono
from pipeline.params import load_params
from pipeline.store.audio_table import window_starts
from tests.apps.library.world import LIBRARY
from tests.conftest import ROOT
from tests.encoders.tiny import JOINT

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
KEYS = ["rank", "score", "film", "year", "artist", "title", "start_seconds", "file_start_seconds", "seconds"]
TAGS, PLOT = "noir, 1950s, revenge", "A dog runs.\n\nWar begins at home."


@pytest.fixture(autouse=True)
def no_network(without_network: None) -> None:
    """Make every connection and name look-up fail the test."""


@pytest.fixture(params=JOINT)
def here(request, tiny, music_made, tmp_path, monkeypatch) -> Path:
    """A working directory that holds parameters, music and a joint encoder, and nothing else."""
    settings = YAML().load((ROOT / "params.yaml").read_text())
    settings["machine"] |= {"processes": 1, "device": "cpu"}
    settings["segment"] |= {"seconds": 5.0, "hop_seconds": 5.0, "min_seconds": 2.0}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(settings, file)
    shutil.copytree(music_made, tmp_path / "Music")
    shutil.copytree(tiny(request.param), tmp_path / "encoder")
    (tmp_path / "plot.txt").write_text(PLOT)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)).save(tmp_path / "poster.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only(kind):
    """Run a test with one kind of joint encoder only."""
    return pytest.mark.parametrize("here", [kind], indirect=True)


def index(*more: str) -> int:
    return main(["index", "Music", "--out", "own", "--zero-shot", "encoder", *more])


def ask(capsys, *given: str, library: str = "own") -> dict:
    """Return the answer of `recommend` as JSON."""
    capsys.readouterr()
    code = main(["recommend", "--zero-shot", "encoder", "--library", library, "--json", "-k", "9", *given])
    found = capsys.readouterr()
    assert code == 0, found.err
    return json.loads(found.out)


def refusal(capsys, *given: str) -> str:
    """Return the error of a command that must fail."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(main([*given]))
    assert ended.value.code
    return f"{ended.value.code} {capsys.readouterr().err}"


def by_hand(encoder, path):
    """Return the unit vector of each 5 s of a file, cut and encoded by hand."""
    rate = encoder.audio.sample_rate
    samples = np.concatenate(list(mono(path, rate))).astype(np.float32) / 32768
    length = round(encoder.windows.window_seconds * rate)
    segments = [samples[start : start + 5 * rate] for start in range(0, len(samples), 5 * rate)]
    kept = [segment for segment in segments if len(segment) >= 2 * rate] or segments[:1]
    return [
        direction(encoder.audio.encode([s[start : start + length] for start in window_starts(len(s), length, length)]))
        for s in kept
    ]


def test_index_holds_the_vectors_of_each_segments_windows(here, capsys):
    assert index() == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  tracks: 4, in 6 segments for encoder" in lines
    assert lines[-1].startswith('  python -m pipeline recommend --library own --zero-shot encoder --tags "..."')
    assert {path.name for path in here.iterdir()} == {
        *("params.yaml", "Music", "encoder", "plot.txt", "poster.png"),
        "own",
    }
    params = load_params(here / "params.yaml")
    model = open_zero_shot("encoder", params, CPU)
    found = open_library(here / "own").index(model)
    expected = {name: by_hand(model.encoder, here / "Music" / name) for name in LIBRARY}
    assert [row["path"] for row in found.rows(range(len(found)))] == [
        name for name, vectors in sorted(expected.items()) for _ in vectors
    ]
    together = np.concatenate([expected[name] for name in sorted(expected)])
    assert np.abs(found.vectors - together).max() < 1e-5
    alone = embed_file(here / "Music/single.mp3", model, params, CPU)
    assert np.abs(alone - expected["single.mp3"][0]).max() < 1e-5


def test_tracks_come_by_their_cosine_with_what_is_known_of_the_film(here, capsys):
    index()
    encoder = load_joint("encoder", CPU, 4)
    parts = {
        "tags": direction(encoder.text.encode([TAGS])),
        "plot": direction(encoder.text.encode(["A dog runs.", "War begins at home."])),
    }
    best = {name: np.stack(by_hand(encoder, here / "Music" / name)) for name in LIBRARY}
    asked = {"tags": ("--tags", TAGS), "plot": ("--plot", "plot.txt")}
    if encoder.image:
        parts["image"] = encoder.image(Image.open(here / "poster.png").convert("RGB"))
        asked["image"] = ("--image", "poster.png")
    for names in (["tags"], ["plot"], ["tags", "plot"], list(parts)):
        query = direction(np.stack([parts[name] for name in names]))
        answer = ask(capsys, *(word for name in names for word in asked[name]))
        scores = {f"Music/{name}": float((vectors @ query).max()) for name, vectors in best.items()}
        assert {track["path"] for track in answer["tracks"]} == set(scores)
        for track in answer["tracks"]:
            assert track["score"] == pytest.approx(scores[track["path"]], abs=1e-5)
        found = [track["score"] for track in answer["tracks"]]
        assert found == sorted(found, reverse=True)
        assert (answer["variant"], answer["unused"], answer["library"]) == ("encoder", [], "own")
        assert list(answer["tracks"][0])[: len(KEYS)] == KEYS


def test_what_is_here_is_not_decoded_again(here, heard, capsys):
    index()
    assert len(heard) == 4
    index()
    assert len(heard) == 4
    assert "0 new, 0 changed, 4 unchanged" in capsys.readouterr().out
    assert {row["status"] for row in read_files(here / "own")} == {"ok"}


@only("joint_clap")
def test_a_folder_of_music_is_indexed_first_and_a_track_may_be_liked(here, capsys):
    answer = ask(capsys, "--like", "Music/single.mp3", library="Music")
    assert "Music/single.mp3" not in {track["path"] for track in answer["tracks"]}
    assert len(answer["tracks"]) == 3
    (place,) = (here / "data/libraries").iterdir()
    assert place.name == "encoder", "apart from what trained models make of the same folder"


@only("joint_gemma")
def test_why_leaves_out_each_part_that_is_given(here, capsys):
    index()
    query = ("--tags", TAGS, "--image", "poster.png")
    whole, alone = ask(capsys, *query, "--why"), ask(capsys, "--tags", TAGS)
    scores = {track["path"]: track["score"] for track in alone["tracks"]}
    for track in whole["tracks"]:
        assert set(track["without"]) == {"tags", "image"}
    assert {track["path"]: track["without"]["image"]["score"] for track in whole["tracks"]} == pytest.approx(
        scores, abs=1e-5
    )
    assert ask(capsys, "--tags", TAGS, "--why")["tracks"][0]["without"] == {}


@only("joint_clap")
def test_without_an_image_encoder_images_are_unused_or_refused(here, capsys):
    index()
    assert ask(capsys, "--tags", TAGS, "--image", "poster.png")["unused"] == ["image"]
    asked = ("recommend", "--zero-shot", "encoder", "--library", "own", "--image", "poster.png")
    assert "encoder reads tags and plot" in refusal(capsys, *asked)


@only("joint_clap")
def test_libraries_of_other_models_are_refused_with_what_to_run(here, tiny, models_made, capsys):
    from safetensors.torch import load_file, save_file

    asked = ("recommend", "--library", "own", "--tags", "war")
    index()
    shutil.copytree(tiny("joint_gemma"), here / "another")
    found = refusal(capsys, *asked, "--zero-shot", "another")
    assert "no index for another (found: encoder)" in found
    assert f"index {here / 'Music'} --out own --zero-shot another" in found
    weights = load_file(here / "encoder/model.safetensors")
    name = "audio_projection.linear2.weight"
    save_file(weights | {name: weights[name] + 0.1}, here / "encoder/model.safetensors", {"format": "pt"})
    found = refusal(capsys, *asked, "--zero-shot", "encoder")
    assert "own/tracks/encoder.parquet was made with other weights" in found
    shutil.copytree(models_made / "models", here / "models")
    assert "no index for M-Words (found: encoder)" in refusal(capsys, *asked)


@only("joint_clap")
def test_it_needs_music_and_excludes_trained_variants(here, capsys):
    assert "--library" in refusal(capsys, "recommend", "--zero-shot", "encoder", "--tags", "war")
    assert "--library" in refusal(capsys, "serve", "--zero-shot", "encoder", "--port", "0")
    for command in (["index", "Music", "--out", "own", "--variants"], ["recommend", "--tags", "war", "--variant"]):
        assert "not allowed with" in refusal(capsys, *command, "Words", "--zero-shot", "encoder")


@only("joint_clap")
def test_the_recommender_knows_one_model_and_no_data_set(here):
    recommender = open_recommender(here, load_params(here / "params.yaml"), "encoder")
    assert (list(recommender.models), recommender.libraries) == (["encoder"], {})
    model, why = recommender.model_for(Query(None, "war", None, None), None)
    assert (model.figures_of(("tags",)), "not trained" in why) == (None, True)


def test_leaving_parts_out_of_many_queries_or_one_is_the_same(here):
    model = open_recommender(here, load_params(here / "params.yaml"), "encoder").zero_shot
    picture = Image.new("RGB", (20, 30), (200, 30, 30))
    queries = [Query(None, tags, plot, picture) for tags, plot in (("war", "a dog .\nhome ."), ("home", "a dog ."))]
    without = [frozenset(parts) for parts in ((), ("tags",), ("tags", "image"))]
    found = model.encode_without(queries, without)
    assert found.shape[:2] == (3, 2)
    for number, query in enumerate(queries):
        known = {"tags": [query.tags], "plot": query.plot.split("\n")}
        parts = {name: direction(model.encoder.text.encode(texts)) for name, texts in known.items()}
        if "image" in model.needs:
            parts["image"] = model.encoder.image(picture)
        for place, left_out in enumerate(without):
            kept = [vector for name, vector in parts.items() if name not in left_out]
            np.testing.assert_allclose(found[place, number], direction(np.stack(kept)), atol=1e-5)
