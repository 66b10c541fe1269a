"""Warnings about small corpora: what will not be possible, and the number of films needed."""

import math
from collections.abc import Collection, Iterator, Mapping

from pipeline.core.variants import Variant
from pipeline.split.assign import NEEDED, WANTED
from pipeline.split.section import Split

TRAINED_ON = ("train", "valid")
TEST_FILMS = 25  # with fewer, the 95 % interval of a hit rate of one half is wider than ±20 percentage points


def too_few_films(films: int, settings: Split, variants: Mapping[str, Variant]) -> str:
    """Return why a corpus of `films` films cannot be split or trained on; "" if it can."""
    trained = any(row.method == "contrastive" for row in variants.values())
    least = {split: count for split, count in (WANTED if trained else NEEDED).items() if getattr(settings, split)}
    if films >= sum(least.values()):
        return ""
    parts = ", ".join(f"{count} {split}" for split, count in least.items())
    return f"found {films}, expected at least {sum(least.values())} with the inputs of all variants ({parts})"


def few_test_films(films: int, settings: Split) -> str:
    """Return what the results of a corpus of `films` films cannot show; "" if its test set is large enough."""
    wanted = math.ceil(TEST_FILMS / settings.eval) if settings.eval else 0
    return _imprecise(round(films * settings.eval), f"{wanted} films would have {TEST_FILMS}") if films < wanted else ""


def shortcomings(
    splits: Mapping[str, Collection[str]],
    known: Mapping[str, Collection[str]],
    compared: Collection[str],
    variants: Mapping[str, Variant],
) -> Iterator[str]:
    """Yield what a split does not allow: variants that cannot be trained, and a comparison.

    `known` has the parts (of tags, plot, image) of each film; `compared` are the films with the inputs of all variants.
    """
    for split in TRAINED_ON:
        found = {
            name: sum(row.reads(known[fid]) for fid in splits[split])
            for name, row in variants.items()
            if row.method == "contrastive"
        }
        lacking = [f"{name} has {count}" for name, count in found.items() if count < WANTED[split]]
        if lacking:
            yield (
                f"split.{split}: {', '.join(lacking)} films, but `train` needs at least {WANTED[split]}: add films, "
                f"raise split.{split}, or set method: linear"
            )
    test = sum(fid in compared for fid in splits["eval"])
    if test < TEST_FILMS:
        yield _imprecise(test, f"for {TEST_FILMS}, add films or raise split.eval")


def _imprecise(films: int, remedy: str) -> str:
    points = round(98 / math.sqrt(max(films, 1)))  # 1.96 standard errors of a rate of one half, in percentage points
    return (
        f"{films} test films: a hit rate has a 95 % interval of up to ±{min(points, 50)} percentage points, which "
        f"hides most differences between variants; {remedy}"
    )
