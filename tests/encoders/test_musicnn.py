"""MusiCNN from its package against the published code in TensorFlow; intact and damaged checkpoints."""

import contextlib
import struct

import numpy as np
import pytest
import torch

from pipeline.core.errors import ModelError, ParamsError
from pipeline.encoders import audio, musicnn
from pipeline.encoders.audio import by_name, likeliest, load_audio_encoder, tags_of
from pipeline.encoders.musicnn import CHECKPOINTS, N_MELS, SAMPLE_RATE, TAGS, Spectrogram, load_musicnn
from pipeline.encoders.section import WindowFeatures
from pipeline.encoders.source import packaged_path
from pipeline.encoders.tensor_bundle import read_bundle
from pipeline.features.sound import import_librosa

CPU = torch.device("cpu")
# For the sounds below, from the published code in TensorFlow 2.21: values 0, 203, 204, 408, 560, 561, 700 of the first
# sound's pools and 0, 5 and 49 of its other outputs, then the sum over those of the second.
POOLED, OTHERS = [0, 203, 204, 408, 560, 561, 700], [0, 5, 49]
GOLDEN = {
    "MTT_musicnn": {
        "max": [-0.00019, 6.50951, 2.75, 2.8143, 25.67491, 0.00142, 6.45867, 1227.32251],
        "mean": [-0.00022, 4.92947, 1.16169, 1.15249, 1.12388, 0.00142, 0.51173, 12.8934],
        "penultimate": [-0.07995, -0.0111, 1.66801, 74.29111],
        "tags": [0.3841, 0.01174, 0.00735, 1.81514],
    },
    "MSD_musicnn": {
        "max": [0.0, 0.0, 0.0, 0.0, 0.0, 0.01807, 18.24018, 1319.20129],
        "mean": [0.0, 0.0, 0.0, 0.0, 0.0, 0.01807, 1.86897, -41.47752],
        "penultimate": [-0.17718, -0.24004, -0.38682, 16.01725],
        "tags": [0.03802, 0.03551, 0.00152, 1.42322],
    },
}


@pytest.fixture(scope="module")
def sounds() -> np.ndarray:
    """Two plucked notes, and noise over a pulsing bass: 3 s each."""
    rng, t = np.random.default_rng(0), np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE

    def plucked(hertz, decay):
        return sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 6)) * np.exp(-(t % 0.5) * decay)

    notes = 0.1 * plucked(220, 3) + 0.1 * plucked(277.2, 3)
    return np.stack([notes, 0.05 * rng.standard_normal(len(t)) + 0.2 * plucked(55, 9)]).astype(np.float32)


def load(pooling="auto", window_seconds=3.0):
    return load_audio_encoder(WindowFeatures("musicnn", pooling, window_seconds, 3.0), CPU, 2)


def test_spectrogram_equals_librosa(sounds):
    librosa = import_librosa()
    found = Spectrogram()(torch.from_numpy(sounds)).numpy()
    for frames, samples in zip(found, sounds, strict=True):
        power = librosa.feature.melspectrogram(
            y=samples, sr=SAMPLE_RATE, n_fft=512, hop_length=256, n_mels=N_MELS, pad_mode="reflect"
        )
        assert np.abs(frames - np.log10(1 + 10000 * power.T)).max() < 1e-4


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_equals_the_published_code(name, sounds):
    network = load_musicnn(packaged_path("musicnn", name), 50)
    with torch.inference_mode():
        found = network(Spectrogram()(torch.from_numpy(sounds)))
    for kind, expected in GOLDEN[name].items():
        places = POOLED if len(expected) == len(POOLED) + 1 else OTHERS
        values = [*found[kind][0, places].tolist(), found[kind][1].sum().item()]
        assert values == pytest.approx(expected, rel=1e-4, abs=2e-4), kind


def test_poolings(sounds):
    encoders = {name: load(name) for name in ("auto", "max", "mean", "penultimate", "tags")}
    widths = {name: encoder.width for name, encoder in encoders.items()}
    assert widths == {"auto": 3012, "max": 1506, "mean": 1506, "penultimate": 400, "tags": 100}
    vectors = {name: encoder.encode(list(sounds)) for name, encoder in encoders.items()}
    joined = np.concatenate([vectors["max"][:, :1506], vectors["mean"]], 1)
    assert np.array_equal(vectors["auto"], joined), "the pools, and the tags after them"
    assert np.array_equal(vectors["tags"][:, :100], vectors["tags"][:, 100:])
    assert len({str(encoder.spec) for encoder in encoders.values()}) == len(encoders)
    with pytest.raises(ParamsError, match=r"features\.audio\.pooling: found 'cls'; musicnn has weights for auto, max"):
        load("cls")


def test_words_for_the_sound(sounds):
    encoder = load()
    assert encoder.tags == TAGS["MTT_musicnn"] + TAGS["MSD_musicnn"]
    assert encoder.tags == tags_of("musicnn") != tags_of("log-mel") == ()
    tagged = [by_name(encoder.tags, vector[encoder.width :]) for vector in encoder.encode(list(sounds))]
    notes, pulse = map(likeliest, tagged)
    assert notes.split(", ")[:3] == ["electronic", "guitar", "ambient"]
    assert pulse.split(", ")[:3] == ["techno", "fast", "electronic"]


def test_a_tag_of_both_networks_counts_once_and_unlikely_tags_are_hidden():
    names = ("rock", "House", "sad", "house", "slow", "a", "b", "c")
    found = by_name(names, np.array([0.2, 0.3, 0.05, 0.7, 0.7, 0.1, 0.12, 0.11]))
    assert list(found.items())[:4] == [("rock", 0.2), ("house", 0.7), ("sad", 0.05), ("slow", 0.7)]
    assert likeliest(found) == "house, slow, rock, b, c"
    assert likeliest({"rock": 0.01, "sad": 0.05}) == likeliest({}) == ""


@pytest.mark.parametrize("seconds", [0.0, 0.01, 1.0, 9.92])
def test_a_window_of_any_length_alone_equals_it_among_others(seconds, sounds):
    encoder = load()
    window = np.resize(sounds[0], round(seconds * SAMPLE_RATE))
    alone = encoder.encode([window])[0]
    assert np.isfinite(alone).all()
    among = encoder.encode([sounds[1], window, window, sounds[0]])
    assert np.abs(among[1] - alone).max() < 1e-3 and np.abs(among[2] - alone).max() < 1e-3


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(audio, "MUSICNN", "musicnn_missing")
    monkeypatch.setattr("pipeline.encoders.source.WEIGHTS_ONLY", ("musicnn_missing",))
    params = WindowFeatures("musicnn_missing", "auto", 3.0, 3.0)
    with pytest.raises(ModelError, match=r"features\.audio\.encoder: .* --no-deps -r requirements-weights\.txt"):
        load_audio_encoder(params, CPU, 2)


def test_a_checkpoint_of_another_network_is_refused(monkeypatch):
    monkeypatch.setattr(musicnn, "CHANNELS", 32)
    with pytest.raises(ValueError, match="holds another network"):
        load_musicnn(packaged_path("musicnn", "MTT_musicnn"), 50)
    with pytest.raises(ValueError, match=r"output\.weight: found \(50, 200\), expected \(10, 200\)"):
        monkeypatch.setattr(musicnn, "CHANNELS", 64)
        load_musicnn(packaged_path("musicnn", "MTT_musicnn"), 10)


def varint(number):
    data = b""
    while number > 127:
        data, number = data + bytes([number & 127 | 128]), number >> 7
    return data + bytes([number])


def block(entries, compression=0):
    """Return a block of a sorted-string table with prefix-compressed keys."""
    body, before = b"", b""
    for key, value in entries:
        shared = next((i for i, (a, b) in enumerate(zip(key, before)) if a != b), min(len(key), len(before)))  # noqa: B905
        body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return body + struct.pack("<II", 0, 1), bytes([compression]) + b"\0\0\0\0"


def write_bundle(folder, tensors, kind=1, compression=0, shift=0):
    """Write tensors in TensorFlow's format without TensorFlow; return the paths of index and data."""
    data, entries = b"", [(b"", b"\x08\x01")]
    for name, value in sorted(tensors.items()):
        shape = b"".join(b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(n) for n in value.shape))
        entry = b"\x08" + varint(kind) + b"\x12" + varint(len(shape)) + shape
        entry += b"\x20" + varint(len(data) + shift) + b"\x28" + varint(value.nbytes) + b"\x35\1\2\3\4"
        entries.append((name.encode(), entry))
        data += value.astype("<f4").tobytes()
    table = b""
    handles = []
    for part in (entries[: len(entries) // 2], entries[len(entries) // 2 :]):
        body, trailer = block(part, compression)
        handles.append((part[-1][0] + b"~", varint(len(table)) + varint(len(body))))
        table += body + trailer
    body, trailer = block(handles)
    footer = varint(0) + varint(0) + varint(len(table)) + varint(len(body))
    table += body + trailer + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    paths = folder / "x.index", folder / "x.data"
    paths[0].write_bytes(table)
    paths[1].write_bytes(data)
    return paths


@pytest.fixture
def tensors():
    rng = np.random.default_rng(0)
    shapes = {"conv/bias": (3,), "conv/kernel": (2, 200, 3), "conv/kernel/Adam": (2, 3), "dense": (1, 4), "scalar": ()}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def test_bundles_are_read_as_they_were_written(tmp_path, tensors):
    found = read_bundle(*write_bundle(tmp_path, tensors), lambda name: "Adam" not in name)
    assert list(found) == ["conv/bias", "conv/kernel", "dense", "scalar"]
    for name, value in found.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, tensors[name])
    assert read_bundle(*write_bundle(tmp_path, tensors, kind=3), lambda name: True) == {}, "integers"


def test_damaged_bundles_are_refused(tmp_path, tensors):
    index, data = write_bundle(tmp_path, tensors, compression=1)
    with pytest.raises(ValueError, match="compressed"):
        read_bundle(index, data, lambda name: True)
    for shift in (100_000, 4):
        with pytest.raises(ValueError, match="within the data"):
            read_bundle(*write_bundle(tmp_path, tensors, shift=shift), lambda name: True)
    whole = write_bundle(tmp_path, tensors)[0].read_bytes()
    for length in range(0, len(whole), 7):
        index.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"x\.index"):
            read_bundle(index, data, lambda name: True)
    rng = np.random.default_rng(0)
    for _ in range(300):  # for any changed byte: tensors of some kind, or a ValueError
        changed = bytearray(whole)
        changed[rng.integers(len(whole))] = rng.integers(256)
        index.write_bytes(changed)
        with contextlib.suppress(ValueError):
            read_bundle(index, data, lambda name: True)
