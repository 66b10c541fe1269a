"""A recipe's recall relative to the optimal ranking, on generated films for which the optimum is known.

    python -m benchmarks.generated                 # `variant` of params.yaml; minutes on 2 cores
    python -m benchmarks.generated --every-variant # all variants
    python -m benchmarks.generated --seeds 5       # training runs, averaged

A film has `FACTORS` latent factors z ~ N(0, 1). Encoders observe them through a fixed random map, with nuisance factors
and noise:

    a row of an input     x = c + A (z of the input's factors + s η) + B u + τ ε
    a window of a track   x = c + A (z + s η + s' η') + B u + τ ε

The columns of A and B [f, ·] are orthonormal, c is a mean; each encoder has its own. η (per row or track), η' (per
window), u (per row or window, with deviations `NUISANCE`) and ε are independent and normal. `INPUTS` has the factors of
each input. Tables have the format of the stages; reading, training and evaluation are the project's code with the
recipe of params.yaml.

The optimal ranking. As everything else is orthogonal to A or independent of z, Aᵀ (x − c) is sufficient for z. For an
input of r rows, its mean a has the variance v = (s² + τ²) / r about z in each of the input's factors. Given the inputs,
z is therefore normal with precision Λ = 1 + Σ 1/v and mean μ = Σ (a/v) / Λ (Bishop 2006, eq. 2.116). The mean b over
the w windows of a track has the variance t = s² + (s'² + τ²) / w about z. Its log-likelihood ratio of belonging to the
film versus to any film,

    ln N(b; μ, 1/Λ + t) / N(b; 0, 1 + t) = ½ Σ [ln (1 + t) / (1/Λ + t) + b² / (1 + t) − (b − μ)² / (1/Λ + t)],

is that of probabilistic linear discriminant analysis (Ioffe 2006; Prince and Elder 2007). No ranking that scores tracks
independently has a higher expected recall (the probability ranking principle, Robertson 1977).

As everything is linear and normal, the cosine of μ and b is nearly optimal: the table shows the cost of a small corpus
for a recipe, not the potential of deeper networks.

Axes: k factor, f value of a vector.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.report import RESULTS
from pipeline.core.variants import apart
from pipeline.core.workers import batches
from pipeline.evaluate.baselines import evaluate_baselines
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.evaluation import evaluate_model, measure
from pipeline.evaluate.metrics import BEST_RANK, averages
from pipeline.evaluate.ranking import one_row_each
from pipeline.evaluate.section import Baseline, Evaluate
from pipeline.model.store import load_model
from pipeline.params import Params, load_params
from pipeline.store.films import INPUT_TABLES, FeatureStore, FilmFeatures, films_of, open_store
from pipeline.store.table import IMAGE_KEYS, TEXT_KEYS, WINDOW_KEYS, write_features
from pipeline.train.group import Group
from pipeline.train.training import open_material, train_variant

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")
METRICS = ("recall_at_10", "mrr")
BASELINES: list[Baseline] = ["linear", "nearest"]
FACTORS = 12
NUISANCE = np.geomspace(2.0, 0.5, 20)  # deviations of the nuisance factors, largest first
MEAN = 10.0  # norm of an encoder's mean vector
VALUE_NOISE = 0.1  # τ, of each value of a vector
TRACK_NOISE, WINDOW_NOISE = 0.5, 0.3  # s and s' of audio
WINDOWS = 2  # of each track
TRACK = TRACK_NOISE**2 + (WINDOW_NOISE**2 + VALUE_NOISE**2) / WINDOWS  # t
TRACKS, PARAGRAPHS = (2, 8), (1, 4)  # minimum and maximum per film
GROUP_ROWS = 1024  # per row group
KEYS = {"text": TEXT_KEYS, "image": IMAGE_KEYS, "audio": WINDOW_KEYS}
SPECS = {"audio": {"pooling": "auto", "window_seconds": 5.0, "window_hop_seconds": 5.0}}

Row = dict[str, Any]


@dataclass(frozen=True)
class Input:
    """The factors and noise of an input."""

    factors: slice
    noise: float  # s


INPUTS = {
    "tags": Input(slice(0, 6), 0.6),
    "plot": Input(slice(6, 12), 1.0),
    "image": Input(slice(6, 12), 1.0),
}


@dataclass(frozen=True)
class Sizes:
    """The sizes of the generated data."""

    train: tuple[int, ...]  # numbers of training films; smaller sets are subsets of the largest
    valid: int  # films; for smaller training sets in the proportion of params.yaml
    evaluated: int  # films
    widths: Mapping[str, int]  # of the vectors of text, image and audio


SIZES = Sizes((57, 500, 1400), 300, 300, {"text": 384, "image": 1280, "audio": 768})


@dataclass(frozen=True)
class World:
    """The generated data and its true parameters."""

    root: Path  # holds data/features
    rows: dict[str, list[Row]]  # of the data set, by split
    factors: dict[str, np.ndarray]  # z of each film, [k], by fid
    bases: dict[str, np.ndarray]  # A and B of each encoder side by side, [f, k + …]
    means: dict[str, np.ndarray]  # c of each, [f]

    def factors_in(self, kind: str, vectors: np.ndarray) -> np.ndarray:
        """Return Aᵀ (x − c) of vectors x [n, f] of an encoder, float64 [n, k]."""
        return (vectors.astype(np.float64) - self.means[kind]) @ self.bases[kind][:, :FACTORS]


def main(variants: Sequence[str], params: Params, sizes: Sizes, seeds: int) -> list[Row]:
    """Print and return the figures of `variants`, a line for each size of the training set."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        world = generate(Path(folder), sizes, seed=0)
        for variant in variants:
            for films in tqdm(sizes.train, variant):
                lines.append(figures(world, variant, films, params, seeds))
    tracks, films = len(world.rows["eval"]), sizes.evaluated
    columns = ("trained", *BASELINES, "cosine", "best", "chance")
    for metric in METRICS:
        table = Table("variant", "training films", *columns, title=f"{metric}; {films} films, {tracks:,} tracks")
        for line in lines:
            table.add_row(line["variant"], f"{line['films']:,}", *(_readable(line[name][metric]) for name in columns))
        Console(width=180).print(table)
    return lines


def generate(root: Path, sizes: Sizes, seed: int) -> World:
    """Write the feature tables of all films below `root`."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Row]] = {}
    factors: dict[str, np.ndarray] = {}
    for split, films in {"train": max(sizes.train), "valid": sizes.valid, "eval": sizes.evaluated}.items():
        fids = [f"{len(factors) + n:05}" for n in range(films)]
        factors |= dict(zip(fids, rng.normal(size=(films, FACTORS)), strict=True))
        rows[split] = [_row(fid, split, n) for fid in fids for n in range(int(rng.integers(TRACKS[0], TRACKS[1] + 1)))]
    folder, bases, means = root / "data/features", {}, {}
    told = {"text": _text(factors, rng), "image": _image(factors, rng), "audio": _audio(rows, factors, rng)}
    for kind, width in sizes.widths.items():
        bases[kind] = np.linalg.qr(rng.normal(size=(width, FACTORS + len(NUISANCE))))[0]
        mean = rng.normal(size=width)
        means[kind] = MEAN * mean / np.linalg.norm(mean)
        about = {"spec": {"encoder": "generated", **SPECS.get(kind, {})}, "versions": {}}
        groups = _vectors(told[kind], bases[kind], means[kind], rng)
        write_features(folder / f"{kind}.parquet", KEYS[kind], groups, width, np.float32, about)
    return World(root, rows, factors, bases, means)


def figures(world: World, variant: str, films: int, params: Params, seeds: int) -> Row:
    """Return the metrics of the trained model, the baselines, the optimal rankings and chance.

    Each is `mean` and `ci95` by metric; for the trained model each film is averaged over the seeds.
    """
    inputs = apart(params.row(variant).inputs)
    rows = of_size(world, films, params)
    pool, training = ([row for row in rows if row["split"] == split] for split in ("eval", "train"))
    store = open_store(world.root / "data/features", inputs)
    rankings = [trained(world, variant, rows, params, seed) for seed in range(seeds)]
    columns = {
        name: np.mean([[row[name] for row in ranking] for ranking in rankings], axis=0)
        for name in (*METRICS, BEST_RANK)
    }
    means = averages(columns) | {"ci95": confidence_intervals(columns, params.evaluate.bootstrap_samples, 0)}
    baselines = evaluate_baselines(BASELINES, store, training, pool, rankings[0], params.evaluate)
    found = {"trained": means, **baselines, **known_rankings(world, store, pool, params.evaluate)}
    return {
        "variant": variant,
        "films": films,
        "seeds": seeds,
        **{name: {key: {"mean": of[key], "ci95": of["ci95"][key]} for key in METRICS} for name, of in found.items()},
        "chance": {key: {"mean": found["best"]["chance"][key]} for key in METRICS},
    }


def of_size(world: World, films: int, params: Params) -> list[Row]:
    """Return the data set with the first `films` training films and a proportional number of validation films."""
    usual = round(films * params.split.valid / params.split.train)
    chosen = {
        fid
        for split, count in (("train", films), ("valid", usual))
        for fid in list(dict.fromkeys(row["fid"] for row in world.rows[split]))[:count]
    }
    return [row for rows in world.rows.values() for row in rows if row["fid"] in chosen or row["split"] == "eval"]


def trained(world: World, variant: str, rows: list[Row], params: Params, seed: int) -> list[Row]:
    """Return the rankings (`evaluate_model`) of a model trained on `rows` by the recipe of `params`."""
    train, features = replace(params.train, seed=seed, encoders="frozen"), params.features
    row = params.row(variant)
    material = open_material(world.root, rows, row, features.text, features.image, train)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_variant(
            folder, variant, row, material, rows, params.model, train, Group(0, 1, CPU), False, lambda record: None
        )
        model, config = load_model(folder / "models" / variant)
    pool = [row for row in rows if row["split"] == "eval"]
    batch_size = params.machine.embed_batch_size
    return evaluate_model(model, config, material.store, pool, {}, params.evaluate, batch_size, CPU)[1]


def known_rankings(world: World, store: FeatureStore, pool: list[Row], params: Evaluate) -> dict[str, dict[str, Any]]:
    """Return the metrics of `best`, the ranking by the log-likelihood ratio, and of `cosine`, that by μ · b / |b|.

    The latter is the limit for linear maps to unit vectors. Queries use the inputs of `store`.
    """
    films = films_of(pool, store)
    mean, precision = posterior(world, store, films)
    tracks = heard(world, store, films)
    unit = tracks / np.linalg.norm(tracks, axis=1, keepdims=True)
    sides = {"cosine": (mean, unit), "best": as_products(mean, precision, tracks)}
    return {name: measure(films, one_row_each(queries), of, {}, params)[0] for name, (queries, of) in sides.items()}


def posterior(world: World, store: FeatureStore, films: Sequence[FilmFeatures]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and precision, float64 [films, k] each, of the factors of `films` given their inputs."""
    precision, weighted = np.ones((len(films), FACTORS)), np.zeros((len(films), FACTORS))
    for name in store.inputs:
        told = INPUTS[name]
        for number, film in enumerate(films):
            rows = film.fixed_rows[name]
            seen = world.factors_in(INPUT_TABLES[name], store.tables[name].read(rows).numpy()).mean(0)[told.factors]
            variance = (told.noise**2 + VALUE_NOISE**2) / len(rows)
            precision[number, told.factors] += 1 / variance
            weighted[number, told.factors] += seen / variance
    return weighted / precision, precision


def heard(world: World, store: FeatureStore, films: Sequence[FilmFeatures]) -> np.ndarray:
    """Return the observations b of the tracks of `films`, float64 [tracks, k]: z with the variance `TRACK`."""
    rows = [row for film in films for row in film.track_rows]
    return np.stack([world.factors_in("audio", store.audio.read(row)).mean(0) for row in rows])


def as_products(mean: np.ndarray, precision: np.ndarray, tracks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of films and of `tracks` whose products are the log-likelihood ratios, [·, 2 k + 1].

    A film's vector has the formula's coefficients of b² and b, and its constant; a track's has b², b and 1.
    """
    own = 1 / precision + TRACK  # variance of b about μ for the film's own tracks
    rest = 0.5 * np.sum(np.log((1 + TRACK) / own) - mean**2 / own, axis=1, keepdims=True)
    films = np.hstack([0.5 / (1 + TRACK) - 0.5 / own, mean / own, rest])
    return films, np.hstack([tracks**2, tracks, np.ones((len(tracks), 1))])


def _row(fid: str, split: str, number: int) -> Row:
    """Return a row of the data set with the columns for training and evaluation."""
    path = f"data/audio/{fid}/{number}.mp3"
    row = {"fid": fid, "split": split, "number": number, "path": path, "seconds": 10.0, "sha256": path}
    about = {"title": fid, "year": None, "tags": "tags", "plot": "plot", "image": "image", "url": fid}
    return row | {"file_sha256": path, "source_url": path, "recording": path, "sound": path, "compared": True} | about


def _vectors(
    told: Iterable[tuple[Row, np.ndarray]], basis: np.ndarray, mean: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[list[Row], np.ndarray]]:
    """Yield groups of the keys in `told`, with their vectors [rows, f]; `basis` is A and B concatenated."""
    for rows in batches(told, GROUP_ROWS):
        factors = np.stack([values for _, values in rows])
        nuisance = NUISANCE * rng.normal(size=(len(rows), len(NUISANCE)))
        noise = VALUE_NOISE * rng.normal(size=(len(rows), len(basis)))
        yield [key for key, _ in rows], mean + np.hstack([factors, nuisance]) @ basis.T + noise


def _text(factors: Mapping[str, np.ndarray], rng: np.random.Generator) -> Iterator[tuple[Row, np.ndarray]]:
    """Yield the key of each row of the text table, and its factors [k]."""
    for fid, of_film in factors.items():
        paragraphs = int(rng.integers(PARAGRAPHS[0], PARAGRAPHS[1] + 1))
        for name, count in (("tags", 1), ("plot", paragraphs)):
            for paragraph in range(count):
                key = {"fid": fid, "input": name, "paragraph": paragraph, "sha256": f"{fid}{name}{paragraph}"}
                yield key, _told(name, of_film, rng)


def _image(factors: Mapping[str, np.ndarray], rng: np.random.Generator) -> Iterator[tuple[Row, np.ndarray]]:
    """Yield the same for the image table."""
    for fid, of_film in factors.items():
        yield {"fid": fid, "crop": 0, "sha256": fid}, _told("image", of_film, rng)


def _audio(
    rows: Mapping[str, list[Row]], factors: Mapping[str, np.ndarray], rng: np.random.Generator
) -> Iterator[tuple[Row, np.ndarray]]:
    """Yield the same for the audio table, one row per window."""
    for row in (row for of_split in rows.values() for row in of_split):
        track = factors[row["fid"]] + TRACK_NOISE * rng.normal(size=FACTORS)
        for window in range(WINDOWS):
            key = {"fid": row["fid"], "number": row["number"], "window": window, "start_seconds": 5.0 * window}
            yield key | {"sha256": row["file_sha256"]}, track + WINDOW_NOISE * rng.normal(size=FACTORS)


def _told(name: str, factors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the noisy factors of a film in a row of input `name`, [k]; 0 for factors it does not have."""
    told, values = INPUTS[name], np.zeros(FACTORS)
    values[told.factors] = factors[told.factors] + told.noise * rng.normal(size=FACTORS)[told.factors]
    return values


def _readable(figure: Row) -> str:
    interval = f" ({figure['ci95'][0]:.3f} to {figure['ci95'][1]:.3f})" if "ci95" in figure else ""
    return f"{figure['mean']:.3f}{interval}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every-variant", action="store_true", help="all variants, not only the published one")
    parser.add_argument("--seeds", type=int, default=1, help="training runs of each")
    arguments, parameters = parser.parse_args(), load_params(ROOT / "params.yaml")
    chosen = list(parameters.variants) if arguments.every_variant else [parameters.variant]
    found = main(chosen, parameters, SIZES, arguments.seeds)
    (RESULTS / "generated.json").write_text(json.dumps(found, indent=2) + "\n")
