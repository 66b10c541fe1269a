"""Evaluation of a model on the test set (`eval`): metrics and rankings.

It is deterministic except for the bootstrap, which is seeded.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch

from pipeline.core.errors import StageError
from pipeline.core.machine import BatchSize
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
from pipeline.store.films import FeatureStore, FilmFeatures, films_of, readable

Row = dict[str, Any]

EVAL = "eval"


def pool_of(dataset: Iterable[Row], pool: str) -> list[Row]:
    """Return the rows whose tracks are candidates: those of the test set, or all.

    Raises `StageError` if the test set has no query film.
    """
    rows = list(dataset)
    of_split = [row for row in rows if row["split"] == EVAL]
    if not any(row["compared"] for row in of_split):
        raise StageError(
            "split.eval: found 0 test films that all variants can read, expected at least 1; raise its share or add "
            "films"
        )
    return of_split if pool == EVAL else rows


def evaluate_model(
    model: RetrievalModel,
    config: dict[str, Any],
    store: FeatureStore,
    rows: list[Row],
    about: Mapping[str, Row],
    params: Evaluate,
    batch_size: BatchSize,
    device: torch.device,
) -> tuple[dict[str, Any], list[Row]]:
    """Return the content of the metrics file and the rows of `pipeline.evaluate.rankings`.

    `rows` are those of the pool, `about` the rows of films.parquet by fid. Queries are the films that every variant can
    read, so that variants are comparable. If this model can read more films, `readable` has its averages over all of
    them. If it was trained with dropped inputs, `subsets` has its averages for every subset of its inputs.
    """
    films = films_of(rows, store)

    def embedded(asking: list[FilmFeatures], without: Collection[str] = ()) -> Vectors:
        return embed_queries(model, store, asking, config, params, batch_size, device, without)

    tracks = embed_tracks(model, tracks_of(films, store), config, batch_size, device)
    metrics, rankings = measure(films, embedded(compared(films)), tracks, about, params)
    asking = readable([film for film in films if film.split == EVAL], model.inputs, bool(config["drop_inputs"]))
    if len(asking) > metrics["queries"]:
        metrics["readable"] = briefly(films, asking, embedded(asking), tracks, params)
    if config["drop_inputs"]:
        metrics["subsets"] = []
        for inputs in subsets_of(model.inputs):
            asking = [film for film in compared(films) if film.split == EVAL and film.has(inputs)]
            if asking:
                queries = embedded(asking, set(model.inputs) - set(inputs))
                figures = briefly(films, asking, queries, tracks, params)
                metrics["subsets"].append({"inputs": inputs, **figures})
    return {"variant": config["variant"], **metrics, "dataset": digest_of(rows)}, rankings


def compared(films: Iterable[FilmFeatures]) -> list[FilmFeatures]:
    """Return the films that every variant can read."""
    return [film for film in films if film.is_compared]


def embed_queries(
    model: RetrievalModel,
    store: FeatureStore,
    films: list[FilmFeatures],
    config: dict[str, Any],
    params: Evaluate,
    batch_size: BatchSize,
    device: torch.device,
    without: Collection[str] = (),
) -> Vectors:
    """Return the films' vectors by `evaluate.paragraphs`: the mean over paragraphs, the first one, or all."""
    if params.paragraphs == "mean":
        return one_row_each(embed_films(model, queries_of(films, store), config, batch_size, device, without))
    rows, starts = embed_paragraphs(model, queries_of(films, store), config, batch_size, device, without)
    return one_row_each(rows[starts]) if params.paragraphs == "first" else Vectors(rows, starts)


def measure(
    films: list[FilmFeatures], queries: Vectors, tracks: np.ndarray, about: Mapping[str, Row], params: Evaluate
) -> tuple[dict[str, Any], list[Row]]:
    """Return the metrics, without variant and digest, and the rows of `pipeline.evaluate.rankings`.

    `films` are all films of the pool, `tracks` [segments, e] their segments in order, and `queries` the films that
    every variant can read; those of the test set are the queries, the candidates are those of all films. `segments` and
    `recordings` have averages, intervals, chance, ceiling and the number of candidates; those of `evaluate.unit` are
    also at the top level, with its slices, hubness and rankings.
    """
    known = compared(films)
    asking = [number for number, film in enumerate(known) if film.split == EVAL]
    of_asking, films_asking = queries.chosen(asking), [known[number] for number in asking]
    candidates = {unit: candidates_of(films, tracks, unit) for unit in UNITS}
    rankings = {
        unit: rank(of_asking, found.vectors, [found.own[film.fid] for film in films_asking], max(*params.ks, TOP))
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
    ranked, ranking, of_films = candidates[params.unit], rankings[params.unit], columns[params.unit]
    metrics = {
        "pool": params.pool,
        "paragraphs": params.paragraphs,
        "unit": params.unit,
        "queries": len(asking),
        **units[params.unit],
        **{f"{unit}s": figures for unit, figures in units.items()},
        "reference": pooled_figures(rankings["segment"].ranks, params.ks),
        "music_to_film": music_to_film(known, queries, films, tracks, candidates["segment"].own, params),
        "hubness": hubness_of(ranking.occurrences, len(asking)),
        "slices": slice_figures(films_asking, about, of_films, ranking.ranks.relevant, len(ranked.vectors), params),
    }
    return metrics, ranking_rows(films_asking, of_asking, ranked, ranking, of_films)


def briefly(
    films: list[FilmFeatures], asking: list[FilmFeatures], queries: Vectors, tracks: np.ndarray, params: Evaluate
) -> dict[str, Any]:
    """Return the number of films `asking`, their averages and the intervals; `queries` are their vectors.

    `films` and `tracks` are those of the pool.
    """
    found = candidates_of(films, tracks, params.unit)
    ranking = rank(queries, found.vectors, [found.own[film.fid] for film in asking], top=0)
    columns = query_metrics(ranking.ranks, params.ks)
    intervals = confidence_intervals(columns, params.bootstrap_samples, params.seed)
    return {"queries": len(asking), **averages(columns), "ci95": intervals}


def subsets_of(inputs: Sequence[str]) -> list[list[str]]:
    """Return all non-empty subsets of `inputs`, in order, small ones first."""
    return [list(chosen) for count in range(1, len(inputs) + 1) for chosen in combinations(inputs, count)]


def figures_of(
    columns: Columns, relevant: np.ndarray, candidates: int, params: Evaluate, films: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the averages over queries, their intervals, and the values of a random and a perfect ranking.

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
    known: list[FilmFeatures],
    queries: Vectors,
    films: list[FilmFeatures],
    tracks: np.ndarray,
    own: Mapping[str, np.ndarray],
    params: Evaluate,
) -> dict[str, Any]:
    """Return the metrics of the reverse direction: every segment of the test set is a query for its film.

    The candidates are the films `known` with the vectors `queries`; `tracks` are the segments of all `films` in order,
    `own` the numbers of each film's segments. Usually one candidate is relevant, which makes recall equal to hit rate
    and average precision to reciprocal rank; these are left out.
    """
    owners: dict[int, list[int]] = {}  # numbers in `known` by segment
    for place, film in enumerate(known):
        for segment in own[film.fid].tolist():
            owners.setdefault(segment, []).append(place)
    fids = np.repeat([film.fid for film in films], [len(film.tracks) for film in films])
    asking = {film.fid for film in known if film.split == EVAL}
    asks = np.array([fid in asking for fid in fids])
    relevant = [np.array(owners[segment]) for segment in np.flatnonzero(asks).tolist()]
    ranks = rank(one_row_each(tracks[asks]), queries, relevant, top=0).ranks
    columns = query_metrics(ranks, params.ks)
    kept = {name: values for name, values in columns.items() if not name.startswith("recall_at_") and name != "map"}
    return {
        "queries": int(asks.sum()),
        "candidates": len(queries),
        **figures_of(kept, ranks.relevant, len(queries), params, np.unique(fids[asks], return_inverse=True)[1]),
    }


def slice_figures(
    films: list[FilmFeatures],
    about: Mapping[str, Row],
    columns: Columns,
    relevant: np.ndarray,
    candidates: int,
    params: Evaluate,
) -> dict[str, dict[str, Any]]:
    """Return the metrics of each slice by dimension and value; the candidates are those of all films.

    `relevant` is the number of own candidates of each film. A slice of one film has no intervals.
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
    """Return one row per query film: the ranks of its own candidates, its top candidates and its metrics."""
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
    """Return a short digest of data set `rows`, as metrics on different data are not comparable."""
    return digest_of_rows(rows)[:16]
