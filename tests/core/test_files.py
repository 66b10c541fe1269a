import hashlib
import json
import os
import stat

import pytest

from pipeline.core.files import BLOCK_BYTES, sha256_of, whole_file, write_bytes, write_json


def test_file_appears_whole_with_its_folder(tmp_path):
    path = tmp_path / "a/b/c.bin"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists() and temporary.parent == path.parent and temporary.suffix == ".bin"
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert os.listdir(path.parent) == ["c.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_bytes(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_others_may_read_it(tmp_path):
    write_bytes(tmp_path / "a", b"x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_json(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": "é", "a": [1, None]})
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n") and "é" in text and text.index('"b"') < text.index('"a"')
    assert json.loads(text) == {"b": "é", "a": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, float("nan"))
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_sha256(tmp_path, size):
    data = bytes(size)
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()
