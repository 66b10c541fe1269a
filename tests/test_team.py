"""A team that shares one remote: models and features are pushed, other people's music and posters are not."""

import hashlib
import logging
import shutil
import socket
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.small_repository import Repository

MEDIA = ("data/downloads", "data/posters", "data/image", "data/audio", "metrics/report.html")


def clone(origin: Path, folder: Path) -> Repository:
    """Return a clone as a colleague has it, without any files outside git."""
    repository = Repository(folder)
    repository.environment |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    folder.mkdir()
    repository.succeed("git", "clone", "-q", str(origin), ".")
    repository.succeed("git", "config", "user.name", "Colleague")
    repository.succeed("git", "config", "user.email", "colleague@example.org")
    return repository


def digests(folder: Path, names: tuple[str, ...]) -> set[str]:
    """Return the MD5 of all files below `names`, which is DVC's key for them."""
    paths = [path for name in names for path in [folder / name, *(folder / name).rglob("*")] if path.is_file()]
    return {hashlib.md5(path.read_bytes()).hexdigest() for path in paths}


def stored(store: Path) -> set[str]:
    return {f"{path.parent.name}{path.name}" for path in (store / "files/md5").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def lead(small_repository, tmp_path_factory):
    """A repository after a run, pushed to a default remote in a folder, and its git remote."""
    folder = tmp_path_factory.mktemp("team")
    origin = folder / "origin.git"
    small_repository.succeed("git", "clone", "-q", "--bare", ".", str(origin))
    lead = clone(origin, folder / "lead")
    (lead.folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {small_repository.folder / '.dvc/cache'}\n")
    lead.succeed("dvc", "checkout", "-q")
    lead.succeed("dvc", "remote", "add", "-q", "--default", "team", str(folder / "store"))
    lead.succeed("dvc", "push", "-q")
    lead.commit("remote")
    lead.succeed("git", "tag", "-a", "soundtrack-retrieval@v1.0.0", "-m", "first")
    lead.succeed("git", "push", "-q", "--follow-tags")
    return lead


@pytest.fixture(scope="module")
def origin(lead):
    return lead.folder.parent / "origin.git"


@pytest.fixture(scope="module")
def colleague(lead, origin):
    """A clone with the files of the remote."""
    colleague = clone(origin, lead.folder.parent / "colleague")
    colleague.succeed("dvc", "pull", "-q", "--allow-missing")
    return colleague


def test_everything_but_media_is_pushed(lead):
    store = stored(lead.folder.parent / "store")
    media = digests(lead.folder, MEDIA) - digests(lead.folder, ("data/pages/corpus.txt",))  # the same beside recordings
    assert len(media) > 50 and not media & store
    assert digests(lead.folder, ("data/pages", "data/features", "models", "metrics/rankings")) - store == digests(
        lead.folder, ("data/features/.cache", "models/README.md")
    )


def test_a_colleague_without_media_has_nothing_to_do(colleague):
    assert not any((colleague.folder / name).exists() for name in MEDIA)
    assert colleague.ran(colleague.succeed("dvc", "repro", "--allow-missing")) == []
    assert "computed" not in colleague.succeed("python", "-m", "pipeline", "repro", "--allow-missing")
    poster = next((colleague.folder / "data/sample/site/media").glob("*.jpg"))
    found = colleague.succeed("python", "-m", "pipeline", "recommend", "--image", str(poster), "-k", "2")
    assert found.count("data/audio/") == 2


def test_a_colleague_without_media_evaluates_and_shares_the_experiment(lead, colleague):
    change = ("-S", "evaluate.bootstrap_samples=40")
    output = colleague.succeed("dvc", "exp", "run", "--allow-missing", "-n", "fewer", *change, "evaluate@Im")
    assert colleague.ran(output) == ["evaluate@Im"]
    colleague.succeed("dvc", "exp", "push", "-q", "origin", "fewer")

    lead.succeed("dvc", "exp", "pull", "-q", "origin", "fewer")
    path = "metrics/evaluate/Im.json"
    before, rankings = lead.json(path), digests(lead.folder, ("metrics/rankings/Im.parquet",))
    lead.succeed("dvc", "exp", "apply", "-q", "fewer")
    after = lead.json(path)
    assert after == colleague.json(path)
    assert (after["mrr"], after["ndcg"]) == (before["mrr"], before["ndcg"]) and after["ci95"] != before["ci95"]
    assert digests(lead.folder, ("metrics/rankings/Im.parquet",)) == rankings
    lead.succeed("git", "checkout", "-q", ".")
    lead.succeed("dvc", "checkout", "-q")


def test_a_colleague_with_access_to_media_pulls_instead_of_computing(lead, origin):
    text = (lead.folder / "dvc.yaml").read_text()
    (lead.folder / "dvc.yaml").write_text(text.replace("&push_media false", "&push_media true"))
    lead.succeed("dvc", "push", "-q")
    lead.succeed("git", "checkout", "-q", "dvc.yaml")
    third = clone(origin, lead.folder.parent / "third")
    third.succeed("dvc", "pull", "-q")
    assert digests(third.folder, MEDIA) == digests(lead.folder, MEDIA)
    assert third.ran(third.succeed("dvc", "repro")) == []
    assert third.succeed("git", "status", "--short") == ""
    shutil.rmtree(third.folder)


@pytest.mark.parametrize(
    "command",
    [
        ("dvc", "get", "{origin}", "models/published", "-o", "theirs"),
        ("dvc", "import", "{origin}", "models/published", "-o", "theirs"),
        ("dvc", "artifacts", "get", "{origin}", "soundtrack-retrieval", "-o", "theirs"),
    ],
    ids=["get", "import", "artifacts"],
)
def test_another_repository_takes_the_published_model(lead, origin, tmp_path, command):
    other = Repository(tmp_path)
    other.succeed("git", "init", "-q")
    other.succeed("dvc", "init", "-q")
    other.succeed(*(part.format(origin=origin) for part in command))
    published = lead.folder / "models/published"
    assert {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()} == {
        path.name: path.read_bytes() for path in published.iterdir()
    }


@pytest.fixture
def bucket():
    """The address of an S3 server with a bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{port}"
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket="films")
    yield address
    server.stop()


def test_models_are_shared_through_a_bucket(lead, origin, bucket):
    config = f"['remote \"bucket\"']\n    url = s3://films/soundtrack\n    endpointurl = {bucket}\n"
    own = lead.folder / ".dvc/config.local"
    before = own.read_text()
    own.write_text(before + config)
    lead.succeed("dvc", "push", "-q", "-r", "bucket", "publish", "evaluate@All")
    own.write_text(before)
    other = clone(origin, lead.folder.parent / "other")
    (other.folder / ".dvc/config.local").write_text(config)
    other.succeed("dvc", "pull", "-q", "-r", "bucket", "publish", "evaluate@All")
    published = "models/published", "metrics/rankings/All.parquet"
    assert digests(other.folder, published) == digests(lead.folder, published) != set()
