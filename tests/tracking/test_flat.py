"""Names of parameters and metrics in MLflow."""

from dataclasses import asdict

from pipeline.tracking.flat import flat_metrics, flat_params

METRICS = {
    "variant": "All",
    "pool": "eval",
    "queries": 3,
    "recall_at_10": 0.5,
    "ci95": {"recall_at_10": [0.25, 0.75]},
    "chance": {"recall_at_10": 0.125},
    "ceiling": {"recall_at_10": 0.75},
    "segments": {"candidates": 9, "recall_at_10": 0.5, "ci95": {"recall_at_10": [0.25, 0.75]}},
    "recordings": {"candidates": 4, "recall_at_10": 1.0, "chance": {"recall_at_10": 0.5}},
    "baselines": {"linear": {"recall_at_10": 0.25, "ci95": {"recall_at_10": [0, 1]}, "difference": [-0.5, 0.25, 1.0]}},
    "reference": {"mrr": 0.5},
    "music_to_film": {"mrr": 0.25, "queries": 7, "ci95": {"mrr": [0, 1]}, "chance": {"mrr": 0.1}},
    "hubness": {"skewness": 1.5},
    "slices": {"decade": {"1920s": {"films": 3, "recall_at_10": 0.5}}},
    "dataset": "ad7e7e381019ec76",
    "model": {"model.safetensors": "fa"},
}


def test_averages_keep_their_names_and_others_get_a_prefix():
    assert flat_metrics(METRICS) == {
        "queries": 3.0,
        "recall_at_10": 0.5,
        "chance/recall_at_10": 0.125,
        "ceiling/recall_at_10": 0.75,
        "segments/candidates": 9.0,
        "segments/recall_at_10": 0.5,
        "recordings/candidates": 4.0,
        "recordings/recall_at_10": 1.0,
        "reference/mrr": 0.5,
        "music_to_film/mrr": 0.25,
        "music_to_film/queries": 7.0,
        "hubness/skewness": 1.5,
        "baselines/linear/recall_at_10": 0.25,
        "baselines/linear/difference": 0.25,
        "ci95_low/recall_at_10": 0.25,
        "ci95_high/recall_at_10": 0.75,
    }


def test_an_evaluation_may_have_fewer_parts():
    assert flat_metrics({"mrr": 0.5}) == {"mrr": 0.5}


def test_parameters_have_their_dotted_names_and_one_variant(params):
    found = flat_params(asdict(params), "Im")
    assert found["train.learning_rate"] == params.train.learning_rate
    assert found["model.audio.channels"] == params.model.audio.channels
    assert {name: value for name, value in found.items() if name.startswith("variant")} == {
        "variant": "Im",
        "variants": ["image"],
    }
