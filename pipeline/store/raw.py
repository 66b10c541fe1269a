"""Texts as tokens and posters as pixels, the inputs of models with fine-tuned text and image encoders.

Rows are those of the feature tables: one per text or paragraph, and one per crop of a poster. Tokens are in memory;
posters are decoded when read.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import ModelError
from pipeline.encoders.pixels import Preparation
from pipeline.store.inputs import film_rows, film_texts, read_poster

READERS = 8  # threads that decode posters; Pillow releases the GIL

Settings = dict[str, Any]


@dataclass(frozen=True)
class TokenTable:
    """The texts of films, as tokens."""

    keys: dict[str, np.ndarray]  # fid, input and paragraph of each row
    tokens: np.ndarray  # of all rows, int32
    ends: np.ndarray  # end of each row in `tokens`
    padding: int

    def read(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Return `input_ids` and `attention_mask`, int64 [n, l], padded to the longest of `rows`."""
        texts = [self.tokens[self.ends[row - 1] if row else 0 : self.ends[row]] for row in rows]
        ids = np.full((len(rows), max(map(len, texts))), self.padding, np.int64)
        mask = np.zeros_like(ids)
        for i, text in enumerate(texts):
            ids[i, : len(text)] = text
            mask[i, : len(text)] = 1
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}

    def values(self, stored: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the model's inputs, `stored` itself."""
        return stored


@dataclass(frozen=True)
class PixelTable:
    """The posters of films, as square crops."""

    keys: dict[str, np.ndarray]  # fid and crop of each row; crop 0 is the centre
    paths: list[Path]  # of each film
    crops: int
    preparation: Preparation
    readers: ThreadPoolExecutor

    def read(self, rows: Sequence[int]) -> Tensor:
        """Return uint8 [n, size, size, 3]; raise `MissingFileError` if a poster is missing or damaged."""
        return torch.from_numpy(np.stack(list(self.readers.map(self._square, rows))))

    def values(self, stored: Tensor) -> Tensor:
        """Return float32 [n, 3, size, size], normalised for the encoder."""
        return self.preparation.values(stored)

    def _square(self, row: int) -> np.ndarray:
        squares = self.preparation.squares(read_poster(self.paths[row // self.crops]), self.crops)
        return self.preparation.centre(squares[row % self.crops % len(squares)])  # a square poster has a single crop


def raw_tables(
    root: Path, dataset: Iterable[dict[str, Any]], inputs: Sequence[str], encoders: Mapping[str, Settings]
) -> dict[str, TokenTable | PixelTable]:
    """Return the table of each kind in `encoders`, a model's settings from `pipeline.encoders.tuned`.

    `dataset` are rows of data/dataset.parquet.
    """
    films = film_rows(dataset)
    tables: dict[str, TokenTable | PixelTable] = {}
    if "text" in encoders:
        tables["text"] = _tokens(films, inputs, encoders["text"])
    if "image" in encoders:
        tables["image"] = _pixels(root, films, encoders["image"])
    return tables


def open_tokenizer(settings: Settings) -> Any:
    """Return the tokenizer of a text encoder's settings; raise `ModelError` if there is none."""
    from tokenizers import Tokenizer

    if settings["tokenizer"] is None:
        raise ModelError(
            "the model was imported without a tokenizer and cannot read texts: run `python -m pipeline "
            "import-reference` again with --text naming a folder, or a model of the hub, with a tokenizer"
        )
    tokenizer = Tokenizer.from_str(settings["tokenizer"])
    tokenizer.no_padding()
    tokenizer.enable_truncation(settings["max_tokens"])
    return tokenizer


def token_table(tokenizer: Any, settings: Settings, keys: dict[str, np.ndarray], texts: Sequence[str]) -> TokenTable:
    """Return the table of `texts`, one row each, with key columns `keys`."""
    texts = [settings.get("prompt", "") + text for text in texts]
    texts = [text.lower() if settings["lower_case"] else text for text in texts]
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    return TokenTable(
        keys,
        np.concatenate([np.array(text, np.int32) for text in tokens]),
        np.cumsum([len(text) for text in tokens]),
        settings["padding"],
    )


def _tokens(films: list[dict[str, Any]], inputs: Sequence[str], settings: Settings) -> TokenTable:
    tokenizer = open_tokenizer(settings)
    rows = [(key, text) for film in films for key, text in film_texts(film, inputs)]
    keys = {name: np.array([key[name] for key, _ in rows]) for name in ("fid", "input", "paragraph")}
    return token_table(tokenizer, settings, keys, [text for _, text in rows])


def _pixels(root: Path, films: list[dict[str, Any]], settings: Settings) -> PixelTable:
    films = [film for film in films if film["image"]]
    crops = settings["crops"]
    return PixelTable(
        {"fid": np.repeat([film["fid"] for film in films], crops), "crop": np.tile(np.arange(crops), len(films))},
        [root / film["image"] for film in films],
        crops,
        Preparation(**settings["preparation"]),
        ThreadPoolExecutor(READERS),
    )
