"""A logged model: no pickle, complete, not run when logged, and usable outside the repository."""

import base64
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest

from pipeline.apps.recommend.query import Encoders, QueryEncoder
from pipeline.corpus.film import ORIGIN
from pipeline.model.store import load_model
from pipeline.tracking.logged import CODE, PIPELINE, REQUIREMENTS, SERVED
from pipeline.tracking.store import tracking_uri
from pipeline.tracking.training import training_run
from tests.apps.recommend.asked_world import CPU, make_asked_world
from tests.apps.recommend.test_query import as_queries
from tests.apps.recommend.tracks import make_index, track
from tests.test_architecture import reached_from

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_store")]
ASK = """
import json, socket, sys
from pathlib import Path
def refuse(*_, **__): raise SystemExit("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
answer = model.predict(pandas.DataFrame(json.loads(sys.argv[2])))
import pipeline
print(json.dumps([pipeline.__file__, [list(map(float, row)) for row in answer["embedding"]]]))
"""


def as_base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def logged(root: Path, folder: Path, params):
    """Return the training run of the model in `folder`, and its logged model."""
    from mlflow import MlflowClient

    with training_run(root, "Im", asdict(params), "00") as run:
        run.log_model(folder)
    client = MlflowClient(tracking_uri(root))
    (output,) = client.get_run(run.run_id).outputs.model_outputs
    return client.get_run(run.run_id), client.get_logged_model(output.model_id)


def test_model_is_files_without_a_pickle_with_signature_and_example(tmp_path, model, params):
    from mlflow.models import Model

    run, found = logged(tmp_path, model, params)
    assert (found.name, found.status, found.source_run_id) == ("Im", "READY", run.info.run_id)
    assert found.tags["model.digest"] == run.data.tags["model.digest"]
    folder = Path(found.artifact_location.removeprefix("file://"))
    assert folder.is_relative_to(tmp_path / "mlartifacts")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".pyc")]
    assert (folder / "artifacts/model.safetensors").read_bytes() == b"weights of Im"
    described = Model.load(str(folder))
    assert described.signature.inputs.input_names() == ["title", "tags", "plot", "image"]
    assert not any(column.required for column in described.signature.inputs)
    assert set(described.load_input_example(str(folder)).columns) == {"title", "tags", "plot", "image"}
    assert (folder / "requirements.txt").read_text().count("==") == len(REQUIREMENTS)


def test_included_code_is_what_the_model_imports(tmp_path, model, params):
    _, found = logged(tmp_path, model, params)
    copied = Path(found.artifact_location.removeprefix("file://")) / "code/pipeline"
    reached = {path.relative_to(PIPELINE) for path in reached_from(SERVED)}
    assert {str(path) for path in reached if not (copied / path).is_file()} == set()
    assert {name for name in CODE if not any(str(path).startswith(name) for path in reached)} == set()


def test_logged_model_answers_far_from_the_repository(tmp_path, params, tiny_bert, tiny_vit):
    world = make_asked_world(tmp_path, params, ["plot", "image"], tiny_bert, tiny_vit)
    folder = tmp_path / "models/Asked"
    _, found = logged(tmp_path, folder, params)
    queries = as_queries(world)[:2]
    rows = [{"plot": query.plot, "image": as_base64(query.image)} for query in queries]
    command = [sys.executable, "-c", ASK, found.artifact_location, json.dumps(rows)]
    done = subprocess.run(command, cwd=Path(tmp_path.root), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path, vectors = json.loads(done.stdout.splitlines()[-1])
    assert Path(path).is_relative_to(tmp_path / "mlartifacts")
    np.testing.assert_allclose(vectors, QueryEncoder(*load_model(folder), Encoders(CPU)).encode(queries), atol=1e-5)


@pytest.mark.usefixtures("path_of_imports")
def test_a_query_without_a_required_input_is_refused_by_name(tmp_path, params, tiny_bert, tiny_vit):
    import mlflow
    from mlflow.exceptions import MlflowException

    make_asked_world(tmp_path, params, ["tags"], tiny_bert, tiny_vit)
    _, found = logged(tmp_path, tmp_path / "models/Asked", params)
    served = mlflow.pyfunc.load_model(found.artifact_location)
    with pytest.raises(MlflowException, match=r"^the query \(Dawn\): tags missing"):
        served.predict(pandas.DataFrame([{"title": "Dawn", "tags": None}]))


def test_tracks_come_without_private_addresses():
    from pipeline.apps.recommend.served import Served

    addresses = [(f"{ORIGIN}/wiki/One", "https://x.org/1.mp3"), ("https://x.org/wiki/Two", f"{ORIGIN}/audio/2.mp3")]
    rows = [track(number, url=url, source_url=source) for number, (url, source) in enumerate(addresses)]
    model = Served()
    model.encoder = SimpleNamespace(encode=lambda queries: np.array([[1.0, 0.0]] * len(queries)))
    model.index = make_index(np.array([[1.0, 0.0], [1.0, 1.0]]), rows)
    answer = model.predict(None, pandas.DataFrame([{"tags": "war"}]), {"k": 2})
    assert list(answer["path"]) == [row["path"] for row in rows]
    assert list(answer["url"]) == ["", "https://x.org/wiki/Two"]
    assert list(answer["source_url"]) == ["https://x.org/1.mp3", ""]


@pytest.mark.usefixtures("path_of_imports")
def test_images_come_as_base64_and_no_path_is_opened(tmp_path, params, tiny_bert, tiny_vit, monkeypatch):
    import mlflow
    from mlflow.exceptions import MlflowException

    world = make_asked_world(tmp_path, params, ["image"], tiny_bert, tiny_vit)
    _, found = logged(tmp_path, tmp_path / "models/Asked", params)
    served = mlflow.pyfunc.load_model(found.artifact_location)
    picture = next(query.image for query in as_queries(world))
    assert picture.is_file()
    text = as_base64(picture)
    vectors = [
        served.predict(pandas.DataFrame([{"image": sent}]))["embedding"][0]
        for sent in (text, f"{text[:9]}\n{text[9:]}")
    ]
    np.testing.assert_array_equal(*vectors)
    for sent, message in {
        str(picture): "not base64",
        str(picture.relative_to(tmp_path)): "not base64",
        as_base64(tmp_path / "models/Asked/config.json"): "cannot be decoded",
        f"data:image/jpeg;base64,{text}": "not base64",
        "é": "not base64",
    }.items():
        with pytest.raises(MlflowException, match=f"image: {message}"):
            served.predict(pandas.DataFrame([{"image": sent}]))
    monkeypatch.setattr(sys.modules[type(served.unwrap_python_model()).__module__], "MAX_IMAGE_CHARS", 10)
    with pytest.raises(MlflowException, match="at most 10"):
        served.predict(pandas.DataFrame([{"image": text}]))
