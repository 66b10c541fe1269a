"""The device that params.yaml asks for."""

import pytest

from pipeline.core.errors import ParamsError
from pipeline.core.machine import choose_device


@pytest.mark.parametrize(
    ("name", "present", "expected"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_the_device_that_is_asked_for(monkeypatch, name, present, expected):
    monkeypatch.setattr("torch.cuda.is_available", lambda: present)
    assert choose_device(name).type == expected


def test_cuda_that_is_absent_is_not_replaced_in_silence(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"device: found 'cuda'.*auto or cpu"):
        choose_device("cuda")
