"""The model card of a published model, generated from its files and its evaluation in the hub's format.

The front matter (https://huggingface.co/docs/hub/model-cards) holds the figures as a `model-index`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.apps.published.folder import Config
from pipeline.compare.wording import counted, metric_label, number, pool_name, unit_noun
from pipeline.core.hub import Address
from pipeline.evaluate.section import HEADLINE, INSTEAD
from pipeline.store.inputs import needs_of

PROJECT = "soundtrack-retrieval"
TAGS = ["soundtrack", "film", "music", "music-retrieval", "cross-modal-retrieval"]
TASK = "feature-extraction"  # the hub's task for models that return embeddings
SHOWN = ("recall_at_1", "recall_at_5", "recall_at_10", "hit_rate_at_10", "mrr", "map", "ndcg_at_10", "median_rank")
EXAMPLE = {
    "tags": "noir, 1950s, revenge",
    "plot": "A detective falls for the woman he follows.",
    "image": "poster.jpg",
}
OPTIONS = {"tags": '--tags "noir, 1950s, revenge"', "plot": "--plot plot.txt", "image": "--image poster.jpg"}


@dataclass(frozen=True)
class Facts:
    """The facts of a card besides the model's config and figures."""

    address: Address
    corpus: str
    license: str  # id on the hub
    digest: str  # SHA-256 of the weights
    tracks: Sequence[Mapping[str, Any]]  # of the index: fid and split


def model_card(config: Config, metrics: Mapping[str, Any], facts: Facts) -> str:
    """Return the text of README.md; raise `KeyError` if `metrics` lacks a key of an evaluation."""
    names = [name for name in SHOWN if name in metrics]
    headline = HEADLINE if HEADLINE in metrics else INSTEAD
    needs = needs_of(config.inputs)
    values = {
        "front": _front_matter(metrics, names, facts),
        "name": facts.address.repository.rsplit("/", 1)[-1],
        "address": facts.address,
        "project": PROJECT,
        "needs": needs,
        "query": [f'{part}="{EXAMPLE[part]}"' for part in needs],
        "options": " ".join(OPTIONS[part] for part in needs),
        "config": config,
        "digest": facts.digest,
        "corpus": facts.corpus,
        "license": facts.license,
        "tracks": len(facts.tracks),
        "films": len({track["fid"] for track in facts.tracks}),
        "sides": _sides(facts.tracks),
        "encoders": _encoders(config),
        "metrics": metrics,
        "pool": pool_name(metrics["pool"]),
        "rows": [_row(name, metrics) for name in names],
        "headline": metric_label(headline),
        "baselines": [_baseline(name, found, headline) for name, found in metrics.get("baselines", {}).items()],
        "noun": unit_noun(metrics["unit"]),
        "counted": counted,
    }
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    return environment.get_template("card.md.j2").render(values)


def _front_matter(metrics: Mapping[str, Any], names: Sequence[str], facts: Facts) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="retrieval",
            task_name="Music for films",
            dataset_type=facts.corpus,
            dataset_name=facts.corpus,
            dataset_split=metrics["pool"],
            metric_type=name,
            metric_name=metric_label(name),
            metric_value=metrics[name],
        )
        for name in names
    ]
    card = ModelCardData(
        license=facts.license,
        tags=TAGS,
        library_name=PROJECT,
        pipeline_tag=TASK,
        model_name=facts.address.repository,
        eval_results=results,
    )
    return card.to_yaml()


def _sides(tracks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    sides = dict.fromkeys(track["split"] for track in tracks)
    found = []
    for side in sides:
        of_side = [track for track in tracks if track["split"] == side]
        found.append({"name": side, "films": len({track["fid"] for track in of_side}), "tracks": len(of_side)})
    return found


def _encoders(config: Config) -> list[str]:
    """Return the encoder of each input and of the music."""
    found: dict[str, list[str]] = {}
    for kind, settings in {**config.features, **config.encoders}.items():
        what = f"`{settings['encoder']}`" + (f" ({revision})" if (revision := settings.get("revision")) else "")
        found.setdefault(what, []).append({"audio": "music"}.get(kind, kind))
    return [f"{' and '.join(kinds)}: {what}" for what, kinds in found.items()]


def _row(name: str, metrics: Mapping[str, Any]) -> dict[str, str]:
    low, high = metrics["ci95"][name]
    numbers = {"value": metrics[name], "low": low, "high": high, "chance": metrics["chance"][name]}
    return {"label": metric_label(name)} | {key: number(name, value) for key, value in numbers.items()}


def _baseline(name: str, found: Mapping[str, Any], headline: str) -> dict[str, str]:
    low, mean, high = found["difference"]
    return {
        "name": name,
        "value": number(headline, found[headline]),
        "difference": f"{mean:+.3f} ({low:+.3f} to {high:+.3f})",
    }
