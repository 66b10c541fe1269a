"""A small model, a short recipe, and one call that trains on the tables of conftest.py."""

from pathlib import Path

import torch

from pipeline.core.variants import Variant
from pipeline.model.section import AudioTower, Model, Projector, QueryTower
from pipeline.store.films import FeatureStore, open_store
from pipeline.train.group import Group
from pipeline.train.section import Train
from pipeline.train.training import Material, train_variant

ALONE = Group(0, 1, torch.device("cpu"))
MODEL = Model(
    embed_dim=8,
    temperature=0.2,
    max_logit_scale=100.0,
    towers="paper",
    components=6,
    noise=0.0,
    audio=AudioTower(
        window_seconds=0.8,
        window_hop_seconds=0.4,
        channels=4,
        blocks=2,
        width=8,
        layers=1,
        heads=2,
        head_width=4,
        feedforward=8,
        positions=9,
        dropout=0.0,
    ),
    query=QueryTower(input_dropout=0.0, width=8, layers=1, heads=2, head_width=4, feedforward=8, dropout=0.0),
    projector=Projector(hidden=16, dropout=0.0),
)
TRAIN = Train(
    seed=0,
    encoders="frozen",
    init="random",
    epochs=12,
    batch_size=8,
    micro_batch_size=None,
    sampler="films",
    shuffle=True,
    same_film="masked",
    optimizer="adamw",
    learning_rate=0.02,
    encoder_learning_rate=0.001,
    schedule="cosine",
    warmup=0.2,
    plateau_epochs=2,
    plateau_factor=0.5,
    weight_decay=0.01,
    max_grad_norm=1.0,
    monitor="loss",
    patience=12,
    valid_draws=2,
    precision="auto",
    deterministic=False,
    threads=1,
)


def train(
    root: Path,
    dataset: list[dict],
    params: Train = TRAIN,
    inputs: tuple[str, ...] = ("tags_plot", "image"),
    variant: str = "All",
    model: Model = MODEL,
    group: Group = ALONE,
    features: Path | None = None,
    compiled: bool = False,
    row: Variant | None = None,
    on_epoch=None,
) -> tuple[FeatureStore, list[dict[str, float]]]:
    """Train on the tables in `features`, or below `root`; return the store and the report of each epoch."""
    records: list[dict[str, float]] = []
    store = open_store(features or root / "data/features", inputs)

    def report(record):
        records.append(record)
        if on_epoch:
            on_epoch(record)

    train_variant(
        root, variant, row or Variant(list(inputs)), Material(store), dataset, model, params, group, compiled, report
    )
    return store, records
