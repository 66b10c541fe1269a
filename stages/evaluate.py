"""Rank all tracks of the test set for each of its films with one variant's model, and measure the rankings.

Reads: data/{dataset,films}.parquet, data/features/*.parquet, models/<variant>; for `zero_shot` data/{audio,image}
Writes: metrics/evaluate/<variant>.json, metrics/rankings/<variant>.parquet; the metrics in the training's MLflow run
Run: dvc repro evaluate@<variant>
"""

import argparse
import logging
from pathlib import Path

from pipeline.core.files import sha256_of, write_json
from pipeline.core.machine import Machine, choose_device
from pipeline.core.stage import launch
from pipeline.core.tables import DATASET, FILMS, read_table
from pipeline.core.variants import Variants, apart, variant_of
from pipeline.core.workers import run_on_a_node
from pipeline.evaluate.baselines import evaluate_baselines
from pipeline.evaluate.evaluation import evaluate_model, pool_of
from pipeline.evaluate.rankings import write_rankings
from pipeline.evaluate.section import Baselines, Evaluate
from pipeline.evaluate.zero_shot import evaluate_zero_shot
from pipeline.model.store import load_model, open_for_model
from pipeline.store.films import films_of, open_store
from pipeline.tracking.evaluation import log_evaluation

log = logging.getLogger(__name__)


def main(
    root: Path, variant: str, variants: Variants, evaluate: Evaluate, baselines: Baselines, machine: Machine
) -> None:
    """Write the metrics and rankings of `variant`, locally or on a node of a cluster."""
    if (status := run_on_a_node("stages.evaluate", ["--variant", variant], 1, machine.device != "cpu")) is not None:
        raise SystemExit(status)
    dataset = read_table(root / "data/dataset.parquet", DATASET, "split")
    rows, training = pool_of(dataset, evaluate.pool), [row for row in dataset if row["split"] == "train"]
    about = {film["fid"]: film for film in read_table(root / "data/films.parquet", FILMS, "parse")}
    folder, inputs = root / "models" / variant, variant_of(variants, variant).inputs
    model, config = load_model(folder)
    store = open_for_model(root, rows, variant, inputs, config)
    batch_size, device = machine.embed_batch_size, choose_device(machine.device)
    metrics, rankings = evaluate_model(model, config, store, rows, about, evaluate, batch_size, device)
    features = open_store(root / "data/features", apart(inputs))
    metrics["baselines"] = evaluate_baselines(baselines, features, training, rows, rankings, evaluate)
    metrics["baselines"] |= evaluate_zero_shot(root, inputs, films_of(rows, features), rankings, evaluate, machine)
    metrics["model"] = {name: sha256_of(folder / name) for name in ("model.safetensors", "history.csv")}
    write_rankings(root / f"metrics/rankings/{variant}.parquet", rankings)
    write_json(root / f"metrics/evaluate/{variant}.json", metrics)
    log.info("%s: %d films, %d tracks (%s)", variant, metrics["queries"], metrics["candidates"], evaluate.pool)
    for name, (low, high) in metrics["ci95"].items():
        log.info("%16s %8.3f  [%.3f, %.3f]  chance %.3f", name, metrics[name], low, high, metrics["chance"][name])
    log_evaluation(root, folder, metrics)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", required=True, help="a row of `variants` in params.yaml")
    sections = {"variants": Variants, "evaluate": Evaluate, "baselines": Baselines, "machine": Machine}
    launch(main, sections, parser.parse_args().variant)
