"""Publish one variant: its model with an index of all tracks, and its metrics, under a fixed name.

Reads: data/dataset.parquet, segments.parquet, downloads.parquet, data/features/*.parquet, models/<variant>,
       metrics/evaluate/<variant>.json
Writes: metrics/retrieval.json, models/published/model.safetensors, config.json, tracks.parquet; a version in MLflow
Run: dvc repro publish
"""

import json
import logging
from pathlib import Path

from pipeline.core.files import write_bytes, write_json
from pipeline.core.machine import Machine, choose_device
from pipeline.core.stage import launch
from pipeline.core.variants import TagsRule, Variants, variant_of
from pipeline.model.index import index_films
from pipeline.model.store import CONFIG, TAGS_RULE, WEIGHTS
from pipeline.publish.headline import headline_of
from pipeline.publish.registry import register_published
from pipeline.store.index import INDEX

log = logging.getLogger(__name__)


def main(root: Path, variant: str, variants: Variants, tags_rule: TagsRule, machine: Machine) -> None:
    """Write models/published, whose config also has the tags rule, and the headline metrics of `variant`."""
    inputs = variant_of(variants, variant).inputs
    headline = headline_of(root / f"metrics/evaluate/{variant}.json")
    folder, published = root / "models" / variant, root / "models/published"
    device, batch_size = choose_device(machine.device), machine.embed_batch_size
    tracks, films = index_films(root, published / INDEX, variant, inputs, batch_size, device)
    write_bytes(published / WEIGHTS, (folder / WEIGHTS).read_bytes())
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    write_json(published / CONFIG, config | {TAGS_RULE: tags_rule})
    write_json(root / "metrics/retrieval.json", headline)
    register_published(root, published, headline)
    log.info("published %s with %d tracks of %d films", variant, tracks, films)


if __name__ == "__main__":
    launch(main, {"variant": str, "variants": Variants, "parse.tags": TagsRule, "machine": Machine})
