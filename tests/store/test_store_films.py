"""Films with their features: rows found, windows, grids, and what is missing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core.errors import MissingFileError, ModelError
from pipeline.store.audio_table import hop_steps, steps_per_second, window_of, window_starts
from pipeline.store.films import ABSENT, FeatureStore, films_of, open_store, readable, require_specs
from pipeline.store.frames import write_frames_table
from pipeline.store.table import IMAGE_KEYS, TEXT_KEYS, WINDOW_KEYS, write_features

CPU = torch.device("cpu")
MELS, MAX_FRAMES = 2, 9
FRAMES = {("AAA", 0): 9, ("AAA", 3): 4, ("AAB", 0): 7}
WHOLE = {"tags": "t", "plot": "p", "image": "i.jpg"}
DATASET = [{"fid": fid, "number": number, **WHOLE} for fid, number in FRAMES]
TEXTS = [("AAB", "tags", 0), ("AAB", "plot", 0), ("AAA", "tags", 0), ("AAA", "plot", 0), ("AAA", "plot", 1)]
CROPS = [("AAB", 0), ("AAB", 1), ("AAA", 0), ("AAA", 1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tables whose values encode their position: frame l of a track holds l in both bands."""
    track = np.repeat(np.arange(MAX_FRAMES, dtype=np.float16)[:, np.newaxis], MELS, axis=1)
    keys = [{"fid": f, "number": n, "frames": frames, "sha256": f"{f}{n}"} for (f, n), frames in FRAMES.items()]
    spec = {"encoder": "log-mel", "sample_rate": 100, "hop_length": 10, "n_mels": MELS}
    about = {"spec": spec, "versions": {}}
    groups = [(keys, [track[:frames] for frames in FRAMES.values()])]
    write_frames_table(tmp_path / "audio.parquet", groups, "float16", about)
    keys = [{"fid": fid, "crop": crop, "sha256": fid} for fid, crop in CROPS]
    about = {"spec": {"encoder": "eye"}}
    write_features(tmp_path / "image.parquet", IMAGE_KEYS, [(keys, np.eye(4, 5))], 5, np.float32, about)
    keys = [dict(zip(TEXT_KEYS.names, (*text, "".join(map(str, text))), strict=True)) for text in TEXTS]
    about = {"spec": {"encoder": "pen"}}
    write_features(tmp_path / "text.parquet", TEXT_KEYS, [(keys, np.eye(5, 4))], 4, np.float32, about)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> FeatureStore:
    return open_store(folder, ["plot", "image"])


def test_films_know_their_rows_in_the_order_of_the_data_set(store):
    films = films_of(DATASET, store)
    assert [film.fid for film in films] == ["AAA", "AAB"]
    assert [film.track_rows for film in films] == [(0, 1), (2,)]
    assert [film.tracks for film in films] == [tuple(DATASET[:2]), tuple(DATASET[2:])]
    assert [film.input_rows for film in films] == [{"plot": (3, 4), "image": (2, 3)}, {"plot": (1,), "image": (0, 1)}]
    assert [film.fixed_rows for film in films] == [{"plot": (3, 4), "image": (2,)}, {"plot": (1,), "image": (0,)}]
    assert [film.fid for film in films_of(DATASET[::-1], store)] == ["AAB", "AAA"]


def test_only_the_tables_of_the_inputs_are_needed(folder):
    (folder / "text.parquet").unlink()
    assert films_of(DATASET, open_store(folder, ["image"]))[0].input_rows == {"image": (2, 3)}
    with pytest.raises(MissingFileError, match=r"text\.parquet is missing: run `dvc repro features@text`"):
        open_store(folder, ["image", "tags"])


@pytest.mark.parametrize("lacking", [{"fid": "AAA", "number": 1}, {"fid": "ABC", "number": 0}])
def test_a_track_without_frames_is_named(store, lacking):
    with pytest.raises(MissingFileError, match=rf"{lacking['fid']}.*{lacking['number']}.*dvc repro features"):
        films_of([*DATASET, WHOLE | lacking], store)


def test_a_film_without_a_text_is_named(folder):
    store = open_store(folder, ["tags_plot"])
    with pytest.raises(MissingFileError, match=r"AAA.*dvc repro features"):
        films_of(DATASET, store)


@pytest.mark.parametrize(
    ("row", "start", "length", "expected"),
    [
        (0, 2, 3, [2, 3, 4]),
        (0, 4, 5, [4, 5, 6, 7, 8]),
        (1, 0, 4, [0, 1, 2, 3]),
        (1, 0, 10, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]),
    ],
)
def test_a_window_lies_in_the_track_or_repeats_it(store, row, start, length, expected):
    assert store.windows([row], [start], length, CPU)[0, :, 0].tolist() == expected
    assert window_of(store.audio.read(row), start, length)[:, 0].tolist() == expected


@pytest.mark.parametrize(
    ("row", "length", "hop", "expected"),
    [(0, 3, 2, [0, 2, 4, 6]), (0, 4, 3, [0, 3, 5]), (0, 9, 1, [0]), (1, 9, 4, [0]), (2, 4, 5, [0, 3])],
)
def test_the_grid_covers_a_track_to_its_end(store, row, length, hop, expected):
    steps = int(store.audio.steps[row])
    assert window_starts(steps, length, hop) == expected
    covered = {frame for start in expected for frame in range(start, start + length)}
    assert set(range(steps)) <= covered


def test_a_batch_of_windows_and_vectors(store):
    windows = store.windows([2, 1], [1, 0], 5, CPU)
    assert windows.dtype == torch.float32
    assert windows[..., 1].tolist() == [[1, 2, 3, 4, 5], [0, 1, 2, 3, 0]]
    assert store.batch(store.read_inputs({"plot": [4, 1]}), CPU)["plot"].tolist() == np.eye(5, 4)[[4, 1]].tolist()


def test_seconds_become_frames_of_the_table(store):
    spec = store.audio.spec
    assert steps_per_second(spec) == 10
    assert store.window_steps(0.5) == 6
    assert (hop_steps(spec, 0.5), hop_steps(spec, 0.01)) == (5, 1)


@pytest.mark.parametrize(
    ("rate", "hop", "seconds", "window"),
    [
        (1000, 192, 0.96, 6),
        (1000, 192, 0.576, 4),  # 2.9999999999999996 hops
        (44100, 441, 0.29, 30),  # 28.999999999999996 hops
        (44100, 441, 0.2899, 29),
        (22050, 1024, 9.92, 214),  # 213.6 hops: the default
        (22050, 220, 9.92, 995),  # 994.3 hops: the published method
    ],
)
def test_window_has_the_frames_centred_within_it(store, rate, hop, seconds, window):
    audio = replace(store.audio, about={"spec": store.audio.spec | {"sample_rate": rate, "hop_length": hop}})
    assert replace(store, audio=audio).window_steps(seconds) == window


@pytest.mark.parametrize(
    ("rate", "hop", "seconds", "steps"), [(1000, 192, 0.576, 3), (22050, 1024, 4.96, 107), (22050, 220, 4.96, 497)]
)
def test_hops_of_frames_are_rounded(rate, hop, seconds, steps):
    assert hop_steps({"encoder": "log-mel", "sample_rate": rate, "hop_length": hop}, seconds) == steps


def test_hops_of_vectors_are_rounded():
    spec = {"encoder": "ear", "window_hop_seconds": 0.192}
    assert [hop_steps(spec, seconds) for seconds in (0.96, 0.576, 0.05)] == [5, 3, 1]


def test_a_pretrained_encoders_vector_is_a_window(folder):
    windows = {("AAA", 0): 3, ("AAA", 3): 1, ("AAB", 0): 2}
    keys = [
        {"fid": fid, "number": number, "window": window, "start_seconds": 5.0 * window, "sha256": f"{fid}{number}"}
        for (fid, number), count in windows.items()
        for window in range(count)
    ]
    about = {"spec": {"encoder": "ear", "window_hop_seconds": 5.0}, "versions": {}}
    write_features(folder / "audio.parquet", WINDOW_KEYS, [(keys, np.eye(6))], 6, np.float32, about)
    store = open_store(folder, ["plot"])
    films = films_of(DATASET, store)
    assert store.window_steps(9.92) == 1
    assert [hop_steps(store.audio.spec, seconds) for seconds in (1.0, 5.0, 10.0)] == [1, 1, 2]
    assert [store.audio.read(track).tolist() for film in films for track in film.track_rows] == [
        np.eye(6)[rows].tolist() for rows in ([0, 1, 2], [3], [4, 5])
    ]
    assert store.windows(films[1].track_rows, [1], 1, CPU).tolist() == [np.eye(6)[5:].tolist()]
    assert store.specs()["audio"] == {"encoder": "ear", "window_hop_seconds": 5.0, "width": 6}


def test_specs_must_match_those_of_the_model(store):
    specs = store.specs()
    assert specs["audio"]["n_mels"] == specs["audio"]["width"] == MELS
    assert specs["plot"] == {"encoder": "pen", "width": 4}
    assert specs["image"] == {"encoder": "eye", "width": 5}
    require_specs(specs, json.loads(json.dumps(specs)), "models/All")
    with pytest.raises(ModelError, match=r"models/All .*image.*other.*dvc repro"):
        require_specs(specs, specs | {"image": {"encoder": "other", "width": 5}}, "models/All")


def test_precision_of_features_may_differ_from_that_of_training(store):
    specs = store.specs()
    trained = specs | {"image": specs["image"] | {"precision": "bfloat16"}}
    for found in (specs, specs | {"image": specs["image"] | {"precision": "float32"}}):
        require_specs(found, trained, "models/All")
        require_specs(trained, found, "models/All")


def test_a_film_has_its_inputs_in_the_data_set(store):
    films = films_of([row | ({"plot": " "} if row["fid"] == "AAA" else {}) for row in DATASET], store)
    assert [film.input_rows for film in films] == [{"image": (2, 3)}, {"plot": (1,), "image": (0, 1)}]
    assert [film.has(["plot", "image"]) for film in films] == [False, True]
    assert [film.fid for film in readable(films, ["plot", "image"], answers_subsets=False)] == ["AAB"]
    assert readable(films, ["plot", "image"], answers_subsets=True) == films
    nothing = films_of([row | {"plot": "", "image": ""} for row in DATASET], store)
    assert readable(nothing, ["plot", "image"], answers_subsets=True) == []


def test_an_absent_row_is_marked(store):
    batch = store.batch(store.read_inputs({"plot": [1, ABSENT, 4], "image": [0, 1, 2]}), CPU)
    assert {name: mask.tolist() for name, mask in batch["present"].items()} == {
        "plot": [[True], [False], [True]], "image": [[True], [True], [True]],
    }  # fmt: skip
    assert torch.equal(batch["plot"][[0, 2]], store.tables["plot"].read([1, 4]))
    assert "present" not in store.batch(store.read_inputs({"plot": [1, 4], "image": [0, 1]}), CPU)
