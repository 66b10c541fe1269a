"""A joint text-music encoder instead of trained models: it needs no corpus and no training.

It reads any subset of its parts. A query is the normalized sum of the embeddings of its parts, so leaving one out
equals a query without it. It is not evaluated here, so there are no figures.
"""

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar

import numpy as np
import torch

from pipeline.apps.recommend.query import Parts, Query, opened_picture
from pipeline.core.errors import ModelError
from pipeline.encoders.joint import EXAMPLES, JointEncoder, direction, load_joint
from pipeline.params import Params
from pipeline.store.inputs import input_texts

WHY = "a joint encoder of text and music, not trained on this corpus"


@dataclass(frozen=True)
class ZeroShot:
    """A joint encoder with the interface of `pipeline.apps.recommend.trained.Trained`."""

    encoder: JointEncoder
    name: str  # of its index in a library
    digest: str  # of everything that its vectors depend on
    answers_subsets: ClassVar[bool] = True  # any one of `needs` is enough

    @property
    def needs(self) -> tuple[str, ...]:
        """Which of tags, plot and image it reads."""
        return self.encoder.parts

    @property
    def label(self) -> str:
        """Name in messages."""
        return self.encoder.name

    @property
    def option(self) -> str:
        """The command-line option that selects it."""
        return f"--zero-shot {shlex.quote(self.encoder.name)}"

    def reads(self, given: Collection[str]) -> tuple[str, ...]:
        """Return the parts of `given` that it reads."""
        return tuple(part for part in self.needs if part in given)

    def figures_of(self, given: Collection[str]) -> None:
        """Return None: it is not evaluated."""

    def require(self, given: Collection[str]) -> None:
        """Raise `ModelError` if it reads none of the parts in `given`."""
        if not self.reads(given):
            raise ModelError(
                f"{self.label} reads {' and '.join(self.needs)}, but the query has only {' and '.join(given)}; "
                f"a joint encoder that reads images is {EXAMPLES[-1]}"
            )

    def encode_without(self, queries: Sequence[Query], without: Sequence[Parts]) -> np.ndarray:
        """Return the unit vectors [without, queries, e], float32, of the queries with some parts left out.

        Each item of `without` is a subset of the parts of every query, but never all. Raises `ModelError` for an
        unreadable picture.
        """
        known = self._parts(queries)
        return np.stack(
            [
                np.stack([direction(np.stack([v for name, v in of.items() if name not in parts])) for of in known])
                for parts in without
            ]
        )

    def _parts(self, queries: Sequence[Query]) -> list[dict[str, np.ndarray]]:
        """Return, for each query, the unit vector [e] of each of its parts that the encoder reads.

        A text or picture in several queries is encoded once.
        """
        texts = [input_texts(query.tags or "", query.plot or "") for query in queries]
        distinct = list(dict.fromkeys(text for of in texts for name in ("tags", "plot") for text in of[name]))
        vectors = dict(zip(distinct, self.encoder.text.encode(distinct), strict=True))
        pictures = {id(query.image): query.image for query in queries if query.image is not None}
        seen = {}
        if self.encoder.image is not None:
            seen = {key: self.encoder.image(opened_picture("the query", image)) for key, image in pictures.items()}
        found = []
        for query, of in zip(queries, texts, strict=True):
            known = {name: direction(np.stack([vectors[t] for t in of[name]])) for name in ("tags", "plot") if of[name]}
            found.append(known | ({"image": seen[id(query.image)]} if id(query.image) in seen else {}))
        return found


def open_zero_shot(name: str, params: Params, device: torch.device) -> ZeroShot:
    """Return the joint encoder `name`, a folder or a model of the Hugging Face hub, on `device`.

    Raises `ModelError` if it cannot be loaded or used.
    """
    encoder = load_joint(name, device, params.machine.audio_batch_size)
    return ZeroShot(encoder, re.sub(r"[^\w.-]+", "-", PurePath(name).name).strip(".-") or "joint", encoder.digest)
