"""After a change, DVC marks as stale exactly the stages whose results may change."""

import json
from collections.abc import Iterator

import pytest

from tests.small_repository import Repository

RECOMMEND_KEY = "    search: Literal"  # the first key of the section in pipeline/params.py


@pytest.fixture
def repository(small_repository) -> Iterator[Repository]:
    """The repository after one `dvc repro`; edits of a test are reverted."""
    yield small_repository
    small_repository.succeed("git", "checkout", "-q", "--", ".")
    assert stale(small_repository) == set()


def edit(repository: Repository, path: str, before: str, after: str) -> None:
    text = (repository.folder / path).read_text()
    assert before in text
    (repository.folder / path).write_text(text.replace(before, after, 1))


def stale(repository: Repository) -> set[str]:
    """Return the stages that DVC would run, without those that only follow from them."""
    return set(json.loads(repository.succeed("dvc", "status", "--json")))


def test_a_new_key_of_recommend_makes_only_split_stale(repository):
    edit(repository, "params.yaml", "recommend:\n", "recommend:\n  novelty: 0.5\n")
    edit(repository, "pipeline/params.py", RECOMMEND_KEY, f"    novelty: Positive\n{RECOMMEND_KEY}")
    assert stale(repository) == {"split"}
    before = json.dumps(repository.outs("split"))
    assert repository.ran(repository.succeed("dvc", "repro")) == ["split"]
    assert json.dumps(repository.outs("split")) == before


def test_a_new_mlflow_tag_retrains_nothing(repository):
    edit(repository, "pipeline/tracking/training.py", '"variant": variant,', '"variant": variant, "studio": "ours",')
    assert stale(repository) == set()


def test_the_http_client_does_not_affect_parse(repository):
    edit(repository, "pipeline/scrape/client.py", "MAX_REDIRECTS = 10", "MAX_REDIRECTS = 9")
    assert stale(repository) == {"scrape"}


def test_another_machine_makes_nothing_stale(repository):
    edit(repository, "params.yaml", "processes: 1", "processes: 3")
    edit(repository, "params.yaml", "device: auto", "device: cpu")
    assert stale(repository) == set()


def test_a_parameter_makes_its_own_stages_stale(repository):
    edit(repository, "params.yaml", "epochs: 2", "epochs: 3")
    assert stale(repository) == {"train@Im", "train@All"}


def test_a_shared_lock_is_an_input_and_resolved_urls_an_output(repository):
    """The files are written as by the stage and a user; no list of recordings is resolved here."""
    assert {out["path"] for out in repository.outs("download")} >= {"data/soundtrack.lock.json"}
    assert repository.json("data/soundtrack.lock.json") == {}
    given = repository.folder / "data/sample/soundtrack.lock.json"
    given.write_text("{}")
    try:
        assert "download" in stale(repository)
    finally:
        given.unlink()
