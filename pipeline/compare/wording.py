"""How names and numbers are written for people, the same in the terminal and in the report."""

from pipeline.compare.results import Result

COMPANIONS = ("mrr", "median_rank")  # shown beside `compare.metric`
WORDS = {"mrr": "MRR", "map": "MAP", "ndcg": "nDCG", "hit_rate": "Hit rate"}


def metric_label(name: str) -> str:
    """Return e.g. `Recall@10` for `recall_at_10`."""
    stem, at, k = name.partition("_at_")
    return WORDS.get(stem, stem.replace("_", " ").capitalize()) + ("@" + k if at else "")


def columns_beside(metric: str) -> list[str]:
    """Return the metrics of a short table: `metric` and its companions."""
    return [metric, *(name for name in COMPANIONS if name != metric)]


def number(name: str, value: float) -> str:
    """Return a metric's value: a rank as `12` or `12.5`, anything else with three decimals."""
    if name.endswith("_rank"):
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.3f}"


def interval(result: Result, name: str) -> str:
    """Return a metric's 95 % interval, e.g. `0.250–0.380`; empty when it has none."""
    ends = result.metrics["ci95"].get(name)
    return "–".join(number(name, end) for end in ends) if ends else ""


def chance(result: Result, name: str) -> str:
    """Return what a random ranking is expected to reach; empty when that is not known."""
    value = result.metrics["chance"].get(name)
    return "" if value is None else number(name, value)


def inputs_label(inputs: list[str]) -> str:
    """Return e.g. `tags and plot + image`."""
    return " + ".join("tags and plot" if name == "tags_plot" else name for name in inputs)


def signed(value: float) -> str:
    """Return a difference with its sign, e.g. `+0.120` or `−0.004`."""
    return f"{value:+.3f}".replace("-", "−")


def listed(names: list[str]) -> str:
    """Return e.g. `Im, Ta and All`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
