"""Coverage of the 95 % intervals by the number of films.

The test films with the published variant's rankings serve as the population; films are drawn from them with
replacement, and an interval is computed for each draw. Needs a built data set.

    python -m benchmarks.intervals
"""

from pathlib import Path

import numpy as np

from benchmarks.report import figure, publish
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.metrics import BEST_RANK, averages
from pipeline.evaluate.rankings import read_rankings
from pipeline.params import load_params

ROOT = Path(__file__).parent.parent
FILMS = (5, 10, 31, 100, 207)
METRICS = ("hit_rate_at_10", "recall_at_10", "mrr", "ndcg_at_10")
DRAWS, SAMPLES = 1000, 500


def main() -> None:
    """Print and write the shares of intervals that contain the average over all films."""
    variant = load_params(ROOT / "params.yaml").variant
    table = read_rankings(ROOT / f"metrics/rankings/{variant}.parquet")
    columns = {name: table[name].to_numpy(np.float64) for name in (*METRICS, BEST_RANK)}
    truth = averages(columns)
    lines = []
    for films in FILMS:
        rng = np.random.default_rng(0)
        held = dict.fromkeys(truth, 0)
        for seed in range(DRAWS):
            chosen = rng.integers(len(table), size=films)
            drawn = {name: values[chosen] for name, values in columns.items()}
            for name, (low, high) in confidence_intervals(drawn, SAMPLES, seed).items():
                held[name] += low <= truth[name] <= high
        lines += [figure(f"{films} films: {name}", 100 * held[name] / DRAWS, "%", goal="95") for name in truth]
    publish("intervals", lines)


if __name__ == "__main__":
    main()
