"""Effect of each choice in training the paper's towers on log-mel: recall at 10 on the embedded corpus, five seeds.

    python -m benchmarks.recipes             # after `dvc repro`; on the test set
    python -m benchmarks.recipes --select    # without the test set: five splits of the remaining films

A recipe is presets/log-mel.yaml over params.yaml, with some values changed; its name states the difference from the
recipe it is compared with. Films are averaged over seeds (and splits); differences are tested over films by a paired
randomisation test.
"""

import argparse
import json
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML
from tqdm import tqdm

from benchmarks.audio_features import compute_features, features_root
from benchmarks.report import RESULTS
from pipeline.compare.significance import compare_pairs
from pipeline.core.tables import DATASET, read_table
from pipeline.encoders.section import LOG_MEL
from pipeline.evaluate.evaluation import evaluate_model
from pipeline.model.store import load_model
from pipeline.params import Params, load_params
from pipeline.train.group import Group
from pipeline.train.training import open_material, train_variant

ROOT = Path(__file__).parent.parent
METRIC = "recall_at_10"
SEEDS = range(5)
SPLITS = 5  # with --select
SAMPLES, PERMUTATIONS = 10_000, 100_000
CPU = torch.device("cpu")

Changes = dict[str, Any]  # by section


@dataclass(frozen=True)
class Recipe:
    """Changed values of params.yaml, the recipe it is compared with, and the variant to train."""

    changes: Changes
    beside: str
    variant: str = load_params(ROOT / "params.yaml").variant


def recipes() -> dict[str, Recipe]:
    """Return the recipes by name, each after the one it is compared with."""
    ours = "default"
    reference = YAML(typ="safe").load(ROOT / "presets/reference-recipe.yaml")
    equal = {"epochs": 13}  # of all tracks: as many examples as the default's epochs of all films
    return {
        ours: Recipe({}, ""),
        "the reference's recipe": Recipe(reference, ours),
        "… with the learning rate and schedule of log-mel.yaml": Recipe(
            _rate_of_default(reference), "the reference's recipe"
        ),
        "every track once per epoch, masked": Recipe({"train": {"sampler": "tracks", **equal}}, ours),
        "… additional positives": Recipe({"train": {"sampler": "tracks", "same_film": "positives", **equal}}, ours),
        "… negatives (no mask)": Recipe({"train": {"sampler": "tracks", "same_film": "negatives", **equal}}, ours),
        "… negatives, not shuffled": Recipe(
            {"train": {"sampler": "tracks", "same_film": "negatives", "shuffle": False, **equal}},
            "… negatives (no mask)",
        ),
        "… masked, not shuffled": Recipe(
            {"train": {"sampler": "tracks", "shuffle": False, **equal}}, "every track once per epoch, masked"
        ),
        "films not shuffled": Recipe({"train": {"shuffle": False}}, ours),
        "batch of 8": Recipe({"train": {"batch_size": 8}}, ours),
        "batch of 32": Recipe({"train": {"batch_size": 32}}, ours),
        "batch of 64 (all films)": Recipe({"train": {"batch_size": 64}}, ours),
        "no fusion layer": Recipe({"model": {"query": {"layers": 0}}}, ours),
        "no dropout on input embeddings": Recipe({"model": {"query": {"input_dropout": 0.0}}}, ours),
    }


def _rate_of_default(reference: Changes) -> Changes:
    given = asdict(base().train)
    names = ("learning_rate", "schedule", "warmup", "patience", "max_grad_norm", "optimizer", "weight_decay")
    return {"train": reference["train"] | {name: given[name] for name in names} | {"epochs": 13}}


def base() -> Params:
    """Return the base parameters of all recipes."""
    return changed(load_params(ROOT / "params.yaml"), YAML(typ="safe").load(ROOT / "presets/log-mel.yaml"))


def changed(params: Params, changes: Changes) -> Params:
    """Return `params` updated with `changes`."""
    return TypeAdapter(Params).validate_json(json.dumps(_laid(asdict(params), changes)))


def _laid(values: Changes, changes: Changes) -> Changes:
    for name, value in changes.items():
        values[name] = _laid(values[name], value) if isinstance(value, dict) else value
    return values


def recalls(task: tuple[str, Changes, int, int | None]) -> dict[str, float]:
    """Return the value of each test film after a training run; `split` None is the one of `dvc repro`."""
    variant, changes, seed, split = task
    params = changed(base(), changes | {"train": changes.get("train", {}) | {"seed": seed}})
    dataset = read_table(ROOT / "data/dataset.parquet", DATASET, "split")
    if split is not None:
        dataset = without_evaluation_split(dataset, split)
    row = params.row(variant)
    material = open_material(
        features_root(LOG_MEL), dataset, row, params.features.text, params.features.image, params.train
    )
    with tempfile.TemporaryDirectory() as folder:
        group = Group(0, 1, CPU)
        train_variant(
            Path(folder), variant, row, material, dataset, params.model, params.train, group, False, lambda record: None
        )
        model, config = load_model(Path(folder) / "models" / variant)
    tried = [row for row in dataset if row["split"] == "eval"]
    _, rankings = evaluate_model(
        model, config, material.store, tried, {}, params.evaluate, params.machine.embed_batch_size, CPU
    )
    return {row["fid"]: row[METRIC] for row in rankings}


def without_evaluation_split(dataset: list[dict[str, Any]], split: int) -> list[dict[str, Any]]:
    """Return the rows outside the test set, split again: 60 % training, 15 % validation, 25 % test films."""
    fids = sorted({row["fid"] for row in dataset if row["split"] != "eval"})
    order = np.random.default_rng(split).permutation(len(fids))
    names = np.array(["train"] * len(fids), dtype=object)
    names[order[: len(fids) // 4]] = "eval"
    names[order[len(fids) // 4 : 4 * len(fids) // 10]] = "valid"
    splits = dict(zip(fids, names.tolist(), strict=True))
    return [row | {"split": splits[row["fid"]]} for row in dataset if row["fid"] in splits]


def figures(chosen: dict[str, Recipe], select: bool) -> dict[str, np.ndarray]:
    """Return the figures [films] of each recipe, films in one order."""
    splits: list[int | None] = list(range(SPLITS)) if select else [None]
    tasks = [(name, seed, split) for name in chosen for seed in SEEDS for split in splits]
    work = [(chosen[name].variant, chosen[name].changes, seed, split) for name, seed, split in tasks]
    found: dict[str, dict[str, list[float]]] = {name: {} for name in chosen}
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for (name, _, _), of_films in zip(tasks, tqdm(pool.map(recalls, work), total=len(work)), strict=True):
            for fid, value in of_films.items():
                found[name].setdefault(fid, []).append(value)
    return {name: np.array([np.mean(of[fid]) for fid in sorted(of)]) for name, of in found.items()}


def main(select: bool) -> None:
    compute_features(LOG_MEL)
    chosen = recipes()
    values = figures(chosen, select)
    lines = []
    for name, recipe in chosen.items():
        line = {"recipe": name, METRIC: float(values[name].mean()), "films": len(values[name])}
        if recipe.beside:
            (difference,) = compare_pairs({n: values[n] for n in (name, recipe.beside)}, SAMPLES, PERMUTATIONS, seed=0)
            line |= {"beside": recipe.beside, "difference": difference.mean, "p": difference.p}
            line |= {"low": difference.low, "high": difference.high}
        lines.append(line)
    kind = "recipes" + ("-select" if select else "")
    table = Table("recipe", METRIC, "compared with", "difference", "95 %", "p", title=f"{kind}, {len(SEEDS)} seeds")
    for line in lines:
        numbers = ["", "", "", ""]
        if "beside" in line:
            interval = f"{line['low']:+.3f} to {line['high']:+.3f}"
            numbers = [line["beside"], f"{line['difference']:+.3f}", interval, f"{line['p']:.4f}"]
        table.add_row(line["recipe"], f"{line[METRIC]:.3f}", *numbers)
    Console(width=150).print(table)
    (RESULTS / f"{kind}.json").write_text(json.dumps(lines, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--select", action="store_true", help="leave the test set out")
    main(parser.parse_args().select)
