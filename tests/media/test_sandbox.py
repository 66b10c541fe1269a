"""Decoding in another process: the same samples, and each failure affects only one file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.media import audio, sandbox
from pipeline.media.audio import NotAudioError
from tests.conftest import ROOT
from tests.media.misbehaving import BLOCK, crashing, eating, hanging, pid_of, refused, unforeseen
from tests.segment.sounds import CODECS, RATE, music, write

ORPHAN = """
import sys
from pathlib import Path
from pipeline.media import sandbox
from tests.media.misbehaving import hanging
blocks = sandbox.decoded(hanging, Path(sys.argv[1]))
next(blocks)
print(*[decoder._process.pid for decoder in sandbox._running], flush=True)
next(blocks)
"""


@pytest.fixture
def song(tmp_path) -> Path:
    write(tmp_path / "a.mp3", music(1, 12.0), RATE, ".mp3", "stereo", None)
    return tmp_path / "a.mp3"


@pytest.fixture
def anew(monkeypatch):
    """Return a function that restarts the processes with the given limits."""

    def anew(**limits):
        for name, value in ({"_idle": [], "SECONDS": 30.0, "SECONDS_PER_MB": 0.0} | limits).items():
            monkeypatch.setattr(sandbox, name, value)

    return anew


def works(song) -> bool:
    return sum(len(block) for block in sandbox.mono(song, RATE)) > 11 * RATE


@pytest.mark.parametrize("suffix", CODECS)
def test_the_samples_are_those_of_this_process(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    write(path, music(1, 8.0), RATE, suffix, "stereo", None)
    here, there = list(audio.mono(path, RATE)), list(sandbox.mono(path, RATE))
    assert [block.tobytes() for block in here] == [block.tobytes() for block in there]
    assert sandbox.metadata(path) == audio.metadata(path)


def test_one_process_decodes_file_after_file(song, anew):
    anew()
    pids = {sandbox.call(pid_of, song, number) for number in range(3)}
    assert {number for _, number in pids} == {0, 1, 2} and len({pid for pid, _ in pids}) == 1
    blocks = sandbox.mono(song, RATE)
    next(blocks)
    blocks.close()  # in the middle
    assert sandbox.call(pid_of, song, 3)[0] in {pid for pid, _ in pids}
    assert os.getpid() not in {pid for pid, _ in pids}
    one, other = sandbox.mono(song, RATE), sandbox.mono(song, RATE)  # at the same time: one process each
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("work", "limits", "reason"),
    [
        (crashing, {}, r"^its decoder crashed \(SIGSEGV\)$"),
        (hanging, {"SECONDS": 1.0}, "^decoding it took more than 1 s$"),
        (eating, {"MEMORY_BYTES": 1 << 29}, "^out of memory while decoding it$"),
        (unforeseen, {}, r"^it cannot be decoded \(KeyError: 'what nobody foresaw'\)$"),
    ],
)
def test_any_failure_is_reported_and_the_next_file_is_decoded(work, limits, reason, song, anew):
    anew(**limits)
    blocks = sandbox.decoded(work, song)
    assert np.array_equal(next(blocks), BLOCK)
    with pytest.raises(NotAudioError, match=reason):
        list(blocks)
    anew()
    assert works(song)


def test_a_process_that_dies_while_idle_is_replaced(song, anew):
    anew()
    pid = sandbox.call(pid_of, song)[0]
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert works(song)


def test_closing_ends_idle_processes(song, anew):
    anew()
    pid = sandbox.call(pid_of, song)[0]
    assert runs(pid)
    sandbox.close()
    assert not runs(pid) and works(song)


def test_a_larger_file_may_take_longer(song, anew):
    anew(SECONDS=0.0, SECONDS_PER_MB=1e3)
    assert works(song)
    anew(SECONDS=0.0)
    with pytest.raises(NotAudioError, match="more than 0 s"):
        works(song)


def test_disk_errors_are_raised(song, tmp_path):
    with pytest.raises(PermissionError, match=r"a\.mp3"):
        list(sandbox.decoded(refused, song))
    with pytest.raises(FileNotFoundError, match=r"gone\.mp3"):
        list(sandbox.mono(tmp_path / "gone.mp3", RATE))


def test_a_relative_path_is_relative_to_this_process(song, monkeypatch):
    assert works(song)
    monkeypatch.chdir(song.parent)
    assert works(Path(song.name))


def test_it_ends_with_a_killed_parent(song):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ORPHAN, str(song)]
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 10
    while runs(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Return whether the process exists and is not an unreaped zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
