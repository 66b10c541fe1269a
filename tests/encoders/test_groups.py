"""Groups of items through an encoder: order, memory and threads."""

import threading
from itertools import count

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.ahead import DEPTH
from pipeline.core.machine import cpu_threads
from pipeline.core.workers import batches
from pipeline.encoders import groups
from pipeline.encoders.groups import Batch, encode_groups
from pipeline.encoders.image import load_image_encoder
from pipeline.encoders.section import ImageFeatures, TextFeatures, WindowFeatures
from pipeline.encoders.text import load_text_encoder

CPU = torch.device("cpu")
GROUPS = [[5.0, 3.0, 4.0], [1.0], [9.0, 8.0, 7.0, 6.0], [2.0, 0.0]]


def plan(group):
    """Yield batches of two sorted items."""
    for rows in batches(sorted(range(len(group)), key=group.__getitem__), 2):
        yield Batch(rows, lambda rows=rows: torch.tensor([group[row] for row in rows]))


def compute(values):
    return torch.stack([values, values**2], 1)


@pytest.fixture(params=[False, True], ids=["cpu", "as a gpu"])
def device(request, monkeypatch):
    """The CPU, on its own and with all the threads used for a GPU."""
    if request.param:
        monkeypatch.setattr(groups, "overlaps", lambda device: True)
        monkeypatch.setattr(groups, "preparers", lambda device: 4)
    return CPU


def test_each_group_has_its_vectors_in_order(device):
    found = list(encode_groups(GROUPS, plan, compute, 2, device))
    assert [vectors.tolist() for vectors in found] == [[[item, item**2] for item in group] for group in GROUPS]
    assert {vectors.dtype for vectors in found} == {np.dtype(np.float32)}


def test_endless_groups_are_read_a_few_ahead(device):
    drawn = []
    endless = (drawn.append(number) or [float(number)] for number in count())
    vectors = encode_groups(endless, plan, compute, 2, device)
    assert [next(vectors)[0, 0] for _ in range(5)] == list(range(5))
    assert len(drawn) < 5 + 10 * DEPTH
    vectors.close()


@pytest.mark.parametrize("where", ["groups", "prepare", "compute"])
def test_exceptions_from_anywhere_are_raised(device, where):
    def failing(number):
        if number == where:
            raise OSError("gone")

    def given():
        yield from GROUPS
        failing("groups")

    def planned(group):
        for batch in plan(group):
            yield Batch(batch.rows, lambda batch=batch: failing("prepare") or batch.prepare())

    with pytest.raises(OSError, match="gone"):
        list(encode_groups(given(), planned, lambda values: failing("compute") or compute(values), 2, device))


def test_on_a_cpu_the_caller_computes():
    preparing, computing = set(), set()

    def planned(group):
        for rows, prepare in plan(group):
            yield Batch(rows, lambda prepare=prepare: preparing.add(threading.get_ident()) or prepare())

    def noted(values):
        computing.add(threading.get_ident())
        return compute(values)

    list(encode_groups(GROUPS, planned, noted, 2, CPU))
    assert computing == {threading.get_ident()}
    assert not preparing & computing


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "image", "wav2vec2", "clap"])
def test_every_kind_of_encoder_gives_the_same_bits_with_a_gpus_threads(kind, tiny, tiny_bert, tiny_vit, monkeypatch):
    from pipeline.encoders.audio import load_audio_encoder

    rng = np.random.default_rng(0)
    if kind == "text":
        encoder = load_text_encoder(TextFeatures(str(tiny_bert), "auto", 20), CPU, 2)
        items = ["a dog runs home .", "war begins", "dog", "a a a a a a", "home"]
    elif kind == "image":
        encoder = load_image_encoder(ImageFeatures(str(tiny_vit), "auto", 1), CPU, 2)
        items = [Image.fromarray(rng.integers(0, 256, (40, n, 3), dtype=np.uint8)) for n in (40, 50, 60, 32, 33)]
    else:
        encoder = load_audio_encoder(WindowFeatures(str(tiny(kind)), "auto", 0.5, 0.5), CPU, 2)
        items = [0.1 * rng.standard_normal(n).astype(np.float32) for n in (8000, 8000, 5000, 8000, 100)]
    expected = [encoder.encode(items), encoder.encode(items[:3])]
    monkeypatch.setattr(groups, "overlaps", lambda device: True)
    monkeypatch.setattr(groups, "preparers", lambda device: 4)
    if kind == "text":
        found = encoder.encode_groups([items, items[:3]])
    elif kind == "image":  # on a CPU text and music have their own code paths
        found = encode_groups([items, items[:3]], encoder._plan, encoder._vectors, encoder.width, CPU)
    else:
        found = encode_groups([items, items[:3]], encoder.plan, encoder.vectors, encoder.columns, CPU)
    assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.slow
def test_the_number_of_cores_does_not_change_a_bit_of_a_convolution(params):
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (240, 240, 3), dtype=np.uint8)) for _ in range(6)]
    encoder = load_image_encoder(params.features.image, CPU, 4)
    found = []
    for threads in (1, 2, 3):
        with cpu_threads(threads):
            found.append(encoder.encode(pictures))
            assert torch.get_num_threads() == threads
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])
