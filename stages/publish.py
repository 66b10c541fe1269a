"""Publish one variant: its model with an index of all tracks, and its figures under one stable name.

Reads: data/dataset.parquet, data/features/*.parquet, models/<variant>, metrics/evaluate/<variant>.json
Writes: metrics/retrieval.json, models/published/model.safetensors, config.json, tracks.parquet; a version in MLflow
Run: dvc repro publish
"""

import logging
from pathlib import Path

from pipeline.device import choose_device
from pipeline.files import sha256_of, write_bytes, write_json
from pipeline.model.embed import embed_tracks
from pipeline.model.store import CONFIG, WEIGHTS, load_model, open_for_model
from pipeline.publish.headline import headline_of
from pipeline.publish.index import INDEX, write_index
from pipeline.publish.registry import register_published
from pipeline.sections import Evaluate
from pipeline.stage import launch
from pipeline.store.films import films_of
from pipeline.tables import DATASET, read_table

log = logging.getLogger(__name__)


def main(root: Path, variant: str, inputs: list[str], evaluate: Evaluate, device: str) -> None:
    headline = headline_of(root / f"metrics/evaluate/{variant}.json")
    rows = read_table(root / "data/dataset.parquet", DATASET, "split")
    folder, published = root / "models" / variant, root / "models/published"
    model, config = load_model(folder)
    store = open_for_model(root, rows, variant, inputs, config)
    films = films_of(rows, store)
    vectors = embed_tracks(model, store, films, config, evaluate.batch_size, choose_device(device))
    about = {"variant": variant, "model": sha256_of(folder / WEIGHTS), "audio": store.audio.about["digest"]}
    write_index(published / INDEX, films, vectors, about)
    for name in (WEIGHTS, CONFIG):
        write_bytes(published / name, (folder / name).read_bytes())
    write_json(root / "metrics/retrieval.json", headline)
    register_published(root, published, headline)
    log.info("published %s with %d tracks of %d films", variant, len(vectors), len(films))


if __name__ == "__main__":
    launch(lambda root, p: main(root, p.variant, p.inputs(p.variant), p.evaluate, p.device))
