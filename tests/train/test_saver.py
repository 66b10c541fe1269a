"""States are saved in the background, one at a time, as they were when offered, in a small share of the time."""

import itertools
import threading

import pytest
import torch

from pipeline.train.resume import SHARE, Resume, Saver

EPOCH_SECONDS = 1.0


class World:
    """A clock that advances only with work, and a file that takes `cost` seconds to write."""

    def __init__(self, path, cost):
        self.now, self.cost, self.resume = 100.0, cost, Resume(path)

    def save(self, state):
        self.now += self.cost
        self.resume.save(state)

    def load(self):
        return self.resume.load()

    def saved(self, epochs):
        """Return the epochs after which a state was saved, and the total time in seconds."""
        begin, saved = self.now, []
        with Saver(self, lambda: self.now) as saver:
            for epoch in range(1, epochs + 1):
                self.now += EPOCH_SECONDS
                saver.offer(lambda epoch=epoch: saved.append(epoch) or {"epoch": epoch})
                saver.written.result()
        return saved, self.now - begin


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.pt"


def test_cheap_states_are_saved_every_epoch(path):
    assert World(path, SHARE / 2 * EPOCH_SECONDS).saved(10)[0] == list(range(1, 11))


def test_expensive_states_are_saved_rarely_but_the_first_at_once(path):
    world = World(path, 3.0)
    saved, seconds = world.saved(400)
    assert saved[0] == 1
    assert len(saved) > 5
    assert (len(saved) - 1) * world.cost <= SHARE * seconds
    assert len({after - before for before, after in itertools.pairwise(saved)}) == 1
    assert world.load() == {"epoch": saved[-1]}


def test_no_state_is_made_while_one_is_written(path, monkeypatch):
    begun, released, made = threading.Event(), threading.Event(), []
    world = World(path, 0.0)

    def slow(state):
        begun.set()
        assert released.wait(60)
        world.resume.save(state)

    monkeypatch.setattr(world, "save", slow)
    with Saver(world, lambda: world.now) as saver:
        saver.offer(lambda: made.append(1) or {"epoch": 1})
        assert begun.wait(60)
        for epoch in (2, 3, 1000):
            world.now += 100 * EPOCH_SECONDS
            saver.offer(lambda epoch=epoch: made.append(epoch) or {"epoch": epoch})
        assert made == [1]
        assert world.load() is None
        released.set()
    assert world.load() == {"epoch": 1}


def test_state_is_saved_as_it_was_when_offered(path, monkeypatch):
    released, world = threading.Event(), World(path, 0.0)
    monkeypatch.setattr(world, "save", lambda state: released.wait(60) and world.resume.save(state))
    weight, history = torch.ones(3), [{"epoch": 1}]
    nested = {"optimizer": {"state": {0: {"mean": weight}}}, "model": {"weight": weight}, "history": history}
    with Saver(world, lambda: world.now) as saver:
        saver.offer(lambda: nested)
        weight.zero_()
        history.append({"epoch": 2})
        history[0]["epoch"] = 9
        released.set()
    found = world.load()
    assert found["history"] == [{"epoch": 1}]
    assert found["model"]["weight"].tolist() == found["optimizer"]["state"][0]["mean"].tolist() == [1.0] * 3


@pytest.mark.parametrize("offers", [1, 2], ids=["at the end", "at the next one"])
def test_failure_to_write_is_raised(path, monkeypatch, offers):
    world = World(path, 0.0)

    def full(state):
        raise OSError("no space left on device")

    monkeypatch.setattr(world, "save", full)
    done = []
    with pytest.raises(OSError, match="no space left"), Saver(world, lambda: world.now) as saver:
        for number in range(offers):
            saver.offer(dict)
            done.append(number)
    assert done == [0]


def test_failed_training_is_not_hidden_by_a_failed_write(path, monkeypatch):
    world = World(path, 0.0)
    with pytest.raises(ZeroDivisionError), Saver(world, lambda: world.now) as saver:
        saver.offer(lambda: {"epoch": 7})
        raise ZeroDivisionError
    assert world.load() == {"epoch": 7}
    monkeypatch.setattr(world, "save", lambda state: 1 / 0)
    with pytest.raises(KeyError), Saver(world, lambda: world.now) as saver:
        saver.offer(dict)
        raise KeyError
