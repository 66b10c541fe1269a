"""All combinations of experiments are checked before DVC queues one."""

import shutil
from pathlib import Path

import pytest

from pipeline.apps.experiments import check_combination, combinations, enqueue, require_copies
from pipeline.core.errors import ParamsError, PipelineError

ROOT = Path(__file__).parents[2]


def test_lists_of_values_are_a_grid():
    assert combinations(["variant=Im,Ta", "train.seed=1,2"]) == [
        ["variant=Im", "train.seed=1"],
        ["variant=Im", "train.seed=2"],
        ["variant=Ta", "train.seed=1"],
        ["variant=Ta", "train.seed=2"],
    ]
    assert combinations([]) == [[]]
    assert combinations(["evaluate.ks=[1,5]"]) == [["evaluate.ks=[1,5]"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["variant=Im,Nope"], r"variant: found 'Nope', allowed are Im, .* \(with variant=Nope\); nothing is queued"),
        (["train.seed=1,2", "train.learning_rate=fast"], r"train\.learning_rate: found 'fast' .*nothing is queued"),
        (["train.lr=1"], r"train\.lr.*nothing is queued"),
        (["+train.lr=1"], r"train\.lr: unknown key"),
        (["variant"], "-S variant is not valid"),
        (["train.seed=glob(*)"], r"-S train\.seed=glob"),
        (["other.yaml:x=1"], r"found other\.yaml, allowed is params\.yaml"),
    ],
)
def test_invalid_values_are_refused_before_anything_is_queued(monkeypatch, changes, message):
    monkeypatch.setattr("pipeline.apps.experiments.run", lambda *a, **k: pytest.fail("queued"))
    with pytest.raises(ParamsError, match=message):
        enqueue(ROOT, changes, [])


def test_outside_the_repository_nothing_is_queued(monkeypatch, tmp_path):
    monkeypatch.setattr("pipeline.apps.experiments.run", lambda *a, **k: pytest.fail("queued"))
    with pytest.raises(ParamsError, match=r"params\.yaml is missing.*root"):
        enqueue(repository_in(tmp_path), ["train.seed=1"], [])


def test_checking_leaves_the_parameters_alone(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    before = (tmp_path / "params.yaml").read_bytes()
    check_combination(tmp_path, ["+variants.Three=[tags,plot,image]", "variant=Three", "train.seed=3"])
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
    assert (tmp_path / "params.yaml").read_bytes() == before


def repository_in(folder: Path, cache: str = "") -> Path:
    """Create what DVC accepts as a repository."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text(f"[cache]\n    dir = {cache}\n" if cache else "")
    return folder


@pytest.mark.parametrize("name", ["what?", "c#d", "b{k}", "fílm"])
def test_paths_that_dvc_cannot_copy_are_refused_before_queueing(tmp_path, monkeypatch, name):
    monkeypatch.setattr("pipeline.apps.experiments.run", lambda *a, **k: pytest.fail("queued"))
    root = repository_in(tmp_path / name / "repository")
    with pytest.raises(PipelineError, match="cannot copy"):
        enqueue(root, [], [])


@pytest.mark.parametrize("name", ["a b", "q'uote", "br[a]c", "100%25", "$HOME", ";&", "=+"])
def test_other_places_are_fine(tmp_path, name):
    require_copies(repository_in(tmp_path / name))


def test_non_ascii_letters_matter_only_in_the_cache_path(tmp_path):
    require_copies(repository_in(tmp_path / "fílm", str(tmp_path / "cache")))
    with pytest.raises(PipelineError, match="fílm/cache"):
        require_copies(repository_in(tmp_path / "plain", str(tmp_path / "fílm/cache")))
