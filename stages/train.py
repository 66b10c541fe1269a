"""Train one variant on features, or together with its text and image encoders (fine-tuning).

Reads: data/dataset.parquet, data/features/*.parquet; fine-tuning reads data/image instead of image.parquet
Writes: models/<variant>/model.safetensors, config.json, history.csv; a run in MLflow
Run: dvc repro train@<variant>
"""

import argparse
import sys
from pathlib import Path

from pipeline.core.fields import read_params
from pipeline.core.machine import Machine, choose_device
from pipeline.core.stage import launch
from pipeline.core.tables import DATASET, read_table
from pipeline.core.variants import Variants, variant_of
from pipeline.encoders.section import ImageFeatures, TextFeatures
from pipeline.model.section import Model
from pipeline.tracking.training import training_run
from pipeline.train.group import open_group, start_processes
from pipeline.train.section import Train
from pipeline.train.training import open_material, train_variant

SECTIONS = {
    "variants": Variants,
    "model": Model,
    "train": Train,
    "features.text": TextFeatures,
    "features.image": ImageFeatures,
    "machine": Machine,
}


def main(
    root: Path,
    variant: str,
    variants: Variants,
    model: Model,
    train: Train,
    text: TextFeatures,
    image: ImageFeatures,
    machine: Machine,
) -> None:
    """Train `variant` and write its folder, locally or on a node, in `machine.train_processes` processes."""
    row = variant_of(variants, variant)
    if (status := start_processes(machine, "stages.train", ["--variant", variant])) is not None:
        sys.exit(status)
    dataset = read_table(root / "data/dataset.parquet", DATASET, "split")
    with open_group(choose_device(machine.device)) as group:
        material = open_material(root, dataset, row, text, image, train)
        digest, params = material.store.audio.about["digest"], read_params(root / "params.yaml")
        with training_run(root, variant, params, digest, group.first, group.device.type == "cuda") as run:
            train_variant(root, variant, row, material, dataset, model, train, group, machine.compile, run.log_epoch)
            run.log_model(root / "models" / variant)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", required=True, help="a row of `variants` in params.yaml")
    launch(main, SECTIONS, parser.parse_args().variant)
