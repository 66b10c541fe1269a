"""Reading dvc.lock before a run."""

import pytest

from pipeline.apps.parallel.graph import require_lock
from pipeline.apps.parallel.repro import reproduce
from pipeline.core.errors import PipelineError

WHOLE = "schema: '2.0'\nstages:\n  split:\n    cmd: python -m stages.split\n"


@pytest.mark.parametrize("text", [None, WHOLE, "schema: '2.0'\n"])
def test_a_missing_and_a_readable_file_are_no_problem(tmp_path, text):
    if text is not None:
        (tmp_path / "dvc.lock").write_text(text)
    require_lock(tmp_path)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"a: [", "damaged"),
        (b"- a", "damaged"),
        (b"\xff\xfe", "damaged"),
        (WHOLE.encode()[:30], "damaged"),
        (b"\0" * 100, "damaged"),
    ],
)
def test_an_empty_or_damaged_file_is_named_with_its_remedy(tmp_path, data, found):
    (tmp_path / "dvc.lock").write_bytes(data)
    with pytest.raises(PipelineError, match=rf"dvc\.lock is {found}.*git checkout dvc\.lock"):
        require_lock(tmp_path)


def test_repro_refuses_it(tmp_path):
    (tmp_path / "dvc.lock").touch()
    with pytest.raises(PipelineError, match=r"git checkout dvc\.lock"):
        reproduce(tmp_path, [], None)
