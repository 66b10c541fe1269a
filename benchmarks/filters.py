"""Answers from 1,000,000 tracks with filters, against the unfiltered answer of the same run.

Tracks are generated, so that no data is needed: 1,000 directions with noise, 64 values each, twenty per film, one per
file, 50 music tags. Queries are tracks ("more like this", one result per film), so that no network runs. One thread;
CPU seconds, to be independent of other work on the machine; medians over queries.

    python -m benchmarks.filters
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.recommend import MadeUp
from benchmarks.report import figure, in_own_process, publish
from pipeline.apps.recommend.filters import COLUMNS, Filters, parse_filters
from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.passing import passing
from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import Recommender, Request
from pipeline.apps.recommend.summary import summary_of
from pipeline.apps.recommend.trained import Trained
from pipeline.params import Recommend, load_params
from pipeline.store.index import INDEX_KEYS, REPEATED_COLUMNS

ROOT = Path(__file__).parent.parent
SIZE, WIDTH, DIRECTIONS, PER_FILM = 1_000_000, 64, 1000, 20
TAGS = [f"tag {number}" for number in range(50)]
KEYS = [f"{tonic} {mode}" for tonic in ("C", "C#", "D", "D#", "E", "F", "F#", "G") for mode in ("major", "minor")]
K = 20
QUERIES = range(0, 4000, 200)
GOAL = "under 150"
FILTERS = {  # from many matching tracks to few
    "instrumental": {"vocals": "instrumental"},
    "60 to 90 beats per minute": {"tempo": "60-90"},
    "… 1:00 to 3:00, instrumental": {"tempo": "60-90", "length": "1:00-3:00", "vocals": "instrumental"},
    "… in C minor, of the 1920s": {
        "tempo": "60-90",
        "length": "1:00-3:00",
        "vocals": "instrumental",
        "key": "C minor",
        "year": "1920-1929",
    },
    "all seven filters": {
        "tempo": "60-90",
        "length": "1:00-3:00",
        "vocals": "instrumental",
        "key": "minor",
        "year": "1920-1969",
        "loudness": "-30..-14",
        "music": "tag 1, tag 2",
    },
    "no track passes": {"tempo": "400.."},
}


def main() -> None:
    """Run it and print the figures."""
    found = in_own_process("benchmarks.filters", "measure")
    figures = []
    for search in ("exact", "approximate"):
        plain = found[search].pop("no filter")
        figures.append(figure(f"{search} search: no filter", plain["seconds"] * 1000, "ms", goal=GOAL))
        for name, of in found[search].items():
            what = f"{search} search: {name} ({of['tracks']:,} tracks)"
            figures.append(figure(what, of["seconds"] * 1000, "ms", plain["seconds"] * 1000, "no filter", GOAL))
            if "recall" in of:
                figures.append(figure("… recall of the nearest of these", of["recall"], ""))
    figures += [
        figure("applying all seven filters", found["mask"] * 1000, "ms"),
        figure("summary for the form", found["summary"] * 1000, "ms"),
        figure("memory of the columns that filters read", found["columns"], "MB", found["index"], "of the index"),
    ]
    publish("filters", figures)


def measure() -> dict[str, Any]:
    """Measure all."""
    params = load_params(ROOT / "params.yaml").recommend
    index = made_up()
    exact = recommender_of(index, replace(params, search="exact"))
    request = Request(Query(None, None, None, None), K, "made up", per_film=1, like=(0,))
    exact.recommend(request)  # numbers of files and films
    found: dict[str, Any] = {"exact": timed(exact, request), "index": index.bytes / 1e6}
    assert index.probabilities is not None
    columns = sum(index.tracks[name].nbytes for name in (*COLUMNS.values(), "key", "vocals"))
    found["columns"] = (columns + index.probabilities.nbytes) / 1e6
    found["mask"] = median(lambda _: passing(index, parse_filters(FILTERS["all seven filters"])), [*QUERIES])
    found["summary"] = median(lambda _: summary_of(index), [*range(3)])
    approximate = recommender_of(index, replace(params, search="approximate"))
    found["approximate"] = timed(approximate, request)
    for name, texts in FILTERS.items():
        of = replace(request, filters=parse_filters(texts))
        shares = [shared(exact, approximate, replace(of, like=(row,))) for row in QUERIES]
        if of_some := [share for share in shares if share is not None]:
            found["approximate"][name]["recall"] = float(np.mean(of_some))
    return found


def timed(recommender: Recommender, request: Request) -> dict[str, Any]:
    """Return the seconds per answer and the number of matching tracks, by the name of the filters."""
    found: dict[str, Any] = {}
    for name, texts in {"no filter": {}, **FILTERS}.items():
        filters: Filters = parse_filters(texts)
        asked = [replace(request, filters=filters, like=(row,)) for row in QUERIES]
        filtered = recommender.recommend(asked[0]).filtered
        found[name] = {
            "seconds": median(recommender.recommend, asked),
            "tracks": SIZE if filtered is None else filtered.tracks,
        }
    return found


def median(work: Any, items: list[Any]) -> float:
    """Return the median CPU seconds of `work` over `items`, after one warm-up call."""
    work(items[0])
    seconds = []
    for item in items:
        start = process_time()
        work(item)
        seconds.append(process_time() - start)
    return float(np.median(seconds))


def shared(exact: Recommender, approximate: Recommender, request: Request) -> float | None:
    """Return the recall of approximate search relative to exact search, or None without results."""
    wanted, rows = ([track["row"] for track in of.recommend(request).tracks] for of in (exact, approximate))
    return len({*wanted} & {*rows}) / len(wanted) if wanted else None


def recommender_of(index: TrackIndex, params: Recommend) -> Recommender:
    """Return a recommender for queries by track."""
    model = Trained("All", ROOT, ("tags",), False, None, {}, (), "")
    return Recommender({"All": model}, {"made up": MadeUp(index)}, params, torch.device("cpu"), "All", "words")


def made_up() -> TrackIndex:
    """Return an index of generated tracks; a tenth of the numbers is unknown."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((DIRECTIONS, WIDTH), np.float32)
    vectors = centres[rng.integers(DIRECTIONS, size=SIZE)]
    for start in range(0, SIZE, 100_000):
        part = vectors[start : start + 100_000]
        part += rng.standard_normal(part.shape, np.float32) * 0.7
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    films = np.arange(SIZE) // PER_FILM

    def known(values: np.ndarray) -> pa.Array:
        return pa.array(values, mask=rng.random(SIZE) < 0.1)

    def named(values: np.ndarray, names: list[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(values.astype(np.int32), names)

    titles = [f"Soundtrack of film {film}" for film in range(SIZE // PER_FILM)]
    columns = {
        "film": named(films, titles),
        "year": pa.array(1920 + films % 100, pa.int32()),
        "seconds": pa.array(np.full(SIZE, 30.0)),
        "file_start_seconds": pa.array(np.zeros(SIZE)),
        "recording_seconds": known(rng.lognormal(5, 0.7, SIZE)),
        "tempo": known(rng.normal(105, 28, SIZE)),
        "key": named(rng.integers(0, len(KEYS), SIZE), KEYS),
        "loudness": known(rng.normal(-20, 6, SIZE)),
        "vocals": known(rng.beta(0.5, 1.5, SIZE)),
        "path": pa.array([f"Composer {film // 10}/{film}/{row:07}.mp3" for row, film in enumerate(films.tolist())]),
    }
    for field in INDEX_KEYS:
        if field.name not in columns:
            none = named(np.zeros(SIZE), [""]) if field.name in REPEATED_COLUMNS else pa.nulls(SIZE, field.type)
            columns[field.name] = pa.array([""] * SIZE) if none.null_count and field.type == pa.string() else none
    table = pa.table({name: columns[name] for name in INDEX_KEYS.names})
    probabilities = np.minimum(255, rng.exponential(14, (SIZE, len(TAGS)))).astype(np.uint8)
    return TrackIndex(table, vectors, {"music_tags": TAGS}, Path("tracks.parquet"), probabilities)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        print(json.dumps(measure()))
