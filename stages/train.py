"""Train one variant on features, or with the text and image encoders that it fine-tunes.

Reads: data/dataset.parquet, data/features/*.parquet; fine-tuning reads data/image instead of image.parquet
Writes: models/<variant>/model.safetensors, config.json, history.csv; a run in MLflow
Run: dvc repro train@<variant>
"""

import argparse
import sys
from pathlib import Path

from pipeline.device import choose_device
from pipeline.params import Params
from pipeline.stage import launch
from pipeline.tables import DATASET, read_table
from pipeline.tracking.run import training_run
from pipeline.train.group import open_group, start_processes
from pipeline.train.run import open_material, train_variant


def main(root: Path, variant: str, params: Params) -> None:
    """Train `variant` and write its folder; `params` as a whole go to MLflow."""
    dataset = read_table(root / "data/dataset.parquet", DATASET, "split")
    inputs = params.inputs(variant)
    with open_group(choose_device(params.device)) as group:
        material = open_material(root, dataset, inputs, params.features, params.train)
        digest = material.store.audio.about["digest"]
        with training_run(root, variant, params, digest, group.first, group.device.type == "cuda") as run:
            train_variant(root, variant, material, dataset, params.model, params.train, group, run.log_epoch)
            run.log_model(root / "models" / variant)


def start(root: Path, variant: str, params: Params) -> None:
    """Train in this process, or in as many as `train.processes` says."""
    device = choose_device(params.device)
    status = start_processes(params.train.processes, device, "stages.train", ["--variant", variant])
    if status is None:
        main(root, variant, params)
    elif status:
        sys.exit(status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", required=True, help="a row of `variants` in params.yaml")
    arguments = parser.parse_args()
    launch(lambda root, params: start(root, arguments.variant, params))
