"""Output files chosen by a user, and standard output without a reader."""

import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.output import output_file, write_output

ROOT = Path(__file__).parents[2]
PRINTS = """
import sys
from pipeline.core.output import standard_output
with standard_output():
    for _ in range({times}):
        print("x" * {width})
"""


def test_file_is_created_or_overwritten_and_keeps_its_mode(tmp_path):
    path = tmp_path / "new/private.json"
    write_output("--json", path, b"a long text")
    path.chmod(0o600)
    write_output("--json", path, b"short")
    assert path.read_bytes() == b"short"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_links_are_followed(tmp_path):
    real, link, dangling = (tmp_path / name for name in ("real", "link", "dangling"))
    link.symlink_to(real)
    real.touch()
    os.link(real, tmp_path / "hard")
    dangling.symlink_to(tmp_path / "made")
    write_output("--json", link, b"x")
    write_output("--json", dangling, b"y")
    assert link.is_symlink() and dangling.is_symlink()
    assert (real.read_bytes(), (tmp_path / "hard").read_bytes(), (tmp_path / "made").read_bytes()) == (b"x", b"x", b"y")


def test_pipes_are_written_into(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    received: list[bytes] = []
    reader = Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    write_output("--m3u", tmp_path / "pipe", b"named")
    reader.join(timeout=10)
    assert received == [b"named"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    ours, theirs = os.pipe()
    write_output("--csv", Path(f"/dev/fd/{theirs}"), b"of the shell")
    os.close(theirs)
    assert os.read(ours, 100) == b"of the shell"
    os.close(ours)


def test_devices_are_written_into():
    ours, theirs = pty.openpty()
    device = Path(os.ttyname(theirs))
    write_output("--csv", device, b"text")
    assert os.read(ours, 100) == b"text"
    assert stat.S_ISCHR(device.stat().st_mode)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "Is a directory"),
        ("/proc/missing/x.json", "No such file or directory"),
        ("file/x.json", "Not a directory"),
        ("n" * 300, "File name too long"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_an_unwritable_file_is_named_with_the_reason(tmp_path, name, reason):
    (tmp_path / "file").touch()
    message = re.escape(f"--json: {tmp_path / name} cannot be written ({reason})")
    with pytest.raises(PipelineError, match=f"^{message}$"):
        write_output("--json", tmp_path / name, b"x")


def test_name_may_have_the_maximum_length(tmp_path):
    write_output("--json", tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_pipe_without_a_reader_is_named(tmp_path):
    ours, theirs = os.pipe()
    os.close(ours)
    with (
        pytest.raises(PipelineError, match=r"cannot be written \(Broken pipe\)"),
        output_file("--csv", Path(f"/dev/fd/{theirs}")) as file,
    ):
        file.write(b"x")
    os.close(theirs)


@pytest.mark.slow
@pytest.mark.parametrize(("times", "width"), [(1, 1), (10_000, 50), (1, 500_000)], ids=["short", "lines", "long"])
@pytest.mark.parametrize(("target", "message"), [("pipe", ""), ("full", "No space left on device")])
def test_failing_stdout_is_one_line_and_a_closed_reader_is_silent(times, width, target, message):
    if target == "pipe":
        ours, stdout = os.pipe()
        os.close(ours)
    else:
        stdout = os.open("/dev/full", os.O_WRONLY)
    command = [sys.executable, "-X", "dev", "-c", PRINTS.format(times=times, width=width)]
    done = subprocess.run(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    os.close(stdout)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ([f"ERROR: standard output cannot be written ({message})"] if message else [])


@pytest.mark.slow
def test_command_ends_silently_without_a_reader():
    ours, stdout = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", "pipeline", "--help"]
    done = subprocess.run(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    os.close(stdout)
    assert (done.returncode, done.stderr) == (1, "")
