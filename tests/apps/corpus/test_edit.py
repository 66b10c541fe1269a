"""Entries are added to and removed from the text of a list; the others are unchanged to the byte."""

import json

import pytest

from pipeline.apps.corpus.edit import with_entries, without_entries

TEXTS = [
    '{"AAA":{"a":"}, \\"AAB\\": {"},"AAB" : [1, {"AAC": 2}] , "AAC":null}',
    '{\n "AAA": {"a": 1},\n "AAB": {\n  "b": "\u00e9"\n },\n "AAC": {}\n}\n',
    ' {\r\n\t"AAA": {},\r\n\t"AAB": {},\r\n\t"AAC": {"x": [] }\r\n}\r\n',
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("fids", [(), ("AAA",), ("AAB",), ("AAC",), ("AAA", "AAB"), ("AAA", "AAC"), ("AAB", "AAC")])
def test_other_entries_stay(text, fids):
    before, after = json.loads(text), without_entries(text, fids)
    assert list(json.loads(after).items()) == [(fid, entry) for fid, entry in before.items() if fid not in fids]
    assert (after == text) is (not fids)
    assert after[0] == text[0] and after[-1] == text[-1] and len(after.splitlines()) <= len(text.splitlines())


@pytest.mark.parametrize("text", TEXTS)
def test_no_entry_is_left(text):
    assert json.loads(without_entries(text, ("AAA", "AAB", "AAC"))) == {}


@pytest.mark.parametrize("text", TEXTS)
def test_a_new_entry_is_removed_without_a_trace(text):
    assert without_entries(with_entries(text, {"AAD": {"a": {}}}), ("AAD",)) == text
