"""Vectors of own music and of the data set follow the same rules."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.apps.library import embed
from pipeline.apps.library.embed import embed_file
from pipeline.apps.library.indexing import update_library
from pipeline.apps.library.recipe import recipe_of
from pipeline.apps.recommend.index import open_index
from pipeline.apps.recommend.trained import trained_models
from pipeline.core.errors import ModelError
from pipeline.encoders import pretrained
from pipeline.features.sound import describe
from pipeline.model.index import index_films
from pipeline.store.index import read_peaks
from tests.apps.library.world import CPU, make_heard_world, music, small
from tests.features.pieces import clicks
from tests.features.small import AUDIO, WINDOWS
from tests.segment.sounds import RATE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["float16", "uint8", "wav2vec2", "musicnn"])
def test_the_data_sets_own_files_get_the_data_sets_own_vectors(tmp_path, params, tiny, kind):
    if kind == "musicnn":
        audio = replace(WINDOWS, encoder=kind, window_seconds=30.0, window_hop_seconds=30.0)
    elif kind == "wav2vec2":
        audio = replace(WINDOWS, encoder=str(tiny(kind)))
    else:
        audio = replace(AUDIO, dtype=kind)
    root, out = tmp_path / "root", tmp_path / "library"
    rows = make_heard_world(root, audio)
    index_films(root, tmp_path / "films.parquet", "Heard", ["tags"], 4, CPU)
    films = open_index(tmp_path / "films.parquet", "")
    # The current settings differ: those of the model count.
    settings = small(params, replace(AUDIO, n_mels=20))
    update_library(root, replace(settings, segment=params.segment), root / "data/audio", out, ["Heard"])
    own = open_index(out / "tracks/Heard.parquet", "")
    assert len(films) == len(own) == len(rows)
    places = {f"data/audio/{row['path']}": number for number, row in enumerate(own.rows(range(len(own))))}
    order = [places[row["path"]] for row in films.rows(range(len(films)))]
    np.testing.assert_allclose(own.vectors[order], films.vectors, atol=1e-5)
    spread = films.vectors @ films.vectors.T
    assert spread.min() < 1 - 1e-4, "or else any order would do"
    assert_same_sounds(films, own, order, tagged=kind == "musicnn")


def assert_same_sounds(films, own, order, tagged):
    """Assert that both indexes agree on each file; exactly where the rate is that of `features.sound`."""
    assert (films.about.get("music_tags") is not None) == (films.probabilities is not None) == tagged
    for row, place in enumerate(order):
        assert read_peaks(own.path, place) is not None
        (one,), (other,) = films.rows([row]), own.rows([place])
        assert (one["tempo"], one["key"]) == (other["tempo"], other["key"])
        assert one["loudness"] == pytest.approx(other["loudness"], abs=0.5)
        assert (one["vocals"] is not None) == (other["vocals"] is not None) == tagged
        if tagged:  # which decodes at that rate
            assert one["loudness"] == other["loudness"]
            assert one["music_tags"] == other["music_tags"] != ""
            assert one["vocals"] == pytest.approx(other["vocals"], abs=1e-5)
            assert read_peaks(films.path, row) == read_peaks(own.path, place)
    if tagged:
        assert films.about["music_tags"] == own.about["music_tags"]
        assert len(films.about["music_tags"]) == len(set(films.about["music_tags"])) == films.probabilities.shape[1]
        np.testing.assert_allclose(films.probabilities, own.probabilities[order].astype(int), atol=1)


def test_model_trained_on_a_gpu_runs_on_a_cpu_with_separate_caches(tmp_path, params, tiny, monkeypatch):
    rows = make_heard_world(tmp_path, replace(WINDOWS, encoder=str(tiny("wav2vec2"))))
    path = tmp_path / "models/Heard/config.json"
    config = json.loads(path.read_text())
    config["features"]["audio"]["precision"] = "bfloat16"
    path.write_text(json.dumps(config))
    model, settings = trained_models(tmp_path)["Heard"], small(params)
    assert embed_file(tmp_path / rows[0]["path"], model, settings, CPU).shape == (6,)
    here = recipe_of(model, settings)
    monkeypatch.setattr(pretrained, "supports_bfloat16", lambda device: True)
    there = recipe_of(model, settings)
    assert (here.spec["precision"], there.spec["precision"]) == ("float32", "bfloat16")
    assert here.about != there.about


def test_a_segment_has_the_vector_of_the_same_music_in_a_file(root, settings, tmp_path):
    wave = music(1, 12.0)
    (tmp_path / "Music").mkdir()
    soundfile.write(tmp_path / "Music/all.wav", wave, RATE)
    for number, start in enumerate((0, 5, 10)):
        soundfile.write(tmp_path / f"Music/part {number}.wav", wave[start * RATE : (start + 5) * RATE], RATE)
    update_library(root, settings, tmp_path / "Music", tmp_path / "out", ["Words"])
    index = open_index(tmp_path / "out/tracks/Words.parquet", "")
    assert len(index) == 6
    assert np.array_equal(index.vectors[:3], index.vectors[3:])
    assert not np.allclose(index.vectors[0], index.vectors[1], atol=1e-4)


def test_on_a_cpu_vectors_do_not_depend_on_other_files(indexed_once, root, music_made, settings, tmp_path):
    together = open_index(indexed_once / "tracks/Words.parquet", "")
    for name in ("Dawn/02 calm.mp3", "Dusk/fire.mp3"):
        folder, out = tmp_path / "alone" / Path(name).stem, tmp_path / "out" / Path(name).stem
        folder.mkdir(parents=True)
        shutil.copy(music_made / name, folder)
        update_library(root, settings, folder, out, ["Words"])
        alone = open_index(out / "tracks/Words.parquet", "")
        assert len(alone) == len(together.find(name))
        assert np.array_equal(alone.vectors, together.vectors[together.find(name)])


def test_on_a_gpu_files_share_batches_and_vectors_differ_only_by_rounding(
    indexed_once, root, folder, settings, tmp_path, monkeypatch
):
    calls = []
    embed_tracks = embed.embed_tracks

    def counted(model, tracks, *rest):
        calls.append(len(tracks.names))
        return embed_tracks(model, tracks, *rest)

    monkeypatch.setattr(embed, "embed_tracks", counted)
    monkeypatch.setattr(embed, "overlaps", lambda device: True)
    monkeypatch.setattr(embed, "GROUP_FILES", 3)
    update_library(root, settings, folder, tmp_path / "out", ["Words"])
    alone, together = (open_index(path / "tracks/Words.parquet", "") for path in (indexed_once, tmp_path / "out"))
    assert len(calls) == 2 and sum(calls) == len(together)  # of four files
    assert together.rows(range(len(together))) == alone.rows(range(len(alone)))
    np.testing.assert_allclose(together.vectors, alone.vectors, atol=1e-6)


def test_a_file_is_the_mean_of_its_segments(indexed_once, music_made, models_made, settings):
    model = trained_models(models_made)["Words"]
    index = open_index(indexed_once / "tracks/Words.parquet", "")
    for name in ("Dawn/02 calm.mp3", "single.mp3"):
        total = index.vectors[index.find(name)].sum(axis=0)
        vector = embed_file(music_made / name, model, settings, CPU)
        assert (vector.shape, vector.dtype) == ((6,), np.float32)
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-6)


def test_a_file_that_cannot_be_embedded_says_why(models_made, settings, tmp_path):
    model = trained_models(models_made)["Words"]
    (tmp_path / "text.mp3").write_text("no music")
    soundfile.write(tmp_path / "silent.wav", np.zeros(3 * RATE, np.int16), RATE)
    soundfile.write(tmp_path / "long.wav", music(1, 4.0), RATE)
    short = replace(settings, recommend=replace(settings.recommend, max_track_seconds=3.0))
    for name, why in {"text.mp3": "decodable audio", "silent.wav": "silence", "gone.mp3": "No such file"}.items():
        with pytest.raises(ModelError, match=f"{name} cannot be used: .*{why}"):
            embed_file(tmp_path / name, model, settings, CPU)
    with pytest.raises(ModelError, match="more than 3 s"):
        embed_file(tmp_path / "long.wav", model, short, CPU)


def test_no_progress_of_single_files_is_shown(indexed_once, music_made, models_made, settings, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    embed_file(Path(music_made / "single.mp3"), trained_models(models_made)["Words"], settings, CPU)
    assert capsys.readouterr().err == ""


def test_what_a_segment_sounds_like_and_the_outline_of_its_file(root, settings, tmp_path):
    wave = np.concatenate([np.zeros(5 * RATE, np.int16), clicks(120, 5.0, RATE)])
    wave[6 * RATE] = 32767
    (tmp_path / "Music").mkdir()
    soundfile.write(tmp_path / "Music/half.wav", wave, RATE)
    update_library(root, settings, tmp_path / "Music", tmp_path / "out", ["Words"])
    path = tmp_path / "out/tracks/Words.parquet"
    (row,) = open_index(path, "").rows([0])
    assert (row["file_start_seconds"], row["recording_seconds"], row["vocals"]) == (5.0, 10.0, None)
    expected = describe(wave[5 * RATE :], RATE, settings.features.sound)
    assert (row["tempo"], row["key"], row["loudness"]) == expected
    assert row["tempo"] == pytest.approx(120, rel=0.01)
    peaks = read_peaks(path, 0)
    assert peaks[:100] == bytes(100) and peaks[100] > 100 and peaks[120] == 255
