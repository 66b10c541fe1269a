"""A joint encoder in the place of trained models: it answers with no corpus and no training, whatever is given.

What it reads of a query may be any of its parts; a film is the direction of the sum of those that are given, so that
leaving one out is what it would have been without. Nothing was evaluated, so there is no recall.
"""

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar

import numpy as np
import torch

from pipeline.apps.recommend.query import Query, opened_picture
from pipeline.core.errors import ModelError
from pipeline.encoders.joint import EXAMPLES, JointEncoder, direction, load_joint
from pipeline.params import Params
from pipeline.store.inputs import input_texts

WHY = "a joint encoder of text and music, not trained here"


@dataclass(frozen=True)
class ZeroShot:
    """A joint encoder that answers as `pipeline.apps.recommend.trained.Trained` does."""

    encoder: JointEncoder
    name: str  # of its index, among those of a library
    digest: str  # of all that its vectors depend on
    answers_subsets: ClassVar[bool] = True  # one of its needs is enough

    @property
    def needs(self) -> tuple[str, ...]:
        """Which of tags, plot and image it can read."""
        return self.encoder.parts

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return self.encoder.name

    @property
    def option(self) -> str:
        """What a command is given besides, for it to answer."""
        return f"--zero-shot {shlex.quote(self.encoder.name)}"

    def reads(self, given: Collection[str]) -> tuple[str, ...]:
        """Return what it reads of what is given."""
        return tuple(part for part in self.needs if part in given)

    def recall_of(self, given: Collection[str]) -> None:
        """Return nothing: it was not evaluated."""

    def require(self, given: Collection[str]) -> None:
        """Raise `ModelError` when it reads nothing of what is `given`."""
        if not self.reads(given):
            raise ModelError(
                f"{self.label} reads {' and '.join(self.needs)}, and of these nothing is given "
                f"({' and '.join(given)} alone); a joint encoder that reads images is {EXAMPLES[-1]}"
            )

    def encode_without(self, queries: Sequence[Query], parts: Sequence[str | None]) -> np.ndarray:
        """Return the unit vectors [parts, queries, e], float32, of the queries as if a part of each were not known.

        `parts` are some of what every query gives, None for the whole query. Raises `ModelError` for a picture that
        cannot be read.
        """
        known = [self._parts(query) for query in queries]
        return np.stack(
            [
                np.stack([direction(np.stack([v for name, v in of.items() if name != part])) for of in known])
                for part in parts
            ]
        )

    def _parts(self, query: Query) -> dict[str, np.ndarray]:
        """Return the unit vector [e] of each part of a query that is given and read."""
        texts = input_texts(query.tags or "", query.plot or "")
        found = {name: direction(self.encoder.text.encode(texts[name])) for name in ("tags", "plot") if texts[name]}
        if query.image is not None and self.encoder.image is not None:
            found["image"] = self.encoder.image(opened_picture("the query", query.image))
        return found


def open_zero_shot(name: str, params: Params, device: torch.device) -> ZeroShot:
    """Return the joint encoder `name`, a folder or a model of the Hugging Face hub, ready on `device`.

    Raises `ModelError` when it cannot be loaded or used.
    """
    encoder = load_joint(name, device, params.machine.audio_batch_size)
    return ZeroShot(encoder, re.sub(r"[^\w.-]+", "-", PurePath(name).name).strip(".-") or "joint", encoder.digest)
