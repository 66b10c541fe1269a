"""A root folder whose features come from real, tiny encoders, so that raw texts and pictures can be queries."""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from PIL import Image

from pipeline.core.tables import DATASET, read_table, write_table
from pipeline.core.variants import apart
from pipeline.encoders.section import Features, ImageFeatures, TextFeatures
from pipeline.encoders.tuned import load_tuned
from pipeline.features.image import write_image_features
from pipeline.features.text import write_text_features
from pipeline.model.store import build_model, model_config, save_model
from pipeline.params import Params
from pipeline.store.films import INPUT_TABLES, open_store
from pipeline.store.raw import raw_tables
from tests.evaluate.small_world import MODEL, World, dataset_rows, make_world
from tests.small_machine import MACHINE

CPU = torch.device("cpu")
PLOTS = ("a dog runs .", "war begins .\n\n  a dog runs home .", "home .\na war .\nA dog begins .")


def make_asked_world(
    root: Path,
    params: Params,
    inputs: Sequence[str],
    bert: Path,
    vit: Path,
    tuned: Sequence[str] = (),
    crops: int = 1,
    drop_inputs: float = 0.0,
) -> World:
    """Write data set, posters, features and the model of a variant `Asked` below `root`.

    The encoders are those of the folders `bert` and `vit`; those of the kinds in `tuned` are parts of the model.
    """
    make_world(root)
    rng, rows = np.random.default_rng(0), dataset_rows()
    for row in rows:
        film = ord(row["fid"][2]) - ord("A")
        row |= {"tags": f"war dog {'home' * (film % 2)}", "plot": PLOTS[film % len(PLOTS)]}
        path = root / row["image"]
        path.parent.mkdir(exist_ok=True)
        if not path.is_file():
            Image.fromarray(rng.integers(0, 256, (40, 40 + 3 * film, 3), np.uint8)).save(path, quality=95)
    write_table(root / "data/dataset.parquet", rows, DATASET)
    features = features_of(params, bert, vit, crops)
    write_text_features(root / "data/features/text.parquet", rows, features.text, MACHINE)
    write_image_features(root, root / "data/features/image.parquet", rows, features.image, MACHINE)
    train(root, "Asked", inputs, features, tuned, drop_inputs)
    return World(root, rows, "Asked", list(inputs))


def features_of(params: Params, bert: Path, vit: Path, crops: int = 1) -> Features:
    """Return settings of features from the encoders in the folders `bert` and `vit`."""
    return Features(
        audio=params.features.audio,
        image=ImageFeatures(encoder=str(vit), pooling="auto", crops=crops),
        text=TextFeatures(encoder=str(bert), pooling="auto", max_tokens=20),
        sound=params.features.sound,
    )


def train(
    root: Path,
    variant: str,
    inputs: Sequence[str],
    features: Features,
    tuned: Sequence[str] = (),
    drop_inputs: float = 0.0,
) -> None:
    """Write an untrained model of fixed pseudo-random weights for `variant` below `root`."""
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    inputs = list(inputs) if "text" in tuned else apart(inputs)
    kinds = {INPUT_TABLES[name] for name in inputs} & set(tuned)
    networks, settings = load_tuned(sorted(kinds), features.text, features.image, marks="tags_plot" in inputs)
    store = open_store(root / "data/features", inputs, raw_tables(root, rows, inputs, settings))
    steps = store.window_steps(0.8)
    config = model_config(variant, inputs, MODEL, store.specs(), steps, settings, drop_inputs=drop_inputs)
    torch.manual_seed(crc32(variant.encode()))
    save_model(root / "models" / variant, build_model(config, networks or None), config)
