import numpy as np
import pandas

from pipeline.compare.results import Result
from pipeline.compare.significance import wins_of

FIDS = ["AAA", "AAB", "AAC", "AAD", "AAE", "AAF"]


def results_of(values):
    return [
        Result(variant, [], "contrastive", {}, pandas.DataFrame({"fid": FIDS[: len(column)], "mrr": column}), [])
        for variant, column in values.items()
    ]


def test_wins_of_an_example_by_hand():
    wins = wins_of(
        results_of(
            {
                "a": [1.0, 0.5, 0.0, 0.2, 0.3, 0.0],
                "b": [0.5, 0.5, 0.0, 0.2, 0.1 + 0.2, 1.0],  # the same 0.3, summed
                "c": [0.2, 0.1, 0.0, 0.2, 0.1, 0.0],
            }
        ),
        "mrr",
    )
    assert wins.alone == {"a": ["AAA"], "b": ["AAF"], "c": []}
    assert wins.shared == {"a": ["AAB", "AAE"], "b": ["AAB", "AAE"], "c": []}
    assert (wins.same, wins.missed) == (["AAC", "AAD"], ["AAC"])


def test_every_film_is_won_alone_or_shared_or_by_nobody():
    generator = np.random.default_rng(0)
    values = {variant: generator.integers(0, 3, 6) / 2 for variant in "abcd"}
    wins = wins_of(results_of(values), "mrr")
    alone = [fid for fids in wins.alone.values() for fid in fids]
    shared = {fid for fids in wins.shared.values() for fid in fids}
    assert sorted([*alone, *shared, *wins.same]) == FIDS
    for index, fid in enumerate(FIDS):
        top = max(column[index] for column in values.values())
        best = [variant for variant, column in values.items() if column[index] == top]
        assert [v for v in values if fid in (*wins.alone[v], *wins.shared[v])] == (best if len(best) < 4 else [])


def test_one_variant_wins_nothing():
    wins = wins_of(results_of({"a": [1.0, 0.0]}), "mrr")
    assert (wins.alone, wins.shared, wins.same) == ({"a": []}, {"a": []}, ["AAA", "AAB"])
