"""Indexes in memory: opened once, without blocking other indexes, and closed when they take too much memory."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.apps.recommend import opened as opened_module
from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.opened import OpenIndexes
from pipeline.core.errors import MissingFileError
from tests.apps.recommend.tracks import make_index

TIMEOUT = 3  # seconds until a test fails


@dataclass
class Slow:
    """A library whose index for the model `slow` is ready once `made` is set; all indexes fail while `broken`."""

    name: str = "music"
    folder: Path = Path()
    made: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    broken: bool = False

    def index(self, model) -> TrackIndex:
        self.asked.append(model.name)
        if model.name == "slow":
            assert self.made.wait(TIMEOUT)
        if self.broken:
            raise MissingFileError("no index")
        return make_index(np.eye(4))


@pytest.fixture
def library() -> Iterator[Slow]:
    library = Slow()
    yield library
    library.made.set()  # so that no thread waits forever


@pytest.fixture
def get(library, params) -> Callable:
    """Request the library's index for the model of this name."""
    indexes = OpenIndexes(params.recommend)

    def get(name: str) -> Future:
        return indexes.get("music", library, SimpleNamespace(name=name))

    get.indexes = indexes
    return get


def test_building_an_index_does_not_block_others(get, library):
    slow = [get("slow") for _ in range(3)]
    assert len(get("quick").result(TIMEOUT).index) == 4
    assert not any(future.done() for future in slow)
    library.made.set()
    assert len({id(future.result(TIMEOUT)) for future in slow}) == 1
    assert sorted(library.asked) == ["quick", "slow"], "an index was made more than once"


def test_cancelling_a_request_does_not_affect_others(get, library):
    first, second = get("slow"), get("slow")
    assert not first.cancel()
    library.made.set()
    assert len(second.result(TIMEOUT).index) == 4


def test_failure_reaches_all_who_wait_and_the_next_one_tries_again(get, library):
    library.broken = True
    waiting = [get("slow"), get("slow")]
    library.made.set()
    for future in waiting:
        with pytest.raises(MissingFileError, match="no index"):
            future.result(TIMEOUT)
    library.broken = False
    assert len(get("slow").result(TIMEOUT).index) == 4
    assert library.asked == ["slow", "slow"]


def test_least_recently_used_indexes_are_closed(get, library, monkeypatch):
    size = get("a").result(TIMEOUT).index.bytes
    monkeypatch.setattr(opened_module, "OPEN_BYTES", 2 * size)
    get("b").result(TIMEOUT)
    get("a").result(TIMEOUT)
    waiting = get("slow")
    get("c").result(TIMEOUT)  # replaces b
    get("a").result(TIMEOUT)
    assert library.asked == ["a", "b", "slow", "c"]
    get("b").result(TIMEOUT)  # replaces c
    assert library.asked[4:] == ["b"]
    assert get("slow") is waiting, "what is being opened is let go"


def test_one_index_stays_open_however_large(get, library, monkeypatch):
    monkeypatch.setattr(opened_module, "OPEN_BYTES", 1)
    first = get("a").result(TIMEOUT)
    assert get("a").result(TIMEOUT) is first
    get("b").result(TIMEOUT)
    assert get("a").result(TIMEOUT) is not first


def test_a_library_with_new_tables_is_opened_again(get, library):
    first, slow = get("quick").result(TIMEOUT), get("slow")
    get.indexes.forget("another")
    assert get("quick").result(TIMEOUT) is first
    get.indexes.forget("music")
    assert get("quick").result(TIMEOUT) is not first
    again = get("slow")
    assert again is not slow
    library.made.set()
    assert slow.result(TIMEOUT) is not again.result(TIMEOUT)
    assert get("slow") is again, "an earlier request does not replace it"


def test_one_that_was_forgotten_may_fail_without_harm(get, library):
    slow = get("slow")
    get.indexes.forget("music")
    library.broken = True
    library.made.set()
    with pytest.raises(MissingFileError):
        slow.result(TIMEOUT)
    library.broken = False
    assert len(get("slow").result(TIMEOUT).index) == 4
