"""A training step at the sizes of the published method: M-All on generated films, with randomly initialised encoders.

Tracks are in a feature cache and posters in JPEG files, so that a step includes reading, decoding and copying to the
device as in any training; texts are random tokens, as long as tags and a paragraph of a plot. Films share tracks and
posters, which keeps them in the system's file cache. Each case runs in a separate process, started by
`benchmarks.training`.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from ruamel.yaml import YAML
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, ViTConfig

from benchmarks.recipes import changed
from benchmarks.report import Figure, figure, in_own_process, peak_megabytes
from benchmarks.settings import log_mel_settings
from pipeline.core.errors import ModelError
from pipeline.core.variants import Variant
from pipeline.core.workers import batches
from pipeline.encoders.log_mel import LogMel
from pipeline.encoders.pixels import Preparation
from pipeline.encoders.tuned import build_tuned
from pipeline.model.store import load_model
from pipeline.params import Params, load_params
from pipeline.store.audio_table import AudioTable
from pipeline.store.cache import FeatureCache, write_shard
from pipeline.store.films import FeatureStore
from pipeline.store.raw import READERS, PixelTable, TokenTable
from pipeline.store.table import FeatureTable
from pipeline.train.group import Group
from pipeline.train.loss import contrastive_loss
from pipeline.train.resume import Resume
from pipeline.train.step import backward
from pipeline.train.training import Material, Record, Row, train_variant

ROOT = Path(__file__).parent.parent
INPUTS = ("tags_plot", "image")  # of M-All
VALID_FILMS = 2  # the minimum, as validation is not measured
VARIANT = "All"
SHARD_TRACKS = 64
COUNTED = 2  # examples for counting operations
PRODUCTS, TRIES = 10, 5  # matrix products per try, and tries

CPU_BATCH, CPU_PARTS, CPU_THREADS = 16, (None, 4), 2
REFERENCE_SECONDS, REFERENCE_MEGABYTES = 45.0, 16_800.0  # the same step of the published code, on two cores
REFERENCE = "published code, quoted"
GPU_FROZEN_BATCH, GPU_EPOCHS = 512, 3


@dataclass(frozen=True)
class Sizes:
    """The sizes of the data and the encoders."""

    films: int  # for training
    tracks: int  # shared by the films
    posters: int  # shared by the films
    track_seconds: float
    tokens: tuple[int, int]  # of the shortest and the longest text
    text: dict[str, int]  # changes to BertConfig's defaults, BERT-base
    image: dict[str, int]  # changes to ViTConfig's defaults, ViT-base
    product: int  # size of the reference matrix product


PAPER = Sizes(5120, 2000, 512, 30.0, (40, 300), {}, {}, 8192)
_NARROW = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
TINY = Sizes(16, 6, 4, 3.0, (4, 30), _NARROW, _NARROW | {"image_size": 32, "patch_size": 8}, 256)
TINY_PARAMS = {
    "model": {"towers": "paper", "audio": {"window_seconds": 1.0, "channels": 4}},
    "train": {"batch_size": 8, "micro_batch_size": 4},
}


def on_cpu() -> Iterator[Figure]:
    """Yield the lines of a step on the CPU: the batch whole, and in parts."""
    sizes = replace(PAPER, films=CPU_BATCH, tracks=CPU_BATCH, posters=CPU_BATCH)
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), sizes, paper_params())
        for micro in CPU_PARTS:
            how = {"batch_size": CPU_BATCH, "micro_batch_size": micro, "epochs": 1, "threads": CPU_THREADS}
            found = _in_own_process(folder, "cpu", sizes, False, {"train": how})
            title = f"published sizes, batch of {CPU_BATCH}" + (f" in parts of {micro}" if micro else "")
            yield figure(f"{title}: a step", found["seconds"], "s", REFERENCE_SECONDS, REFERENCE)
            yield figure(f"{title}: peak memory", found["memory"], "MB", REFERENCE_MEGABYTES, REFERENCE)


def on_gpu(device: str, tiny: bool) -> list[Figure]:
    """Return the lines of frozen and fine-tuned encoders, the batch in parts and whole, compiled or not."""
    params, sizes = paper_params(tiny).train, TINY if tiny else PAPER
    cases = list(product(("frozen", "finetune"), (params.micro_batch_size, None), (False, True)))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), sizes, paper_params(tiny))
        for encoders, micro, compiled in cases:
            batch = GPU_FROZEN_BATCH if encoders == "frozen" and not tiny else params.batch_size
            how = {"encoders": encoders, "batch_size": batch, "micro_batch_size": micro}
            how |= {"epochs": GPU_EPOCHS, "patience": None, "precision": "bfloat16"}
            found[encoders, micro, compiled] = _in_own_process(
                folder, device, sizes, tiny, {"train": how, "machine": {"compile": compiled}}
            )
    highest = max(of_case["product"] for of_case in found.values())
    return [line for case in cases for line in _gpu_lines(case, found, highest)]


def _gpu_lines(
    case: tuple[str, int | None, bool], found: dict[Any, dict[str, Any]], highest: float
) -> Iterator[Figure]:
    encoders, micro, compiled = case
    of_case, plain = found[case], found[encoders, micro, False] if compiled else {}
    title = f"{encoders}, {f'parts of {micro}' if micro else 'whole'}{', compiled' if compiled else ''}"
    if "seconds" not in of_case:
        yield figure(f"{title}: does not fit into", of_case["capacity"], "MB of GPU memory")
        return
    beside = "not compiled" if "seconds" in plain else ""
    yield figure(f"{title}: a step of {of_case['examples']:.0f}", of_case["seconds"], "s", plain.get("seconds"), beside)
    yield figure(f"{title}: speed", of_case["rate"], "examples/s", plain.get("rate"), beside)
    reached = of_case["operations"] * of_case["rate"]
    goal = "0.35 or more" if encoders == "finetune" else ""
    yield figure(f"{title}: useful work", reached / 1e12, "TFLOP/s", highest / 1e12, "large product")
    yield figure(f"{title}: share of the bfloat16 matrix rate", reached / highest, "", goal=goal)
    yield figure(f"{title}: input wait", of_case["wait"], "of the time", goal="under 0.05")
    yield figure(f"{title}: peak memory", of_case["memory"], "MB")


def _in_own_process(folder: str, device: str, sizes: Sizes, tiny: bool, how: dict[str, Any]) -> dict[str, Any]:
    given = json.dumps([folder, device, asdict(sizes), tiny, how])
    return in_own_process("benchmarks.training_generated", given)


def measure(folder: str, device_name: str, sizes_given: dict[str, Any], tiny: bool, how: dict[str, Any]) -> dict:
    """Return the speed and the peak memory of a training run with parameters updated by `how`.

    In a GPU's precision also the `operations` per example and the rate of the reference `product`; if out of memory on
    a GPU, its `capacity` instead of a speed.
    """
    device, sizes = torch.device(device_name), Sizes(**sizes_given)
    params, cuda = changed(paper_params(tiny), how), device.type == "cuda"
    opened, found = material(Path(folder), sizes, params), {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        try:
            records = train(root, VARIANT, opened, dataset(sizes), params, device)
        except ModelError as error:
            if not isinstance(error.__cause__, torch.OutOfMemoryError):
                raise
            found["capacity"] = torch.cuda.get_device_properties(device).total_memory / 2**20
        else:
            found |= speed(records, sizes.films, params.train.batch_size)
            found["memory"] = torch.cuda.max_memory_allocated(device) / 2**20 if cuda else peak_megabytes()
            if params.train.precision == "bfloat16":
                found["operations"] = operations(root, opened.store, device)
    if params.train.precision == "bfloat16":
        found["product"] = product_rate(sizes.product, device)
    return found


def paper_params(tiny: bool = False) -> Params:
    """Return params.yaml updated with presets/paper.yaml, except its widths and batches if `tiny`."""
    preset = YAML(typ="safe").load((ROOT / "presets/paper.yaml").read_text(encoding="utf-8"))
    if tiny:
        preset["model"] = TINY_PARAMS["model"]
        preset["train"] |= TINY_PARAMS["train"]
    params = load_params(ROOT / "params.yaml")
    return changed(replace(params, features=replace(params.features, audio=log_mel_settings())), preset)


def generate(folder: Path, sizes: Sizes, params: Params) -> None:
    """Write tracks and posters."""
    rng = np.random.default_rng(0)
    log_mel = LogMel(params.features.audio)
    frames = log_mel.frame_count(int(sizes.track_seconds * params.features.audio.sample_rate))
    noise = rng.normal(-40, 15, (frames, params.features.audio.n_mels)).astype(np.float32)
    for numbers in batches(range(sizes.tracks), SHARD_TRACKS):
        shifts = rng.integers(frames, size=len(numbers))
        tracks = [log_mel.stored(np.roll(noise, shift, axis=0)) for shift in shifts]
        write_shard(folder / "tracks", dict(zip(map(str, numbers), tracks, strict=True)))
    (folder / "posters").mkdir()
    for number in range(sizes.posters):  # 224 × 330 px, with realistic detail
        coarse = Image.fromarray(rng.integers(0, 256, (66, 45, 3), dtype=np.uint8))
        coarse.resize((224, 330), Image.Resampling.BICUBIC).save(folder / f"posters/{number}.jpg", quality=92)


def material(folder: Path, sizes: Sizes, params: Params) -> Material:
    """Open the outputs of `generate`, with random embeddings, or with texts, posters and random encoders."""
    rng, fids = np.random.default_rng(0), [row["fid"] for row in dataset(sizes)]
    text, image = BertConfig(**sizes.text), ViTConfig(**sizes.image)
    cache = FeatureCache(folder / "tracks")
    keys = tuple(map(str, range(sizes.tracks)))
    about = {"spec": LogMel(params.features.audio).spec, "digest": ""}
    index = {(fid, 0): n % sizes.tracks for n, fid in enumerate(fids)}
    steps = np.array([cache.count(key) for key in keys])
    audio = AudioTable(index, keys, steps, params.features.audio.n_mels, about, cache)
    named = {"tags_plot": {"input": np.full(len(fids), "tags_plot")}, "image": {"crop": np.zeros(len(fids), int)}}
    if params.train.encoders == "frozen":
        tables = {}
        for name, config in zip(INPUTS, (text, image), strict=True):
            vectors = rng.normal(size=(len(fids), config.hidden_size)).astype(np.float32)
            tables[name] = FeatureTable({"fid": np.array(fids), **named[name]}, vectors, {"spec": {}, "digest": ""})
        return Material(FeatureStore(tuple(INPUTS), audio, tables))
    ends = np.cumsum(rng.integers(*sizes.tokens, len(fids), endpoint=True))
    tokens = rng.integers(1, text.vocab_size, ends[-1], dtype=np.int32)
    crops, side = params.features.image.crops, image.image_size
    squares = {"fid": np.repeat(fids, crops), "crop": np.tile(np.arange(crops), len(fids))}
    paths = [folder / f"posters/{n % sizes.posters}.jpg" for n in range(len(fids))]
    preparation = Preparation(side, side, Image.Resampling.BILINEAR, 1 / 255, [0.5] * 3, [0.5] * 3)
    tables = {
        "tags_plot": TokenTable({"fid": np.array(fids), **named["tags_plot"]}, tokens, ends, padding=0),
        "image": PixelTable(squares, paths, crops, preparation, ThreadPoolExecutor(READERS)),
    }
    settings = {
        kind: {"width": config.hidden_size, "config": config.to_dict(), "pooling": "cls", "normalised": False}
        for kind, config in (("text", text), ("image", image))
    }
    networks: dict[str, nn.Module] = {kind: build_tuned(kind, settings[kind]) for kind in settings}
    return Material(FeatureStore(tuple(INPUTS), audio, tables), networks, settings)


def dataset(sizes: Sizes) -> list[Row]:
    """Return the rows of the films, one track each."""
    splits = ["train"] * sizes.films + ["valid"] * VALID_FILMS
    known = {"number": 0, "tags": "known", "plot": "known", "image": "known"}  # available inputs
    return [known | {"fid": f"{n:05}", "split": split, "path": str(n)} for n, split in enumerate(splits)]


def train(
    root: Path, variant: str, opened: Material, rows: list[Row], params: Params, device: torch.device
) -> list[Record]:
    """Train as the stage does, without a state to resume from; return the record of each epoch."""
    records: list[Record] = []
    with mock.patch.object(Resume, "save"):
        group = Group(0, 1, device)
        train_variant(
            root,
            variant,
            Variant(list(INPUTS)),
            opened,
            rows,
            params.model,
            params.train,
            group,
            params.machine.compile,
            records.append,
        )
    return records


def speed(records: list[Record], examples: int, batch_size: int) -> dict[str, float]:
    """Return seconds and examples per step, examples per second, and the share of time spent waiting for data.

    They are those of the fastest epoch after the first, which is for warm-up.
    """
    best = max(records[1:] or records, key=lambda record: record["examples_per_second"])
    rate, steps = best["examples_per_second"], -(-examples // batch_size)
    return {"seconds": examples / rate / steps, "rate": rate, "wait": best["input_wait"], "examples": examples / steps}


def operations(root: Path, store: FeatureStore, device: torch.device) -> float:
    """Return the floating-point operations of an example's forward and backward pass in the trained model in `root`.

    Products and convolutions count once: neither repeated encoding in parts nor padding is useful work. Texts have the
    mean length.
    """
    model, config = load_model(root / "models" / VARIANT)
    model.to(device).train()
    stored: dict[str, Any] = store.read_inputs({name: range(COUNTED) for name in INPUTS})
    texts = store.tables["tags_plot"]
    if isinstance(texts, TokenTable):
        ids = torch.from_numpy(texts.tokens).long()[: COUNTED * (len(texts.tokens) // len(texts.ends))]
        ids = ids.view(COUNTED, -1)
        stored["tags_plot"] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    stored["audio"] = store.read_windows(range(COUNTED), [0] * COUNTED, config["window_steps"])
    batch, films = store.batch(stored, device), torch.arange(COUNTED, device=device)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # its products are counted
        loss = partial(contrastive_loss, same_film="masked")
        backward(model, [lambda: batch], films, loss, Group(0, 1, device), nullcontext)
    return counter.get_total_flops() / COUNTED


def product_rate(rows: int, device: torch.device) -> float:
    """Return the operations per second of a product of two square bfloat16 matrices, best of several."""
    a, b = (torch.randn(rows, rows, device=device, dtype=torch.bfloat16) for _ in "ab")
    out = torch.empty_like(a)
    wait: Callable[[], Any] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    best = 0.0
    for _ in range(TRIES):
        wait()
        begin = time.perf_counter()
        for _ in range(PRODUCTS):
            torch.mm(a, b, out=out)
        wait()
        best = max(best, PRODUCTS * 2.0 * rows**3 / (time.perf_counter() - begin))
    return best


if __name__ == "__main__":
    print(json.dumps(measure(*json.loads(sys.argv[1]))))
