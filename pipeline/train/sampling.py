"""Training batches: examples of films, each a random window of a track and random rows of its inputs.

All randomness comes from a NumPy generator seeded by the caller, so that runs are reproducible. Batches are planned as
a whole and read in parts, so that they do not depend on the number of processes or parts.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from torch import Tensor

from pipeline.store.films import ABSENT, PARAGRAPHS, FeatureStore, FilmFeatures, Stored
from pipeline.train.section import Train

READERS = 4  # threads that read batches ahead
AHEAD = 4  # batches read ahead


@dataclass(frozen=True)
class Plan:
    """The rows of the examples of a batch, one element per example."""

    films: np.ndarray  # numbers of the films, int64
    tracks: np.ndarray  # rows of the audio table
    starts: np.ndarray  # first steps of the windows
    rows: dict[str, np.ndarray]  # rows of each input's table

    def __len__(self) -> int:
        return len(self.films)

    def part(self, begin: int, end: int) -> "Plan":
        """Return examples `begin` … `end` − 1."""
        where = slice(begin, end)
        rows = {name: of_input[where] for name, of_input in self.rows.items()}
        return Plan(self.films[where], self.tracks[where], self.starts[where], rows)

    def read(self, store: FeatureStore, window_steps: int) -> dict[str, Stored]:
        """Return the examples as stored: `audio` [n, window_steps, width] and each input."""
        audio = store.read_windows(self.tracks.tolist(), self.starts.tolist(), window_steps)
        return {"audio": audio, **store.read_inputs({name: of.tolist() for name, of in self.rows.items()})}


def epoch_plans(
    films: list[FilmFeatures], store: FeatureStore, window_steps: int, params: Train, rng: np.random.Generator
) -> Iterator[Plan]:
    """Yield the batches of an epoch, `batch_count` of nearly equal size.

    An epoch is every film once or every track once (`params.sampler`), in random order if `params.shuffle`.
    """
    numbers = np.arange(len(films))
    if params.sampler == "tracks":
        numbers = np.repeat(numbers, [len(film.track_rows) for film in films])
    places = np.arange(len(numbers)) - np.searchsorted(numbers, numbers)  # of each track within its film
    order = rng.permutation(len(numbers)) if params.shuffle else np.arange(len(numbers))
    for chosen in np.array_split(order, batch_count(len(order), params.batch_size)):
        tracks = None if params.sampler == "films" else places[chosen]
        yield draw(films, numbers[chosen], tracks, store, window_steps, rng)


def batch_count(examples: int, batch_size: int) -> int:
    """Return the number of batches of at most `batch_size` for `examples`, with at least two in each.

    A single example has no negatives, and batch normalisation no variance: with a batch size of two and an odd number
    of examples one batch has three.
    """
    return min(-(-examples // batch_size), max(1, examples // 2))


def draw(
    films: list[FilmFeatures],
    numbers: np.ndarray,
    places: np.ndarray | None,
    store: FeatureStore,
    window_steps: int,
    rng: np.random.Generator,
) -> Plan:
    """Return one example per film of `films[numbers]`: a random window, random rows of inputs, and a random track.

    All inputs with a plot get the same paragraph; the row of a missing input is `ABSENT`. `places`, if given, are the
    numbers of the tracks within their films.
    """
    chosen = [films[number] for number in numbers]
    if places is None:
        places = _below([len(film.track_rows) for film in chosen], rng)
    tracks = np.array([film.track_rows[place] for film, place in zip(chosen, places, strict=True)])
    starts = _below(np.maximum(store.audio.steps[tracks] - window_steps, 0) + 1, rng)
    rows: dict[str, np.ndarray] = {}
    picked: dict[str, np.ndarray] = {}  # paragraphs, or rows by input
    for name in store.inputs:
        what, alike = ("paragraph", PARAGRAPHS) if name in PARAGRAPHS else (name, (name,))
        if what not in picked:
            counts = [max(len(film.input_rows.get(one, (ABSENT,))) for one in alike) for film in chosen]
            picked[what] = _below(counts, rng)
        rows[name] = np.array(
            [
                film.input_rows[name][pick] if name in film.input_rows else ABSENT
                for film, pick in zip(chosen, picked[what], strict=True)
            ]
        )
    return Plan(np.asarray(numbers, np.int64), tracks, starts, rows)


class ReadAhead:
    """Batches read ahead by threads, in order; `waited` is the time in seconds spent waiting for one."""

    def __init__(self, plans: Iterable[Plan], read: Callable[[Plan], Any]) -> None:
        self.plans, self.read, self.waited = plans, read, 0.0

    def __iter__(self) -> Iterator[tuple[Plan, Any]]:
        waiting: deque[tuple[Plan, Future]] = deque()
        with ThreadPoolExecutor(READERS) as pool:
            for plan in self.plans:
                waiting.append((plan, pool.submit(self.read, plan)))
                if len(waiting) > AHEAD:
                    yield self._first(waiting)
            while waiting:
                yield self._first(waiting)

    def _first(self, waiting: deque[tuple[Plan, Future]]) -> tuple[Plan, Any]:
        plan, future = waiting.popleft()
        begin = perf_counter()
        stored = future.result()
        self.waited += perf_counter() - begin
        return plan, stored


def pinned(stored: Mapping[str, Stored]) -> dict[str, Stored]:
    """Return tensors in page-locked memory, from which copies to a GPU are asynchronous."""
    return {name: _pinned(value) for name, value in stored.items()}


def _pinned(value: Stored) -> Stored:
    if isinstance(value, Tensor):
        return value.pin_memory()
    return {name: tensor.pin_memory() for name, tensor in value.items()}


def _below(ends: Any, rng: np.random.Generator) -> np.ndarray:
    """Return a random integer in [0, end) for each of `ends`."""
    return rng.integers(np.asarray(ends, np.int64))
