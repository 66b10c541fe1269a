"""One evaluation: a model and the films of the evaluation split in, figures and rankings out. Nothing in it is random
but the draws of the bootstrap, which have their seed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from pipeline.core.errors import StageError
from pipeline.core.tables import digest_of_rows
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.chance import chance_metrics
from pipeline.evaluate.metrics import Columns, averages, pooled_figures, query_metrics
from pipeline.evaluate.ranking import TOP, Ranking, Vectors, hubness_of, one_row_each, rank
from pipeline.evaluate.section import Evaluate
from pipeline.evaluate.slices import slices_of
from pipeline.model.embed import embed_films, embed_paragraphs, embed_tracks, queries_of, tracks_of
from pipeline.model.retrieval import RetrievalModel
from pipeline.store.films import FeatureStore, FilmFeatures, films_of

Row = dict[str, Any]

EVAL = "eval"


def pool_of(dataset: Iterable[Row], pool: str) -> list[Row]:
    """Return the rows whose tracks are candidates: those of the evaluation split, or all.

    Raises `StageError` when the evaluation split has no film to ask for music.
    """
    rows = list(dataset)
    asking = [row for row in rows if row["split"] == EVAL]
    if not asking:
        raise StageError("split.eval: the eval split has no film to evaluate on; raise its share or add films")
    return asking if pool == EVAL else rows


def evaluate_model(
    model: RetrievalModel,
    config: dict[str, Any],
    store: FeatureStore,
    rows: list[Row],
    about: Mapping[str, Row],
    params: Evaluate,
    batch_size: int,
    device: torch.device,
) -> tuple[dict[str, Any], list[Row]]:
    """Return the metrics file's content and the rows of `pipeline.evaluate.rankings`.

    `rows` are those of the pool, `about` the rows of films.parquet by fid.
    """
    films = films_of(rows, store)
    queries = embed_queries(model, store, films, config, params, batch_size, device)
    tracks = embed_tracks(model, tracks_of(films, store), config, batch_size, device)
    metrics, rankings = measure(films, queries, tracks, about, params)
    return {"variant": config["variant"], **metrics, "dataset": digest_of(rows)}, rankings


def embed_queries(
    model: RetrievalModel,
    store: FeatureStore,
    films: list[FilmFeatures],
    config: dict[str, Any],
    params: Evaluate,
    batch_size: int,
    device: torch.device,
) -> Vectors:
    """Return the films as `evaluate.paragraphs` sets: the mean over paragraphs, the first one, or all of them."""
    if params.paragraphs == "mean":
        return one_row_each(embed_films(model, queries_of(films, store), config, batch_size, device))
    rows, starts = embed_paragraphs(model, queries_of(films, store), config, batch_size, device)
    return one_row_each(rows[starts]) if params.paragraphs == "first" else Vectors(rows, starts)


def measure(
    films: list[FilmFeatures], queries: Vectors, tracks: np.ndarray, about: Mapping[str, Row], params: Evaluate
) -> tuple[dict[str, Any], list[Row]]:
    """Return all figures but variant and digest, and the rows of `pipeline.evaluate.rankings`.

    `queries` are those of all `films` of the pool, `tracks` [tracks, e] their tracks in order.
    """
    ends = np.cumsum([len(film.tracks) for film in films])
    own = [np.arange(end - len(film.tracks), end) for film, end in zip(films, ends, strict=True)]
    asking = [number for number, film in enumerate(films) if film.tracks[0]["split"] == EVAL]
    of_asking = [own[number] for number in asking]
    candidates = one_row_each(tracks)

    ranking = rank(queries.chosen(asking), candidates, of_asking, max(*params.ks, TOP))
    columns = query_metrics(ranking.ranks, params.ks)
    metrics = {
        "pool": params.pool,
        "paragraphs": params.paragraphs,
        "queries": len(asking),
        "candidates": len(tracks),
        **figures_of(columns, ranking.ranks.relevant, len(tracks), params),
        "reference": pooled_figures(ranking.ranks, params.ks),
        "music_to_film": music_to_film(queries, tracks, asking, of_asking, params),
        "hubness": hubness_of(ranking.occurrences, len(asking)),
        "slices": slice_figures([films[number] for number in asking], about, columns, len(tracks), params),
    }
    return metrics, ranking_rows([films[number] for number in asking], films, ranking, columns)


def figures_of(
    columns: Columns, relevant: np.ndarray, candidates: int, params: Evaluate, films: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the averages over queries, their intervals, and what chance gives; `films` is the film of each query."""
    means, chance = averages(columns), chance_metrics(relevant, candidates, params.ks)
    return {
        **means,
        "ci95": confidence_intervals(columns, params.bootstrap_samples, params.seed, films),
        "chance": {name: chance[name] for name in means},
    }


def music_to_film(
    queries: Vectors, tracks: np.ndarray, asking: list[int], own: list[np.ndarray], params: Evaluate
) -> dict[str, Any]:
    """Return the figures of the other direction: every track of the evaluation split asks for its film.

    With one relevant candidate recall is the hit rate, and average precision the reciprocal rank; they are left out.
    """
    counts = [len(of_film) for of_film in own]
    relevant = [np.array([film]) for film, number in zip(asking, counts, strict=True) for _ in range(number)]
    ranks = rank(one_row_each(tracks[np.concatenate(own)]), queries, relevant, top=0).ranks
    columns = query_metrics(ranks, params.ks)
    kept = {name: values for name, values in columns.items() if not name.startswith("recall_at_") and name != "map"}
    whose = np.repeat(np.arange(len(asking)), counts)
    return {
        "queries": len(relevant),
        "candidates": len(queries),
        **figures_of(kept, ranks.relevant, len(queries), params, whose),
    }


def slice_figures(
    films: list[FilmFeatures], about: Mapping[str, Row], columns: Columns, candidates: int, params: Evaluate
) -> dict[str, dict[str, Any]]:
    """Return the figures of each slice by dimension and value; its films rank the same candidates as all others.

    A slice of one film has no intervals, since one film cannot stand for others.
    """
    relevant = np.array([len(film.tracks) for film in films])

    def figures(numbers: np.ndarray) -> dict[str, Any]:
        of_slice = {name: values[numbers] for name, values in columns.items()}
        found = figures_of(of_slice, relevant[numbers], candidates, params)
        counts = {"films": len(numbers), "tracks": int(relevant[numbers].sum())}
        return counts | found | ({"ci95": {}} if len(numbers) == 1 else {})

    slices = slices_of([film.tracks for film in films], about, params.genres, params.min_slice_films)
    return {name: {value: figures(numbers) for value, numbers in values.items()} for name, values in slices.items()}


def ranking_rows(
    asking: list[FilmFeatures], films: list[FilmFeatures], ranking: Ranking, columns: Columns
) -> list[Row]:
    """Return one row per asking film: its own tracks ranked among all tracks of `films`, with that query's metrics."""
    paths = [track["path"] for film in films for track in film.tracks]
    expected = np.split(ranking.ranks.expected, np.cumsum(ranking.ranks.relevant)[:-1])
    metrics = [
        dict(zip(columns, values, strict=True)) for values in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]
    return [
        {
            "fid": film.fid,
            "title": film.tracks[0]["title"],
            "relevant": len(film.tracks),
            "candidates": len(paths),
            "ranks": ranks,
            "top_paths": [paths[number] for number in top],
            "top_scores": scores,
            **of_film,
        }
        for film, ranks, top, scores, of_film in zip(
            asking, expected, ranking.top.tolist(), ranking.top_scores, metrics, strict=True
        )
    ]


def digest_of(rows: list[Row]) -> str:
    """Return a short digest of data set `rows`: figures of different data must not be compared."""
    return digest_of_rows(rows)[:16]
