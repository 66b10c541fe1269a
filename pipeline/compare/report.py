"""The report: one self-contained HTML file with styles, figures, posters and excerpts; it needs no network."""

import base64
import hashlib
import re
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.compare import wording
from pipeline.compare.excerpts import embed_excerpts, embed_posters, tracks_in_order
from pipeline.compare.figures import ACCENT, INK, MUTED, PAPER, RULE
from pipeline.compare.films import Card
from pipeline.compare.results import Result, answered_by_others, overfits, ranked
from pipeline.compare.section import Compare
from pipeline.compare.significance import Difference, wins_of, within_reach
from pipeline.compare.slices import FEW, slices_to_compare
from pipeline.compare.summary import metric_names
from pipeline.evaluate.section import HEADLINE, INSTEAD, UNITS, ZERO_SHOT, Evaluate

TEMPLATES = Path(__file__).parent / "templates"
COLOURS = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    ACCENT: "accent",
    PAPER: "paper",
}  # custom properties in report.css


def render_report(
    root: Path,
    results: list[Result],
    differences: list[Difference],
    figures: dict[str, str],
    cards: list[Card],
    names: dict[str, tuple[str, int | None]],
    sharing: list[list[str]],
    params: Compare,
    evaluate: Evaluate,
) -> str:
    """Return the report as HTML, with posters and tracks of `cards` read below `root`.

    `names` are titles and years by fid, `sharing` groups of films that share recordings.
    """
    order = ranked(results, params.metric)
    pool, reverse_pool = wording.pool_label(results[0]), wording.reverse_pool_label(results[0])
    slices = slices_to_compare(results, params.metric)
    differences = _by_rank(differences, order)
    tracks = tracks_in_order(cards)
    script = _template_file("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            style=_template_file("report.css"),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            results=results,
            answered=partial(answered_by_others, results=results),
            order=order,
            metric=params.metric,
            columns=wording.columns_beside(params.metric),
            reverse_columns=wording.reverse_columns(params.metric, results[0].metrics["music_to_film"]),
            pool=pool,
            sharing=sharing,
            reverse_pool=reverse_pool,
            noun=wording.unit_noun(results[0].metrics["unit"]),
            limited=any(wording.ceiling(results[0].metrics, name) for name in wording.columns_beside(params.metric)),
            directions=[
                ("From a film to its music", pool, [result.metrics for result in results]),
                *_other_unit(results),
                ("From a track to its film", reverse_pool, [result.metrics["music_to_film"] for result in results]),
            ],
            first=order[0],
            own=results[0].rankings["relevant"],
            differences=differences,
            real=sum(pair.real for pair in differences),
            beaten=_beaten(differences),
            reachable=within_reach(len(results[0].rankings), len(differences), params.permutations),
            joint=next(
                (b[ZERO_SHOT]["encoder"] for b in (r.metrics["baselines"] for r in results) if ZERO_SHOT in b), ""
            ),
            above_chance=[result for result in order if _above_chance(result, params.metric)],
            not_above_chance=[result for result in order if not _above_chance(result, params.metric)],
            wins=wins_of(results, params.metric),
            values={result.variant: result.rankings.set_index("fid")[params.metric].to_dict() for result in results},
            names=names,
            slices=slices,
            few=FEW,
            highest=max((max(part.values.values()) for part in chain(*slices.values()) if not part.small), default=0),
            figures={name: Markup(inline_svg(name, svg)) for name, svg in figures.items()},
            cards=cards,
            posters=embed_posters(root, cards),
            tracks=sorted(tracks, key=lambda track: (track.title, track.fid, track.number)),
            anchors={track.path: f"track-{track.fid}-{track.number}" for track in tracks},
            excerpts=embed_excerpts(root, tracks, params),
            params=params,
            evaluate=evaluate,
            gained=HEADLINE if HEADLINE in results[0].metrics else INSTEAD,
            overfitted=[result.variant for result in order if overfits(result)],
        )
    )


def inline_svg(name: str, svg: str) -> str:
    """Return a figure's `<svg>` for a page: ids prefixed with `name`, colours as the page's custom properties."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in COLOURS.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return re.sub(r'<svg [^>]*(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', svg, count=1)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "metric": wording.metric_label,
        "inputs": wording.inputs_label,
        "signed": wording.signed,
        "words": wording.listed,
        "counted": wording.counted,
        "kind": wording.kind_label,
        "pool": wording.pool_name,
    }
    environment.globals |= {
        "number": wording.number,
        "interval": wording.interval,
        "chance": wording.chance,
        "ceiling": wording.ceiling,
        "difference": wording.difference,
        "metric_names": metric_names,
        "best": _best,
    }
    return environment


def _template_file(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _other_unit(results: list[Result]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return title, label and figures of the unit other than the report's, if it has a different pool."""
    metrics = results[0].metrics
    return [
        (f"From a film to its {wording.unit_noun(unit)}s", wording.unit_label(results[0], unit), of_variants)
        for unit in UNITS
        if unit != metrics["unit"] and metrics[f"{unit}s"]["candidates"] != metrics["candidates"]
        for of_variants in [[result.metrics[f"{unit}s"] for result in results]]
    ]


def _above_chance(result: Result, metric: str) -> bool:
    return result.metrics["ci95"][metric][0] > result.metrics["chance"][metric]


def _best(of_variants: list[dict[str, Any]], name: str) -> float | None:
    """Return the best of the variants' values, or None if all are equal."""
    values = [metrics[name] for metrics in of_variants]
    if min(values) == max(values):
        return None
    return min(values) if name.endswith("_rank") else max(values)


def _oriented(pair: Difference) -> Difference:
    """Return the difference with the better variant first."""
    if pair.mean >= 0:
        return pair
    return Difference(pair.second, pair.first, -pair.mean, -pair.high, -pair.low, pair.p, pair.p_holm)


def _by_rank(differences: list[Difference], order: list[Result]) -> list[Difference]:
    """Return the differences with the better variant first, significant pairs first, then by the variants' places."""
    place = {result.variant: number for number, result in enumerate(order)}
    oriented = [_oriented(pair) for pair in differences]
    return sorted(oriented, key=lambda pair: (not pair.real, place[pair.first], place[pair.second]))


def _beaten(differences: list[Difference]) -> dict[str, list[str]]:
    beaten: dict[str, list[str]] = {}
    for pair in differences:
        if pair.real:
            beaten.setdefault(pair.first, []).append(pair.second)
    return beaten
