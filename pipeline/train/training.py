"""One training run: features in, a model folder out."""

import csv
import io
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.core.errors import ModelError
from pipeline.core.files import write_bytes
from pipeline.core.tables import digest_of_rows
from pipeline.core.variants import Variant, apart
from pipeline.encoders.section import ImageFeatures, TextFeatures
from pipeline.encoders.tuned import load_tuned
from pipeline.model.section import Model
from pipeline.model.store import build_model, model_config, save_model
from pipeline.store.films import INPUT_TABLES, FeatureStore, FilmFeatures, films_of, open_store, readable
from pipeline.store.raw import raw_tables
from pipeline.train.group import Group
from pipeline.train.initial import initialise
from pipeline.train.loop import HISTORY, NotFiniteError, Record, Trainer
from pipeline.train.numerics import numerics
from pipeline.train.resume import resume_of
from pipeline.train.section import Train, check_recipe

log = logging.getLogger(__name__)

Row = dict[str, Any]


@dataclass(frozen=True)
class Material:
    """The inputs of a variant, and the pretrained encoders to fine-tune."""

    store: FeatureStore
    networks: dict[str, nn.Module] = field(default_factory=dict)  # by kind: text, image
    settings: dict[str, Any] = field(default_factory=dict)  # by kind


def open_material(
    root: Path, dataset: list[Row], variant: Variant, text: TextFeatures, image: ImageFeatures, params: Train
) -> Material:
    """Open the inputs of a model of `variant`: features, or tokens and pixels for fine-tuned encoders.

    A linear model is always fitted to features, whatever `train.encoders` is.
    """
    networks: dict[str, nn.Module] = {}
    settings: dict[str, Any] = {}
    inputs = apart(variant.inputs)
    if params.encoders == "finetune" and variant.method == "contrastive":
        inputs = variant.inputs
        kinds = dict.fromkeys(INPUT_TABLES[name] for name in inputs)
        torch.manual_seed(params.seed)  # for the vectors of new words
        networks, settings = load_tuned(kinds, text, image, marks="tags_plot" in inputs)
    raw = raw_tables(root, dataset, inputs, settings)
    return Material(open_store(root / "data/features", inputs, raw), networks, settings)


def train_variant(
    root: Path,
    name: str,
    variant: Variant,
    material: Material,
    dataset: list[Row],
    model_params: Model,
    params: Train,
    group: Group,
    compiled: bool,
    on_epoch: Callable[[Record], None],
) -> None:
    """Train the variant `name` and write its model, config and history to models/<name>; `compiled` as in `Trainer`.

    A linear model is fitted in closed form, with an empty history. Raises `ModelError` if the loss becomes NaN or
    infinite, after writing the kept epoch (`Trainer.fit`), and `ParamsError` for incompatible settings.
    """
    if variant.method == "linear":
        model_params, params = replace(model_params, towers="linear"), replace(params, init="cca", encoders="frozen")
    check_recipe(model_params, params)
    torch.set_num_threads(params.threads)
    torch.manual_seed(params.seed)
    store = material.store
    window_steps = store.window_steps(model_params.audio.window_seconds)
    config = model_config(
        name,
        store.inputs,
        model_params,
        store.specs(),
        window_steps,
        material.settings,
        drop_inputs=variant.drop_inputs,
    )
    model = build_model(config, material.networks)
    splits = {split: _films(dataset, split, store, variant.answers_subsets) for split in ("train", "valid")}
    if group.first:
        closed_form = params.init == "cca"
        initialise(model, splits["train"], store, model_params.components, model_params.embed_dim, closed_form)
    folder = root / "models" / name
    if variant.method == "linear":
        if group.first:
            save_model(folder, model, config)
            write_history(folder / "history.csv", [])
            log.info("%s: fitted in closed form to %d training films", name, len(splits["train"]))
        return
    trainer = Trainer(model, config, store, splits, params, group, compiled)
    if group.first:
        films = [len(of_split) for of_split in splits.values()]
        weights = sum(weight.numel() for weight in model.parameters())
        where = f"{group.device}" + (f" of {group.size} processes" if group.size > 1 else "")
        log.info("%s: %d training and %d validation films, %d weights, on %s", name, *films, weights, where)
    resume = resume_of(root, name, _decisive(config, params, store, splits))
    failure = None
    try:
        with numerics(params, group.device):
            trainer.fit(resume, on_epoch)
    except NotFiniteError as error:
        failure = error
    if group.first and trainer.history:
        save_model(folder, model, config)
        write_history(folder / "history.csv", trainer.history)
    if failure:
        kept = (
            f"{folder} holds the model after epoch {trainer.kept['epoch']}"
            if trainer.history
            else "no epoch was completed"
        )
        raise ModelError(f"{failure}; {kept}")
    if group.first:
        resume.remove()


def write_history(path: Path, history: list[Record]) -> None:
    """Write the history of a training, one row per epoch."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, HISTORY, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_bytes(path, text.getvalue().encode())


def _films(dataset: list[Row], split: str, store: FeatureStore, answers_subsets: bool) -> list[FilmFeatures]:
    """Return the films of a split that a variant can read."""
    films = films_of((row for row in dataset if row["split"] == split), store)
    return readable(films, store.inputs, answers_subsets)


def _decisive(
    config: dict[str, Any], params: Train, store: FeatureStore, splits: dict[str, list[FilmFeatures]]
) -> dict[str, Any]:
    """Return everything that determines the result of a training run."""
    tables = {"audio": store.audio, **store.tables}
    rows = {split: digest_of_rows(row for film in films for row in film.tracks) for split, films in splits.items()}
    return {
        "config": config,
        "params": asdict(params),
        "features": {name: table.about["digest"] for name, table in tables.items() if hasattr(table, "about")},
        "rows": rows,
    }
