"""Pushing to a hub on loopback: what arrives, its card, and what is refused before anything is sent."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
import yaml
from safetensors.torch import load_file, save_file

from pipeline import load
from pipeline.__main__ import main
from pipeline.apps.recommend.index import open_index
from pipeline.core.files import sha256_of
from pipeline.store.index import write_index
from tests.hub import NOBODY, TOKEN, point_to

pytestmark = pytest.mark.slow

NAME, METRICS = "me/films", "metrics/evaluate/Asked.json"
PUBLISHED = ("model.safetensors", "config.json", "tracks.parquet")


@pytest.fixture
def signed_in(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def push(*options):
    return main(["push-model", NAME, *options])


def refused(hub, capsys, *words, options=()):
    """Assert that the command fails with `words` and that nothing was made on the hub."""
    assert push(*options) == 1
    error = capsys.readouterr().err
    assert [word for word in words if word not in error] == []
    assert NAME not in hub.commits


def test_a_pushed_model_loads_and_ranks_the_same(root, hub, signed_in, tmp_path, monkeypatch, capsys):
    assert push("--message", "First") == 0
    assert f"{hub.endpoint}/{NAME}/commit/" in capsys.readouterr().out
    arrived = hub.main(NAME)
    assert sorted(arrived) == sorted([*PUBLISHED, "README.md"])
    for name in PUBLISHED:
        assert arrived[name] == (root / "models/published" / name).read_bytes()
    assert (hub.messages, hub.private[NAME]) == (["First"], False)
    query = {"tags": "war", "plot": "a dog runs .", "image": sorted((root / "data/image").glob("*.jpg"))[0]}
    expected = load("models/published").recommend(**query)
    monkeypatch.chdir(tmp_path)
    assert load(f"hf://{NAME}").recommend(**query) == expected
    assert hub.tokens == {f"Bearer {TOKEN}"}


def test_pushing_again_adds_a_commit(root, hub, signed_in):
    assert push() == 0
    metrics = json.loads((root / METRICS).read_text(encoding="utf-8"))
    (root / METRICS).write_text(json.dumps(metrics | {"mrr": 0.123456}), encoding="utf-8")
    assert push("--private") == 1, "it is public already"
    assert len(hub.messages) == 1
    assert push() == 0
    assert len(hub.messages) == 2
    assert b"0.123" in hub.main(NAME)["README.md"]


def test_a_private_model_is_made_private(root, hub, signed_in):
    assert push("--private") == 0
    assert hub.private[NAME]
    assert push("--private") == 0


def test_the_card_has_the_figures_of_the_evaluation(root, hub, capsys):
    assert push("--out", "card", "--license", "cc-by-4.0") == 0
    assert hub.asked == []
    text = (root / "card/README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    metrics = json.loads((root / METRICS).read_text(encoding="utf-8"))
    about = yaml.safe_load(front)
    assert (about["license"], about["library_name"]) == ("cc-by-4.0", "soundtrack-retrieval")
    ((result,),) = (entry["results"] for entry in about["model-index"])
    figures = {found["type"]: found["value"] for found in result["metrics"]}
    assert {"mrr", "recall_at_5"} <= figures.keys()
    assert figures == {name: metrics[name] for name in figures}
    assert result["dataset"]["name"] == "sample"
    low, high = metrics["ci95"]["mrr"]
    assert f"| MRR | {metrics['mrr']:.3f} | {low:.3f} to {high:.3f} | {metrics['chance']['mrr']:.3f} |" in body
    tracks = pq.read_table(root / "models/published/tracks.parquet", columns=["fid", "split"]).to_pylist()
    for side in ("train", "valid", "eval"):
        of_side = [track["fid"] for track in tracks if track["split"] == side]
        assert f"| {side} | {len(set(of_side))} | {len(of_side)} |" in body
    assert f'load("hf://{NAME}")' in body
    assert sha256_of(root / "models/published/model.safetensors") in body
    assert str(root) not in text
    code = body.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")


def test_a_card_is_only_written_to_its_own_folder(root, hub, capsys):
    published = {path.name for path in (root / "models/published").iterdir()}
    for out in (".", "models/published"):
        refused(hub, capsys, "other files", options=("--out", out))
    assert {path.name for path in (root / "models/published").iterdir()} == published
    assert not (root / "README.md").exists()
    assert push("--out", "card") == 0
    assert push("--out", "card") == 0, "again"
    refused(hub, capsys, "params.yaml", "cannot be written", options=("--out", "params.yaml"))


def test_the_licence_is_that_of_the_repository(root, hub):
    assert push("--out", "card") == 0
    (root / "LICENSE").unlink()
    assert push("--out", "other") == 0
    found = [
        (root / name / "README.md").read_text(encoding="utf-8").split("license: ")[1] for name in ("card", "other")
    ]
    assert [text.split()[0] for text in found] == ["mit", "other"]


def test_without_metrics_of_these_weights_nothing_is_pushed(root, hub, signed_in, capsys):
    text = (root / METRICS).read_text(encoding="utf-8")
    (root / METRICS).unlink()
    refused(hub, capsys, METRICS, "dvc repro evaluate@Asked")
    (root / METRICS).write_text("{", encoding="utf-8")
    refused(hub, capsys, METRICS, "dvc repro evaluate@Asked")
    metrics = json.loads(text)
    lacking = {name: value for name, value in metrics.items() if name != "ci95"}
    (root / METRICS).write_text(json.dumps(lacking), encoding="utf-8")
    refused(hub, capsys, METRICS, "ci95")
    other = metrics | {"model": {"model.safetensors": "0" * 64}}
    (root / METRICS).write_text(json.dumps(other), encoding="utf-8")
    refused(hub, capsys, METRICS, "00000000", "dvc repro")


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_incomplete_model_is_not_pushed(root, hub, signed_in, capsys, name):
    (root / "models/published" / name).unlink()
    refused(hub, capsys, f"models/published/{name}", "dvc repro publish")


def test_an_index_of_other_weights_is_not_pushed(root, hub, signed_in, capsys):
    weights = root / "models/published/model.safetensors"
    save_file({name: value + 1 for name, value in load_file(weights).items()}, weights)
    metrics = json.loads((root / METRICS).read_text(encoding="utf-8"))
    metrics["model"]["model.safetensors"] = sha256_of(weights)
    (root / METRICS).write_text(json.dumps(metrics), encoding="utf-8")
    refused(hub, capsys, "tracks.parquet", "dvc repro publish")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("path", "/home/me/music/1.mp3"),
        ("source_url", "file:///home/me/1.mp3"),
        ("source_url", "https://me:secret@example.org/1.mp3"),
        ("url", "C:\\films\\1.html"),
    ],
)
def test_private_paths_in_the_index_are_not_pushed(root, hub, signed_in, capsys, column, value):
    path = root / "models/published/tracks.parquet"
    index = open_index(path, "")
    first, *others = index.tracks.to_pylist()
    write_index(path, [first | {column: value}, *others], index.vectors, index.about)
    refused(hub, capsys, f"AAA/0: {column}", repr(value))


def test_a_model_whose_encoder_is_a_folder_is_not_pushed(root, hub, signed_in, capsys):
    config = root / "models/published/config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("someone/vit", "/home/me/vit"), encoding="utf-8")
    refused(hub, capsys, "features.image.encoder", "/home/me/vit")


def test_errors_of_the_hub_are_explained(root, hub, capsys, monkeypatch):
    refused(hub, capsys, f"hf://{NAME} is not published", "401", "hf auth login")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.answers["/api/repos/create"] = 403
    refused(hub, capsys, "403", "token")
    point_to(monkeypatch, NOBODY)
    refused(hub, capsys, "is not published", "cannot be reached")


def test_invalid_model_names_are_refused(root, hub, capsys):
    assert main(["push-model", "films"]) == 1
    assert "OWNER/REPO" in capsys.readouterr().err
    shutil.rmtree(root / "models/published")
    assert main(["push-model", NAME]) == 1
    assert "models/published" in capsys.readouterr().err
