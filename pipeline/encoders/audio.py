"""Frozen audio encoders: a window of mono samples to one vector.

The pooling `auto` is the model's own output where it has one: CLAP's projected embedding at unit norm, as
`get_audio_features` of transformers gives it; the mean of class and distillation token of AST. A model of the wav2vec2
family (HuBERT, WavLM) gives the mean of its states over time. Samples become inputs in the model's own feature
extractor, window by window, and only windows of one length share a batch, so that nothing is padded to another's.

`musicnn` is MusiCNN's two networks out of an installed package (`pipeline.encoders.musicnn`), side by side: `auto` is
what they pool to by maximum and by mean; `max`, `mean`, `penultimate` and `tags` are its parts. The probabilities of
their tags follow every window's vector, for people to read.
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
PACKAGED = {MUSICNN: (MUSICNN, CHECKPOINTS[0])}  # its package, and a path in it
SHOWN_TAGS, LEAST_PROBABILITY = 5, 0.1
TOWERS = {
    "clap": ("ClapAudioModelWithProjection", "audio_config"),
    "clap_audio_model": ("ClapAudioModelWithProjection", None),
}
SPECIAL = {"audio-spectrogram-transformer": 2}  # tokens before those of patches: class and distillation
MIN_SECONDS = 0.1  # silence is appended to a shorter window; wav2vec2 needs 0.025
KALDI_SECONDS = 0.01  # between frames, in AST's feature extractor


@dataclass(frozen=True)
class AudioEncoder:
    """A frozen model and what it needs around it."""

    prepare: Callable[[Sequence[np.ndarray]], dict[str, Tensor]]  # windows [t] of one length: what the model reads
    vectors_of: Callable[[dict[str, Tensor]], Tensor]  # that, on `device`, to float32 [n, f + tags]
    device: torch.device
    batch_size: int
    width: int  # f
    tags: tuple[str, ...]  # whose probabilities follow a vector's f values
    sample_rate: int  # Hz
    spec: dict[str, Any]  # all that the values depend on

    def encode(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 [len(windows), f + tags], in order, of float32 windows [t] in -1 … 1 at `sample_rate`.

        A window's vector does not depend on the others.
        """
        return next(self.encode_groups([windows])) if windows else np.empty((0, self.columns), np.float32)

    def encode_groups(self, groups: Iterable[Sequence[np.ndarray]]) -> Iterator[np.ndarray]:
        """Yield what `encode` gives of each of `groups`, in order; none may be empty.

        It goes as `pipeline.encoders.groups` has it.
        """
        if self.device.type == "cpu":
            return encode_in_threads(groups, self.plan, self.vectors, self.columns)
        return encode_groups(groups, self.plan, self.vectors, self.columns, self.device)

    @property
    def columns(self) -> int:
        """f + tags"""
        return self.width + len(self.tags)

    def plan(self, windows: Sequence[np.ndarray]) -> Iterator[Batch]:
        """Yield batches of windows of one length."""
        by_length = sorted(range(len(windows)), key=lambda i: len(windows[i]))
        for _, alike in groupby(by_length, key=lambda i: len(windows[i])):
            for rows in batches(alike, self.batch_size):
                yield Batch(rows, partial(self.prepare, [windows[row] for row in rows]))

    def vectors(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return float32 [n, f + tags] of what `prepare` gave, on `device`."""
        with inference(self.device):
            return self.vectors_of(inputs)


def load_audio_encoder(params: WindowFeatures, device: torch.device, batch_size: BatchSize) -> AudioEncoder:
    """Return the encoder that `params.encoder` names, ready on `device`; it reads `batch_size` windows at once.

    Raises `ModelError` when it cannot be loaded or used, `ParamsError` when `params.pooling` or `params.window_seconds`
    do not suit it.
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
        model.to(device)

        def vectors_of(inputs: dict[str, Tensor]) -> Tensor:
            return _poolings(model, model(**inputs), head)[pooling]()

        prepare, rate = partial(inputs_of, extractor), extractor.sampling_rate
        size = batch_size_on(device, "audio", batch_size)
        return AudioEncoder(prepare, vectors_of, device, size, width, (), rate, spec)


def libraries_of(encoder: str) -> tuple[str, ...]:
    """Return the packages whose versions the values of `encoder`, the spectrogram or a pretrained one, depend on."""
    return ("torch", "transformers" if encoder not in (LOG_MEL, MUSICNN) else "torchaudio", "av")


def tags_of(encoder: str) -> tuple[str, ...]:
    """Return the tags whose probabilities follow the vectors of `encoder`; none where it has none."""
    return tuple(tag for name in CHECKPOINTS for tag in TAGS[name]) if encoder == MUSICNN else ()


def by_name(tags: Sequence[str], probabilities: np.ndarray) -> dict[str, float]:
    """Return the probability of each of `tags` [n] by its name in small letters, in their order.

    A tag that several networks have counts once, by its highest probability.
    """
    highest: dict[str, float] = {}
    for tag, probability in zip(tags, probabilities.tolist(), strict=True):
        highest[tag.lower()] = max(probability, highest.get(tag.lower(), 0.0))
    return highest


def likeliest(probabilities: Mapping[str, float]) -> str:
    """Return the `SHOWN_TAGS` likeliest tags, the likeliest first, e.g. `ambient, strings, slow`.

    None is shown below `LEAST_PROBABILITY`.
    """
    shown = [tag for tag, probability in probabilities.items() if probability >= LEAST_PROBABILITY]
    return ", ".join(sorted(shown, key=lambda tag: (-probabilities[tag], tag))[:SHOWN_TAGS])


def inputs_of(extractor: Any, windows: Sequence[np.ndarray]) -> dict[str, Tensor]:
    """Return what a model reads of windows [t] of one length, [n, …] each; the same samples give the same bits.

    Raises `ValueError` for a window that the extractor would cut.
    """
    rate = extractor.sampling_rate
    parts: list[dict[str, np.ndarray]] = []
    for window in windows:
        if len(window) > longest_seconds(extractor) * rate + 0.5:  # rounding
            raise ValueError(f"a window of {len(window)} samples is longer than {longest_seconds(extractor):g} s")
        parts.append(dict(extractor([_at_least(window, rate)], sampling_rate=rate, return_tensors="np")))
    inputs = {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}
    if "is_longer" in inputs:  # CLAP's extractor calls one window of each call longer, at random
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
            """Return both networks' vectors by pooling, and their tags [n, tags]."""
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
    """Return the samples of a window, silence being appended to a shorter one than encoders take."""
    return np.pad(window, (0, max(0, round(MIN_SECONDS * rate) - len(window))))


def longest_seconds(extractor: Any) -> float:
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
