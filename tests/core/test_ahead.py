"""Working ahead: order, bounds and exceptions."""

import threading
from itertools import count

import pytest

from pipeline.core.ahead import DEPTH, ahead, drawn_ahead

SECONDS = 10  # a thread that waits longer than this for another fails the test


def test_results_come_in_order_whichever_finishes_first():
    second_done = threading.Event()

    def work(item):
        if item == 0:
            assert second_done.wait(SECONDS)
        elif item == 1:
            second_done.set()
        return item * item

    assert list(ahead(work, range(20), 2)) == [item * item for item in range(20)]


@pytest.mark.parametrize("threads", [1, 3])
def test_only_a_few_start_before_they_are_requested(threads):
    drawn = []
    results = ahead(lambda item: item, (drawn.append(item) or item for item in count()), threads)
    for expected in range(5):
        assert next(results) == expected
        assert len(drawn) == expected + 1 + DEPTH * threads
    results.close()


def test_exceptions_of_work_are_raised_in_order():
    found = []
    with pytest.raises(ZeroDivisionError):
        found.extend(ahead(lambda item: 1 / (item - 3), range(10), 4))
    assert found == [1 / -3, 1 / -2, 1 / -1]


def test_stopping_early_leaves_no_thread_behind():
    before = threading.active_count()
    results = drawn_ahead(ahead(lambda item: item, count(), 3))
    assert next(results) == 0
    results.close()
    del results
    assert threading.active_count() == before


def test_a_source_is_read_by_its_own_thread_a_few_items_ahead():
    threads, drawn = set(), []

    def source():
        for item in range(10):
            threads.add(threading.get_ident())
            drawn.append(item)
            yield item

    results = drawn_ahead(source())
    assert next(results) == 0
    assert len(drawn) <= 2 + DEPTH
    assert list(results) == list(range(1, 10))
    assert len(threads) == 1 and threading.get_ident() not in threads
    assert list(drawn_ahead([])) == []


def test_a_sources_exception_follows_its_items():
    def source():
        yield from (1, 2)
        raise OSError("gone")

    results = drawn_ahead(source())
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(OSError, match="gone"):
        next(results)
