"""Files cut into segments, and files without any."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.apps.library import segments
from pipeline.apps.library.segments import Cutting, UnusableError, cut_file, cutting_of
from pipeline.media.audio import write_mp3
from tests.apps.library.world import music
from tests.segment.sounds import CODECS, RATE, write

SECONDS = 12.0


@pytest.fixture
def cutting(settings) -> Cutting:
    return cutting_of(settings.segment, RATE, 60.0)


def heard(path: Path, cutting: Cutting) -> tuple[list[tuple[int, np.ndarray]], float]:
    found = []
    seconds = cut_file(path, cutting, lambda start, samples: found.append((start, samples)))
    return found, seconds


def reason(path: Path, cutting: Cutting) -> tuple[str, str]:
    with pytest.raises(UnusableError) as caught:
        cut_file(path, cutting, lambda start, samples: None)
    return caught.value.status, caught.value.reason


@pytest.fixture
def lossless(tmp_path) -> Path:
    soundfile.write(tmp_path / "a.wav", music(1, SECONDS), RATE)
    return tmp_path / "a.wav"


def test_segments_follow_one_another_and_a_rest_is_dropped(lossless, cutting):
    found, seconds = heard(lossless, replace(cutting, min_seconds=3.0))
    assert seconds == SECONDS
    assert [start for start, _ in found] == [0, 5 * RATE]
    for start, samples in found:
        assert np.array_equal(samples, music(1, SECONDS)[start : start + 5 * RATE])
    found, _ = heard(lossless, cutting)
    assert [(start / RATE, len(samples) / RATE) for start, samples in found] == [(0, 5), (5, 5), (10, 2)]


@pytest.mark.parametrize("suffix", sorted(CODECS))
def test_every_format(tmp_path, cutting, suffix):
    write(tmp_path / f"a{suffix}", music(2, 6.0), RATE, suffix, "stereo", None)
    found, seconds = heard(tmp_path / f"a{suffix}", replace(cutting, min_seconds=3.0))
    assert [(start, len(samples)) for start, samples in found] == [(0, 5 * RATE)]
    assert seconds == pytest.approx(6.0, abs=0.15)


def test_a_short_file_is_one_segment(tmp_path, cutting):
    write_mp3(tmp_path / "a.mp3", music(1, 1.5), RATE, 96000)
    found, _ = heard(tmp_path / "a.mp3", cutting)
    assert [(start, len(samples)) for start, samples in found] == [(0, round(1.5 * RATE))]
    write_mp3(tmp_path / "a.mp3", music(1, 0.7), RATE, 96000)
    assert reason(tmp_path / "a.mp3", cutting) == ("too_short", "0.70 s, the minimum is 1 s")
    write_mp3(tmp_path / "a.mp3", music(1, 0.05), RATE, 96000)
    assert reason(tmp_path / "a.mp3", cutting)[0] == "too_short"


def test_silence_is_left_out(tmp_path, cutting):
    wave = music(1, 15.0).copy()
    wave[5 * RATE : 10 * RATE] = 0
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    assert [start / RATE for start, _ in heard(tmp_path / "a.wav", cutting)[0]] == [0, 10]
    assert [start / RATE for start, _ in heard(tmp_path / "a.wav", replace(cutting, silence_lufs=None))[0]] == [
        0,
        5,
        10,
    ]
    soundfile.write(tmp_path / "a.wav", wave[5 * RATE : 10 * RATE], RATE)
    assert reason(tmp_path / "a.wav", cutting) == ("silent", "digital silence, segment.silence_lufs is -60")
    soundfile.write(tmp_path / "a.wav", music(1, 6.0) // 10_000, RATE)
    assert reason(tmp_path / "a.wav", cutting)[0] == "silent"


def test_decoding_stops_at_the_maximum_length(lossless, cutting, monkeypatch):
    read = []
    mono = segments.mono

    def counted(path, rate):
        for block in mono(path, rate):
            read.append(len(block))
            yield block

    monkeypatch.setattr(segments, "mono", counted)
    assert reason(lossless, replace(cutting, max_seconds=4.0)) == (
        "too_long",
        "more than 4 s (recommend.max_track_seconds)",
    )
    assert sum(read) < 9 * RATE
    heard(lossless, replace(cutting, max_seconds=SECONDS))


def test_no_more_than_a_segment_is_held(lossless, cutting, monkeypatch):
    held = []

    class Watched(segments.Stream):
        def samples(self, start, end):
            held.append(sum(len(block) for block in self._held))
            return super().samples(start, end)

    monkeypatch.setattr(segments, "Stream", Watched)
    heard(lossless, replace(cutting, seconds=1.0, hop_seconds=1.0, min_seconds=0.5))
    assert len(held) == SECONDS and max(held) < 7 * RATE, "a segment and two blocks of FFmpeg's"


BROKEN = {
    "empty": b"",
    "text": b"once upon a time " * 400,
    "page": b"<html><body>not found</body></html>" * 50,
    "noise": np.random.default_rng(0).bytes(30_000),
    "list": b"#EXTM3U\n/etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
}


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".wav", ".m4a"])
@pytest.mark.parametrize("content", BROKEN)
def test_what_is_no_audio_says_so(tmp_path, cutting, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(BROKEN[content])
    status, why = reason(tmp_path / f"a{suffix}", cutting)
    assert status in ("corrupt", "too_short") and why


@pytest.mark.parametrize("suffix", sorted(CODECS))
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_truncated_file_is_used_or_refused_with_a_reason(tmp_path, cutting, suffix, share):
    path = tmp_path / f"a{suffix}"
    write(path, music(2, 4.0), RATE, suffix, "mono", None)
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    try:
        _, seconds = heard(path, cutting)
        assert 1 <= seconds <= 2.6
    except UnusableError as error:
        assert error.status in ("corrupt", "too_short", "unreadable") and error.reason


def test_a_file_that_is_gone(tmp_path, cutting):
    assert reason(tmp_path / "gone.mp3", cutting) == ("unreadable", "cannot be read (No such file or directory)")


def test_a_name_like_a_protocol_is_a_name(tmp_path, cutting, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_mp3(Path("concat:b.mp3"), music(1, 3.0), RATE, 96000)
    assert heard(Path("concat:b.mp3"), cutting)[1] == 3.0


def test_any_rate_even_one_that_no_mp3_has(lossless, settings):
    found, seconds = heard(lossless, cutting_of(settings.segment, 11025, 60.0))
    assert (found[0][0], len(found[0][1])) == (0, 5 * 11025) and seconds == SECONDS
