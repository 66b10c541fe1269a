"""Recall of each model when a part of its query is left out, as in the reasons for a recommendation.

Recall at 10 on the test set of the default run (`make run`), against that of the model trained on the remaining parts
only, if there is one: leaving a part out should cost about as much as training without it.

    python -m benchmarks.parts
"""

from pathlib import Path

import numpy as np
import torch

from benchmarks.report import figure, publish
from pipeline.apps.recommend.index import TrackIndex, highest
from pipeline.apps.recommend.libraries import FilmLibrary
from pipeline.apps.recommend.query import WHOLE, Encoders, Query, QueryEncoder
from pipeline.apps.recommend.trained import trained_models
from pipeline.core.tables import DATASET, read_table
from pipeline.model.store import load_model
from pipeline.params import load_params
from pipeline.store.inputs import film_rows

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")
K = 10


def main() -> None:
    """Measure all models of several parts and print the figures."""
    models, encoders = trained_models(ROOT), Encoders(CPU)
    library = FilmLibrary(ROOT, load_params(ROOT / "params.yaml").machine.embed_batch_size, CPU)
    rows = [row for row in read_table(ROOT / "data/dataset.parquet", DATASET, "split") if row["split"] == "eval"]
    films = [film for film in film_rows(rows) if film["compared"]]
    queries = [Query(None, film["tags"], film["plot"], ROOT / film["image"]) for film in films]
    names = [film["fid"] for film in films]
    found = {}
    for model in models.values():
        index, encoder = library.index(model), QueryEncoder(*load_model(model.folder), encoders)
        parts = [None, *model.needs] if len(model.needs) > 1 else [None]
        without = [WHOLE if part is None else frozenset([part]) for part in parts]
        for part, vectors in zip(parts, encoder.encode_without(queries, without), strict=True):
            found[model.name, part] = recall(index, vectors, names)
    figures = []
    for (name, part), value in found.items():
        if part is None:
            figures.append(figure(f"{name}: the whole query", value, "recall at 10"))
            continue
        left = tuple(need for need in models[name].needs if need != part)
        beside = next((model.name for model in models.values() if model.needs == left), None)
        other = found[beside, None] if beside else None
        figures.append(figure(f"{name}: without {part}", value, "recall at 10", other, beside or ""))
    publish("parts", figures)


def recall(index: TrackIndex, vectors: np.ndarray, names: list[str]) -> float:
    """Return the recall at `K` of the films `names`, with `vectors`, among the tracks of the test set."""
    tracks = index.tracks.select(["fid", "split"]).to_pandas()
    rows = np.flatnonzero(tracks["split"] == "eval")
    fids = tracks["fid"].to_numpy()[rows]
    shares = []
    for name, vector in zip(names, vectors, strict=True):
        own = fids == name
        shares.append(own[highest(index.scores(vector)[rows], K)].sum() / own.sum())
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
