"""Effect of `evaluate.paragraphs`: a film as the mean over its paragraphs, its first one, or each track's best one.

Every variant of a built data set that reads plots is evaluated each way; each film is averaged over variants.

    python -m benchmarks.paragraphs
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.report import figure, publish
from pipeline.compare.significance import compare_pairs
from pipeline.core.tables import DATASET, read_table
from pipeline.core.variants import apart
from pipeline.evaluate.evaluation import evaluate_model, pool_of
from pipeline.model.store import load_model, open_for_model
from pipeline.params import Params, load_params

ROOT = Path(__file__).parent.parent
METRIC = "recall_at_10"
WAYS = ("mean", "first", "best")
PERMUTATIONS = 10_000


def main() -> None:
    """Print and write the figures of each way and their differences, among the test set's tracks and among all."""
    params = load_params(ROOT / "params.yaml")
    lines = []
    for pool in ("eval", "all"):
        values = {way: of_films(params, pool, way) for way in WAYS}
        for way in WAYS:
            lines.append(figure(f"pool {pool}: {way}", float(values[way].mean()), METRIC))
        for pair in compare_pairs(values, params.evaluate.bootstrap_samples, PERMUTATIONS, seed=0):
            what = f"… {pair.first} − {pair.second}: {pair.mean:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}]"
            lines.append(figure(what, pair.p_holm, "p", goal="Holm"))
    publish("paragraphs", lines)


def of_films(params: Params, pool: str, way: str) -> np.ndarray:
    """Return each film's value, averaged over the variants that read plots."""
    rows = pool_of(read_table(ROOT / "data/dataset.parquet", DATASET, "split"), pool)
    evaluate = replace(params.evaluate, pool=pool, paragraphs=way, genres=[], bootstrap_samples=1)
    found = []
    for variant, row in params.variants.items():
        if "plot" in apart(row.inputs):
            model, config = load_model(ROOT / "models" / variant)
            store = open_for_model(ROOT, rows, variant, row.inputs, config)
            _, rankings = evaluate_model(
                model, config, store, rows, {}, evaluate, params.machine.embed_batch_size, torch.device("cpu")
            )
            found.append([row[METRIC] for row in rankings])
    return np.mean(found, axis=0)


if __name__ == "__main__":
    main()
