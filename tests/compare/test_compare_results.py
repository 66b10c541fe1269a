import json
import shutil
from dataclasses import replace

import pytest

from pipeline.compare.figures import draw_figures
from pipeline.compare.results import overfits, read_results
from pipeline.core.errors import MissingFileError, ParamsError, StageError
from pipeline.core.variants import Variant
from pipeline.evaluate.rankings import read_rankings, write_rankings


@pytest.fixture
def root(inputs, tmp_path):
    """A copy of the results that a test may damage."""
    for folder in ("metrics", "models"):
        shutil.copytree(inputs.root / folder, tmp_path / folder)
    return tmp_path


def change(root, variant, **keys):
    path = root / f"metrics/evaluate/{variant}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_reads_the_listed_variants_only_and_in_their_order(inputs):
    variants = {"All": Variant(["tags_plot", "image"]), "Im": Variant(["image"])}
    results = read_results(inputs.root, variants, "mrr")
    assert [(result.variant, result.inputs) for result in results] == [
        (name, row.inputs) for name, row in variants.items()
    ]
    assert results[0].history[0].keys() == {"epoch", "train_loss", "valid_loss"}


def test_missing_files_are_all_named_with_the_commands(root, inputs):
    (root / "metrics/evaluate/Im.json").unlink()
    (root / "metrics/rankings/Plo.parquet").unlink()
    (root / "models/All/history.csv").unlink()
    with pytest.raises(MissingFileError) as error:
        read_results(root, inputs.variants, "mrr")
    assert "metrics/evaluate/Im.json" in str(error.value)
    assert "run `dvc repro evaluate@Im evaluate@Plo train@All`" in str(error.value)


@pytest.mark.parametrize("metric", ["recall", "median_rank", "queries", "best_rank"])
def test_a_metric_not_measured_per_film_is_refused(inputs, metric):
    with pytest.raises(ParamsError, match=rf"compare\.metric: found '{metric}', allowed are hit_rate_at_1, .*mrr, map"):
        read_results(inputs.root, inputs.variants, metric)


@pytest.mark.parametrize(
    ("key", "value"),
    [("candidates", 23), ("dataset", "ffff"), ("pool", "all"), ("paragraphs", "best"), ("unit", "recording")],
)
def test_metrics_of_different_data_are_not_mixed(root, inputs, key, value):
    change(root, "Plo", **{key: value})
    with pytest.raises(StageError, match=rf"different data \({key}: .* for Im, All; {value} for Plo\): run `dvc repro"):
        read_results(root, inputs.variants, "mrr")


def test_other_slices_are_not_mixed(root, inputs):
    slices = json.loads((root / "metrics/evaluate/Plo.json").read_text())["slices"]
    slices["decade"]["1930s"]["films"] = 6
    change(root, "Plo", slices=slices)
    with pytest.raises(StageError, match="Im and Plo have different slices: run `dvc repro evaluate`"):
        read_results(root, inputs.variants, "mrr")


@pytest.mark.parametrize(
    "key", ["pool", "unit", "ceiling", "segments", "recordings", "music_to_film", "hubness", "slices", "baselines"]
)
def test_metrics_files_of_an_older_evaluation_name_the_command(root, inputs, key):
    path = root / "metrics/evaluate/Im.json"
    metrics = json.loads(path.read_text())
    del metrics[key]
    path.write_text(json.dumps(metrics))
    with pytest.raises(MissingFileError, match=rf"Im.json lacks {key}: remove it and run `dvc repro evaluate@Im`"):
        read_results(root, inputs.variants, "mrr")


def test_rankings_of_other_films_are_not_mixed(root, inputs):
    path = root / "metrics/rankings/Plo.parquet"
    write_rankings(path, read_rankings(path).iloc[::-1].to_dict("records"))
    with pytest.raises(StageError, match="Im and Plo rank for different films"):
        read_results(root, inputs.variants, "mrr")


def test_metrics_and_rankings_of_different_evaluations_are_refused(root, inputs):
    change(root, "Plo", mrr=0.5)
    with pytest.raises(StageError, match="dvc repro -f -s evaluate@Plo"):
        read_results(root, inputs.variants, "mrr")


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("metrics/evaluate/Im.json", "{", "evaluate@Im"),
        ("metrics/evaluate/Im.json", "[]", "evaluate@Im"),
        ("metrics/evaluate/Im.json", '{"queries": 12}', "evaluate@Im"),
        ("metrics/rankings/Im.parquet", "none", "evaluate@Im"),
        ("models/Im/history.csv", "epoch,loss\n1,2\n", "train@Im"),
        ("models/Im/history.csv", "", "train@Im"),
        ("models/Im/history.csv", "epoch,train_loss,valid_loss\n1,2,much\n", "train@Im"),
    ],
)
def test_damaged_files_name_the_command(root, inputs, name, content, command):
    (root / name).write_text(content)
    with pytest.raises(MissingFileError, match=rf"{name}.*remove it and run `dvc repro {command}`"):
        read_results(root, inputs.variants, "mrr")


def test_overfitting_is_a_rising_validation_loss_beside_a_falling_training_loss(inputs):
    result = read_results(inputs.root, inputs.variants, "mrr")[0]

    def found(train, valid):
        losses = zip(train, valid, strict=True)
        return overfits(replace(result, history=[{"train_loss": one, "valid_loss": other} for one, other in losses]))

    assert found([3.0, 2.0, 1.0], [3.0, 2.0, 2.2])
    assert not found([3.0, 2.0, 1.0], [3.0, 2.0, 2.05]), "within 5 %"
    assert not found([3.0, 2.0, 2.5], [3.0, 2.0, 2.5]), "both rise"
    assert not found([3.0, 2.0, 1.0], [3.0, 2.5, 2.0])
    assert not found([], [])


def test_an_imported_model_has_no_training_to_show(root, inputs):
    path = root / "models/Im/history.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    results = read_results(root, inputs.variants, "mrr")
    assert [len(result.history) for result in results if result.variant == "Im"] == [0]
    assert "no training history" in draw_figures(results, "mrr")["learning"]
