"""One evaluation: a model and the films of the evaluation side in, figures and rankings out."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from pipeline.errors import StageError
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.chance import chance_metrics
from pipeline.evaluate.metrics import BEST_RANK, over_films, query_metrics
from pipeline.evaluate.ranking import rank_candidates
from pipeline.evaluate.reference import pooled_figures
from pipeline.model.embed import embed_films, embed_tracks
from pipeline.model.retrieval import RetrievalModel
from pipeline.sections import Evaluate
from pipeline.store.films import FeatureStore, Film, films_of

Row = dict[str, Any]


def evaluation_side(dataset: Iterable[Row]) -> list[Row]:
    """Return the rows of the evaluation side in order; raise `StageError` when there is none."""
    rows = [row for row in dataset if row["side"] == "eval"]
    if not rows:
        raise StageError("split.eval: the eval side has no film to evaluate on; raise its share or add films")
    return rows


def evaluate_model(
    model: RetrievalModel,
    config: dict[str, Any],
    store: FeatureStore,
    rows: list[Row],
    params: Evaluate,
    device: torch.device,
) -> tuple[dict[str, Any], list[Row]]:
    """Return the metrics file's content and the rows of `pipeline.evaluate.rankings` for the data set `rows`."""
    films = films_of(rows, store)
    queries = embed_films(model, store, films, config, params.batch_size, device)
    candidates = embed_tracks(model, store, films, config, params.batch_size, device)
    rankings = ranking_rows(films, queries, candidates, params)
    return {"variant": config["variant"], **metrics_of(rankings, params), "dataset": digest_of(rows)}, rankings


def ranking_rows(films: list[Film], queries: np.ndarray, candidates: np.ndarray, params: Evaluate) -> list[Row]:
    """Return a row a film: its own tracks ranked among all tracks of `films`, with the metrics of that query."""
    tracks = [track for film in films for track in film.tracks]
    ends = np.cumsum([len(film.tracks) for film in films])
    own = [np.arange(end - len(film.tracks), end) for film, end in zip(films, ends, strict=True)]
    return [
        {
            "fid": film.fid,
            "title": film.tracks[0]["title"],
            "relevant": len(film.tracks),
            "candidates": len(tracks),
            "ranks": ranking.ranks,
            BEST_RANK: int(ranking.ranks[0]),
            "top_paths": [tracks[number]["path"] for number in ranking.top],
            "top_scores": ranking.top_scores,
            **query_metrics(ranking.ranks, params.ks),
        }
        for film, ranking in zip(films, rank_candidates(queries, candidates, own, max(params.ks)), strict=True)
    ]


def metrics_of(rankings: list[Row], params: Evaluate) -> dict[str, Any]:
    """Return the averages over films, their intervals, what chance gives, and the reference's pooled figures."""
    names = [*query_metrics(np.ones(1), params.ks), BEST_RANK]
    columns = {name: np.array([row[name] for row in rankings], np.float64) for name in names}
    relevant, candidates = [row["relevant"] for row in rankings], rankings[0]["candidates"]
    samples, seed = params.bootstrap_samples, params.seed
    return {
        "queries": len(rankings),
        "candidates": candidates,
        **over_films(columns),
        "ci95": confidence_intervals(columns, samples, seed),
        "chance": chance_metrics(relevant, candidates, params.ks, samples, seed),
        "reference": pooled_figures(np.concatenate([row["ranks"] for row in rankings]), params.ks),
    }


def digest_of(rows: list[Row]) -> str:
    """Return a short digest of data set `rows`: figures of different data must not be compared."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]
