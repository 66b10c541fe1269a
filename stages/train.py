"""Train one variant on cached features.

Reads: data/dataset.parquet, data/features/*.parquet
Writes: models/<variant>/model.safetensors, config.json, history.csv; a run in MLflow
Run: dvc repro train@<variant>
"""

import argparse
from pathlib import Path

from pipeline.device import choose_device
from pipeline.params import Params
from pipeline.stage import launch
from pipeline.store.films import open_store
from pipeline.tables import DATASET, read_table
from pipeline.tracking import training_run
from pipeline.train.run import train_variant


def main(root: Path, variant: str, params: Params) -> None:
    """Train `variant` and write its folder; `params` as a whole go to MLflow, the model and train sections are used."""
    dataset = read_table(root / "data/dataset.parquet", DATASET, "split")
    store = open_store(root / "data/features", params.inputs(variant))
    folder = root / "models" / variant
    with training_run(root, variant, params, store.audio.about["digest"]) as run:
        train_variant(
            folder, variant, store, dataset, params.model, params.train, choose_device(params.device), run.log_epoch
        )
        run.log_model(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", required=True, help="a row of `variants` in params.yaml")
    arguments = parser.parse_args()
    launch(lambda root, params: main(root, arguments.variant, params))
