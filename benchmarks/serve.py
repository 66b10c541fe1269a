"""The server of the page: time to the first answer, latency with concurrent clients, and memory.

The server is `python -m pipeline serve` in a separate process, on the default run (`make run`). Clients are threads,
each sending a request when the previous one is answered: a new synopsis of `WORDS` words with tags and a poster; the
same with reasons, as the page requests next; plots of real pages, about four paragraphs; and the same film repeatedly,
whose texts are cached. The variant `All` answers. Wall times.

    python -m benchmarks.serve
"""

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import psutil
import requests

from benchmarks.report import figure, publish
from pipeline.core.tables import DATASET, read_table
from pipeline.store.inputs import film_rows

ROOT = Path(__file__).parent.parent
CLIENTS = 20
EACH = 10  # requests per client
WORDS = 60
VARIANT = "All"  # reads all parts
MEMORY_AFTER, MEMORY_UNTIL = 400, 2400  # requests
TIMEOUT = 60  # seconds
Question = tuple[dict[str, Any], bytes]  # form and poster


def main() -> None:
    """Run all and print the figures."""
    rows = film_rows(read_table(ROOT / "data/dataset.parquet", DATASET, "split"))
    films = [film for film in rows if film["tags"] and film["plot"] and film["image"]]
    posters = [(ROOT / film["image"]).read_bytes() for film in films]
    figures = []
    with served() as (address, process, began):
        ask(address, ({"tags": films[0]["tags"], "plot": films[0]["plot"]}, posters[0]))
        figures.append(figure("start to the first answer", perf_counter() - began, "s", goal="under 10"))
        kinds = {
            f"a synopsis of {WORDS} words": synopses(films, posters),
            "… with reasons": explained(synopses(films, posters)),
            "a page's plot": plots(films, posters),
            "the same film": same(films, posters),
        }
        for kind, questions in kinds.items():
            alone = [clocked(lambda q=q: ask(address, q)) for q in itertools.islice(questions, CLIENTS)]
            together = crowd(address, questions, CLIENTS * EACH)
            goal = "under 1" if kind == next(iter(kinds)) else ""
            figures += [
                figure(f"{kind}: one client, median", float(np.median(alone)) * 1000, "ms"),
                figure(f"{kind}: {CLIENTS} clients, median", float(np.median(together)), "s"),
                figure(
                    f"{kind}: {CLIENTS} clients, 95th percentile", float(np.percentile(together, 95)), "s", goal=goal
                ),
            ]
        crowd(address, same(films, posters), MEMORY_AFTER)
        before = process.memory_info().rss
        crowd(address, itertools.islice(synopses(films, posters), MEMORY_UNTIL), MEMORY_UNTIL - MEMORY_AFTER)
        after = process.memory_info().rss
        name = f"after {MEMORY_AFTER} requests"
        figures.append(
            figure(f"memory after {MEMORY_UNTIL} requests", after / 2**20, "MB", before / 2**20, name, "ratio near 1")
        )
    publish("serve", figures)


@contextmanager
def served() -> Iterator[tuple[str, psutil.Process, float]]:
    """Run the server; yield its address, its process and its start time."""
    began = perf_counter()
    command = [sys.executable, "-m", "pipeline", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            address = server.stdout.readline().split()[1]
            yield address, psutil.Process(server.pid), began
        finally:
            server.terminate()


def ask(address: str, question: Question) -> None:
    """Send a request; any failure ends the benchmark."""
    form, poster = question
    sent = form | {"k": 10, "variant": VARIANT}
    while True:
        try:
            found = requests.post(f"{address}/api/recommend", data=sent, files={"image": poster}, timeout=TIMEOUT)
            break
        except requests.ConnectionError:  # not yet listening
            sleep(0.05)
    if found.status_code != 200 or len(found.json()["tracks"]) != 10:
        sys.exit(f"the server answered {found.status_code}: {found.text[:200]}")


def synopses(films: list[dict[str, Any]], posters: list[bytes]) -> Iterator[Question]:
    """Yield requests with one paragraph of words from the films' plots, all different."""
    rng = np.random.default_rng(0)
    words = [word for film in films for word in film["plot"].split()]
    for film, poster in itertools.cycle(zip(films, posters, strict=True)):
        start = rng.integers(len(words) - WORDS)
        yield {"tags": film["tags"], "plot": " ".join(words[start : start + WORDS])}, poster


def explained(questions: Iterator[Question]) -> Iterator[Question]:
    """Yield the requests with reasons."""
    return (({**form, "why": "true"}, poster) for form, poster in questions)


def plots(films: list[dict[str, Any]], posters: list[bytes]) -> Iterator[Question]:
    """Yield the plots of films, made unique by a word before each paragraph."""
    for number in itertools.count():
        for film, poster in zip(films, posters, strict=True):
            plot = "\n".join(f"{number}. {paragraph}" for paragraph in film["plot"].split("\n"))
            yield {"tags": film["tags"], "plot": plot}, poster


def same(films: list[dict[str, Any]], posters: list[bytes]) -> Iterator[Question]:
    """Yield the same film forever."""
    return itertools.repeat(({"tags": films[0]["tags"], "plot": films[0]["plot"]}, posters[0]))


def crowd(address: str, questions: Iterator[Question], count: int) -> list[float]:
    """Send `count` requests from `CLIENTS` concurrent clients; return the seconds of each."""
    asked = itertools.islice(questions, count)
    lock, seconds = threading.Lock(), []

    def client() -> None:
        while True:
            with lock:
                question = next(asked, None)
            if question is None:
                return
            seconds.append(clocked(lambda question=question: ask(address, question)))

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seconds) != count:
        sys.exit(f"{count - len(seconds)} of {count} requests failed")
    return seconds


def clocked(work: Callable[[], None]) -> float:
    """Return the seconds of `work`."""
    start = perf_counter()
    work()
    return perf_counter() - start


if __name__ == "__main__":
    main()
