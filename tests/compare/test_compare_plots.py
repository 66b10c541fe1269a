"""The tables for `dvc plots show`, and the templates and definitions that draw them."""

import csv
import json
from pathlib import Path

import pytest
from dvc_render.vega import VegaRenderer
from ruamel.yaml import YAML

from pipeline.compare.results import read_results
from pipeline.compare.summary import plot_tables

ROOT = Path(__file__).parent.parent.parent
DEFINITIONS = {
    Path(path).stem: {"path": path, **properties}
    for plot in YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["plots"]
    for path, properties in plot.items()
}


@pytest.fixture
def results(inputs):
    return read_results(inputs.root, inputs.variants, "mrr")


def rows_of(results, name):
    return list(csv.DictReader(plot_tables(results, "mrr")[name].splitlines()))


def test_variants_are_sorted_with_intervals_chance_and_inputs(inputs, results):
    rows = rows_of(results, "variants")
    assert [row["variant"] for row in rows] == ["All", "Plo", "Im"]
    for row in rows:
        read = json.loads((inputs.root / f"metrics/evaluate/{row['variant']}.json").read_text())
        assert [float(row["value"]), float(row["low"]), float(row["high"])] == [read["mrr"], *read["ci95"]["mrr"]]
        assert float(row["chance"]) == read["chance"]["mrr"]
        assert row["measure"] == "MRR: 12 films, 24 tracks of the test set"


def test_learning_has_every_epoch_of_every_variant(results):
    rows = rows_of(results, "learning")
    assert [(row["variant"], row["epoch"]) for row in rows] == [
        (variant, str(epoch)) for variant in ("Im", "Plo", "All") for epoch in range(1, 31)
    ]
    assert float(rows[31]["valid_loss"]) == results[1].history[1]["valid_loss"]


@pytest.mark.parametrize("name", ["variants", "learning"])
def test_templates_fill_and_name_columns_of_the_tables(results, name):
    definition, rows = DEFINITIONS[name], rows_of(results, name)
    assert definition["path"] == f"metrics/plots/{name}.csv"
    points = [row | {"rev": "workspace", "filename": definition["path"], "field": definition["y"]} for row in rows]
    properties = {key: value for key, value in definition.items() if key != "path"}
    renderer = VegaRenderer(
        points, definition["path"], **properties, template_dir=ROOT / ".dvc/plots", revs_with_datapoints=["workspace"]
    )
    filled = renderer.get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(filled)
    assert filled["data"]["values"] == points and filled["title"]["text"] == definition["title"]
    assert set(fields_of(filled | {"data": None})) <= rows[0].keys() | {"rev"}
    assert filled["data"]["format"]["parse"].keys() < rows[0].keys()


def fields_of(node):
    """Yield the columns that a Vega-Lite specification names."""
    if isinstance(node, dict):
        if isinstance(node.get("field"), str):
            yield node["field"]
        for value in node.values():
            yield from fields_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from fields_of(value)
