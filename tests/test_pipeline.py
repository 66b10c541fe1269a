"""The whole pipeline through DVC in a small repository of a dozen films: users' commands and their results."""

import csv
import re
import shutil
import sys

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.small_repository import ROOT, SMALLER, VARIANTS, Repository


@pytest.fixture(scope="module")
def repository(small_repository) -> Repository:
    """The repository after one `dvc repro`."""
    return small_repository


def test_every_stage_ran_once(repository):
    ran = repository.ran(repository.first_output)
    kinds = {stage.partition("@")[0] for stage in ran}
    assert kinds == {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert len(ran) == len(set(ran)) == 5 + 4 + 2 * len(VARIANTS) + 2


def test_second_repro_reports_nothing_to_do(repository):
    output = repository.succeed("dvc", "repro")
    assert repository.ran(output) == []
    assert "up to date" in output


def test_tables_have_a_row_for_every_film_and_url(repository):
    meta = repository.json("data/sample/meta.json")
    pages = pq.read_table(repository.folder / "data/pages.parquet").to_pylist()
    assert [row["fid"] for row in pages] == sorted(meta)
    films = {row["fid"]: row for row in pq.read_table(repository.folder / "data/films.parquet").to_pylist()}
    assert sorted(films) == sorted(meta)
    assert [row["status"] for row in films.values()].count("disambiguation") == 1
    downloads = pq.read_table(repository.folder / "data/downloads.parquet").to_pylist()
    assert len(downloads) == sum(len(film["soundtrack"]) for film in meta.values())
    lost = [row for row in downloads if row["status"] != "ok"]
    assert [(row["fid"], row["status"]) for row in lost] == [("AAB", "gone")]
    assert lost[0]["reason"]


def test_coverage_shows_where_each_film_was_lost(repository):
    meta, coverage = repository.json("data/sample/meta.json"), repository.json("metrics/coverage.json")
    kept = set(pq.read_table(repository.folder / "data/dataset.parquet")["fid"].to_pylist())
    lost = [loss for stage in coverage["lost_films"].values() for loss in stage.values()]
    assert coverage["films_asked"] == len(meta)
    assert coverage["films_in_data_set"] == len(kept) == len(meta) - sum(loss["count"] for loss in lost)
    assert coverage["lost_films"]["parse"]["disambiguation"]["count"] == 1
    assert coverage["losses"]["download"]["gone"]["films"] == ["AAB"]
    assert "films in the list" in repository.first_output


def test_files_follow_the_references_layout(repository):
    folder = repository.folder
    splits = {split: repository.json(f"data/meta/{split}.json") for split in ("train", "valid", "eval")}
    films: dict[str, set] = {}
    listed = []
    for split, entries in splits.items():
        assert list(entries) == [str(i) for i in range(len(entries))]
        for item in entries.values():
            assert list(item) == ["path", "FID"]
            fid = item["FID"]
            match = re.fullmatch(r"\./data/audio/([A-Z])/([A-Z])/([A-Z])/(\d+)\.mp3", item["path"])
            assert "".join(match.groups()[:3]) == fid
            assert (folder / item["path"]).is_file()
            films.setdefault(split, set()).add(fid)
            listed.append(item["path"])
    assert not (films["train"] & films["valid"] or films["train"] & films["eval"] or films["valid"] & films["eval"])
    usable = set().union(*films.values())
    lying = [p.relative_to(folder) for p in (folder / "data/audio").rglob("*.mp3")]
    assert sorted(listed) == sorted(f"./{path}" for path in lying if "".join(path.parts[2:5]) in usable)
    texts, meta = repository.json("data/meta/fid_to_text.json"), repository.json("data/meta/meta.json")
    for fid in usable:
        assert re.fullmatch(r"\d{4}( \S+)+", texts[fid])
        assert meta[fid]["plot"].strip() and "[1]" not in meta[fid]["plot"]
        with Image.open(folder / f"data/image/{fid}.jpg") as image:
            assert (image.format, image.mode, min(image.size)) == ("JPEG", "RGB", 224)
    pickled = (folder / "data/meta/movie_all_audio_paths.pkl").read_bytes()
    for item in splits["eval"].values():
        assert item["path"].encode() in pickled


def test_metrics_files_have_the_keys_of_every_variant(repository):
    for variant in VARIANTS:
        metrics = repository.json(f"metrics/evaluate/{variant}.json")
        ks = [1, 5, 10, 20, 50, 100]
        names = [f"{name}_at_{k}" for name in ("hit_rate", "recall") for k in ks]
        names += ["mrr", "map", "ndcg_at_10", "ndcg", "median_rank", "mean_rank"]
        assert metrics["variant"] == variant
        assert metrics["queries"] == len(pq.read_table(repository.folder / f"metrics/rankings/{variant}.parquet"))
        for name in names:
            low, high = metrics["ci95"][name]
            assert low <= metrics[name] <= high, name
            assert metrics["chance"][name] >= 0
        assert {"recall_at_10", "mrr", "ndcg"} <= set(metrics["reference"])
    rows = list(csv.DictReader((repository.folder / "metrics/comparison.csv").open()))
    assert {row["variant"] for row in rows} == set(VARIANTS)
    assert "<html" in (repository.folder / "metrics/report.html").read_text()
    assert repository.json("metrics/retrieval.json")["variant"] == "All"


def test_mlflow_has_one_run_per_variant_with_evaluation(repository):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{repository.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("soundtrack-retrieval")
    runs = {run.data.tags["variant"]: run for run in client.search_runs([experiment.experiment_id], max_results=100)}
    assert set(runs) >= set(VARIANTS)
    for variant in VARIANTS:
        metrics = runs[variant].data.metrics
        assert metrics["recall_at_10"] == repository.json(f"metrics/evaluate/{variant}.json")["recall_at_10"]
        assert len(client.get_metric_history(runs[variant].info.run_id, "valid_loss")) == SMALLER["train"]["epochs"]


def test_training_and_evaluating_again_give_identical_files(repository):
    names = [
        "models/Im/model.safetensors",
        "models/Im/history.csv",
        "metrics/evaluate/Im.json",
        "metrics/rankings/Im.parquet",
    ]
    before = [(repository.folder / name).read_bytes() for name in names]
    shutil.rmtree(repository.folder / ".dvc/cache/runs")
    output = repository.succeed("dvc", "repro", "--force", "--single-item", "train@Im", "evaluate@Im")
    assert repository.ran(output) == ["train@Im", "evaluate@Im"]
    assert [(repository.folder / name).read_bytes() for name in names] == before


def test_learning_rate_reruns_only_training_and_later_stages(repository):
    path = repository.folder / "params.yaml"
    before = path.read_text()
    path.write_text(re.sub(r"learning_rate: \S+", "learning_rate: 0.0005", before))
    try:
        output = repository.succeed("dvc", "repro", "--dry")
        assert {stage.partition("@")[0] for stage in repository.ran(output)} <= {
            "train",
            "evaluate",
            "compare",
            "publish",
        }
        assert {f"train@{variant}" for variant in VARIANTS} <= set(repository.ran(output))
    finally:
        path.write_text(before)


def test_experiment_publishes_another_variant_without_training(repository):
    output = repository.succeed("dvc", "exp", "run", "-S", "variant=Im")
    assert [stage for stage in repository.ran(output) if stage.partition("@")[0] not in ("split", "publish")] == []
    assert repository.json("metrics/retrieval.json")["variant"] == "Im"
    rows = {row["Metric"]: float(row["Change"]) for row in metrics_diff(repository)}
    now, before = (repository.json(f"metrics/evaluate/{variant}.json") for variant in ("Im", "All"))
    changed = {name: now[name] - before[name] for name in ("recall_at_10", "mrr", "median_rank")}
    changed = {name: change for name, change in changed.items() if change}
    assert changed, "both variants rank alike: the test shows nothing"
    assert {name: rows[name] for name in changed} == pytest.approx(changed, abs=1e-4)
    repository.succeed("git", "reset", "-q", "--hard")
    repository.succeed("dvc", "checkout", "-q")


def metrics_diff(repository: Repository) -> list[dict]:
    """Return the rows of `dvc metrics diff --md` whose change is a number."""
    lines = [
        line.strip("|").split("|") for line in repository.succeed("dvc", "metrics", "diff", "--md").splitlines() if line
    ]
    head = [cell.strip() for cell in lines[0]]
    rows = [dict(zip(head, (cell.strip() for cell in line), strict=True)) for line in lines[2:]]
    return [row for row in rows if re.fullmatch(r"-?\d[\d.e-]*", row["Change"])]


@pytest.mark.parametrize("target", [[], ["publish"]])
def test_unknown_variant_fails_before_training_and_lists_the_known(repository, target):
    done = repository.run("dvc", "exp", "run", "-S", "variant=Nope", "-S", "train.epochs=3", *target)
    assert done.returncode != 0
    assert "found 'Nope', allowed are Im, All" in done.stdout
    assert not any(stage.startswith("train") for stage in repository.ran(done.stdout))
    repository.succeed("git", "reset", "-q", "--hard")
    repository.succeed("dvc", "checkout", "-q")


def test_added_variant_trains_and_appears_in_the_comparison(repository):
    output = repository.succeed("dvc", "exp", "run", "--temp", "-S", "+variants.Three=[tags,plot,image]")
    assert "train@Three" in repository.ran(output)
    assert not {"train@Im", "train@All"} & set(repository.ran(output))
    name = re.search(r"'?([a-z]+-[a-z]+)'?", output.partition("Ran experiment(s):")[2]).group(1)
    shown = repository.succeed("git", "show", f"{exp_ref(repository, name)}:metrics/comparison.csv")
    assert {row["variant"] for row in csv.DictReader(shown.splitlines())} == {*VARIANTS, "Three"}
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{repository.folder}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("soundtrack-retrieval").experiment_id])
    assert "Three" in {run.data.tags["variant"] for run in runs}


def exp_ref(repository: Repository, name: str) -> str:
    refs = repository.succeed("git", "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    return next(ref for ref in refs if ref.endswith(name))


QUERY = """
import sys
from pipeline.__main__ import main
status = main(["recommend", "--variant", "All", "--json", *sys.argv[1:]])
print(status, sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = (
    "transformers",
    "scipy",
    "sympy",
    "sklearn",
    "mlflow",
    "matplotlib",
    "torchaudio",
    "fastapi",
    "faiss",
    "huggingface_hub",
)


def test_a_command_line_query_imports_only_what_it_needs(repository, tmp_path):
    (tmp_path / "plot.txt").write_text("War begins.", encoding="utf-8")
    poster = next((repository.folder / "data/image").glob("*.jpg"))
    query = ["--tags", "war", "--plot", str(tmp_path / "plot.txt"), "--image", str(poster)]
    *_, last = repository.succeed(sys.executable, "-c", QUERY, *query).splitlines()
    assert last.startswith("0 ") and "'torch'" in last
    assert not [name for name in HEAVY if f"'{name}'" in last]
