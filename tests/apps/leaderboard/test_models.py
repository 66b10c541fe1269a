"""Entries of a leaderboard: each model once, with the changed parameters of its run."""

from dataclasses import asdict
from types import SimpleNamespace

from rich.console import Console

from pipeline.apps.leaderboard.models import EvaluatedModel, EvaluationData, changes, from_runs
from pipeline.apps.leaderboard.table import print_tables
from pipeline.tracking.flat import flat_params


def run_of(digest: str, **values):
    data = SimpleNamespace(
        tags={"model.digest": digest, "variant": "Im", "dvc.exp_name": values.get("name", "")},
        metrics={"queries": 3.0, "candidates": 9.0},
        params={},
    )
    return SimpleNamespace(data=data, info=SimpleNamespace(run_id="0123456789abcdef"))


def test_a_model_is_listed_once_without_those_of_the_workspace(params):
    runs = [run_of("x", name="latest"), run_of("x", name="earlier"), run_of("mine"), run_of("y")]
    models, without = from_runs(runs, params, {"mine"})
    assert [model.run for model in models] == ["latest", "01234567"]
    assert without == 0


def test_changed_parameters_are_named_shortly(params):
    now = {name: str(value) for name, value in flat_params(asdict(params), "Im").items()}
    assert changes(now, params) == ""
    assert changes(now | {"train.learning_rate": "0.5", "compare.films": "9", "machine.device": "cuda"}, params) == (
        "learning_rate=0.5"
    )
    many = {"train.learning_rate": "0.5", "train.seed": "7", "model.embed_dim": "3", "split.seed": "9"}
    assert changes(now | many, params) == "model.embed_dim=3, split.seed=9 and 2 more"
    assert changes({"train.no_longer_there": "1"}, params) == ""
    assert (
        changes({"variant": "Three", "variants": "['tags', 'plot', 'image']"}, params) == "variants=[tags, plot, image]"
    )


def test_inputs_in_brackets_are_shown(capsys):
    data = EvaluationData("", "eval", "segment", 3, 9)
    model = EvaluatedModel("Three", "best", "variants=[tags, plot]", data, {"recall_at_10": 0.5})
    print_tables([model], "recall_at_10", "", Console(width=200))
    assert "variants=[tags, plot]" in capsys.readouterr().out
