"""Settings of a checkpoint's text and image encoders; the checkpoint itself holds only their weights.

A folder or a model of the hub provides their configuration, tokenizer and preprocessor.
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

TOKENIZERS = ("tokenizer.json", "vocab.txt")  # one of them is enough
PREPROCESSOR = "preprocessor_config.json"
BILINEAR = 2  # Pillow's constant


def read_text(name: str, rows: int) -> Settings:
    """Return the settings of the text encoder `name`; its vocabulary has `rows` vectors in the checkpoint.

    Two extra rows are the marks of the text `tags_plot`. Raises `ModelError` if the encoder is unavailable, is not a
    BERT, or its tokenizer has more words.
    """
    with _explained("--text", name):
        source, config = _configuration("text", name)
        marked = rows == config["vocab_size"] + len(MARKS)
        if marked:
            config["vocab_size"] = rows
        tokenizer = _tokenizer(source.path, marked, config["vocab_size"])
        if tokenizer is None:
            log.warning("--text: %s has no tokenizer: the model can read tokens, but not the texts of films", name)
        return {
            "encoder": name,
            "revision": source.revision,
            "width": config["hidden_size"],
            "config": config,
            "pooling": "cls",
            "normalised": False,
            "lower_case": False,  # the tokenizer does it
            "max_tokens": min(MAX_TOKENS, config["max_position_embeddings"]),
            "padding": config["pad_token_id"] or 0,
            "tokenizer": tokenizer,
        }


def read_image(name: str) -> Settings:
    """Return the settings of the image encoder `name`; raise `ModelError` if it is unavailable or not a ViT."""
    with _explained("--image", name):
        source, config = _configuration("image", name)
        size = config["image_size"]
        preparation = Preparation(size, size, BILINEAR, 1 / 255, [0.5] * 3, [0.5] * 3)  # as in the reference
        if (source.path / PREPROCESSOR).exists():
            preparation = read_preparation(source.path)
        if preparation.size != size:
            raise ValueError(f"its preprocessor returns images of {preparation.size} px, its input size is {size} px")
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
    """Return the number of words of the original text encoder `name`; raise `ModelError` as `read_text` does."""
    with _explained("--text", name):
        size: int = _configuration("text", name)[1]["vocab_size"]
        return size


def _configuration(kind: str, name: str) -> tuple[Source, dict[str, Any]]:
    from transformers import AutoConfig

    source = locate(name, {}, weights=False)
    config = AutoConfig.from_pretrained(source.path, local_files_only=True, trust_remote_code=False).to_dict()
    if config["model_type"] != KINDS[kind]:
        raise ValueError(f"its model_type is {config['model_type']!r}, the checkpoints' is {KINDS[kind]!r}")
    return source, {key: value for key, value in config.items() if key not in IGNORED_SETTINGS}


def _tokenizer(folder: Path, marked: bool, rows: int) -> str | None:
    """Return a folder's tokenizer as JSON, or None; if `marked`, the marks become the last of its `rows` words."""
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
    """Turn exceptions of libraries in the block into a `ModelError` with the option and its allowed values."""
    try:
        with quiet():
            yield
    except PipelineError:
        raise
    except Exception as error:  # tokenizers raises it for damaged files
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"{option}: {name!r} cannot be used: {lines[0] if lines else type(error).__name__}\n"
            "Name a folder with at least the config.json of the checkpoint's encoder, as written by save_pretrained of "
            "transformers, or the encoder's model on the Hugging Face hub, which needs a connection the first time."
        ) from error
