"""Compare all variants: a table, tested differences, figures, and a report with audio excerpts.

Reads: metrics/evaluate/*.json, metrics/rankings/*.parquet, models/*/history.csv, data/{dataset.parquet,image,audio}
Writes: metrics/{comparison.json,comparison.csv,variants.json}, metrics/{figures/*.svg,plots/*.csv}, metrics/report.html
Run: dvc repro compare
"""

from pathlib import Path

from pipeline.compare.figures import draw_figures
from pipeline.compare.films import film_cards, film_names, sharing_films
from pipeline.compare.report import render_report
from pipeline.compare.results import ranked, read_results
from pipeline.compare.section import Compare
from pipeline.compare.significance import compare_pairs
from pipeline.compare.summary import csv_table, plot_tables, print_table, summarise
from pipeline.core.files import write_bytes, write_json
from pipeline.core.stage import launch
from pipeline.core.tables import DATASET, read_table
from pipeline.core.variants import Variants
from pipeline.evaluate.section import Evaluate


def main(root: Path, variants: Variants, evaluate: Evaluate, compare: Compare) -> None:
    """Compare `variants` by `compare.metric`; files of other variants are ignored."""
    results = read_results(root, variants, compare.metric)
    dataset = read_table(root / "data/dataset.parquet", DATASET, "split")
    cards = film_cards(ranked(results, compare.metric), dataset, compare.films)
    values = {result.variant: result.rankings[compare.metric].to_numpy() for result in results}
    differences = compare_pairs(values, evaluate.bootstrap_samples, compare.permutations, evaluate.seed)
    figures = draw_figures(results, compare.metric)
    names, sharing = film_names(dataset), sharing_films(dataset)
    by_variant = {result.variant: result.metrics[compare.metric] for result in results}
    report = render_report(root, results, differences, figures, cards, names, sharing, compare, evaluate)

    write_json(root / "metrics/comparison.json", summarise(results, differences, compare.metric))
    write_json(root / "metrics/variants.json", {compare.metric: by_variant})
    write_bytes(root / "metrics/comparison.csv", csv_table(results).encode())
    for name, svg in figures.items():
        write_bytes(root / f"metrics/figures/{name}.svg", svg.encode())
    for name, table in plot_tables(results, compare.metric).items():
        write_bytes(root / f"metrics/plots/{name}.csv", table.encode())
    write_bytes(root / "metrics/report.html", report.encode())
    print_table(results, compare.metric)


if __name__ == "__main__":
    launch(main, {"variants": Variants, "evaluate": Evaluate, "compare": Compare})
