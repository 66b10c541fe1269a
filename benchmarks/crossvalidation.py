"""Cross-validated recall of features and recipes, without the test set.

    python -m benchmarks.crossvalidation             # after `make run`; about 15 minutes on 2 cores
    python -m benchmarks.crossvalidation --seeds 5   # training runs per split, averaged
    python -m benchmarks.crossvalidation --paper     # also the paper's towers: half an hour more

The films outside the test set are split again `SPLITS` times: 60 % for training, 15 % for validation, 25 % for testing.
The columns are the audio features, log-mel frames and MusiCNN's vectors; text and image features are the same. The rows
are the baselines, and training runs by params.yaml with some sections changed. Figures are recall at 10, averaged over
splits and seeds; differences are paired by film, with 95 % bootstrap intervals over films.
"""

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML
from tqdm import tqdm

from benchmarks.audio_features import FEATURES, MUSICNN, compute_features, features_root
from benchmarks.recipes import CPU, METRIC, ROOT, Changes, changed, without_evaluation_split
from benchmarks.report import RESULTS
from pipeline.core.tables import DATASET, read_table
from pipeline.core.variants import Variant, apart
from pipeline.evaluate.baselines import COMPONENTS, FITS, Data
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.evaluation import compared, evaluate_model, measure
from pipeline.evaluate.metrics import BEST_RANK
from pipeline.evaluate.ranking import one_row_each
from pipeline.evaluate.section import Baseline
from pipeline.model.store import load_model
from pipeline.model.vectors import film_numbers, fit_spaces
from pipeline.params import Params, load_params
from pipeline.store.films import films_of, open_store, readable
from pipeline.train.group import Group
from pipeline.train.training import open_material, train_variant

SPLITS = 6
SAMPLES = 10_000  # of the bootstrap

Row = dict[str, Any]
Recalls = dict[str, float]  # by film


@dataclass(frozen=True)
class Recipe:
    """A baseline, or params.yaml with some values changed."""

    baseline: Baseline | None = None
    changes: Changes | None = None
    features: tuple[str, ...] = FEATURES  # to run it with


@dataclass(frozen=True)
class Line:
    """The figures of a recipe."""

    features: str
    recipe: str
    mean: float  # over the variants
    variants: dict[str, float]
    difference: tuple[float, float, float]  # low, mean, high; from the training of params.yaml on MusiCNN's vectors
    films: int


def recipes(paper: bool) -> dict[str, Recipe]:
    """Return the recipes by name."""
    preset = YAML(typ="safe").load(ROOT / "presets/log-mel.yaml")
    scratch = {"learning_rate": 0.01, "epochs": 200, "init": "random"}
    vectors = (MUSICNN,)
    found = {
        "nearest": Recipe("nearest"),
        "linear": Recipe("linear"),
        "trained (params.yaml)": Recipe(changes={}),
        "… from random weights": Recipe(changes={"train": scratch}, features=vectors),
        "… from random weights, no noise": Recipe(
            changes={"train": scratch, "model": {"noise": 0.0}}, features=vectors
        ),
        "… from random weights, a hidden layer": Recipe(
            changes={"train": scratch, "model": {"towers": "hidden"}}, features=vectors
        ),
    }
    if paper:
        found["the paper's towers (presets/log-mel.yaml)"] = Recipe(changes={k: preset[k] for k in ("model", "train")})
    return found


def recalls(task: tuple[str, str, Recipe, int, int]) -> Recalls:
    """Return the recall of each test film for given features, variant, recipe, split and seed."""
    features, name, recipe, split, seed = task
    torch.set_num_threads(1)
    root, params = features_root(features), load_params(ROOT / "params.yaml")
    row = params.row(name)
    dataset = without_evaluation_split(read_table(ROOT / "data/dataset.parquet", DATASET, "split"), split)
    tried = [film for film in dataset if film["split"] == "eval"]
    if recipe.baseline:
        return _of_baseline(recipe.baseline, root, row, dataset, tried, params)
    changes = recipe.changes or {}
    params = changed(params, changes | {"train": changes.get("train", {}) | {"seed": seed}})
    material = open_material(root, dataset, row, params.features.text, params.features.image, params.train)
    with tempfile.TemporaryDirectory() as folder:
        group = Group(0, 1, CPU)
        train_variant(
            Path(folder), name, row, material, dataset, params.model, params.train, group, False, lambda record: None
        )
        model, config = load_model(Path(folder) / "models" / name)
    _, rankings = evaluate_model(
        model, config, material.store, tried, {}, params.evaluate, params.machine.embed_batch_size, CPU
    )
    return {film["fid"]: film[METRIC] for film in rankings}


def _of_baseline(name: str, root: Path, row: Variant, dataset: list[Row], tried: list[Row], params: Params) -> Recalls:
    store = open_store(root / "data/features", apart(row.inputs))
    training = films_of([film for film in dataset if film["split"] == "train"], store)
    known, films = readable(training, store.inputs, answers_subsets=False), films_of(tried, store)
    spaces = fit_spaces(known, store, COMPONENTS)
    data = Data(
        spaces.queries(known, store),
        spaces.tracks(known, store),
        film_numbers(known),
        spaces.queries(compared(films), store),
        spaces.tracks(films, store),
    )
    queries, tracks = FITS[name](data)
    _, rankings = measure(films, one_row_each(queries), tracks, {}, params.evaluate)
    return {film["fid"]: film[METRIC] for film in rankings}


def main(seeds: int, paper: bool) -> None:
    """Run all, print the table and write it."""
    for kind in FEATURES:
        compute_features(kind)
    params, chosen = load_params(ROOT / "params.yaml"), recipes(paper)
    dedicated = [name for name, row in params.variants.items() if not row.answers_subsets]
    tasks = [
        (features, variant, name, split, seed)
        for features in FEATURES
        for name, recipe in chosen.items()
        if features in recipe.features
        for variant in dedicated
        for split in range(SPLITS)
        for seed in range(1 if recipe.baseline else seeds)
    ]
    found: dict[tuple[str, str], dict[tuple[str, int, str], list[float]]] = {}  # by features and recipe
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        work = [(features, variant, chosen[name], split, seed) for features, variant, name, split, seed in tasks]
        for (features, variant, name, split, _), of_films in zip(
            tasks, tqdm(pool.map(recalls, work), total=len(work)), strict=True
        ):
            of_recipe = found.setdefault((features, name), {})
            for fid, value in of_films.items():
                of_recipe.setdefault((variant, split, fid), []).append(value)
    lines = []
    beside = of_films_in(found[MUSICNN, "trained (params.yaml)"], dedicated)
    for (features, name), values in found.items():
        films = of_films_in(values, dedicated)
        difference = np.array([films[fid] - beside[fid] for fid in sorted(films)])
        columns = {METRIC: difference, BEST_RANK: np.ones(len(difference))}
        low, high = confidence_intervals(columns, SAMPLES, seed=0)[METRIC]
        mean_of = {variant: mean(v for (of, *_), v in values.items() if of == variant) for variant in dedicated}
        difference_of = (low, float(difference.mean()), high)
        lines.append(
            Line(features, name, float(np.mean(list(mean_of.values()))), mean_of, difference_of, films=len(films))
        )
    table = Table("features", "recipe", "mean", *dedicated, "difference from params.yaml (95 %)")
    for line in lines:
        low, middle, high = line.difference
        numbers = [f"{value:.3f}" for value in (line.mean, *line.variants.values())]
        table.add_row(line.features, line.recipe, *numbers, f"{middle:+.3f} ({low:+.3f} to {high:+.3f})")
    Console(width=180).print(table)
    (RESULTS / "crossvalidation.json").write_text(
        json.dumps([asdict(line) for line in lines], indent=2, ensure_ascii=False) + "\n"
    )


def of_films_in(values: dict[tuple[str, int, str], list[float]], variants: list[str]) -> dict[str, float]:
    """Return each film's recall, averaged over variants, splits and seeds."""
    films: dict[str, list[float]] = {}
    for (variant, _, fid), found in values.items():
        if variant in variants:
            films.setdefault(fid, []).append(float(np.mean(found)))
    return {fid: float(np.mean(of)) for fid, of in films.items()}


def mean(values: Iterable[list[float]]) -> float:
    """Return the mean over splits and films."""
    return float(np.mean([np.mean(value) for value in values]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="training runs per split")
    parser.add_argument("--paper", action="store_true", help="also train the paper's towers")
    arguments = parser.parse_args()
    main(arguments.seeds, arguments.paper)
