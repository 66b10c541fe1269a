"""Links between README and docs/ resolve, and README's table has the committed results."""

import json
import re

import pytest

from tests.documented import FENCE, PAGES, ROOT

LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
NUMBER = re.compile(r"[\d.]+")
COLUMNS = {2: "recall_at_10", 6: "mrr", 7: "median_rank"}  # metrics in README's table, with their intervals
BASELINES = {3: "linear", 4: "nearest"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve_to_files_and_headings(page) -> None:
    for name, heading in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target = (page.parent / name).resolve() if name else page
        assert target.is_file(), name
        assert page.parent.name != "docs" or target.is_relative_to(page.parent), f"{name} is not part of the site"
        if heading:
            assert heading in _headings(target.read_text(encoding="utf-8")), f"{name}#{heading}"


def _headings(text: str) -> list[str]:
    """Return the anchors of a page's headings, as on GitHub and the site."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def test_results_table_matches_the_default_run() -> None:
    results = json.loads((ROOT / "metrics/comparison.json").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    table = {row[0]: row for row in rows if row[0] in results["variants"]}
    assert set(table) == set(results["variants"])
    for name, variant in results["variants"].items():
        for column, metric in COLUMNS.items():
            expected = [variant[metric], *variant["ci95"][metric]]
            assert _numbers(table[name][column]) == pytest.approx(expected, abs=0.06 if "rank" in metric else 0.00051)
        for column, baseline in BASELINES.items():
            expected = variant["baselines"][baseline]["recall_at_10"]
            assert _numbers(table[name][column]) == pytest.approx([expected], abs=0.00051)
    (chance,) = [row for row in rows if row[0] == "chance"]
    for column, metric in COLUMNS.items():
        assert _numbers(chance[column]) == pytest.approx(
            [results["chance"][metric]], abs=0.06 if "rank" in metric else 0.00051
        )


def _numbers(cell: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(cell)]
