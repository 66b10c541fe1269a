"""The part of `benchmarks.embedding` for a GPU, at toy sizes on the CPU."""

import pytest

from benchmarks.embedding import on_gpu

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "name"), [("image", "efficientnet-lite0"), ("log-mel", "log-mel, the paper's tower")])
def test_every_figure_is_there(kind, name):
    found = on_gpu(kind, "cpu", True)
    assert found["encoder"] == name
    assert min(found["rate"], found["in_turn"], found["memory"]) > 0
    assert 0 <= found["wait"] <= 1
