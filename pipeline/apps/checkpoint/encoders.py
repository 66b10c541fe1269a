"""Settings of a checkpoint's text and image encoders, which it has the weights of and nothing else.

A folder or a model of the hub gives their configuration, and how texts become tokens and pictures pixels.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.apps.checkpoint.published import KINDS, MAX_TOKENS
from pipeline.core.errors import ModelError, PipelineError
from pipeline.encoders.pixels import Preparation, read_preparation
from pipeline.encoders.pretrained import IGNORED_SETTINGS, quiet
from pipeline.encoders.source import Source, locate
from pipeline.encoders.tuned import MARKS, Settings

log = logging.getLogger(__name__)

TOKENIZERS = ("tokenizer.json", "vocab.txt")  # files that make a tokenizer
PREPROCESSOR = "preprocessor_config.json"
BILINEAR = 2  # Pillow's number


def read_text(name: str, rows: int) -> Settings:
    """Return the settings of the text encoder `name`, whose vocabulary has `rows` vectors in the checkpoint.

    Where those are two more than it should have, they are the marks of the text `tags_plot`. Raises `ModelError` when
    it cannot be had, is no BERT, or has a tokenizer of more words.
    """
    with _explained("--text", name):
        source, config = _configuration("text", name)
        marked = rows == config["vocab_size"] + len(MARKS)
        if marked:
            config["vocab_size"] = rows
        tokenizer = _tokenizer(source.path, marked, config["vocab_size"])
        if tokenizer is None:
            log.warning("--text: %s has no tokenizer: the model will read tokens, but no texts of films", name)
        return {
            "encoder": name,
            "revision": source.revision,
            "width": config["hidden_size"],
            "config": config,
            "pooling": "cls",
            "normalised": False,
            "lower_case": False,  # which the tokenizer does itself
            "max_tokens": min(MAX_TOKENS, config["max_position_embeddings"]),
            "padding": config["pad_token_id"] or 0,
            "tokenizer": tokenizer,
        }


def read_image(name: str) -> Settings:
    """Return the settings of the image encoder `name`; raise `ModelError` when it cannot be had or is no ViT."""
    with _explained("--image", name):
        source, config = _configuration("image", name)
        size = config["image_size"]
        preparation = Preparation(size, size, BILINEAR, 1 / 255, [0.5] * 3, [0.5] * 3)  # as the reference does it
        if (source.path / PREPROCESSOR).exists():
            preparation = read_preparation(source.path)
        if preparation.size != size:
            raise ValueError(f"its preprocessor makes pictures of {preparation.size} px, it takes those of {size} px")
        return {
            "encoder": name,
            "revision": source.revision,
            "width": config["hidden_size"],
            "config": config,
            "pooling": "cls",
            "crops": 1,
            "preparation": asdict(preparation),
        }


def vocabulary(name: str) -> int:
    """Return how many words the text encoder `name` starts with; raise `ModelError` as `read_text` does."""
    with _explained("--text", name):
        size: int = _configuration("text", name)[1]["vocab_size"]
        return size


def _configuration(kind: str, name: str) -> tuple[Source, dict[str, Any]]:
    from transformers import AutoConfig

    source = locate(name, {}, weights=False)
    config = AutoConfig.from_pretrained(source.path, local_files_only=True, trust_remote_code=False).to_dict()
    if config["model_type"] != KINDS[kind]:
        raise ValueError(f"it is of the kind {config['model_type']!r}, the checkpoints' is {KINDS[kind]!r}")
    return source, {key: value for key, value in config.items() if key not in IGNORED_SETTINGS}


def _tokenizer(folder: Path, marked: bool, rows: int) -> str | None:
    """Return a folder's tokenizer as JSON, None without one; `marked` makes the marks the last of its `rows` words."""
    if not any((folder / file).exists() for file in TOKENIZERS):
        return None
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if marked:
        tokenizer.add_tokens(list(MARKS), special_tokens=True)
    if len(tokenizer) > rows or (marked and len(tokenizer) != rows):
        with_marks = f" with {' and '.join(MARKS)}" if marked else ""
        raise ValueError(f"its tokenizer has {len(tokenizer)} words{with_marks}, the checkpoint {rows}")
    return tokenizer.backend_tokenizer.to_str()


@contextmanager
def _explained(option: str, name: str) -> Iterator[None]:
    """Turn what a library raises in the block into a `ModelError` naming the option and what is allowed."""
    try:
        with quiet():
            yield
    except PipelineError:
        raise
    except Exception as error:  # as tokenizers raises for damaged files
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"{option}: {name!r} cannot be used: {lines[0] if lines else type(error).__name__}\n"
            "Name a folder with at least the config.json of the checkpoint's encoder, as save_pretrained of "
            "transformers writes it, or the model of the Hugging Face hub that it started from, which needs a "
            "connection the first time."
        ) from error
