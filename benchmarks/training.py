"""Speed of a training step, against an alternative in the same run.

    python -m benchmarks.training                      # on the CPU; needs the outputs of `dvc repro` in data/
    python -m benchmarks.training --gpu                # the published sizes on a GPU; needs no data
    python -m benchmarks.training --gpu --device cpu --tiny    # the same code at toy sizes, as a smoke test

On the CPU, one thread:
1. Each variant of params.yaml on frozen embeddings, against computing these at every step: decoding each track,
   transforming its window, and running both encoders.
2. Each variant with fine-tuned encoders, against texts padded to the encoder's `max_tokens`.
3. The default variant as in `dvc repro`: the share of time spent waiting for data, and peak memory.
4. M-All at the published sizes and a batch of 16, with random weights, one step on two threads, against an earlier
   measurement of the published implementation on two cores. Whole, which needs 17 GB of memory, and in parts of 4.

On the GPU, bfloat16: M-All at the published sizes on frozen embeddings (batches of 512) and fine-tuned (batches of
presets/paper.yaml), whole and in parts, with and without torch.compile; useful operations per second, not counting
repeated encoding in parts, as a share of the rate of a large matrix product (goal for fine-tuning: 0.35), the share of
time spent waiting for data (goal: under 0.05), and memory. Cases that do not fit into memory are reported.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.recipes import changed
from benchmarks.report import figure, in_own_process, peak_megabytes, publish
from benchmarks.settings import log_mel_settings
from benchmarks.training_generated import ROOT, VALID_FILMS, on_cpu, on_gpu, speed, train
from pipeline.core.errors import MissingFileError
from pipeline.core.tables import DATASET, read_table
from pipeline.core.variants import apart
from pipeline.encoders.image import load_image_encoder
from pipeline.encoders.log_mel import LogMel
from pipeline.encoders.text import load_text_encoder
from pipeline.media.tracks import track_samples
from pipeline.params import Params, load_params
from pipeline.store.films import INPUT_TABLES, open_store
from pipeline.store.inputs import film_rows, film_texts, read_poster
from pipeline.store.raw import TokenTable
from pipeline.tracking.store import URI
from pipeline.tracking.training import training_run
from pipeline.train.group import Group
from pipeline.train.training import Row, open_material, train_variant

CPU = torch.device("cpu")
FROZEN_EPOCHS, FINETUNE_EPOCHS = 12, 3
REPEATS = 3  # of computing an input
ALTERNATIVES = {"frozen": "encoders run at every step", "finetune": "padded to max_tokens"}


def main() -> None:
    """Run all parts on the CPU and print the figures."""
    try:
        params = load_params(ROOT / "params.yaml")
        data()
        open_store(ROOT / "data/features", ["tags", "plot", "image"])
    except MissingFileError as error:
        sys.exit(f"{error}\nThis benchmark needs the outputs of `dvc repro` in data/: run it first.")
    lines = []
    for part, alternative in ALTERNATIVES.items():
        for variant, found in in_own_process("benchmarks.training", part).items():
            title, examples, slow = f"{variant}, {part}", found["examples"], found["alternative"]
            name, slow_rate = (alternative, examples / slow) if slow else ("", None)
            lines.append(figure(f"{title}: a step of {examples:g}", found["seconds"], "s", slow, name))
            lines.append(figure(f"{title}: speed", found["rate"], "examples/s", slow_rate, name))
    found = in_own_process("benchmarks.training", "default")
    title = f"{params.variant} as `dvc repro` trains it"
    lines.append(figure(f"{title}: input wait", found["wait"], "of the time", goal="under 0.05"))
    lines.append(figure(f"{title}: peak memory", found["memory"], "MB", goal="under 3,000"))
    publish("training", [*lines, *on_cpu()])


def gpu(device: str, tiny: bool) -> None:
    """Run all cases on a GPU and print the figures; those of toy sizes are not saved."""
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("--gpu: PyTorch finds no CUDA device; add `--device cpu --tiny` for a smoke test without one")
    lines = on_gpu(device, tiny)
    if tiny:
        print(*lines, sep="\n")
    else:
        publish("training-gpu", lines)


def frozen() -> dict[str, Any]:
    """Return the speed of each variant on frozen embeddings, and of a step that computes its inputs."""
    params, rows = load_params(ROOT / "params.yaml"), complete(data())
    rows = [row for row in rows if row["split"] == "train"] + few_valid(rows)
    fast = changed(params, {"train": {"encoders": "frozen", "epochs": FROZEN_EPOCHS, "patience": None}})
    found = {variant: speed_of(variant, rows, fast) for variant in params.variants}
    films = film_rows(rows)[: round(found[params.variant]["examples"])]
    seconds = computing(films, params)
    for variant, row in params.variants.items():
        own = sum(seconds[name] for name in ("audio", *apart(row.inputs)))
        found[variant]["alternative"] = found[variant]["seconds"] + own
    return found


def computing(films: list[Row], params: Params) -> dict[str, float]:
    """Return the seconds of a step for computing each input of `films` from files and texts."""
    features, model = params.features, params.model.audio
    text, image = load_text_encoder(features.text, CPU, 2), load_image_encoder(features.image, CPU, 2)
    settings = log_mel_settings()
    log_mel, rate = LogMel(settings), settings.sample_rate

    def windows() -> None:
        for film in films:
            log_mel(track_samples(ROOT, film, rate)[: int(model.window_seconds * rate)])

    works: dict[str, Callable[[], Any]] = {
        "audio": windows,
        "image": lambda: image.encode([read_poster(ROOT / film["image"]) for film in films]),
    }
    for name in ("tags", "plot"):
        texts = [film_texts(film, [name])[0][1] for film in films]
        works[name] = partial(text.encode, texts)
    return {name: min(seconds_of(work) for _ in range(REPEATS)) for name, work in works.items()}


def finetune() -> dict[str, Any]:
    """Return the speed of each variant with fine-tuned encoders, with one step per epoch, and with padded texts.

    All padded texts take the same time: the alternative is measured once for all variants with the same encoders.
    """
    params, rows = load_params(ROOT / "params.yaml"), complete(data())
    films = film_rows(row for row in rows if row["split"] == "train")[: params.train.batch_size]
    rows = [*films, *few_valid(rows)]
    params = changed(
        params,
        {
            "model": {"towers": "paper"},
            "train": {"encoders": "finetune", "init": "random", "epochs": FINETUNE_EPOCHS, "patience": None},
        },
    )
    found, padded = {}, {}
    for variant, row in params.variants.items():
        found[variant] = speed_of(variant, rows, params)
        kinds = frozenset(INPUT_TABLES[name] for name in row.inputs)
        if "text" in kinds and kinds not in padded:
            padded[kinds] = speed_of(variant, rows, params, padded=True)["seconds"]
        found[variant]["alternative"] = padded.get(kinds)
    return found


@dataclass(frozen=True)
class PaddedTable(TokenTable):
    """Texts as long as the encoder takes."""

    length: int

    def read(self, rows: Any) -> dict[str, torch.Tensor]:
        """Return tokens and mask, int64 [n, length]."""
        fillers = {"input_ids": self.padding, "attention_mask": 0}
        return {n: F.pad(v, (0, self.length - v.shape[1]), value=fillers[n]) for n, v in super().read(rows).items()}


def speed_of(variant: str, rows: list[Row], params: Params, padded: bool = False) -> dict[str, float]:
    """Return the speed of a training run on `rows`."""
    material = open_material(ROOT, rows, params.row(variant), params.features.text, params.features.image, params.train)
    if padded:
        length = material.settings["text"]["max_tokens"]
        tables = {
            name: PaddedTable(**vars(table), length=length) if isinstance(table, TokenTable) else table
            for name, table in material.store.tables.items()
        }
        material = replace(material, store=replace(material.store, tables=tables))
    with tempfile.TemporaryDirectory() as folder:
        records = train(Path(folder), variant, material, rows, params, CPU)
    examples = len({row["fid"] for row in rows if row["split"] == "train"})
    return speed(records, examples, params.train.batch_size)


def default() -> dict[str, float]:
    """Train the default variant as its stage does, with tracking; return the input wait and the peak memory."""
    params, rows = load_params(ROOT / "params.yaml"), data()
    variant, records = params.variant, []
    os.environ.pop(URI, None)  # use a separate store
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        material = open_material(
            ROOT, rows, params.row(variant), params.features.text, params.features.image, params.train
        )
        with training_run(root, variant, asdict(params), material.store.audio.about["digest"]) as run:

            def report(record: dict[str, float]) -> None:
                records.append(record)
                run.log_epoch(record)

            row, group = params.row(variant), Group(0, 1, CPU)
            train_variant(root, variant, row, material, rows, params.model, params.train, group, False, report)
            run.log_model(root / "models" / variant)
    seconds = [1 / record["examples_per_second"] for record in records]  # per epoch, up to a factor
    wait = np.average([record["input_wait"] for record in records], weights=seconds)
    return {"wait": float(wait), "memory": peak_megabytes()}


def data() -> list[Row]:
    """Return the rows of the data set."""
    return read_table(ROOT / "data/dataset.parquet", DATASET, "split")


def complete(rows: list[Row]) -> list[Row]:
    """Return the rows of films with tags, plot and poster, which all variants read."""
    return [row for row in rows if row["tags"] and row["plot"] and row["image"]]


def few_valid(rows: list[Row]) -> list[Row]:
    """Return the fewest rows to validate on, as validation is not measured."""
    return film_rows(row for row in rows if row["split"] == "valid")[:VALID_FILMS]


def seconds_of(work: Callable[[], Any]) -> float:
    """Return the seconds of `work`."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


PARTS = {"frozen": frozen, "finetune": finetune, "default": default}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=PARTS, help="one part of the CPU's, in this process, as JSON")
    parser.add_argument("--gpu", action="store_true", help="the published sizes on a GPU")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="with --gpu")
    parser.add_argument("--tiny", action="store_true", help="with --gpu: toy sizes")
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part]()))
    elif arguments.gpu:
        gpu(arguments.device, arguments.tiny)
    else:
        main()
