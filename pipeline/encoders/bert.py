"""BERT without transformers, whose import takes seconds: for the few texts of a query.

Network and tokenizer have the interface of transformers that `pipeline.encoders.text` uses, and the same weights,
settings and rules, hence the same digests. Only BERT as an encoder is supported (Devlin et al. 2019); folders with
other settings are not opened.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

KNOWN = {  # the only supported values of settings
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "chunk_size_feed_forward": 0,
    "is_decoder": False,
    "is_encoder_decoder": False,
    "add_cross_attention": False,
}
UNSAID = {  # defaults of transformers for settings missing in config.json; they are part of the digest
    "add_cross_attention": False,
    "bos_token_id": None,
    "chunk_size_feed_forward": 0,
    "classifier_dropout": None,
    "eos_token_id": None,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "is_decoder": False,
    "is_encoder_decoder": False,
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    "output_attentions": False,
    "output_hidden_states": False,
    "problem_type": None,
    "return_dict": True,
    "tie_word_embeddings": True,
}
FILES = ("model.safetensors", "tokenizer.json", "tokenizer_config.json")
POSITIONS = "embeddings.position_ids"  # in checkpoints of older versions; no weight
POOLER = "pooler.dense"


@dataclass(frozen=True)
class Settings:
    """A config.json with the defaults `UNSAID`."""

    values: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return all settings by name."""
        return self.values


@dataclass(frozen=True)
class Bert:
    """The network in evaluation mode."""

    weights: dict[str, Tensor]  # by name in transformers
    config: Settings

    def state_dict(self) -> dict[str, Tensor]:
        """Return the weights."""
        return self.weights

    def to(self, device: torch.device) -> "Bert":
        """Return the network on `device`."""
        return Bert({name: weight.to(device) for name, weight in self.weights.items()}, self.config)

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        """Return last_hidden_state [n, tokens, f] and pooler_output [n, f]; the mask is 0 for padding."""
        tables = ("word", "token_type", "position")
        words, kinds, places = (self.weights[f"embeddings.{name}_embeddings.weight"] for name in tables)
        states = F.embedding(input_ids, words) + kinds[0] + places[: input_ids.shape[1]]
        states = self._normed("embeddings", states)
        mask = attention_mask.bool()[:, None, None, :]  # [n, heads, from, to]
        for number in range(self.config.values["num_hidden_layers"]):
            layer = f"encoder.layer.{number}"
            attended = self._attended(f"{layer}.attention.self", states, mask)
            states = self._added(f"{layer}.attention.output", attended, states)
            wide = F.gelu(self._linear(f"{layer}.intermediate.dense", states))
            states = self._added(f"{layer}.output", wide, states)
        pooled = self._linear(POOLER, states[:, 0]).tanh()
        return SimpleNamespace(last_hidden_state=states, pooler_output=pooled)

    def _attended(self, name: str, states: Tensor, mask: Tensor) -> Tensor:
        heads = self.config.values["num_attention_heads"]
        parts = [self._linear(f"{name}.{part}", states).unflatten(2, (heads, -1)) for part in ("query", "key", "value")]
        query, key, value = (part.transpose(1, 2) for part in parts)  # [n, heads, tokens, f / heads]
        return F.scaled_dot_product_attention(query, key, value, mask).transpose(1, 2).flatten(2)

    def _added(self, name: str, found: Tensor, states: Tensor) -> Tensor:
        return self._normed(name, self._linear(f"{name}.dense", found) + states)

    def _linear(self, name: str, states: Tensor) -> Tensor:
        return F.linear(states, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _normed(self, name: str, states: Tensor) -> Tensor:
        weight, bias = (self.weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return F.layer_norm(states, weight.shape, weight, bias, self.config.values["layer_norm_eps"])


class WordPieces:
    """The tokenizer of a tokenizer.json."""

    pad_token_id = None  # padding is masked, so that any token works

    def __init__(self, path: Path, longest: int) -> None:
        """Read the file at `path`, of a model that takes `longest` tokens; its own length settings are ignored."""
        self.backend_tokenizer = Tokenizer.from_file(str(path))
        self.backend_tokenizer.no_padding()
        self.backend_tokenizer.no_truncation()
        self.model_max_length = longest

    def __call__(
        self, texts: Sequence[str], truncation: bool = False, max_length: int = 0
    ) -> dict[str, list[list[int]]]:
        """Return the token ids of each text as input_ids, with `truncation` at most `max_length`."""
        if truncation:
            self.backend_tokenizer.enable_truncation(max_length)
        return {"input_ids": [found.ids for found in self.backend_tokenizer.encode_batch(list(texts))]}

    def get_vocab(self) -> dict[str, int]:
        """Return the id of each token."""
        return self.backend_tokenizer.get_vocab()

    def num_special_tokens_to_add(self) -> int:
        """Return the number of special tokens added to each text."""
        return self.backend_tokenizer.num_special_tokens_to_add(False)


def open_bert(folder: Path) -> tuple[Bert, WordPieces] | None:
    """Return the network of `folder` and its tokenizer, or None if its settings are not supported.

    Raises the libraries' exceptions for damaged files.
    """
    found = _read(folder / "config.json")
    settings = UNSAID | found
    if any(settings.get(name, value) != value for name, value in KNOWN.items()) or "model_type" not in found:
        return None
    weights_file, *others = (folder / name for name in FILES)
    if not all(file.is_file() for file in (weights_file, *others)):
        return None
    weights = {name: weight for name, weight in load_file(weights_file).items() if name != POSITIONS}
    if f"{POOLER}.weight" not in weights or any(weight.dtype != torch.float32 for weight in weights.values()):
        return None
    rules, lengths = others
    longest = min(_read(lengths)["model_max_length"], settings["max_position_embeddings"])
    return Bert(weights, Settings(settings)), WordPieces(rules, longest)


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
