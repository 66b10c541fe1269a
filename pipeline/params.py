"""All of `params.yaml`: for commands, and for `split`, which checks all of it before the costly stages."""

from pathlib import Path
from typing import Literal

from pydantic.dataclasses import dataclass

from pipeline.compare.section import Compare
from pipeline.core.errors import ParamsError
from pipeline.core.fields import STRICT, Count, Positive, load_sections
from pipeline.core.machine import Machine
from pipeline.core.variants import Variant, Variants, variant_of
from pipeline.corpus.section import Corpus
from pipeline.download.section import Download
from pipeline.encoders.section import Features
from pipeline.evaluate.section import Baselines, Evaluate
from pipeline.model.section import Model
from pipeline.parse.section import Parse
from pipeline.scrape.section import Scrape
from pipeline.segment.section import Segment
from pipeline.split.section import Split
from pipeline.train.section import Train, check_recipe


@dataclass(frozen=True, config=STRICT)
class Recommend:
    """Search for music, and limits of its queries."""

    search: Literal["exact", "approximate"]
    lists: Count
    probes: Count
    max_text_chars: Count
    max_paragraphs: Count
    max_image_bytes: Count
    max_sound_bytes: Count
    max_track_seconds: Positive

    def __post_init__(self) -> None:
        if self.probes > self.lists:
            raise ValueError(f"recommend.probes: found {self.probes}, at most recommend.lists ({self.lists})")


@dataclass(frozen=True, config=STRICT)
class Params:
    """All of `params.yaml`."""

    variant: str
    variants: Variants
    machine: Machine
    corpus: Corpus
    scrape: Scrape
    parse: Parse
    download: Download
    segment: Segment
    split: Split
    features: Features
    model: Model
    train: Train
    baselines: Baselines
    evaluate: Evaluate
    compare: Compare
    recommend: Recommend

    def __post_init__(self) -> None:
        try:
            variant_of(self.variants, self.variant)
            check_recipe(self.model, self.train)
        except ParamsError as error:
            raise ValueError(str(error)) from None

    def row(self, variant: str) -> Variant:
        """Return the row of `variant`; raise `ParamsError` naming the known variants."""
        return variant_of(self.variants, variant)


def load_params(path: Path) -> Params:
    """Return the parameters in `path`; raise `ParamsError` naming every wrong key."""
    (params,) = load_sections(path, {"": Params})
    return params
