import csv
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from pipeline.compare.results import read_results
from pipeline.compare.summary import print_table
from pipeline.core.errors import MissingFileError, StageError
from pipeline.core.tables import DATASET, write_table
from pipeline.core.variants import Variant
from pipeline.evaluate.rankings import read_rankings
from stages.compare import main

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script> & \"Rock 'n' Roll\" <img src=x onerror=alert(2)>"

OUTPUTS = [
    "comparison.json",
    "comparison.csv",
    "variants.json",
    "report.html",
    *(f"figures/{name}.svg" for name in ("intervals", "ranks", "slices", "learning")),
    *(f"plots/{name}.csv" for name in ("variants", "learning")),
]


def run(inputs, **compare):
    main(inputs.root, inputs.variants, inputs.evaluate, replace(inputs.compare, **compare))
    return {name: (inputs.root / "metrics" / name).read_bytes() for name in OUTPUTS}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text content."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def outputs(inputs):
    return run(inputs)


@pytest.fixture(scope="module")
def page(outputs):
    return Page(outputs["report.html"].decode())


def test_two_runs_give_the_same_bytes(inputs, outputs):
    assert run(inputs) == outputs


def test_json_holds_what_was_read_and_every_pair(inputs, outputs):
    comparison = json.loads(outputs["comparison.json"])
    assert list(comparison["variants"]) == list(inputs.variants)
    for variant, found in comparison["variants"].items():
        read = json.loads((inputs.root / f"metrics/evaluate/{variant}.json").read_text())
        assert found.pop("inputs") == inputs.variants[variant].inputs
        assert found.pop("method") == "contrastive"
        assert found.pop("answered_by_others") == {}
        assert (
            found.items() <= read.items()
            and {"mrr", "recall_at_10", "median_rank", "ci95", "segments", "recordings", "music_to_film", "hubness"}
            <= found.keys()
        )
        assert (comparison["chance"], comparison["ceiling"]) == (read["chance"], read["ceiling"])
    found = [comparison[key] for key in ("pool", "queries", "candidates", "best")]
    assert found == ["eval", 12, 24, "All"]
    pairs = {(pair["first"], pair["second"]): pair for pair in comparison["differences"]}
    assert list(pairs) == [("Im", "Plo"), ("Im", "All"), ("Plo", "All")]
    means = {
        variant: read_rankings(inputs.root / f"metrics/rankings/{variant}.parquet")["mrr"].mean()
        for variant in inputs.variants
    }
    assert pairs["Im", "All"]["difference"] == pytest.approx(means["Im"] - means["All"])
    assert pairs["Im", "All"]["real"] and pairs["Im", "All"]["p_holm"] >= pairs["Im", "All"]["p"]


def test_one_value_per_variant_for_metrics_diff(inputs, outputs):
    values = json.loads(outputs["variants.json"])
    read = {name: json.loads((inputs.root / f"metrics/evaluate/{name}.json").read_text()) for name in inputs.variants}
    assert values == {inputs.compare.metric: {name: read[name][inputs.compare.metric] for name in inputs.variants}}


def test_csv_has_a_row_a_variant_equal_to_the_metrics(inputs, outputs):
    rows = list(csv.DictReader(outputs["comparison.csv"].decode().splitlines()))
    assert [row["variant"] for row in rows] == list(inputs.variants)
    for row in rows:
        read = json.loads((inputs.root / f"metrics/evaluate/{row['variant']}.json").read_text())
        assert row["inputs"] == " ".join(inputs.variants[row["variant"]].inputs)
        for name, (low, high) in read["ci95"].items():
            assert (float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"])) == (read[name], low, high)


def test_csv_has_the_other_direction_and_hubs_too(inputs, outputs):
    for row in csv.DictReader(outputs["comparison.csv"].decode().splitlines()):
        read = json.loads((inputs.root / f"metrics/evaluate/{row['variant']}.json").read_text())
        other, (low, high) = read["music_to_film"], read["music_to_film"]["ci95"]["mrr"]
        names = ("mrr", "mrr_low", "mrr_high", "queries", "candidates")
        found = [float(row[f"music_to_film_{name}"]) for name in names]
        assert found == [other["mrr"], low, high, 24, 12]
        assert {name: float(row[f"hubness_{name}"]) for name in read["hubness"]} == read["hubness"]
        assert row["pool"] == "eval"


def test_a_baseline_is_shown_next_to_the_variants_that_have_it(inputs, outputs, tmp_path, capsys):
    shutil.copytree(inputs.root, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "metrics/evaluate/Plo.json"
    metrics = json.loads(path.read_text())
    metrics["baselines"]["zero_shot"] = metrics["baselines"]["linear"] | {"encoder": "laion/<b>", "mrr": 0.125}
    path.write_text(json.dumps(metrics))
    found = run(SimpleNamespace(**vars(inputs) | {"root": tmp_path}))
    rows = {row["variant"]: row for row in csv.DictReader(found["comparison.csv"].decode().splitlines())}
    assert {name: row["zero_shot_mrr"] for name, row in rows.items()} == {"Im": "", "Plo": "0.125", "All": ""}
    assert rows["Im"] | {name: "" for name in rows["Im"] if name.startswith("zero_shot")} == rows["Im"]
    page = found["report.html"].decode()
    assert "laion/&lt;b&gt;, a joint encoder" in page
    assert "joint encoder" not in outputs["report.html"].decode()
    assert capsys.readouterr().out.count("zero_shot") == 1


def test_a_model_that_answers_subsets_is_below_variants_of_the_same_inputs(inputs, outputs, tmp_path, capsys):
    shutil.copytree(inputs.root, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "metrics/evaluate/All.json"
    metrics = json.loads(path.read_text())
    figures = {name: value for name, value in metrics["baselines"]["linear"].items() if name != "difference"}
    metrics["subsets"] = [
        figures | {"inputs": given, "mrr": mrr}
        for given, mrr in ((["plot"], 0.375), (["tags", "plot"], 0.625), (["tags", "plot", "image"], 0.75))
    ]
    path.write_text(json.dumps(metrics))
    found = run(SimpleNamespace(**vars(inputs) | {"root": tmp_path}))
    rows = {row["variant"]: row for row in csv.DictReader(found["comparison.csv"].decode().splitlines())}
    assert {name: row["All_mrr"] for name, row in rows.items()} == {"Im": "", "Plo": "0.375", "All": ""}
    variants = json.loads(found["comparison.json"])["variants"]
    assert {name: list(of["answered_by_others"]) for name, of in variants.items()} == {
        "Im": [],
        "Plo": ["All"],
        "All": [],
    }
    assert variants["Plo"]["answered_by_others"]["All"]["mrr"] == 0.375
    assert found["report.html"].decode().lower().count("same inputs only") == 2  # the row, and the note below the table
    assert "same inputs only" not in outputs["report.html"].decode().lower()
    assert capsys.readouterr().out.count("same inputs only") == 1


def test_extra_readable_films_and_shared_music_are_reported(inputs, outputs, tmp_path, capsys):
    shutil.copytree(inputs.root, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "metrics/evaluate/Plo.json"
    metrics = json.loads(path.read_text())
    figures = {name: value for name, value in metrics["baselines"]["linear"].items() if name != "difference"}
    metrics["readable"] = figures | {"queries": 17, "mrr": 0.375}
    path.write_text(json.dumps(metrics))
    first, other = inputs.rows[0], next(row for row in inputs.rows if row["fid"] != inputs.rows[0]["fid"])
    linked = [row | ({"sound": first["sound"]} if row is other else {}) for row in inputs.rows]
    write_table(tmp_path / "data/dataset.parquet", linked, DATASET)
    found = run(SimpleNamespace(**vars(inputs) | {"root": tmp_path}))
    variants = json.loads(found["comparison.json"])["variants"]
    assert {name: of["readable"]["queries"] for name, of in variants.items() if "readable" in of} == {"Plo": 17}
    rows = {row["variant"]: row for row in csv.DictReader(found["comparison.csv"].decode().splitlines())}
    assert {name: row["readable_mrr"] for name, row in rows.items()} == {"Im": "", "Plo": "0.375", "All": ""}
    text = " ".join(Page(found["report.html"].decode()).text.split())
    assert "all readable films 17 films" in text and "1 group of films share recordings, 2 films in total" in text
    before = Page(outputs["report.html"].decode()).text
    assert "all readable films" not in before and "share recordings" not in before
    assert capsys.readouterr().out.count("17 films") == 1


def test_json_names_the_films_that_each_variant_wins_and_has_the_slices(inputs, outputs):
    comparison = json.loads(outputs["comparison.json"])
    values = {
        variant: read_rankings(inputs.root / f"metrics/rankings/{variant}.parquet").set_index("fid")["mrr"]
        for variant in inputs.variants
    }
    for variant, films in comparison["wins"].items():
        others = [column for name, column in values.items() if name != variant]
        assert films == [fid for fid, value in values[variant].items() if all(value > c[fid] + 1e-9 for c in others)]
    assert sum(map(len, comparison["wins"].values())) > 0
    assert comparison["slices"]["decade"]["1930s"]["variants"].keys() == inputs.variants.keys()


def test_terminal_shows_all_variants_best_first_then_chance_within_100_columns(inputs, capsys):
    print_table(read_results(inputs.root, inputs.variants, "mrr"), "mrr")
    lines = capsys.readouterr().out.splitlines()
    first_words = [line.split()[0] for line in lines if line.split()]
    assert [word for word in first_words if word in (*inputs.variants, "chance")] == ["All", "Plo", "Im", "chance"]
    assert max(map(len, lines)) <= 100
    assert lines[0].split(";")[0] == "12 films, 24 tracks of the test set"
    read = json.loads((inputs.root / "metrics/evaluate/Plo.json").read_text())
    low, high = read["ci95"]["mrr"]
    assert f"{read['mrr']:.3f} {low:.3f}–{high:.3f}" in next(line for line in lines if line.split()[:1] == ["Plo"])


def test_the_upper_limit_is_shown_if_it_is_not_1(inputs, outputs, capsys):
    """Films have 1, 2 or 3 tracks, so the first rank holds 11/18 of them on average."""
    assert b"Best possible <span" not in outputs["report.html"]
    section = re.search(r'<section id="all">.*?</section>', outputs["report.html"].decode(), re.DOTALL)[0]
    cells = {
        name: re.findall(r"<td[^>]*>(.*?)</td>", re.search(rf">{name}</th>(.*?)</tr>", section, re.DOTALL)[1])
        for name in ("Recall@1", "Recall@5", "Hit rate@1")
    }
    assert {name: found[-1] for name, found in cells.items()} == {"Recall@1": "0.611", "Recall@5": "", "Hit rate@1": ""}
    capsys.readouterr()
    text = " ".join(Page(run(inputs, metric="recall_at_1")["report.html"].decode()).text.split())
    assert "Best possible a perfect ranking 0.611" in text
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "best possible" in line)
    assert line.split() == ["best", "possible", "a", "perfect", "ranking", "0.611"]
    print_table(read_results(inputs.root, inputs.variants, "mrr"), "mrr")
    assert "best possible" not in capsys.readouterr().out


@pytest.mark.parametrize("unit", ["segment", "recording"])
def test_figures_of_the_other_unit_follow_if_its_candidates_differ(inputs, outputs, tmp_path, unit):
    assert "From a film to its recordings" not in outputs["report.html"].decode(), "each recording is a segment"
    shutil.copytree(inputs.root, tmp_path, dirs_exist_ok=True)
    other = {"segment": "recording", "recording": "segment"}[unit]
    for path in (tmp_path / "metrics/evaluate").iterdir():
        metrics = json.loads(path.read_text())
        metrics[f"{other}s"] |= {"candidates": 17, "mrr": 0.4321}
        path.write_text(json.dumps(metrics | {"unit": unit}))
    found = run(SimpleNamespace(**vars(inputs) | {"root": tmp_path}))
    text = " ".join(Page(found["report.html"].decode()).text.split())
    nouns = {"segment": "track", "recording": "recording"}
    title = f"From a film to its {nouns[other]}s"
    assert f"{title}12 films, 17 {nouns[other]}s of the test set" in text
    assert "0.432" in text[text.index(title) :]
    assert f"12 films, 24 {nouns[unit]}s of the test set" in text
    assert f"Candidate {nouns[unit]}s24" in text and f"best-ranked own {nouns[unit]}" in text
    assert f"best-ranked own {nouns[unit]}" in found["figures/ranks.svg"].decode()
    assert next(csv.DictReader(found["comparison.csv"].decode().splitlines()))["unit"] == unit
    assert json.loads(found["comparison.json"])["unit"] == unit


def test_report_needs_no_network(outputs, page):
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert not page.all("link") and not re.search(rb"@import|url\((?!#)", outputs["report.html"])
    assert "default-src 'none'" in page.all("meta")[3]["content"]


def test_every_link_and_id_fits(page):
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("href", "xlink:href"):
            if attributes.get(name):
                assert attributes[name][1:] in ids


def test_hostile_titles_are_shown_as_text(outputs, page):
    assert HOSTILE in page.text and "Poster of " + HOSTILE in [attributes.get("alt") for attributes in page.all("img")]
    assert len(page.all("script")) == 1 and b"<script>alert" not in outputs["report.html"]
    assert not any("onerror" in attributes for _, attributes in page.tags)


def test_report_says_what_is_real_and_marks_the_best(page):
    text = " ".join(page.text.split())
    assert "rank the same 24 candidate tracks of the test set for 12 films" in text
    assert re.search(r"All is better than (Plo and )?Im\.", text)
    assert "All highest tags and plot + image" in text
    assert "no difference shown" in text


def test_the_pools_size_is_next_to_every_figure_and_table(outputs):
    sections = re.split(r'(?=<section id=")', outputs["report.html"].decode())[1:]
    label = "12 films, 24 tracks of the test set"
    for section in sections:
        name = re.match(r'<section id="(\w+)"', section)[1]
        text = " ".join(Page(section).text.split())
        for caption in re.findall(r"<figcaption>(.*?)</figcaption>", section, re.DOTALL):
            assert label in " ".join(caption.split()) or "Loss by epoch" in caption
        assert label in text or name in ("films", "listen"), name
    assert {re.match(r'<section id="(\w+)"', section)[1] for section in sections} == {
        "result", "differences", "wins", "ranks", "slices", "reverse", "films", "all", "listen",
    }  # fmt: skip


def test_report_lists_the_films_that_each_variant_wins(outputs, page):
    comparison = json.loads(outputs["comparison.json"])
    text = " ".join(page.text.split())
    for variant, films in comparison["wins"].items():
        said = f"{variant} alone is best on {len(films)} film" + ("" if len(films) == 1 else "s")
        assert (said in text) is bool(films)
        row = re.search(rf"{variant} (\d+) (\d+) ", text[text.index("Best alone Tied best") :])
        assert [int(row[1]), int(row[2])] == [len(films), len(comparison["shared_wins"][variant])]
    assert "MRR of every film" in text


def test_report_dims_slices_of_few_films_and_has_their_intervals(inputs, outputs, page):
    section = re.search(r'<section id="slices">.*?</section>', outputs["report.html"].decode(), re.DOTALL)[0]
    rows = re.findall(r'<tr( class="few")?>\s*<th scope="row">(.*?)</th>', section)
    assert [bool(few) for few, _ in rows] == [False, True, True, False, False], "a kind with one slice is left out"
    assert HOSTILE in Page(section).text
    slices = json.loads((inputs.root / "metrics/evaluate/Im.json").read_text())["slices"]
    low, high = slices["decade"]["1930s"]["ci95"]["mrr"]
    assert low < high
    assert f'title="95 % interval {low:.3f}–{high:.3f}"' in section
    assert section.count('title="95 % interval') == 4 * len(inputs.variants)  # the slice of one film has no interval


def test_heat_is_relative_to_the_highest_value_of_large_slices(inputs):
    main(inputs.root, {"Im": Variant(["image"])}, inputs.evaluate, inputs.compare)  # its highest slice is a small one
    html = (inputs.root / "metrics/report.html").read_text()
    section = re.search(r'<section id="slices">.*?</section>', html, re.DOTALL)[0]
    large = re.sub(r'<tr class="few">.*?</tr>', "", section, flags=re.DOTALL)
    cells = re.findall(r'--heat: (\d+)%".*?>(?:<b>)?(\d\.\d\d)<', large)
    highest = max(float(value) for _, value in cells)
    assert {heat for heat, value in cells if float(value) == highest} == {"100"}
    assert all(int(heat) == pytest.approx(100 * float(value) / highest, abs=1.5) for heat, value in cells)


def test_a_value_shared_by_all_variants_is_not_marked_best(outputs):
    section = re.search(r'<section id="all">.*?</section>', outputs["report.html"].decode(), re.DOTALL)[0]
    other = section[section.index("From a track to its film") :]
    rows = {name: re.search(rf">{name}</th>(.*?)</tr>", other, re.DOTALL)[1] for name in ("MRR", "Hit rate@10")}
    assert "<b>" in rows["MRR"] and "<b>" not in rows["Hit rate@10"] and "1.000" in rows["Hit rate@10"]


def test_report_shows_the_other_direction_and_hubs(page):
    text = " ".join(page.text.split())
    assert "24 tracks as queries, 12 films of the test set" in text
    assert re.search(r"All 9 of 12 25 % −0\.50", text) and re.search(r"Chance 1[23] %", text)


def test_report_embeds_posters_and_each_track_once(inputs, page):
    posters = page.all("img")
    assert len(posters) == 12 and all(attributes["src"].startswith("data:image/jpeg;base64,") for attributes in posters)
    players = page.all("audio")
    assert players and len({attributes["src"] for attributes in players}) == len(players)
    assert all(attributes["preload"] == "none" and "controls" in attributes for attributes in players)
    links = {attributes["href"] for attributes in page.all("a") if attributes.get("class") == "play"}
    assert len(links) == len(players)


def test_hits_are_marked_exactly_where_a_track_is_the_films_own(inputs, page):
    expected = 0
    titles = [attributes["alt"].removeprefix("Poster of ") for attributes in page.all("img")]
    owners = {row["path"]: row["fid"] for row in inputs.rows}
    for variant in inputs.variants:
        for row in read_rankings(inputs.root / f"metrics/rankings/{variant}.parquet").itertuples():
            if row.title in titles:
                expected += sum(owners[path] == row.fid for path in row.top_paths[:5])
    assert sum(attributes.get("class") == "hit" for attributes in page.all("li")) == expected > 0


def test_audio_keeps_within_its_limit_and_says_so(inputs, page):
    everything = len(page.all("audio"))
    limited = Page(run(inputs, max_audio_bytes=15_000)["report.html"].decode())
    kept = [attributes["src"] for attributes in limited.all("audio")]
    assert 0 < len(kept) < everything and sum(map(len, kept)) <= 15_000
    assert f"{len(kept)} of {everything} tracks fit into" in limited.text


def test_figures_are_small_svg_without_dates_and_use_the_pages_colours_inside(outputs):
    for name in (name for name in OUTPUTS if name.endswith(".svg")):
        assert outputs[name].startswith(b"<?xml") and len(outputs[name]) < 100_000
        assert not re.search(rb"<dc:date|metadata|20\d\d-", outputs[name])
    html = outputs["report.html"].decode()
    assert html.count("<svg ") == 4 and "var(--accent)" in html[html.index("<svg ") :]


def test_one_variant_makes_a_report_without_pairs(inputs):
    main(inputs.root, {"Plo": Variant(["plot"])}, inputs.evaluate, inputs.compare)
    text = " ".join(Page((inputs.root / "metrics/report.html").read_text()).text.split())
    comparison = json.loads((inputs.root / "metrics/comparison.json").read_text())
    assert comparison["wins"] == {"Plo": []} and "Best variant per film" not in text
    assert comparison["differences"] == [] and "With one variant there is nothing to compare." in text


def test_tracks_unknown_to_the_data_set_are_refused(inputs, tmp_path):
    for folder in ("metrics", "models"):
        shutil.copytree(inputs.root / folder, tmp_path / folder)
    write_table(tmp_path / "data/dataset.parquet", inputs.rows[:-1], DATASET)
    with pytest.raises(StageError, match=r"rankings/Plo.parquet names .*: run `dvc repro evaluate@Plo`"):
        main(tmp_path, {"Plo": Variant(["plot"])}, inputs.evaluate, inputs.compare)


def test_a_single_missing_file_is_an_error_but_none_at_all_is_not(inputs, tmp_path):
    for folder in ("metrics", "models", "data"):
        shutil.copytree(inputs.root / folder, tmp_path / folder)

    def compare():
        main(tmp_path, {"Plo": Variant(["plot"])}, inputs.evaluate, inputs.compare)
        page = Page((tmp_path / "metrics/report.html").read_text())
        return len(page.all("audio")), sum(image.get("alt", "").startswith("Poster of") for image in page.all("img"))

    players, posters = compare()
    assert players > 0 and posters > 0
    next((tmp_path / "data/image").iterdir()).unlink()
    with pytest.raises(MissingFileError, match=r"AA.\.jpg cannot be read .*dvc repro parse"):
        compare()
    shutil.rmtree(tmp_path / "data/image")
    assert compare() == (players, 0)
    shutil.rmtree(tmp_path / "data/audio")
    assert compare() == (0, 0)


def test_report_states_its_provenance_and_which_variants_overfit(inputs, page, tmp_path):
    footer = " ".join(page.text[page.text.index("Posters, plots") :].split())
    assert "Data 0123456789abcdef (digest), evaluation seed 0, 500 bootstrap samples, 2,000 permutations" in footer
    assert "Overfitting" not in page.text
    assert "variant’s Recall@10 minus the baseline’s" in " ".join(page.text.split())
    shutil.copytree(inputs.root, tmp_path, dirs_exist_ok=True)
    (tmp_path / "models/Plo/history.csv").write_text("epoch,train_loss,valid_loss\n1,3.0,2.0\n2,1.0,2.5\n")
    text = Page(run(SimpleNamespace(**vars(inputs) | {"root": tmp_path}))["report.html"].decode()).text
    assert "the validation loss of Plo rises" in " ".join(text.split())


def test_contents_lead_to_the_sections_and_long_parts_are_folded(outputs, page):
    html = outputs["report.html"].decode()
    contents = re.search(r"<nav.*?</nav>", html, re.DOTALL)[0]
    sections = re.findall(r'<section id="(\w+)"', html)
    assert re.findall(r'href="#(\w+)"', contents) == [name for name in sections if name != "listen"]
    folds = [attributes for attributes in page.all("details") if attributes.get("class", "").startswith("fold")]
    assert len(folds) == 1 + 12 + 1, "pairs, films, tracks"
    assert ["open" in attributes for attributes in folds].count(True) == 1, "the first film"
