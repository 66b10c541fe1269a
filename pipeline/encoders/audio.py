"""Frozen audio encoders: a window of mono samples to one vector.

The pooling `auto` is the model's own output where it has one: CLAP's projected embedding at unit norm, as
`get_audio_features` of transformers gives it; the mean of class and distillation token of AST. A model of the wav2vec2
family (HuBERT, WavLM) gives the mean of its states over time. Samples become inputs in the model's own feature
extractor, window by window, and only windows of one length share a batch, so that nothing is padded to another's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.core.errors import ParamsError
from pipeline.core.workers import batches
from pipeline.encoders.pretrained import (
    Poolings,
    choose_pooling,
    digest_of,
    digests,
    explained,
    inference,
    load_model,
    quiet,
)
from pipeline.encoders.section import LOG_MEL, WindowFeatures
from pipeline.encoders.source import locate

KEY = "features.audio.encoder"
PACKAGED: dict[str, tuple[str, str]] = {}  # no package that carries the weights of one is known
TOWERS = {
    "clap": ("ClapAudioModelWithProjection", "audio_config"),
    "clap_audio_model": ("ClapAudioModelWithProjection", None),
}
SPECIAL = {"audio-spectrogram-transformer": 2}  # tokens before those of patches: class and distillation
MIN_SECONDS = 0.1  # silence is appended to a shorter window; wav2vec2 needs 0.025
KALDI_SECONDS = 0.01  # between frames, in AST's feature extractor


@dataclass(frozen=True)
class AudioEncoder:
    """A feature extractor and a frozen model."""

    extractor: Any
    model: Any  # an nn.Module, of whose class the type checker knows no more
    head: bool  # the weights of the model's own pooling are there
    device: torch.device
    batch_size: int
    width: int  # f
    sample_rate: int  # Hz
    spec: dict[str, Any]  # all that the values depend on

    def encode(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 [len(windows), f], in order, of float32 windows [t] in -1 … 1 at `sample_rate`.

        A window's vector does not depend on the others.
        """
        by_length = sorted(range(len(windows)), key=lambda i: len(windows[i]))
        vectors = np.empty((len(windows), self.width), np.float32)
        for _, alike in groupby(by_length, key=lambda i: len(windows[i])):
            for rows in batches(alike, self.batch_size):
                inputs = inputs_of(self.extractor, [windows[row] for row in rows])
                with inference(self.device):
                    output = self.model(**{name: value.to(self.device) for name, value in inputs.items()})
                    pooled = _poolings(self.model, output, self.head)[self.spec["pooling"]]()
                    vectors[rows] = pooled.cpu().numpy()
        return vectors


def load_audio_encoder(params: WindowFeatures, device: torch.device, batch_size: int) -> AudioEncoder:
    """Return the encoder that `params.encoder` names, ready on `device`; it reads `batch_size` windows at once.

    Raises `ModelError` when it cannot be loaded or used, `ParamsError` when `params.pooling` or `params.window_seconds`
    do not suit it.
    """
    with explained(KEY, params.encoder, [LOG_MEL]), quiet():
        from transformers import AutoFeatureExtractor

        source = locate(params.encoder, PACKAGED)
        model, head = load_model(source.path, TOWERS)
        extractor = AutoFeatureExtractor.from_pretrained(source.path, local_files_only=True, trust_remote_code=False)
        longest = _longest(extractor)
        if params.window_seconds > longest:
            raise ParamsError(
                f"features.audio.window_seconds: found {params.window_seconds:g}; {params.encoder} takes at most "
                f"{longest:g}"
            )
        silence = np.zeros(round(params.window_seconds * extractor.sampling_rate), np.float32)
        with inference(torch.device("cpu")):
            ways = _poolings(model, model(**inputs_of(extractor, [silence])), head)
            pooling = choose_pooling(
                "features.audio.pooling", params.encoder, params.pooling, next(iter(ways), ""), ways
            )
            width = ways[pooling]().shape[1]
        spec = {
            "encoder": params.encoder,
            "revision": source.revision,
            **digests(model, pooling == "pooler", device),
            "extractor": digest_of(extractor.to_dict()),
            "pooling": pooling,
            "sample_rate": extractor.sampling_rate,
            "window_seconds": params.window_seconds,
            "window_hop_seconds": params.window_hop_seconds,
        }
        rate = extractor.sampling_rate
        return AudioEncoder(extractor, model.to(device), head, device, batch_size, width, rate, spec)


def inputs_of(extractor: Any, windows: Sequence[np.ndarray]) -> dict[str, Tensor]:
    """Return what a model reads of windows [t] of one length, [n, …] each; the same samples give the same bits.

    Raises `ValueError` for a window that the extractor would cut.
    """
    rate = extractor.sampling_rate
    parts: list[dict[str, np.ndarray]] = []
    for window in windows:
        if len(window) > _longest(extractor) * rate + 0.5:  # rounding
            raise ValueError(f"a window of {len(window)} samples is longer than {_longest(extractor):g} s")
        padded = np.pad(window, (0, max(0, round(MIN_SECONDS * rate) - len(window))))
        parts.append(dict(extractor([padded], sampling_rate=rate, return_tensors="np")))
    inputs = {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}
    if "is_longer" in inputs:  # CLAP's extractor calls one window of each call longer, at random
        inputs["is_longer"] = torch.zeros_like(inputs["is_longer"])
    return {name: value.float() if value.is_floating_point() else value for name, value in inputs.items()}


def _longest(extractor: Any) -> float:
    """Return the seconds from which on a feature extractor cuts its input, CLAP's in places drawn at random."""
    if hasattr(extractor, "nb_max_samples"):
        return extractor.nb_max_samples / extractor.sampling_rate
    return extractor.max_length * KALDI_SECONDS if hasattr(extractor, "max_length") else np.inf


def _poolings(model: Any, output: Any, head: bool) -> Poolings:
    """Return the ways from an output to float32 [n, f], the model's own first; no pooler without a whole `head`."""
    states = output.last_hidden_state.float()  # [n, tokens, f]; of CLAP a map [n, f, frequency, time]
    special = SPECIAL.get(model.config.model_type, 0)
    ways: dict[str, Callable[[], Tensor]] = {
        "mean": (lambda: states[:, special:].mean(1)) if states.ndim == 3 else (lambda: states.flatten(2).mean(2))
    }
    if special:
        ways["cls"] = lambda: states[:, 0]
    if (embeds := getattr(output, "audio_embeds", None)) is not None:
        return {"pooler": lambda: F.normalize(embeds.float(), dim=-1)} | ways if head else ways
    pooled = getattr(output, "pooler_output", None)
    return {"pooler": pooled.float} | ways if head and pooled is not None else ways
