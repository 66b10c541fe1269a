"""The notebook's cells run in order in a built repository and agree with the commands and tables."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.__main__ import main
from tests.small_repository import ROOT

NOTEBOOK = ROOT / "notebooks/quickstart.ipynb"

# Runs the cells as Jupyter does, in one namespace, then prints the results and the contents of the figures.
RUN = """
import json, os, sys
os.environ["MPLBACKEND"] = "agg"
found = {}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), cell["id"], "exec"), found)
offsets = [points.get_offsets().tolist() for points in found["projection"].axes[0].collections]
shown = {
    "film": found["film"].to_dict(),
    "ranking": found["found"],
    "scored": found["scored"].drop(columns=["vector", "peaks"]).to_dict("records"),
    "curve": [line.get_xydata().tolist() for line in found["curve"].axes[0].lines],
    "bars": [[bars.get_segments() for bars in axis.collections] for axis in found["variants"].axes],
    "rows": [label.get_text() for label in found["variants"].axes[0].get_yticklabels()],
    "tracks": offsets[0],
    "own": offsets[1],
    "query": offsets[2],
}
print("SHOWN", json.dumps(shown, default=lambda value: value.tolist()))
"""


@pytest.fixture(scope="module")
def shown(small_repository) -> SimpleNamespace:
    """The results of the notebook's cells, run in a subfolder of the repository as by Jupyter."""
    small_repository.folder.joinpath("notebooks").mkdir()
    environment = ["env", "-C", "notebooks", f"PYTHONPATH={small_repository.folder}"]
    try:
        output = small_repository.succeed(*environment, "python", "-c", RUN, str(NOTEBOOK))
    finally:
        small_repository.folder.joinpath("notebooks").rmdir()
    return SimpleNamespace(**json.loads(output.partition("SHOWN")[2]))


@pytest.fixture(scope="module")
def tracks(small_repository) -> pd.DataFrame:
    return pd.read_parquet(small_repository.folder / "models/published/tracks.parquet")


def test_it_is_stored_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert len(cells) == 10
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * 7


def test_ranking_equals_that_of_the_command(small_repository, shown, tmp_path, monkeypatch, capsys):
    film = shown.film
    assert film["split"] == "eval"
    (tmp_path / "plot.txt").write_text(film["plot"], encoding="utf-8")
    query = ["--tags", film["tags"], "--plot", str(tmp_path / "plot.txt"), "--image", film["image"]]
    monkeypatch.chdir(small_repository.folder)
    assert main(["recommend", *query, "--variant", "All", "-k", "10", "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)["tracks"]
    assert len(expected) == len(shown.ranking) == 10
    ranking = [(track["fid"], track["number"], pytest.approx(track["score"], abs=1e-5)) for track in expected]
    assert [(track["fid"], track["number"], track["score"]) for track in shown.ranking] == ranking
    assert [(track["fid"], track["number"], track["score"]) for track in shown.scored[:10]] == ranking, "by features"


def test_the_films_own_tracks_are_marked_by_rank_and_score(shown, tracks):
    everything, own = map(np.array, shown.curve)
    assert everything[:, 0].tolist() == list(range(1, len(tracks) + 1))
    expected = [(n, row["score"]) for n, row in enumerate(shown.scored, start=1) if row["fid"] == shown.film["fid"]]
    assert own.tolist() == [list(pair) for pair in expected]
    assert len(own) == (tracks["fid"] == shown.film["fid"]).sum() > 1


def test_each_variants_figures_and_intervals_are_drawn(small_repository, shown):
    table = pd.read_csv(small_repository.folder / "metrics/comparison.csv").set_index("variant").loc[shown.rows]
    assert len(table) == 2
    for name, (segments,) in zip(("recall_at_10", "median_rank"), shown.bars, strict=True):
        intervals = np.array(segments)[:, :, 0]
        assert intervals == pytest.approx(table[[f"{name}_low", f"{name}_high"]].to_numpy())


def test_the_projection_shows_the_tracks_along_their_principal_components(shown, tracks):
    points, vectors = np.array(shown.tracks), np.stack(tracks["vector"]).astype(float)
    largest = np.linalg.eigvalsh(np.cov(vectors.T))[::-1][:2]
    assert np.cov(points.T) == pytest.approx(np.diag(largest), abs=1e-5)
    assert shown.own == points[(tracks["fid"] == shown.film["fid"]).to_numpy()].tolist()
    # A score is a cosine: the query lies on the side of the tracks with high scores.
    score = {(row["fid"], row["number"]): row["score"] for row in shown.scored}
    scores = np.array([score[key] for key in zip(tracks["fid"], tracks["number"], strict=True)])
    query = np.linalg.lstsq(vectors, scores, rcond=None)[0]  # the part of it that tracks can show
    components = np.linalg.lstsq(vectors - vectors.mean(axis=0), points, rcond=None)[0]
    assert shown.query[0] == pytest.approx((query - vectors.mean(axis=0)) @ components, abs=1e-4)
