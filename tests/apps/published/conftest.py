"""A small world with an evaluated and published model, whose encoders are models of the hub on loopback."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import stages.evaluate
import stages.publish
from pipeline.core.variants import Variant
from pipeline.params import Params
from tests.apps.recommend.asked_world import make_asked_world
from tests.evaluate.small_world import EVALUATE
from tests.hub import Hub
from tests.small_machine import MACHINE

ROOT = Path(__file__).parents[3]
BERT, VIT = "someone/bert", "someone/vit"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, params: Params, tiny_bert: Path, tiny_vit: Path) -> Path:
    """A root folder with a model of tags, plot and image, evaluated and published."""
    root = tmp_path_factory.mktemp("published")
    world = make_asked_world(root, params, ["tags", "plot", "image"], tiny_bert, tiny_vit)
    (root / "models" / world.variant / "history.csv").write_text("epoch\n")
    variants = {world.variant: Variant(world.inputs)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages.evaluate, "log_evaluation", lambda *arguments: None)
        patch.setattr(stages.publish, "register_published", lambda *arguments: None)
        stages.evaluate.main(root, world.variant, variants, EVALUATE, [], MACHINE)
        stages.publish.main(root, world.variant, variants, "words", MACHINE)
    config = root / "models/published/config.json"
    text = config.read_text(encoding="utf-8").replace(str(tiny_bert), BERT).replace(str(tiny_vit), VIT)
    config.write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "params.yaml", root)
    shutil.copy(ROOT / "LICENSE", root)
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path, hub: Hub, tiny_bert: Path, tiny_vit: Path, monkeypatch) -> Iterator[Path]:
    """A copy of it as the working directory; the hub has its encoders."""
    hub.add(BERT, tiny_bert)
    hub.add(VIT, tiny_vit)
    folder = shutil.copytree(built, tmp_path / "repository")
    monkeypatch.chdir(folder)
    return folder
