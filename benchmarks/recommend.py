"""Searching and answering queries: seconds and memory, against brute force in NumPy and the goals.

Tracks are generated: the published model's own tracks with noise, 64 values each, twenty per film. Brute force sorts
all scores. Queries are the films of the default run (`make run`). Each size runs in a separate process with two
threads; wall times, medians over queries.

    python -m benchmarks.recommend
"""

import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.report import figure, in_own_process, peak_megabytes, publish
from pipeline.apps.recommend.index import TrackIndex, open_index
from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import Request, open_recommender
from pipeline.apps.recommend.search import ApproximateSearch, ExactSearch, recall_of
from pipeline.apps.recommend.trained import Trained
from pipeline.core.tables import DATASET, read_table
from pipeline.params import load_params
from pipeline.store.index import write_index
from pipeline.store.inputs import film_rows

ROOT = Path(__file__).parent.parent
SIZES = (100_000, 1_000_000)
NOISE = 0.5  # of each direction's length
PER_FILM = 20
K = 20
NOTHING = Query(None, None, None, None)


def main() -> None:
    """Run all sizes and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        answers = {}
        for size in SIZES:
            path = f"{folder}/{size}.parquet"
            in_own_process("benchmarks.recommend", "write", path, str(size))  # separately, not to count its memory
            answers[size] = in_own_process("benchmarks.recommend", "measure", path, threads=2)
    figures = []
    for size, found in answers.items():
        name = f"{size:,} tracks"
        brute = found["brute"] * 1000
        figures += [
            figure(f"{name}: opening the index", found["open"], "s"),
            figure(f"{name}: memory for opening and searching it", found["memory"], "MB", goal="under 1,000"),
            figure(f"{name}: … memory of PyTorch and other libraries", found["libraries"], "MB"),
            figure(f"{name}: peak memory, with networks and approximate search", found["all_memory"], "MB"),
            figure(f"{name}: exact search", found["exact"] * 1000, "ms", brute, "numpy, all sorted", "under 100"),
            figure(f"{name}: approximate search", found["approximate"] * 1000, "ms", brute, "numpy, all sorted"),
            figure(f"{name}: building its lists", found["lists"], "s"),
            figure(f"{name}: its recall of the {K} nearest, films as queries", found["film_recall"], ""),
            figure(f"{name}: … tracks as queries, as printed for a library", found["track_recall"], ""),
            figure(f"{name}: an answer without encoding", found["similar"] * 1000, "ms", goal="under 100"),
            figure(f"{name}: … with reasons", found["why"] * 1000, "ms"),
            figure(f"{name}: an answer with encoding, a page's plot", found["answer"] * 1000, "ms", goal="under 300"),
            figure(f"{name}: … the slowest of 20", found["slowest"] * 1000, "ms"),
            figure(f"{name}: … with reasons", found["explained"] * 1000, "ms"),
        ]
    publish("recommend", figures)


def write(path: Path, size: int) -> dict[str, Any]:
    """Write an index of `size` generated tracks."""
    real = open_index(ROOT / "models/published/tracks.parquet", "run `make run`")
    rng = np.random.default_rng(0)
    vectors = real.vectors[rng.integers(len(real), size=size)]
    vectors += rng.normal(0, NOISE / np.sqrt(vectors.shape[1]), vectors.shape).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_index(path, tracks(size), vectors, {"variant": real.about["variant"]})
    return {}


def tracks(size: int) -> Iterator[dict[str, Any]]:
    """Yield generated tracks."""
    for number in range(size):
        film = number // PER_FILM
        yield {
            "number": number % PER_FILM,
            "path": f"Composer {film // 10}/Soundtrack of film {film}/{number % PER_FILM:02} - Cue {number}.mp3",
            "file_start_seconds": 0.0,
            "start_seconds": 0.0,
            "seconds": 30.0,
            "film": f"Soundtrack of film {film}",
            "year": 1920 + film % 100,
            "artist": f"Composer {film // 10}",
            "title": f"Cue {number}",
        }


class MadeUp:
    """A library of one index."""

    name, folder = "made up", ROOT

    def __init__(self, index: TrackIndex) -> None:
        self.found = index

    def index(self, model: Trained) -> TrackIndex:
        """Return the index for any model."""
        return self.found


def measure(path: Path) -> dict[str, Any]:
    """Measure all of one size."""
    logging.disable()
    params = load_params(ROOT / "params.yaml")
    before = peak_megabytes()
    start = perf_counter()
    index = open_index(path, "")
    opened = perf_counter() - start
    exact = ExactSearch(index)
    index.rows(next(exact.nearest(index.vectors[0])))
    memory = peak_megabytes()
    recommender = open_recommender(ROOT, params)
    recommender.libraries["made up"] = MadeUp(index)
    whole = [film for film in film_rows(dataset()) if film["tags"] and film["plot"] and film["image"]]
    films = [Query(None, film["tags"], film["plot"], ROOT / film["image"]) for film in whole]
    recommender.recommend(Request(films[0], 1, "made up"))  # loads the networks
    encoder = recommender._query_encoder(recommender.trained[index.about["variant"]])
    vectors = [encoder.encode([film])[0] for film in films[:40]]
    start = perf_counter()
    approximate = ApproximateSearch(index, params.recommend)
    lists = perf_counter() - start
    found = {
        "open": opened,
        "memory": memory - before,
        "libraries": before,
        "lists": lists,
        "track_recall": recall_of(approximate)[0],
    }
    found["exact"] = median(lambda query: next(exact.nearest(query))[:K], vectors)
    found["brute"] = median(lambda query: np.argsort(-(index.vectors @ query), kind="stable")[:K], vectors)
    found["approximate"] = median(lambda query: next(approximate.nearest(query))[:K], vectors)
    found["film_recall"] = float(
        np.mean(
            [len(np.intersect1d(next(approximate.nearest(v))[:K], next(exact.nearest(v))[:K])) / K for v in vectors]
        )
    )
    ask = Request(NOTHING, K, "made up", index.about["variant"], per_film=1)
    found["similar"] = median(lambda n: recommender.recommend(replace(ask, like=(n,))), list(range(0, 4000, 100)))
    like = [replace(ask, query=film, why=True) for film in films[:40]]
    for request in like:
        recommender.recommend(request)  # texts are cached, images are not
    found["why"] = median(recommender.recommend, [replace(r, query=replace(r.query)) for r in like])
    fresh = films[40:60]
    seconds = [clocked(lambda film: recommender.recommend(replace(ask, query=film)), film) for film in fresh]
    found |= {"answer": float(np.median(seconds)), "slowest": max(seconds)}
    found["explained"] = median(lambda film: recommender.recommend(replace(ask, query=film, why=True)), films[60:80])
    found["all_memory"] = peak_megabytes()
    return found


def dataset() -> list[dict[str, Any]]:
    """Return the rows of the default run's data set."""
    return read_table(ROOT / "data/dataset.parquet", DATASET, "split")


def median(work: Any, items: list[Any]) -> float:
    """Return the median seconds of `work` over `items`."""
    work(items[0])
    return float(np.median([clocked(work, item) for item in items]))


def clocked(work: Any, item: Any) -> float:
    """Return the seconds of `work(item)`."""
    start = perf_counter()
    work(item)
    return perf_counter() - start


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        work, path, *size = sys.argv[1:]
        print(json.dumps(write(Path(path), int(size[0])) if work == "write" else measure(Path(path))))
