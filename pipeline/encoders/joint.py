"""Pretrained joint encoders, which embed texts and windows of music in one space.

Two families are supported, by the `model_type` of a model's configuration. CLAP (Wu et al. 2023, Large-scale
contrastive language-audio pretraining) has a text and an audio tower, whose projections are compared. EmbeddingGemma 2
reads text, audio and images as tokens of one encoder and returns the mean over its tokens. Vectors have unit norm and
are compared by cosine.

A film is the normalised sum of its available parts: tags, plot (the mean over its paragraphs) and, for a family with an
image side, the poster, each at unit norm. A track is the normalised mean over its windows.

Axes: n batch, t samples, e embedding width.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pipeline.core.machine import BatchSize, batch_size_on
from pipeline.encoders.audio import AudioEncoder, inputs_of, longest_seconds
from pipeline.encoders.pretrained import PRECISION, digest_of, digests, explained, inference, load_model, quiet
from pipeline.encoders.section import WindowFeatures
from pipeline.encoders.sentence import Dense
from pipeline.encoders.source import locate
from pipeline.encoders.text import TextEncoder, positions_of, tokenizer_digest

KEY = "zero_shot"
EXAMPLES = ("laion/clap-htsat-unfused", "laion/larger_clap_general", "google/embeddinggemma-2")
WINDOW_SECONDS = 10.0  # as in CLAP's training; windows are consecutive, the last one ends with the track
ORIGIN_KEYS = ("encoder", "revision", PRECISION)  # keys of a spec that do not change what the model computes

# Dissimilar texts have a mean cosine of 0.999 by laion/larger_clap_music, 0.18 and 0.29 by the other CLAPs of LAION
# (https://github.com/embeddings-benchmark/mteb/issues/5069).
MOST_ALIKE = 0.98
UNLIKE = (
    "Slow piano for a sad farewell.",
    "Two cars race through a city at night; drums and distorted guitars.",
    "western comedy 1950s",
    "A choir sings in a cathedral while snow falls.",
    "An astronaut hears nothing but her own breath.",
)

GEMMA_PROMPT = "task: search result | query: "  # its prompt for queries
GEMMA_TOKENS = 8192  # its context length


@dataclass(frozen=True)
class JointEncoder:
    """A model that embeds all kinds of input in one space."""

    name: str  # a folder, or a model of the Hugging Face hub
    text: TextEncoder  # unit norm
    audio: AudioEncoder  # unit norm
    image: Callable[[Image.Image], np.ndarray] | None  # unit vector [e]; None if the family cannot read images
    windows: WindowFeatures  # windows of a track

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of a film that it can read."""
        return ("tags", "plot") if self.image is None else ("tags", "plot", "image")

    @property
    def digest(self) -> str:
        """SHA-256 of everything that determines vectors; independent of the model's name and revision."""
        about = {"text": self.text.spec, "audio": self.audio.spec}
        return digest_of(
            {side: {k: v for k, v in spec.items() if k not in ORIGIN_KEYS} for side, spec in about.items()}
        )


@dataclass(frozen=True)
class _Sides:
    """The encoders of a family's model, each returning [n, e], not yet normalised."""

    text: Callable[..., Any]  # tokens with their mask to an output, reduced by `pooling`
    pooling: str
    prompt: str
    max_tokens: float
    audio: Callable[[dict[str, Tensor]], Tensor]
    image: Callable[[Image.Image], Tensor] | None


def direction(vectors: np.ndarray) -> np.ndarray:
    """Return the unit vector [e], float32, of the sum of `vectors` [n, e]."""
    total = vectors.astype(np.float64).sum(0)
    return (total / np.linalg.norm(total)).astype(np.float32)


def load_joint(name: str, device: torch.device, batch_size: BatchSize) -> JointEncoder:
    """Return the joint encoder `name` on `device`, with batches of `batch_size` texts or windows.

    Raises `ModelError` if it is unavailable, its kind is not in `FAMILIES`, it has no audio side, or dissimilar texts
    get nearly the same vector.
    """
    with explained(KEY, name, (), f"a model of the Hugging Face hub ({', '.join(EXAMPLES)})"), quiet():
        from transformers import AutoFeatureExtractor, AutoTokenizer

        kind = _kind(locate(name, {}, weights=False).path)  # before downloading gigabytes
        source = locate(name, {})
        model, head = load_model(source.path, {})
        if not head:
            raise ValueError("its checkpoint lacks the weights of the projection into the joint space")
        tokenizer = AutoTokenizer.from_pretrained(source.path, local_files_only=True, trust_remote_code=False)
        extractor = AutoFeatureExtractor.from_pretrained(source.path, local_files_only=True, trust_remote_code=False)
        sides = FAMILIES[kind](model.to(device), tokenizer, source.path)
        seconds = min(WINDOW_SECONDS, longest_seconds(extractor))
        windows = WindowFeatures(name, "pooler", seconds, seconds)
        spec = {"encoder": name, "revision": source.revision, **digests(model, True, device)}
        rate = extractor.sampling_rate
        heard = {"extractor": digest_of(extractor.to_dict()), "sample_rate": rate, "window_seconds": seconds}

        def audio(inputs: dict[str, Tensor]) -> Tensor:
            return F.normalize(sides.audio(inputs).float(), dim=-1)

        with inference(device):
            silence = inputs_of(extractor, [np.zeros(round(seconds * rate), np.float32)])
            width = audio({key: value.to(device) for key, value in silence.items()}).shape[1]
        read = {
            "tokenizer": tokenizer_digest(tokenizer),
            "pooling": sides.pooling,
            "normalised": True,
            "lower_case": False,
            "prompt": sides.prompt,
            "max_tokens": int(min(tokenizer.model_max_length, sides.max_tokens)),
        }
        size = batch_size_on(device, "audio", batch_size)
        text = TextEncoder(tokenizer, sides.text, Dense([]), device, size, width, spec | read)
        _require_unlike(text.encode(UNLIKE))
        prepare = partial(inputs_of, extractor)
        music = AudioEncoder(prepare, audio, device, size, width, (), rate, spec | heard)
        return JointEncoder(name, text, music, _image(sides, device), windows)


def _kind(folder: Path) -> str:
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind not in FAMILIES:
        raise ValueError(f"its model_type is {kind!r}; expected one for text and music: {' or '.join(FAMILIES)}")
    return kind


def _image(sides: _Sides, device: torch.device) -> Callable[[Image.Image], np.ndarray] | None:
    embed = sides.image
    if embed is None:
        return None

    def vector(picture: Image.Image) -> np.ndarray:
        with inference(device):
            return direction(embed(picture).float().cpu().numpy())

    return vector


def _require_unlike(vectors: np.ndarray) -> None:
    """Raise `ValueError` if `vectors` [n, e], of dissimilar texts, are nearly equal."""
    cosines = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
    if not cosines.mean() < MOST_ALIKE:  # also true for NaN
        raise ValueError(
            f"its text side is broken: {len(vectors)} texts of different content have a mean cosine of "
            f"{cosines.mean():.4f}, so that all texts retrieve the same music (a known bug of laion/larger_clap_music)"
        )


def _clap(model: Any, tokenizer: Any, folder: Path) -> _Sides:
    return _Sides(
        text=model.get_text_features,
        pooling="pooler",
        prompt="",
        max_tokens=positions_of(model),
        audio=lambda inputs: model.get_audio_features(**inputs).pooler_output,
        image=None,
    )


def _gemma(model: Any, tokenizer: Any, folder: Path) -> _Sides:
    """Return the sides of EmbeddingGemma 2, which reads audio and images as tokens between marker tokens.

    The layout is that of its own processor, which needs torchvision for videos.
    """
    from transformers import AutoImageProcessor
    from transformers.models.embedding_gemma2.processing_embedding_gemma2 import EmbeddingGemma2Processor

    config = model.config
    if config.audio_config is None:
        raise ValueError("it has no audio side")

    def embed(marks: Sequence[int], count: int, rows: int, **inputs: Tensor) -> Tensor:
        begin, token, end = tokenizer.convert_ids_to_tokens(list(marks))
        tokens = tokenizer([begin + token * count + end] * rows, return_tensors="pt").to(model.device)
        read = {name: tokens[name] for name in ("input_ids", "attention_mask")}
        return model(**read, **inputs).last_hidden_state.float().mean(1)  # no row is padded

    def audio(inputs: dict[str, Tensor]) -> Tensor:
        mask = inputs["input_features_mask"]
        count = EmbeddingGemma2Processor.compute_sscp(mask[0].cpu().numpy())  # windows have equal length
        return embed((config.boa_token_id, config.audio_token_id, config.eoa_token_index), count, len(mask), **inputs)

    def image(picture: Image.Image) -> Tensor:
        found = processor(images=[picture], return_tensors="pt")
        count = int(found["num_soft_tokens_per_image"][0])
        pixels = {name: found[name].to(model.device) for name in ("pixel_values", "image_position_ids")}
        return embed((config.boi_token_id, config.image_token_id, config.eoi_token_id), count, 1, **pixels)

    sees = config.vision_config is not None
    if sees:
        options: dict[str, Any] = {"backend": "pil", "local_files_only": True, "trust_remote_code": False}
        processor = AutoImageProcessor.from_pretrained(folder, **options)
    longest = min(config.text_config.max_position_embeddings, GEMMA_TOKENS)
    return _Sides(model, "mean", GEMMA_PROMPT, longest, audio, image if sees else None)


FAMILIES: Mapping[str, Callable[[Any, Any, Path], _Sides]] = {"clap": _clap, "embedding_gemma2": _gemma}
