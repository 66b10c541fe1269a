"""The check of skipped tests, in separate pytest runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import ALLOWED

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
LISTED = f"""
import pytest

def test_passes():
    pass

@pytest.mark.xfail
def test_is_expected_to_fail():
    assert False

@pytest.mark.parametrize("reason", {ALLOWED!r})
def test_skips(reason):
    pytest.skip(reason)
"""
BY_MARK = LISTED + "@pytest.mark.skipif(True, reason='a file is not here')\ndef test_other(): pass\n"
BY_IMPORT = (
    "import pytest\npytest.importorskip('no_such_module', reason='a file is not here')\ndef test_other(): pass\n"
)


def run(folder: Path, source: str, ci: str, *options: str) -> subprocess.CompletedProcess:
    (folder / "test_passing.py").write_text("def test_nothing(): pass\n")
    (folder / "test_some.py").write_text(source)
    environment = os.environ | {
        "CI": ci,
        "PYTHONPATH": str(ROOT),
        "PYTEST_ADDOPTS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "xdist",
        "-p",
        "tests.skips",
        "-p",
        "no:cacheprovider",
        *options,
        str(folder),
    ]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("options", [[], ["--numprocesses=2"]], ids=["one process", "two"])
@pytest.mark.parametrize(("source", "name"), [(BY_MARK, "test_some.py::test_other"), (BY_IMPORT, "test_some.py")])
def test_unlisted_reasons_fail_the_run_and_are_named(tmp_path, source, name, options):
    done = run(tmp_path, source, "true", *options)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"{name}: a file is not here" in done.stdout
    assert "tests/skips.py" in done.stdout
    assert not any(f": {reason}\n" in done.stdout for reason in ALLOWED)


@pytest.mark.parametrize(("source", "ci"), [(LISTED, "true"), (BY_MARK, ""), (BY_IMPORT, "")])
def test_listed_reasons_pass_and_outside_ci_all_do(tmp_path, source, ci):
    done = run(tmp_path, source, ci)
    assert done.returncode == pytest.ExitCode.OK
    assert "tests/skips.py" not in done.stdout
