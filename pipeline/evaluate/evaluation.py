"""One evaluation: a model and the films of the evaluation split in, figures and rankings out. Nothing in it is random
but the draws of the bootstrap, which have their seed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch

from pipeline.core.errors import StageError
from pipeline.core.tables import digest_of_rows
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.candidates import Candidates, candidates_of
from pipeline.evaluate.chance import chance_metrics
from pipeline.evaluate.metrics import Columns, averages, ceiling_metrics, pooled_figures, query_metrics
from pipeline.evaluate.ranking import TOP, Ranking, Vectors, hubness_of, nearest_rows, one_row_each, rank
from pipeline.evaluate.section import UNITS, Evaluate
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

    `rows` are those of the pool, `about` the rows of films.parquet by fid. A model that answers queries of some of its
    inputs has its averages and intervals for each choice of them under `subsets`.
    """
    films = films_of(rows, store)
    given = (model, store, films, config, params, batch_size, device)
    queries = embed_queries(*given)
    tracks = embed_tracks(model, tracks_of(films, store), config, batch_size, device)
    metrics, rankings = measure(films, queries, tracks, about, params)
    if config["drop_inputs"]:
        metrics["subsets"] = [
            {
                "inputs": inputs,
                **briefly(films, embed_queries(*given, [*set(model.inputs) - set(inputs)]), tracks, params),
            }
            for inputs in subsets_of(model.inputs)
        ]
    return {"variant": config["variant"], **metrics, "dataset": digest_of(rows)}, rankings


def embed_queries(
    model: RetrievalModel,
    store: FeatureStore,
    films: list[FilmFeatures],
    config: dict[str, Any],
    params: Evaluate,
    batch_size: int,
    device: torch.device,
    without: Collection[str] = (),
) -> Vectors:
    """Return the films as `evaluate.paragraphs` sets: the mean over paragraphs, the first one, or all of them."""
    if params.paragraphs == "mean":
        return one_row_each(embed_films(model, queries_of(films, store), config, batch_size, device, without))
    rows, starts = embed_paragraphs(model, queries_of(films, store), config, batch_size, device, without)
    return one_row_each(rows[starts]) if params.paragraphs == "first" else Vectors(rows, starts)


def measure(
    films: list[FilmFeatures], queries: Vectors, tracks: np.ndarray, about: Mapping[str, Row], params: Evaluate
) -> tuple[dict[str, Any], list[Row]]:
    """Return all figures but variant and digest, and the rows of `pipeline.evaluate.rankings`.

    `queries` are those of all `films` of the pool, `tracks` [segments, e] their segments in order. Averages, intervals,
    chance, ceiling and the number of candidates stand under `segments` and `recordings`, and those of `evaluate.unit`
    at the top as well; its are the slices, the hubness and the rankings too.
    """
    asking = [number for number, film in enumerate(films) if film.tracks[0]["split"] == EVAL]
    of_asking = queries.chosen(asking)
    candidates = {unit: candidates_of(films, tracks, unit) for unit in UNITS}
    rankings = {
        unit: rank(of_asking, found.vectors, [found.own[number] for number in asking], max(*params.ks, TOP))
        for unit, found in candidates.items()
    }
    columns = {unit: query_metrics(ranking.ranks, params.ks) for unit, ranking in rankings.items()}
    units = {
        unit: {
            "candidates": len(found.vectors),
            **figures_of(columns[unit], rankings[unit].ranks.relevant, len(found.vectors), params),
        }
        for unit, found in candidates.items()
    }
    films_asking = [films[number] for number in asking]
    ranked, ranking, of_films = candidates[params.unit], rankings[params.unit], columns[params.unit]
    metrics = {
        "pool": params.pool,
        "paragraphs": params.paragraphs,
        "unit": params.unit,
        "queries": len(asking),
        **units[params.unit],
        **{f"{unit}s": figures for unit, figures in units.items()},
        "reference": pooled_figures(rankings["segment"].ranks, params.ks),
        "music_to_film": music_to_film(queries, tracks, asking, [len(film.tracks) for film in films], params),
        "hubness": hubness_of(ranking.occurrences, len(asking)),
        "slices": slice_figures(films_asking, about, of_films, ranking.ranks.relevant, len(ranked.vectors), params),
    }
    return metrics, ranking_rows(films_asking, of_asking, ranked, ranking, of_films)


def briefly(films: list[FilmFeatures], queries: Vectors, tracks: np.ndarray, params: Evaluate) -> dict[str, Any]:
    """Return the averages of `measure` at the top of a metrics file, and their intervals."""
    asking = [number for number, film in enumerate(films) if film.tracks[0]["split"] == EVAL]
    found = candidates_of(films, tracks, params.unit)
    ranking = rank(queries.chosen(asking), found.vectors, [found.own[number] for number in asking], top=0)
    columns = query_metrics(ranking.ranks, params.ks)
    return averages(columns) | {"ci95": confidence_intervals(columns, params.bootstrap_samples, params.seed)}


def subsets_of(inputs: Sequence[str]) -> list[list[str]]:
    """Return every choice of one or more of `inputs`, in their order, small ones first."""
    return [list(chosen) for count in range(1, len(inputs) + 1) for chosen in combinations(inputs, count)]


def figures_of(
    columns: Columns, relevant: np.ndarray, candidates: int, params: Evaluate, films: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the averages over queries, their intervals, and what a random and a perfect ranking have.

    `films` is the film of each query.
    """
    means = averages(columns)
    chance, ceiling = (of(relevant, candidates, params.ks) for of in (chance_metrics, ceiling_metrics))
    return {
        **means,
        "ci95": confidence_intervals(columns, params.bootstrap_samples, params.seed, films),
        "chance": {name: chance[name] for name in means},
        "ceiling": {name: ceiling[name] for name in means},
    }


def music_to_film(
    queries: Vectors, tracks: np.ndarray, asking: list[int], counts: list[int], params: Evaluate
) -> dict[str, Any]:
    """Return the figures of the other direction: every segment of the evaluation split asks for its film.

    `counts` are the numbers of segments of all films, in the order of `queries` and `tracks`, of which `asking` ask.
    With one relevant candidate recall is the hit rate, and average precision the reciprocal rank; they are left out.
    """
    films = np.repeat(np.arange(len(counts)), counts)  # of each segment
    asks = np.isin(films, asking)
    ranks = rank(one_row_each(tracks[asks]), queries, [np.array([film]) for film in films[asks]], top=0).ranks
    columns = query_metrics(ranks, params.ks)
    kept = {name: values for name, values in columns.items() if not name.startswith("recall_at_") and name != "map"}
    return {
        "queries": int(asks.sum()),
        "candidates": len(queries),
        **figures_of(kept, ranks.relevant, len(queries), params, np.searchsorted(asking, films[asks])),
    }


def slice_figures(
    films: list[FilmFeatures],
    about: Mapping[str, Row],
    columns: Columns,
    relevant: np.ndarray,
    candidates: int,
    params: Evaluate,
) -> dict[str, dict[str, Any]]:
    """Return the figures of each slice by dimension and value; its films rank the same candidates as all others.

    `relevant` is how many candidates each film has. A slice of one film has no intervals, since one film cannot stand
    for others.
    """
    tracks = np.array([len(film.tracks) for film in films])

    def figures(numbers: np.ndarray) -> dict[str, Any]:
        of_slice = {name: values[numbers] for name, values in columns.items()}
        found = figures_of(of_slice, relevant[numbers], candidates, params)
        counts = {"films": len(numbers), "tracks": int(tracks[numbers].sum())}
        return counts | found | ({"ci95": {}} if len(numbers) == 1 else {})

    slices = slices_of([film.tracks for film in films], about, params.genres, params.min_slice_films)
    return {name: {value: figures(numbers) for value, numbers in values.items()} for name, values in slices.items()}


def ranking_rows(
    asking: list[FilmFeatures], queries: Vectors, candidates: Candidates, ranking: Ranking, columns: Columns
) -> list[Row]:
    """Return one row per asking film, of which `queries` are: its own candidates' ranks, with that query's metrics."""
    relevant = ranking.ranks.relevant
    expected = np.split(ranking.ranks.expected, np.cumsum(relevant)[:-1])
    metrics = [
        dict(zip(columns, values, strict=True)) for values in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]
    best = [
        nearest_rows(queries.part(number, number + 1), candidates.vectors, top)
        for number, top in enumerate(ranking.top)
    ]
    return [
        {
            "fid": film.fid,
            "title": film.tracks[0]["title"],
            "relevant": own,
            "candidates": len(candidates.vectors),
            "ranks": ranks,
            "top_paths": [candidates.segments[row]["path"] for row in rows],
            "top_scores": scores,
            **of_film,
        }
        for film, own, ranks, rows, scores, of_film in zip(
            asking, relevant.tolist(), expected, best, ranking.top_scores, metrics, strict=True
        )
    ]


def digest_of(rows: list[Row]) -> str:
    """Return a short digest of data set `rows`: figures of different data must not be compared."""
    return digest_of_rows(rows)[:16]
