"""The reference's forward pass in evaluation mode, written as plain functions over a state dict by name.

Written from its description, independently of the project's own classes: imported models must give the same numbers.
Weights and inputs come from numpy's `RandomState`, whose numbers never change. `golden.json` holds what this module
computes from them; to write it again:

    python -m tests.apps.checkpoint.reference
"""

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]

WIDTH, HEADS = 48, 4  # of the encoders; the published ones have 768 and 12
TEXT_CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_hidden_layers": 1,
    "intermediate_size": 32,
    "vocab_size": 12,
    "max_position_embeddings": 20,
}
IMAGE_CONFIG: dict[str, Any] = {
    "model_type": "vit",
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_hidden_layers": 1,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 16,
}
GOLDEN = Path(__file__).with_name("golden.json")
PROJECTORS = {("text",): "V_proj", ("image",): "A_proj", ("text", "image"): "cross_projector"}


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write an encoder's configuration as save_pretrained does."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))


def random_state(kinds: tuple[str, ...], words: int = 12) -> State:
    """Return a state dict of random values for a query of `kinds`, `words` in the vocabulary of a text encoder."""
    state: State = {}
    for name, shape in _shapes(kinds, words):
        noise = _noise(name, *shape)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(9)
        elif name.endswith("input_bn.running_mean"):
            state[name] = noise - 20.0
        elif name.endswith("running_var"):
            state[name] = 1.0 + 0.2 * noise.abs()
        elif name.endswith("weight") and len(shape) > 1:
            state[name] = noise / math.sqrt(math.prod(shape[1:]))
        else:
            state[name] = 0.2 * noise + float(name.endswith("weight"))
    state["logit_scale"] = torch.tensor([math.log(1 / 0.2)], dtype=torch.float64)
    state["audio_encoder.audio_representation.spec_fn.window"] = _hann_window().float()
    state["audio_encoder.audio_representation.mel_scale.fb"] = mel_filterbank(11025.0)
    return state


def random_inputs() -> dict[str, Tensor]:
    """Return three items: `samples` of two seconds, `ids` and `mask` of texts, the last one padded, and `pixels`."""
    seconds = torch.arange(44100, dtype=torch.float64) / 22050
    tones = [0.3 * torch.sin(2 * math.pi * hertz * seconds) * (1 - seconds / 4) for hertz in (110.0, 329.63, 1760.0)]
    mask = torch.tensor([[1] * 7, [1] * 7, [1, 1, 1, 1, 0, 0, 0]])
    words = torch.from_numpy(np.random.RandomState(7).randint(5, 12, size=(3, 7)))
    samples = torch.stack(tones).float() + 0.05 * _noise("samples", 3, len(seconds))
    return {"samples": samples, "ids": words * mask, "mask": mask, "pixels": _noise("pixels", 3, 3, 32, 32)}


def compute_golden() -> dict[str, Any]:
    """Return the results of this module for `random_state` and `random_inputs`, in the form of `GOLDEN`."""
    inputs = random_inputs()
    decibels = log_mel(inputs["samples"])  # [n, m, l]
    audio = theta_audio(random_state(("text",)), decibels)  # the same for every query
    golden: dict[str, Any] = {"log_mel": decibels[:, 10::40, 50:53].tolist(), "mean": decibels.mean().item()}
    golden |= {"audio": audio.tolist(), "queries": []}
    for kinds in PROJECTORS:
        state, names = random_state(kinds), {"text": ("ids", "mask"), "image": ("pixels",)}
        batch = {name: inputs[name] for kind in kinds for name in names[kind]}
        query = theta_query(state, batch)
        logits = 5.0 * F.normalize(query, dim=-1) @ F.normalize(audio, dim=-1).T
        loss = (F.cross_entropy(logits, torch.arange(3)) + F.cross_entropy(logits.T, torch.arange(3))) / 2
        numbers = {"query": query.tolist(), "loss": loss.item()}
        if len(kinds) == 1:  # which the reference's inference code does not fuse
            numbers["unfused"] = theta_query(state, batch, fused=False).tolist()
        golden["queries"].append({"kinds": list(kinds)} | numbers)
    return golden


def _noise(name: str, *shape: int) -> Tensor:
    """Return normally distributed float32 numbers that depend only on `name`."""
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    return torch.from_numpy(np.asarray(noise, np.float32))


def _hann_window() -> Tensor:
    return 0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(1024, dtype=torch.float64) / 1024)


def mel_filterbank(f_max: float) -> Tensor:
    """Return [513, 128]: triangles on the HTK scale from 0 to `f_max` Hz, for sound of 22,050 Hz."""
    bins = torch.linspace(0, 11025, 513, dtype=torch.float64)[:, None]
    highest = 2595 * math.log10(1 + f_max / 700)
    edges = 700 * (10 ** (torch.linspace(0, highest, 130, dtype=torch.float64) / 2595) - 1)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    return torch.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clamp(min=0).float()


def log_mel(samples: Tensor) -> Tensor:
    """Return dB [n, 128, l] of samples [n, t] at 22,050 Hz: the squared real part of a spectrum every 220 samples."""
    padded = F.pad(samples.double(), (512, 512), mode="reflect")
    spectra = torch.fft.fft(padded.unfold(-1, 1024, 220) * _hann_window()).real[..., :513]  # [n, l, k]
    power = spectra.square() @ mel_filterbank(11025.0).double()
    return (10 * power.clamp(min=1e-10).log10()).transpose(1, 2).float()


def theta_audio(state: State, decibels: Tensor) -> Tensor:
    """Return [n, 64] of log-mel windows [n, 128, l]."""
    x = _batch_norm(state, "audio_encoder.frontend.input_bn", decibels[:, None])
    for i in (1, 2, 3, 4):
        block = f"audio_encoder.frontend.layer{i}"
        out = F.relu(_batch_norm(state, f"{block}.bn_1", _conv(state, f"{block}.conv_1", x)))
        out = _batch_norm(state, f"{block}.bn_2", _conv(state, f"{block}.conv_2", out))
        skip = _batch_norm(state, f"{block}.bn_3", _conv(state, f"{block}.conv_3", x)) if i == 1 else x
        x = F.max_pool2d(F.relu(out + skip), 2)
    n, channels, bands, steps = x.shape
    x = x.permute(0, 3, 1, 2).reshape(n, steps, channels * bands)
    x = _linear(state, "audio_encoder.frontend.fc", x)
    x = torch.cat([state["audio_encoder.cls_token"].expand(n, 1, 256), x], 1)
    x = x + state["audio_encoder.pos_embedding"][:, : steps + 1]
    for i in range(4):
        x = _layer(state, f"audio_encoder.transformer.layers.{i}", ".fn", x, heads=8, width=32)
    return _projector(state, "audio_projector", x[:, 0])


def theta_query(state: State, batch: dict[str, Any], fused: bool = True) -> Tensor:
    """Return [n, 64] of `ids` and `mask` of texts and `pixels` of images, whichever are given."""
    vectors = {}
    if "ids" in batch:
        vectors["text"] = _bert(state, batch["ids"], batch["mask"])
    if "pixels" in batch:
        vectors["image"] = _vit(state, batch["pixels"])
    tokens = []
    for kind, vector in vectors.items():
        x = F.layer_norm(vector, (WIDTH,), state[f"{kind}_projector.0.weight"], state[f"{kind}_projector.0.bias"])
        tokens.append(x @ state[f"{kind}_projector.1.weight"].T)
    phi = torch.stack(tokens, 1)
    if fused:
        phi = phi + _layer(state, "cross_attention.layers.0", "", phi + state["pos_emb1D"], heads=3, width=100)
    return _projector(state, PROJECTORS[tuple(vectors)], phi.flatten(1))


def _bert(state: State, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the class token's state [n, f]."""
    tables = "text_encoder.embeddings"
    x = state[f"{tables}.word_embeddings.weight"][ids] + state[f"{tables}.token_type_embeddings.weight"][0]
    x = x + state[f"{tables}.position_embeddings.weight"][: ids.shape[1]]
    x = _norm(state, f"{tables}.LayerNorm", x)
    layer = "text_encoder.encoder.layer.0"
    q, k, v = (_linear(state, f"{layer}.attention.self.{part}", x) for part in ("query", "key", "value"))
    out = _linear(state, f"{layer}.attention.output.dense", _attention(q, k, v, HEADS, mask))
    x = _norm(state, f"{layer}.attention.output.LayerNorm", x + out)
    out = _linear(state, f"{layer}.output.dense", F.gelu(_linear(state, f"{layer}.intermediate.dense", x)))
    return _norm(state, f"{layer}.output.LayerNorm", x + out)[:, 0]


def _vit(state: State, pixels: Tensor) -> Tensor:
    """Return the class token's state [n, f] after the last norm."""
    tables = "image_encoder.embeddings"
    projection = f"{tables}.patch_embeddings.projection"
    x = F.conv2d(pixels, state[f"{projection}.weight"], state[f"{projection}.bias"], stride=16)
    x = torch.cat([state[f"{tables}.cls_token"].expand(len(x), 1, WIDTH), x.flatten(2).transpose(1, 2)], 1)
    x = x + state[f"{tables}.position_embeddings"]
    layer = "image_encoder.encoder.layer.0"
    normed = _norm(state, f"{layer}.layernorm_before", x)
    q, k, v = (_linear(state, f"{layer}.attention.attention.{part}", normed) for part in ("query", "key", "value"))
    x = x + _linear(state, f"{layer}.attention.output.dense", _attention(q, k, v, HEADS))
    out = F.gelu(_linear(state, f"{layer}.intermediate.dense", _norm(state, f"{layer}.layernorm_after", x)))
    return _norm(state, "image_encoder.layernorm", x + _linear(state, f"{layer}.output.dense", out))[:, 0]


def _layer(state: State, name: str, wrapped: str, x: Tensor, heads: int, width: int) -> Tensor:
    attention, feedforward = f"{name}.0{wrapped}", f"{name}.1{wrapped}"
    qkv = _norm(state, f"{attention}.norm", x, 1e-5) @ state[f"{attention}.fn.to_qkv.weight"].T
    q, k, v = qkv.split(heads * width, -1)
    x = x + _linear(state, f"{attention}.fn.to_out.0", _attention(q, k, v, heads))
    out = F.gelu(_linear(state, f"{feedforward}.fn.net.0", _norm(state, f"{feedforward}.norm", x, 1e-5)))
    return x + _linear(state, f"{feedforward}.fn.net.3", out)


def _attention(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    out = []
    for i, j, w in zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1), strict=True):
        scores = i @ j.transpose(1, 2) / math.sqrt(i.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask[:, None] == 0, -math.inf)
        out.append(scores.softmax(-1) @ w)
    return torch.cat(out, -1)


def _projector(state: State, name: str, x: Tensor) -> Tensor:
    x = F.gelu(_batch_norm(state, f"{name}.fc.1", _linear(state, f"{name}.fc.0", x)))
    return F.gelu(_batch_norm(state, f"{name}.fc.5", _linear(state, f"{name}.fc.4", x)))


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def _conv(state: State, name: str, x: Tensor) -> Tensor:
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)


def _norm(state: State, name: str, x: Tensor, eps: float = 1e-12) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def _batch_norm(state: State, name: str, x: Tensor) -> Tensor:
    values = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, *values)


def _shapes(kinds: Sequence[str], words: int) -> Iterator[tuple[str, list[int]]]:
    """Yield name and shape of every tensor but the constants of a query of `kinds`."""
    yield "pos_emb1D", [len(kinds), 256]
    yield "audio_encoder.pos_embedding", [1, 513, 256]
    yield "audio_encoder.cls_token", [256]
    yield from _batch_normed("audio_encoder.frontend.input_bn", 1)
    for i in (1, 2, 3, 4):
        for part in (1, 2, 3)[: 3 if i == 1 else 2]:
            yield f"audio_encoder.frontend.layer{i}.conv_{part}.weight", [128, 1 if i == 1 and part != 2 else 128, 3, 3]
            yield f"audio_encoder.frontend.layer{i}.conv_{part}.bias", [128]
            yield from _batch_normed(f"audio_encoder.frontend.layer{i}.bn_{part}", 128)
    yield from _dense("audio_encoder.frontend.fc", 256, 1024)
    for i in range(4):
        yield from _transformer(f"audio_encoder.transformer.layers.{i}", ".fn", 256, 1024)
    yield from _transformer("cross_attention.layers.0", "", 300, 64)
    for name, width in (("audio_projector", 256), (PROJECTORS[tuple(kinds)], 256 * len(kinds))):
        yield from _dense(f"{name}.fc.0", 512, width)
        yield from _batch_normed(f"{name}.fc.1", 512)
        yield from _dense(f"{name}.fc.4", 64, 512)
        yield from _batch_normed(f"{name}.fc.5", 64)
    for kind in kinds:
        yield from _pair(f"{kind}_projector.0", WIDTH)
        yield f"{kind}_projector.1.weight", [256, WIDTH]
        yield from _dense(f"{kind}_encoder.pooler.dense", WIDTH, WIDTH)
        layer = f"{kind}_encoder.encoder.layer.0"
        for part in ("query", "key", "value"):
            yield from _dense(f"{layer}.attention.{'self' if kind == 'text' else 'attention'}.{part}", WIDTH, WIDTH)
        yield from _dense(f"{layer}.attention.output.dense", WIDTH, WIDTH)
        yield from _dense(f"{layer}.intermediate.dense", 32, WIDTH)
        yield from _dense(f"{layer}.output.dense", WIDTH, 32)
    if "text" in kinds:
        for table, rows in (("word", words), ("position", 20), ("token_type", 2)):
            yield f"text_encoder.embeddings.{table}_embeddings.weight", [rows, WIDTH]
        for norm in ("embeddings.", "encoder.layer.0.attention.output.", "encoder.layer.0.output."):
            yield from _pair(f"text_encoder.{norm}LayerNorm", WIDTH)
    if "image" in kinds:
        yield "image_encoder.embeddings.cls_token", [1, 1, WIDTH]
        yield "image_encoder.embeddings.position_embeddings", [1, 5, WIDTH]
        yield "image_encoder.embeddings.patch_embeddings.projection.weight", [WIDTH, 3, 16, 16]
        yield "image_encoder.embeddings.patch_embeddings.projection.bias", [WIDTH]
        for norm in ("encoder.layer.0.layernorm_before", "encoder.layer.0.layernorm_after", "layernorm"):
            yield from _pair(f"image_encoder.{norm}", WIDTH)


def _transformer(name: str, wrapped: str, inner: int, hidden: int) -> Iterator[tuple[str, list[int]]]:
    yield from _pair(f"{name}.0{wrapped}.norm", 256)
    yield f"{name}.0{wrapped}.fn.to_qkv.weight", [3 * inner, 256]
    yield from _dense(f"{name}.0{wrapped}.fn.to_out.0", 256, inner)
    yield from _pair(f"{name}.1{wrapped}.norm", 256)
    yield from _dense(f"{name}.1{wrapped}.fn.net.0", hidden, 256)
    yield from _dense(f"{name}.1{wrapped}.fn.net.3", 256, hidden)


def _dense(name: str, rows: int, columns: int) -> Iterator[tuple[str, list[int]]]:
    yield f"{name}.weight", [rows, columns]
    yield f"{name}.bias", [rows]


def _pair(name: str, width: int) -> Iterator[tuple[str, list[int]]]:
    yield f"{name}.weight", [width]
    yield f"{name}.bias", [width]


def _batch_normed(name: str, width: int) -> Iterator[tuple[str, list[int]]]:
    yield from _pair(name, width)
    yield f"{name}.running_mean", [width]
    yield f"{name}.running_var", [width]
    yield f"{name}.num_batches_tracked", []


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return {key: _rounded(item) for key, item in value.items()} if isinstance(value, dict) else value


if __name__ == "__main__":
    torch.set_num_threads(1)
    GOLDEN.write_text(json.dumps(_rounded(compute_golden())) + "\n")
