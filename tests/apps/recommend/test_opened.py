"""Indexes in memory: opened once, without holding up who asks for another one, and let go when they take too much."""

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

TIMEOUT = 3  # seconds, after which a test fails


@dataclass
class Slow:
    """A library whose index by the model `slow` is there once `made` is set; each of them fails while `broken`."""

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
    library.made.set()  # so that no thread waits for what never comes


@pytest.fixture
def get(library, params) -> Callable:
    """Ask for the index of the library by the model of a name."""
    indexes = OpenIndexes(params.recommend)

    def get(name: str) -> Future:
        return indexes.get("music", library, SimpleNamespace(name=name))

    get.indexes = indexes
    return get


def test_index_that_is_being_made_holds_up_nobody_who_asks_for_another(get, library):
    slow = [get("slow") for _ in range(3)]
    assert len(get("quick").result(TIMEOUT).index) == 4
    assert not any(future.done() for future in slow)
    library.made.set()
    assert len({id(future.result(TIMEOUT)) for future in slow}) == 1
    assert sorted(library.asked) == ["quick", "slow"], "an index was made more than once"


def test_who_stops_waiting_takes_the_index_from_nobody(get, library):
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


def test_indexes_that_were_asked_for_least_lately_are_let_go(get, library, monkeypatch):
    size = get("a").result(TIMEOUT).index.bytes
    monkeypatch.setattr(opened_module, "OPEN_BYTES", 2 * size)
    get("b").result(TIMEOUT)
    get("a").result(TIMEOUT)
    waiting = get("slow")
    get("c").result(TIMEOUT)  # in the place of b
    get("a").result(TIMEOUT)
    assert library.asked == ["a", "b", "slow", "c"]
    get("b").result(TIMEOUT)  # in the place of c
    assert library.asked[4:] == ["b"]
    assert get("slow") is waiting, "what is being opened is let go"


def test_one_index_stays_open_however_large(get, library, monkeypatch):
    monkeypatch.setattr(opened_module, "OPEN_BYTES", 1)
    first = get("a").result(TIMEOUT)
    assert get("a").result(TIMEOUT) is first
    get("b").result(TIMEOUT)
    assert get("a").result(TIMEOUT) is not first


def test_a_library_that_has_other_tables_is_opened_anew(get, library):
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
