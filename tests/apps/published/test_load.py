"""A published model, loaded from a folder and from the hub: its rankings, and what is refused in a stranger's model."""

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import load_file, save_file

from pipeline import load
from pipeline.__main__ import main
from pipeline.apps.published import load as load_module
from pipeline.apps.recommend.query import Query
from pipeline.apps.recommend.recommender import Request
from pipeline.core.errors import HubError, ModelError
from tests.hub import NOBODY, point_to

pytestmark = pytest.mark.slow

ADDRESS = "hf://someone/films"
PLOT = "a dog runs .\nwar begins ."


@pytest.fixture
def picture(root):
    return sorted((root / "data/image").glob("*.jpg"))[0]


def asked(root, picture, *options, capsys):
    """Return the recommendations of the command, from its JSON."""
    (root / "plot.txt").write_text(PLOT, encoding="utf-8")
    query = ["--plot", "plot.txt", "--tags", "War, dog", "--image", str(picture), "-k", "4", "--json"]
    assert main(["recommend", *query, *options]) == 0
    return json.loads(capsys.readouterr().out)["tracks"]


def request(picture):
    return Request(Query(None, "war", PLOT, picture), k=1)


def ranking(tracks):
    return [(track["fid"], track["number"], pytest.approx(track["score"], abs=1e-6)) for track in tracks]


def change_config(folder, **values):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | values), encoding="utf-8")


def test_a_folder_anywhere_ranks_as_the_command_does(root, picture, tmp_path, monkeypatch, capsys):
    expected = asked(root, picture, "--model", "models/published", capsys=capsys)
    assert ranking(asked(root, picture, "--variant", "Asked", capsys=capsys)) == ranking(expected)
    assert load("models/published").recommender.recommend(request(picture)).chosen == "it is the only model"
    folder = shutil.copytree(root / "models/published", tmp_path / "elsewhere/model")
    monkeypatch.chdir(tmp_path / "elsewhere")
    model = load(folder)
    assert model.needs == ("tags", "plot", "image")
    found = model.recommend(tags="War, dog", plot=PLOT, image=picture, k=4)
    assert ranking(found) == ranking(expected)
    assert [track["rank"] for track in found] == [1, 2, 3, 4]
    assert [track["track"] for track in found] == [f"{track['fid']}/{track['number']}" for track in expected]
    assert "{origin}" not in json.dumps(found)
    assert not {"path", "row"} & found[0].keys()
    again = model.recommend(tags=["war", "dog"], plot=PLOT, image=Image.open(picture), k=4)
    assert ranking(again) == ranking(expected), "tags in a list, a picture instead of its file"
    films = {track["fid"] for track in found}
    others = model.recommend(tags="war", plot=PLOT, image=str(picture), k=4, exclude=sorted(films), per_film=1)
    assert not films & {track["fid"] for track in others}


def test_a_query_that_lacks_what_the_model_needs_is_refused(root):
    with pytest.raises(ModelError, match="with only tags: add a plot and an image"):
        load("models/published").recommend(tags="war")


def test_a_model_of_the_hub_ranks_the_same_also_from_the_cache(root, picture, hub, monkeypatch, tmp_path, capsys):
    hub.add("someone/films", root / "models/published")
    expected = asked(root, picture, capsys=capsys)
    assert ranking(asked(root, picture, "--model", ADDRESS, capsys=capsys)) == ranking(expected)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plot.txt").write_text(PLOT, encoding="utf-8")
    for unreached in (True, False):
        if unreached:
            point_to(monkeypatch, NOBODY)
        else:
            monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        found = load(ADDRESS).recommend(tags="War, dog", plot=PLOT, image=picture, k=4)
        assert ranking(found) == ranking(expected)
    assert ranking(asked(tmp_path, picture, "--model", ADDRESS, capsys=capsys)) == ranking(expected), "no params.yaml"
    with pytest.raises(HubError):
        load("hf://someone/else")


def test_a_downloaded_model_searches_own_music(root, picture, hub, capsys, monkeypatch):
    hub.add("someone/films", root / "models/published")
    calls = []

    def add(recommender, root, params, paths, published):
        calls.append((paths, published.digest))
        return ["films"]

    monkeypatch.setattr("pipeline.apps.library.opening.add_libraries", add)
    asked(root, picture, "--model", ADDRESS, "--library", "Music", capsys=capsys)
    ((paths, digest),) = calls
    assert (paths, len(digest)) == ([Path("Music")], 64)


def test_a_playlist_needs_audio(root, hub, capsys):
    assert main(["recommend", "--model", "models/published", "--tags", "war", "--m3u"]) == 1
    assert "--library" in capsys.readouterr().err


@pytest.mark.parametrize("lacking", ["model.safetensors", "config.json", "tracks.parquet"])
def test_folders_without_a_published_model_are_refused(root, hub, lacking):
    (root / "models/published" / lacking).unlink()
    hub.add("someone/films", root / "models/published")
    for model in ("models/published", ADDRESS):
        with pytest.raises(ModelError, match=f"no {lacking}"):
            load(model)
    with pytest.raises(ModelError, match="hf://OWNER/REPO"):
        load("models/nowhere")


def test_a_folder_of_an_earlier_version_says_what_to_do(root):
    config = root / "models/published/config.json"
    before = json.loads(config.read_text(encoding="utf-8"))
    del before["tags_rule"]
    config.write_text(json.dumps(before), encoding="utf-8")
    with pytest.raises(ModelError, match=r"tags_rule.*dvc repro publish"):
        load("models/published")


def test_an_index_of_other_weights_is_refused(root, picture):
    weights = root / "models/published/model.safetensors"
    save_file({name: value + 1 for name, value in load_file(weights).items()}, weights)
    with pytest.raises(ModelError, match="made with other weights"):
        load("models/published").recommend(tags="war", plot=PLOT, image=picture)


def test_encoder_names_that_could_be_paths_are_refused(root, hub, tiny_bert, tmp_path, monkeypatch):
    folder = root / "models/published"
    features = json.loads((folder / "config.json").read_text(encoding="utf-8"))["features"]
    for name in (str(tiny_bert), "../bert", "./bert", "~/bert", "a/b/c", "local"):
        change_config(folder, features=features | {"tags": features["tags"] | {"encoder": name}})
        hub.add("someone/films", folder)
        (root / "local").mkdir(exist_ok=True)
        with pytest.raises(ModelError, match=r"features\.tags\.encoder"):
            load(ADDRESS)
    tuned = {"encoder": "a/b", "width": 6, "pooling": "cls", "max_tokens": 9, "config": {"auto_map": {}}}
    change_config(folder, features=features, encoders={"text": tuned})
    hub.add("someone/films", folder)
    with pytest.raises(ModelError, match="auto_map"):
        load(ADDRESS)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"variant": "../x"}, "variant"),
        ({"inputs": ["sound"]}, r"inputs\.0"),
        ({"code": "import os"}, "code"),
        ({"window_steps": 0}, "window_steps"),
        ({"inputs": ["tags"]}, "does not match"),
        ({"features": {}}, r"features\.audio\.encoder"),
        ({"encoders": {"image": {"encoder": "a/b", "width": 6}}}, r"encoders\.image\.pooling"),
    ],
)
def test_an_invalid_config_is_refused_by_its_key(root, hub, values, found):
    change_config(root / "models/published", **values)
    hub.add("someone/films", root / "models/published")
    with pytest.raises(ModelError, match=found):
        load(ADDRESS)


def test_numbers_and_files_that_are_too_large_are_refused(root, hub, monkeypatch):
    folder = root / "models/published"
    hub.add("someone/films", folder)
    monkeypatch.setattr("pipeline.apps.published.folder.MOST_TRACKS", 3)
    with pytest.raises(ModelError, match=r"tracks\.parquet has .* tracks"):
        load(ADDRESS)
    limits = {"config.json": 10**6, "model.safetensors": 100, "tracks.parquet": 10**6}
    monkeypatch.setattr("pipeline.apps.published.folder.LIMITS", limits)
    hub.asked.clear()
    with pytest.raises(ModelError, match=r"model\.safetensors has .* at most 100"):
        load(ADDRESS)
    assert hub.fetched == [], "before it is downloaded"


def test_an_oversized_network_is_not_built(root, hub):
    folder = root / "models/published"
    model = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model"]
    change_config(folder, model=model | {"embed_dim": 10**9})
    hub.add("someone/films", folder)
    with pytest.raises(ModelError, match="a number above"):
        load(ADDRESS)


def test_an_unknown_device_is_refused(root):
    with pytest.raises(ModelError, match=r"device: found 'tpu', allowed are auto, cpu, cuda"):
        load("models/published", device="tpu")


def test_commands_name_the_model_again(built):
    folder = built / "models/published"
    (model,) = load_module.open_published(str(folder), "cpu").trained.values()
    assert model.option == f"--model {folder}"


def test_serving_a_model_without_audio_needs_music(root, capsys):
    assert main(["serve", "--port", "0", "--model", "models/published"]) == 1
    assert "--model" in capsys.readouterr().err
