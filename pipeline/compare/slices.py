"""The variants on slices of the films: by decade, language, genre, number of own tracks, or missing input.

A slice restricts the films averaged over; the candidates are always the whole pool.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.compare.results import Result

FEW = 5  # films; averages over fewer are unreliable


@dataclass(frozen=True)
class Slice:
    """One slice with each variant's value, its 95 % interval or None, and the value of a random ranking or None."""

    kind: str
    name: str
    films: int
    tracks: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float] | None]
    chance: float | None

    @property
    def small(self) -> bool:
        """Whether it has fewer than `FEW` films."""
        return self.films < FEW


def slices_of(results: list[Result], metric: str) -> dict[str, list[Slice]]:
    """Return the slices by kind, in the order of the metrics files; kinds without slices are left out."""
    kinds = results[0].metrics["slices"]
    return {kind: [_slice(kind, name, results, metric) for name in slices] for kind, slices in kinds.items() if slices}


def slices_to_compare(results: list[Result], metric: str) -> dict[str, list[Slice]]:
    """Return the slices of kinds that have two or more."""
    return {kind: slices for kind, slices in slices_of(results, metric).items() if len(slices) > 1}


def summarise_slices(results: list[Result], metric: str) -> dict[str, Any]:
    """Return the slices as data, by kind and name."""
    return {
        kind: {
            part.name: {
                "films": part.films,
                "tracks": part.tracks,
                "chance": part.chance,
                "variants": {
                    variant: {"value": value, "ci95": part.intervals[variant]} for variant, value in part.values.items()
                },
            }
            for part in slices
        }
        for kind, slices in slices_of(results, metric).items()
    }


def _slice(kind: str, name: str, results: list[Result], metric: str) -> Slice:
    parts = {result.variant: result.metrics["slices"][kind][name] for result in results}
    first = parts[results[0].variant]
    return Slice(
        kind=kind,
        name=name,
        films=first["films"],
        tracks=first["tracks"],
        values={variant: part[metric] for variant, part in parts.items()},
        intervals={variant: _interval(part, metric) for variant, part in parts.items()},
        chance=first.get("chance", {}).get(metric),
    )


def _interval(part: dict[str, Any], metric: str) -> tuple[float, float] | None:
    ends = part.get("ci95", {}).get(metric)
    return tuple(ends) if ends else None
