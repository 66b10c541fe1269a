"""Frozen audio encoders: one vector per window of mono samples.

The pooling `auto` is the model's own output if it has one: CLAP's projected embedding at unit norm, as returned by
`get_audio_features` of transformers, or the mean of AST's class and distillation tokens. For models of the wav2vec2
family (HuBERT, WavLM) it is the mean of the states over time. The model's feature extractor converts samples window by
window, and a batch holds only windows of equal length, so that nothing is padded.

`musicnn` is the concatenation of MusiCNN's two networks from an installed package (`pipeline.encoders.musicnn`): `auto`
is their maximum and mean pooling; `max`, `mean`, `penultimate` and `tags` are single parts. The probabilities of their
tags follow every window's vector.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.errors import ParamsError
from pipeline.core.machine import BatchSize, batch_size_on
from pipeline.core.workers import batches
from pipeline.encoders.groups import Batch, encode_groups, encode_in_threads
from pipeline.encoders.musicnn import CHECKPOINTS, SAMPLE_RATE, TAGS, Spectrogram, load_musicnn
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
from pipeline.encoders.source import locate, packaged_path, revision_of

KEY = "features.audio.encoder"
MUSICNN = "musicnn"
PACKAGED = {MUSICNN: (MUSICNN, CHECKPOINTS[0])}  # package, and a path in it
SHOWN_TAGS, LEAST_PROBABILITY = 5, 0.1
TOWERS = {
    "clap": ("ClapAudioModelWithProjection", "audio_config"),
    "clap_audio_model": ("ClapAudioModelWithProjection", None),
}
SPECIAL = {"audio-spectrogram-transformer": 2}  # tokens before the patches: class and distillation
MIN_SECONDS = 0.1  # shorter windows are padded with silence; wav2vec2 needs 0.025
KALDI_SECONDS = 0.01  # between frames in AST's feature extractor


@dataclass(frozen=True)
class AudioEncoder:
    """A frozen model with its preprocessing and settings."""

    prepare: Callable[[Sequence[np.ndarray]], dict[str, Tensor]]  # windows [t] of equal length to model inputs
    vectors_of: Callable[[dict[str, Tensor]], Tensor]  # model inputs on `device` to float32 [n, f + tags]
    device: torch.device
    batch_size: int
    width: int  # f
    tags: tuple[str, ...]  # their probabilities follow the f values of a vector
    sample_rate: int  # Hz
    spec: dict[str, Any]  # everything that determines the values

    def encode(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 [len(windows), f + tags], in order, of float32 windows [t] in -1 … 1 at `sample_rate`.

        A window's vector does not depend on the others.
        """
        return next(self.encode_groups([windows])) if windows else np.empty((0, self.columns), np.float32)

    def encode_groups(self, groups: Iterable[Sequence[np.ndarray]]) -> Iterator[np.ndarray]:
        """Yield `encode` of each of `groups`, in order, pipelined by `pipeline.encoders.groups`; none may be empty."""
        if self.device.type == "cpu":
            return encode_in_threads(groups, self.plan, self.vectors, self.columns)
        return encode_groups(groups, self.plan, self.vectors, self.columns, self.device)

    @property
    def columns(self) -> int:
        """The number of values per window, f + tags."""
        return self.width + len(self.tags)

    def plan(self, windows: Sequence[np.ndarray]) -> Iterator[Batch]:
        """Yield batches of windows of equal length."""
        by_length = sorted(range(len(windows)), key=lambda i: len(windows[i]))
        for _, alike in groupby(by_length, key=lambda i: len(windows[i])):
            for rows in batches(alike, self.batch_size):
                yield Batch(rows, partial(self.prepare, [windows[row] for row in rows]))

    def vectors(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return float32 [n, f + tags] for `inputs` from `prepare`, on `device`."""
        with inference(self.device):
            return self.vectors_of(inputs)


def load_audio_encoder(params: WindowFeatures, device: torch.device, batch_size: BatchSize) -> AudioEncoder:
    """Return the encoder `params.encoder` on `device`, with batches of `batch_size` windows.

    Raises `ModelError` if it cannot be loaded or used, `ParamsError` if it does not support `params.pooling` or
    `params.window_seconds`.
    """
    if params.encoder == MUSICNN:
        return _load_musicnn(params, device, batch_size)
    with explained(KEY, params.encoder, [LOG_MEL, *PACKAGED]), quiet():
        from transformers import AutoFeatureExtractor

        source = locate(params.encoder, {})
        model, head = load_model(source.path, TOWERS)
        extractor = AutoFeatureExtractor.from_pretrained(source.path, local_files_only=True, trust_remote_code=False)
        longest = longest_seconds(extractor)
        if params.window_seconds > longest:
            raise ParamsError(
                f"features.audio.window_seconds: found {params.window_seconds:g}; {params.encoder} takes at most "
                f"{longest:g}; lower it"
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
        model.to(device)

        def vectors_of(inputs: dict[str, Tensor]) -> Tensor:
            return _poolings(model, model(**inputs), head)[pooling]()

        prepare, rate = partial(inputs_of, extractor), extractor.sampling_rate
        size = batch_size_on(device, "audio", batch_size)
        return AudioEncoder(prepare, vectors_of, device, size, width, (), rate, spec)


def libraries_of(encoder: str) -> tuple[str, ...]:
    """Return the packages whose versions affect the values of `encoder`, the spectrogram or a pretrained one."""
    return ("torch", "transformers" if encoder not in (LOG_MEL, MUSICNN) else "torchaudio", "av")


def tags_of(encoder: str) -> tuple[str, ...]:
    """Return the tags whose probabilities follow the vectors of `encoder`; empty if it does not tag."""
    return tuple(tag for name in CHECKPOINTS for tag in TAGS[name]) if encoder == MUSICNN else ()


def by_name(tags: Sequence[str], probabilities: np.ndarray) -> dict[str, float]:
    """Return the probability of each of `tags` [n] by its name in lower case, in order.

    A tag of several networks has the highest of its probabilities.
    """
    highest: dict[str, float] = {}
    for tag, probability in zip(tags, probabilities.tolist(), strict=True):
        highest[tag.lower()] = max(probability, highest.get(tag.lower(), 0.0))
    return highest


def likeliest(probabilities: Mapping[str, float]) -> str:
    """Return at most `SHOWN_TAGS` tags, most likely first, e.g. `ambient, strings, slow`.

    Tags below `LEAST_PROBABILITY` are left out.
    """
    shown = [tag for tag, probability in probabilities.items() if probability >= LEAST_PROBABILITY]
    return ", ".join(sorted(shown, key=lambda tag: (-probabilities[tag], tag))[:SHOWN_TAGS])


def inputs_of(extractor: Any, windows: Sequence[np.ndarray]) -> dict[str, Tensor]:
    """Return a model's inputs, [n, …] each, for windows [t] of equal length; bitwise reproducible.

    Raises `ValueError` if the extractor would truncate a window.
    """
    rate = extractor.sampling_rate
    parts: list[dict[str, np.ndarray]] = []
    for window in windows:
        if len(window) > longest_seconds(extractor) * rate + 0.5:  # rounding
            raise ValueError(f"a window of {len(window)} samples is longer than {longest_seconds(extractor):g} s")
        parts.append(dict(extractor([_at_least(window, rate)], sampling_rate=rate, return_tensors="np")))
    inputs = {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}
    if "is_longer" in inputs:  # CLAP's extractor marks a random window of each call as longer
        inputs["is_longer"] = torch.zeros_like(inputs["is_longer"])
    return {name: value.float() if value.is_floating_point() else value for name, value in inputs.items()}


def _load_musicnn(params: WindowFeatures, device: torch.device, batch_size: BatchSize) -> AudioEncoder:
    with explained(KEY, params.encoder, [LOG_MEL, *PACKAGED]):
        folders = [packaged_path(MUSICNN, name) for name in CHECKPOINTS]
        networks = [load_musicnn(folder, len(TAGS[name])) for folder, name in zip(folders, CHECKPOINTS, strict=True)]
        model = nn.ModuleDict({"spectrogram": Spectrogram(), **dict(zip(CHECKPOINTS, networks, strict=True))})

        def prepare(windows: Sequence[np.ndarray]) -> dict[str, Tensor]:
            return {"samples": torch.from_numpy(np.stack([_at_least(window, SAMPLE_RATE) for window in windows]))}

        def pooled(samples: Tensor) -> tuple[dict[str, Tensor], Tensor]:
            """Return the vectors of both networks by pooling, and their tags [n, tags]."""
            mel = model["spectrogram"](samples)
            found = [model[name](mel) for name in CHECKPOINTS]
            parts = {name: torch.cat([of_network[name] for of_network in found], 1).float() for name in found[0]}
            return {"auto": torch.cat([parts["max"], parts["mean"]], 1), **parts}, parts["tags"]

        model.to(device)
        with inference(device):
            ways = pooled(torch.zeros(1, SAMPLE_RATE, device=device))[0]
        allowed = {name: partial(ways.__getitem__, name) for name in ways}
        pooling = choose_pooling("features.audio.pooling", params.encoder, params.pooling, "auto", allowed)
        spec = {
            "encoder": params.encoder,
            "revision": revision_of(MUSICNN),
            **digests(model, True, device),
            "pooling": pooling,
            "sample_rate": SAMPLE_RATE,
            "window_seconds": params.window_seconds,
            "window_hop_seconds": params.window_hop_seconds,
        }

        def vectors_of(inputs: dict[str, Tensor]) -> Tensor:
            ways, tags = pooled(inputs["samples"])
            return torch.cat([ways[pooling], tags], 1)

        width = ways[pooling].shape[1]
        size = batch_size_on(device, "audio", batch_size)
        return AudioEncoder(prepare, vectors_of, device, size, width, tags_of(MUSICNN), SAMPLE_RATE, spec)


def _at_least(window: np.ndarray, rate: int) -> np.ndarray:
    """Return the samples of a window, padded with silence to the minimum length of encoders."""
    return np.pad(window, (0, max(0, round(MIN_SECONDS * rate) - len(window))))


def longest_seconds(extractor: Any) -> float:
    """Return the length in seconds beyond which a feature extractor truncates; CLAP's does so at random positions."""
    if hasattr(extractor, "nb_max_samples"):
        return extractor.nb_max_samples / extractor.sampling_rate
    return extractor.max_length * KALDI_SECONDS if hasattr(extractor, "max_length") else np.inf


def _poolings(model: Any, output: Any, head: bool) -> Poolings:
    """Return the poolings of an output to float32 [n, f], the default first; no pooler unless `head` is complete."""
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
