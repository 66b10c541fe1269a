"""Ranking and metrics, against a loop that ranks as the published code does, and at the paper's size.

Embeddings are random, of width 64 as the published ones, with each film's tracks shifted towards it. The loop sorts all
candidates of each film by cosine in a Python list of paths, and searches it for each of the film's own. Both use two
threads.

    python -m benchmarks.evaluation
"""

import json
import sys
import time
from math import inf, log2
from typing import Any

import numpy as np

from benchmarks.report import figure, in_own_process, peak_megabytes, publish
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.chance import chance_metrics
from pipeline.evaluate.metrics import averages, pooled_figures, query_metrics
from pipeline.evaluate.ranking import hubness_of, one_row_each, rank

WIDTH = 64
KS = [1, 5, 10, 20, 50, 100]
SAMPLES = 2000
SMALL = [(207, 1964), (500, 20_000)]
WHOLE = (7771, 74_000)
REPEATS = 20


def main() -> None:
    """Run each size in a separate process, and print the figures."""
    lines = []
    for films, tracks in SMALL:
        found = in_own_process("benchmarks.evaluation", "beside", str(films), str(tracks), threads=2)
        what = f"{films:,} × {tracks:,}: ranks and metrics"
        lines.append(figure(what, found["ours"], "s", found["loop"], "the loop", "at most 1/30"))
        lines.append(figure("… ranks that differ", found["different"], f"of {tracks:,}", goal="0"))
        lines.append(figure("… largest difference of a metric", found["off"], "", goal="ties only"))
    for films, tracks in (tuple(size // 4 for size in WHOLE), WHOLE):
        found = in_own_process("benchmarks.evaluation", "whole", str(films), str(tracks), threads=2)
        size = f"{films:,} × {tracks:,}"
        lines.append(figure(f"{size}: from films to music", found["forward"], "s"))
        lines.append(figure("… from music to films", found["backward"], "s"))
        lines.append(figure("… intervals and chance, both directions", found["sure"], "s"))
        lines.append(figure("… total", found["seconds"], "s", goal="< 60"))
        lines.append(figure("… peak memory", found["memory"], "MB", goal="< 2,000"))
    publish("evaluation", lines)


def beside(films: int, tracks: int) -> dict[str, Any]:
    """Return the seconds of ours and of the loop, the number of different ranks, and the difference of the metrics."""
    queries, candidates, own = generated(films, tracks)
    ours = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        ranks = rank(one_row_each(queries), one_row_each(candidates), own, top=0).ranks
        metrics = averages(query_metrics(ranks, KS))
        pooled_figures(ranks, KS)
        ours.append(time.perf_counter() - start)
    start = time.perf_counter()
    of_loop, expected = plain_loop(queries, candidates, own)
    loop = time.perf_counter() - start
    first, last = (np.repeat(place, ranks.own) for place in (ranks.above + 1, ranks.above + ranks.tied))
    different = ((of_loop < first) | (of_loop > last)).sum()  # tied tracks share ranks, except in the loop
    off = max(abs(metrics[name] - value) for name, value in expected.items() if name != "mean_rank")
    return {"ours": min(ours), "loop": loop, "different": int(different), "off": off}


def plain_loop(
    queries: np.ndarray, candidates: np.ndarray, own: list[np.ndarray]
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the ranks of each film's tracks, ascending, and all metrics averaged over films."""
    paths = [f"./data/audio/A/A/A/{track}.mp3" for track in range(len(candidates))]
    candidates = candidates.astype(np.float64)
    ranks, metrics = [], []
    for query, of_film in zip(queries.astype(np.float64), own, strict=True):
        cosines = (candidates @ query).astype(np.float32)  # rounded like ours, for comparable ranks
        scores = {path: float(cosine) for path, cosine in zip(paths, cosines, strict=True)}
        ordered = sorted(scores, key=lambda path: scores[path], reverse=True)
        found = sorted(ordered.index(paths[track]) + 1 for track in of_film)
        ranks += found
        metrics.append(plain_metrics(found))
    pooled = {f"recall_at_{k}": sum(rank <= k for rank in ranks) / len(ranks) for k in KS}
    pooled["mrr"] = sum(1 / rank for rank in ranks) / len(ranks)
    means = {name: sum(of_film[name] for of_film in metrics) / len(metrics) for name in metrics[0]}
    return np.array(ranks), means


def plain_metrics(ranks: list[int]) -> dict[str, float]:
    """Return every metric of one film by its definition."""

    def ndcg(cut: float) -> float:
        ideal = sum(1 / log2(place + 1) for place in range(1, len(ranks) + 1) if place <= cut)
        return sum(1 / log2(rank + 1) for rank in ranks if rank <= cut) / ideal

    return {
        **{f"hit_rate_at_{k}": float(ranks[0] <= k) for k in KS},
        **{f"recall_at_{k}": sum(rank <= k for rank in ranks) / len(ranks) for k in KS},
        "mrr": 1 / ranks[0],
        "map": sum(place / rank for place, rank in enumerate(ranks, 1)) / len(ranks),
        "ndcg_at_10": ndcg(10),
        "ndcg": ndcg(inf),
        "mean_rank": ranks[0],
    }


def whole(films: int, tracks: int) -> dict[str, Any]:
    """Return the seconds of each part of an evaluation of random embeddings, and the peak memory."""
    queries, candidates, own = generated(films, tracks)
    films_of_tracks = np.repeat(np.arange(films), [len(of_film) for of_film in own])
    times = [time.perf_counter()]
    forward = rank(one_row_each(queries), one_row_each(candidates), own, top=max(KS))
    columns = query_metrics(forward.ranks, KS)
    averages(columns), pooled_figures(forward.ranks, KS), hubness_of(forward.occurrences, films)
    times.append(time.perf_counter())
    asked = [np.array([film]) for film in films_of_tracks]
    backward = rank(one_row_each(candidates), one_row_each(queries), asked, top=0).ranks
    other = query_metrics(backward, KS)
    averages(other)
    times.append(time.perf_counter())
    confidence_intervals(columns, SAMPLES, 0), chance_metrics(forward.ranks.relevant, tracks, KS)
    confidence_intervals(other, SAMPLES, 0, films_of_tracks), chance_metrics(backward.relevant, films, KS)
    times.append(time.perf_counter())
    parts = dict(zip(("forward", "backward", "sure"), np.diff(times).tolist(), strict=True))
    return parts | {"seconds": times[-1] - times[0], "memory": peak_megabytes()}


def generated(films: int, tracks: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return unit vectors of films and of tracks, and the numbers of each film's tracks."""
    rng = np.random.default_rng(0)
    owners = np.sort(np.concatenate([np.arange(films), rng.integers(films, size=tracks - films)]))
    queries = rng.normal(size=(films, WIDTH))
    candidates = rng.normal(size=(tracks, WIDTH)) + 0.3 * queries[owners]
    own = np.split(np.arange(tracks), np.flatnonzero(np.diff(owners)) + 1)
    unit = [(side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in (queries, candidates)]
    return unit[0], unit[1], own


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        work = {"beside": beside, "whole": whole}[sys.argv[1]]
        print(json.dumps(work(*map(int, sys.argv[2:]))))
