"""Embeddings of tracks and films: the mean over fixed windows and over paragraphs, whatever the batch."""

import threading

import numpy as np
import pytest
import torch

from pipeline.core.errors import ModelError
from pipeline.model import embed as embedding
from pipeline.model.embed import Queries, Tracks, embed_films, embed_tracks, queries_of, tracks_of
from pipeline.model.store import load_model
from pipeline.store.films import films_of, open_store

CPU = torch.device("cpu")


@pytest.fixture
def opened(world):
    """Model, store, films of all three sets and config, the arguments of the two functions below."""
    model, config = load_model(world.root / "models" / world.variant)
    store = open_store(world.root / "data/features", world.inputs)
    return model, store, films_of(world.rows, store), config


def embedded_tracks(model, store, films, config, batch_size, device):
    return embed_tracks(model, tracks_of(films, store), config, batch_size, device)


def embedded_films(model, store, films, config, batch_size, device):
    return embed_films(model, queries_of(films, store), config, batch_size, device)


def direction(vectors: list[np.ndarray]) -> np.ndarray:
    mean = np.mean(vectors, axis=0)
    return mean / np.linalg.norm(mean)


@torch.inference_mode()
def test_a_track_is_the_mean_over_its_windows(opened):
    model, store, films, _ = opened
    found = iter(embedded_tracks(*opened, 4, CPU))
    windows = []
    for film in films:
        for row in film.track_rows:
            (frames,) = store.windows([row], [0], int(store.audio.steps[row]), CPU).numpy()
            if len(frames) < 9:
                starts, frames = [0], np.tile(frames, (2, 1))
            else:
                starts = sorted({*range(0, len(frames) - 8, 4), len(frames) - 9})
            parts = [torch.from_numpy(frames[start : start + 9].astype(np.float32)) for start in starts]
            expected = [model.encode_audio({"audio": part[np.newaxis]})[0].numpy() for part in parts]
            np.testing.assert_allclose(next(found), direction(expected), atol=1e-5)
            windows.append(len(starts))
    assert next(found, None) is None
    assert (min(windows), max(windows)) == (1, 7)  # a track shorter than a window, and one with several


@torch.inference_mode()
def test_a_film_is_the_mean_over_its_paragraphs_each_with_its_image(opened):
    model, store, films, _ = opened
    found = embedded_films(*opened, 4, CPU)
    assert {len(film.input_rows["plot"]) for film in films} == {1, 2, 3}
    assert {len(film.input_rows["image"]) for film in films} == {1, 3}
    for film, vector in zip(films, found, strict=True):
        image = film.input_rows["image"][0]  # the centre
        batches = [
            {
                "plot": torch.tensor(store.tables["plot"].vectors[[row]]),
                "image": torch.tensor(store.tables["image"].vectors[[image]]),
            }
            for row in film.input_rows["plot"]
        ]
        np.testing.assert_allclose(vector, direction([model.encode_query(b)[0].numpy() for b in batches]), atol=1e-5)


@pytest.mark.parametrize("embed", [embedded_tracks, embedded_films])
def test_embeddings_are_unit_vectors_and_do_not_depend_on_the_batch(opened, embed):
    model = opened[0]
    whole = embed(*opened, 1000, CPU)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    assert len(np.unique(whole, axis=0)) == len(whole)
    for batch_size in (1, 3):
        np.testing.assert_allclose(embed(*opened, batch_size, CPU), whole, atol=1e-5)
    model.train()  # dropout and batch statistics would show
    np.testing.assert_array_equal(embed(*opened, 1000, CPU), whole)


@pytest.mark.parametrize("embed", [embedded_tracks, embedded_films])
def test_a_films_embedding_does_not_depend_on_other_films(opened, embed):
    model, store, films, config = opened
    whole, alone = embed(*opened, 4, CPU), embed(model, store, films[-1:], config, 4, CPU)
    np.testing.assert_allclose(alone, whole[-len(alone) :], atol=1e-5)


@pytest.mark.parametrize(
    ("embed", "weight", "name"),
    [
        (embedded_tracks, "audio_tower.head.0.bias", r"of 16 embeddings .* data/audio/A/A/A/0\.mp3"),
        (embedded_films, "query_tower.head.0.bias", r"\d+ of \d+ embeddings .* AAA"),
    ],
)
def test_nan_weights_are_refused(opened, embed, weight, name):
    opened[0].get_parameter(weight).data.fill_(float("nan"))
    with pytest.raises(ModelError, match=name):
        embed(*opened, 4, CPU)


@pytest.mark.parametrize(
    ("embed", "head", "name"),
    [(embedded_tracks, "audio_tower.head", r"data/audio/A/A/A/0\.mp3"), (embedded_films, "query_tower.head", "AAA")],
)
def test_zero_embeddings_are_refused(opened, embed, head, name):
    for weight in opened[0].get_submodule(head).parameters():
        weight.data.zero_()
    with pytest.raises(ModelError, match=name):
        embed(*opened, 4, CPU)


def test_tracks_and_queries_need_no_store(opened):
    model, store, films, config = opened
    film = films[-1]
    arrays = [store.audio.read(row) for row in film.track_rows]
    found = embed_tracks(model, Tracks(["a track"] * len(arrays), iter(arrays)), config, 4, CPU)
    np.testing.assert_array_equal(found, embedded_tracks(model, store, [film], config, 4, CPU))
    vectors = {name: store.batch(store.read_inputs({name: rows}), CPU)[name] for name, rows in film.fixed_rows.items()}

    def read(rows):
        return {name: vectors[name][of_input] for name, of_input in rows.items()}

    rows = [{name: range(len(found)) for name, found in vectors.items()}]
    asked = Queries(["a film"], rows, read, lambda stored, device: stored)
    found = embed_films(model, asked, config, 4, CPU)
    np.testing.assert_array_equal(found, embedded_films(model, store, [film], config, 4, CPU))


@pytest.mark.parametrize("embed", [embedded_tracks, embedded_films])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_reading_ahead_as_for_a_gpu_changes_no_bit(opened, embed, batch_size, monkeypatch):
    expected = embed(*opened, batch_size, CPU)
    monkeypatch.setattr(embedding, "overlaps", lambda device: True)
    assert np.array_equal(embed(*opened, batch_size, CPU), expected)


def test_on_a_gpu_a_thread_reads_tracks_and_the_caller_computes(opened, monkeypatch):
    model, store, films, config = opened
    rows = [row for film in films for row in film.track_rows]
    readers, callers = set(), set()

    def arrays():
        for row in rows:
            readers.add(threading.get_ident())
            yield store.audio.read(row)

    encode = model.encode_audio
    model.encode_audio = lambda batch: callers.add(threading.get_ident()) or encode(batch)
    monkeypatch.setattr(embedding, "overlaps", lambda device: True)
    embed_tracks(model, Tracks([""] * len(rows), arrays()), config, 2, CPU)
    assert callers == {threading.get_ident()}  # with a precision set for training
    assert len(readers) == 1 and not readers & callers


@pytest.mark.parametrize("embed", [embedded_tracks, embedded_films])
def test_auto_is_32_on_a_cpu(opened, embed):
    assert np.array_equal(embed(*opened, "auto", CPU), embed(*opened, 32, CPU))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("embed", [embedded_tracks, embedded_films])
def test_cuda_is_near_the_cpu_and_repeats(opened, embed):
    expected, cuda = embed(*opened, 4, CPU), torch.device("cuda")
    found = embed(*opened, 4, cuda)
    np.testing.assert_allclose(found, expected, atol=2e-3)  # TF32
    assert np.array_equal(embed(*opened, 4, cuda), found)


def test_a_track_is_read_only_when_needed(opened):
    model, store, films, config = opened
    rows = [row for film in films for row in film.track_rows]
    read, encoded = [], []

    def arrays():
        for row in rows:
            read.append(row)
            yield store.audio.read(row)

    encode = model.encode_audio
    model.encode_audio = lambda batch: encoded.append(len(read)) or encode(batch)
    embed_tracks(model, Tracks([""] * len(rows), arrays()), config, 1, CPU)
    assert list(dict.fromkeys(encoded)) == list(range(1, len(rows) + 1))
