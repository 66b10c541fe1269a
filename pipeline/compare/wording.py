"""Labels and number formats, the same in the terminal and in the report."""

import math
from collections.abc import Sequence
from typing import Any

from pipeline.compare.results import Result

COMPANIONS = ("mrr", "median_rank")  # shown beside `compare.metric`
WORDS = {"mrr": "MRR", "map": "MAP", "ndcg": "nDCG", "hit_rate": "Hit rate"}
POOLS = {"eval": "the test set", "all": "all splits"}  # the paper's "eval" split is the test set
NOUNS = {"segment": "track", "recording": "recording"}  # a candidate of each unit
KINDS = {"files": "Own tracks", "missing": "Missing inputs"}


def metric_label(name: str) -> str:
    """Return e.g. `Recall@10` for `recall_at_10`."""
    stem, at, k = name.partition("_at_")
    return WORDS.get(stem, stem.replace("_", " ").capitalize()) + ("@" + k if at else "")


def pool_name(pool: str) -> str:
    """Return the split that candidates come from, e.g. `the test set`."""
    return POOLS.get(pool, pool)


def unit_noun(unit: str) -> str:
    """Return the noun for a candidate of `unit`, e.g. `track`."""
    return NOUNS.get(unit, unit)


def pool_label(result: Result) -> str:
    """Return the queries and candidates behind a figure, e.g. `31 films, 142 tracks of the test set`."""
    metrics = result.metrics
    return _pool_label(metrics, metrics["unit"], metrics["candidates"])


def unit_label(result: Result, unit: str) -> str:
    """Return the same for the figures of one unit, e.g. `31 films, 40 recordings of the test set`."""
    return _pool_label(result.metrics, unit, result.metrics[f"{unit}s"]["candidates"])


def reverse_pool_label(result: Result) -> str:
    """Return the same for the reverse direction, e.g. `142 tracks as queries, 31 films of the test set`."""
    metrics = result.metrics["music_to_film"]
    queries, candidates = metrics["queries"], metrics["candidates"]
    noun = "track as query" if queries == 1 else "tracks as queries"
    return f"{queries:,} {noun}, {counted(candidates, 'film')} of {pool_name(result.metrics['pool'])}"


def counted(number: int, noun: str) -> str:
    """Return e.g. `1 film` or `1,200 films`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def kind_label(kind: str) -> str:
    """Return the label of a kind of slice, e.g. `Decade`."""
    return KINDS.get(kind, kind.replace("_", " ").capitalize())


def columns_beside(metric: str) -> list[str]:
    """Return the columns of a short table: `metric` and its companions."""
    return [metric, *(name for name in COMPANIONS if name != metric)]


def reverse_columns(metric: str, metrics: dict[str, Any]) -> list[str]:
    """Return those columns for the reverse direction, `metrics`; recall becomes hit rate, as a track has one film."""
    names = [name.replace("recall_at_", "hit_rate_at_") for name in columns_beside(metric)]
    return [name for name in dict.fromkeys(names) if name in metrics]


def number(name: str, value: float) -> str:
    """Return a metric's value: a rank as `12` or `12.5`, any other with three decimals."""
    if name.endswith("_rank"):
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.3f}"


def interval(metrics: dict[str, Any], name: str) -> str:
    """Return a metric's 95 % interval, e.g. `0.250–0.380`, or an empty string."""
    ends = metrics["ci95"].get(name)
    return "–".join(number(name, end) for end in ends) if ends else ""


def chance(metrics: dict[str, Any], name: str) -> str:
    """Return the expected value of a random ranking, or an empty string if unknown."""
    value = metrics["chance"].get(name)
    return "" if value is None else number(name, value)


def ceiling(metrics: dict[str, Any], name: str) -> str:
    """Return the value of a perfect ranking, or an empty string if that is 1."""
    value = metrics["ceiling"][name]
    return "" if math.isclose(value, 1) else number(name, value)


def inputs_label(inputs: Sequence[str]) -> str:
    """Return e.g. `tags and plot + image`."""
    return " + ".join("tags and plot" if name == "tags_plot" else name for name in inputs)


def signed(value: float) -> str:
    """Return a difference with its sign, e.g. `+0.120` or `−0.004`."""
    return f"{value:+.3f}".replace("-", "−")


def difference(baseline: dict[str, Any]) -> str:
    """Return the trained model minus a baseline with its interval, e.g. `+0.120 (−0.004 to +0.240)`."""
    low, mean, high = baseline["difference"]
    return f"{signed(mean)} ({signed(low)} to {signed(high)})"


def listed(names: list[str]) -> str:
    """Return e.g. `Im, Ta and All`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _pool_label(metrics: dict[str, Any], unit: str, candidates: int) -> str:
    whose = pool_name(metrics["pool"])
    return f"{counted(metrics['queries'], 'film')}, {counted(candidates, unit_noun(unit))} of {whose}"
