"""Records of runs for the next run."""

import pytest

from pipeline.core import files
from pipeline.core.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "records", ["url", "status"])


RECORD = {"url": "https://a.example/", "status": "ok"}


def test_a_record_is_read_back_in_its_own_order(ledger):
    ledger.write("AAA/000", RECORD)
    assert list(ledger.read("AAA/000").items()) == list(RECORD.items())
    assert (ledger.folder / "AAA/000.json").read_text() == ('{\n  "url": "https://a.example/",\n  "status": "ok"\n}\n')
    assert ledger.read("AAA/001") is None


def test_a_record_of_other_inputs_is_not_read(ledger):
    ledger.write("AAA", RECORD)
    assert ledger.read("AAA", url="https://a.example/") == RECORD
    assert ledger.read("AAA", url="https://a.example/", status="ok") == RECORD
    assert ledger.read("AAA", url="https://b.example/") is None
    assert ledger.read("AAA", url="https://a.example/", status="gone") is None


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '"text"', '{"url": ""}', '{"url": "", "status": "", "more": 1}', "\udcff"]
)
def test_files_not_written_by_this_version_are_not_records(ledger, text):
    ledger.write("AAA", RECORD)
    (ledger.folder / "AAA.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert ledger.read("AAA") is None


def test_other_keys_are_refused_when_written(ledger):
    with pytest.raises(ValueError, match="more"):
        ledger.write("AAA", RECORD | {"more": 1})
    with pytest.raises(ValueError, match="status"):
        ledger.write("AAA", {"url": ""})
    assert ledger.names() == []


def test_sweep_removes_the_records_of_items_that_are_gone(ledger):
    for name in ("AAA/000", "AAA/001-02", "AAB"):
        ledger.write(name, RECORD)
    (ledger.folder / "AAB.html").write_text("")
    (ledger.folder / ".part-AAC.json").write_text("")
    assert ledger.names() == ["AAA/000", "AAA/001-02", "AAB"]
    ledger.sweep({"AAA/001-02"})
    assert ledger.names() == ["AAA/001-02"]
    assert {path.name for path in ledger.folder.iterdir()} == {"AAA", "AAB.html", ".part-AAC.json"}
    ledger.remove("AAA/001-02")
    ledger.remove("AAA/001-02")
    assert ledger.names() == []


def test_a_killed_write_leaves_the_previous_record(ledger, monkeypatch):
    ledger.write("AAA", RECORD)

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        ledger.write("AAA", RECORD | {"status": "gone"})
    assert ledger.read("AAA") == RECORD
