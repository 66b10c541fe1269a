"""The same music is recognised in any codec, at any level and offset; other music is not."""

import tracemalloc

import numpy as np
import pytest

from pipeline.segment.fingerprint import Recorder, Reference
from tests.segment.sounds import RATE, decoded, music, tone, write

pytestmark = pytest.mark.slow

EVERYTHING = [slice(0, 1 << 30)]


def recorded(samples, rate=RATE, block=5003):
    recorder = Recorder(rate)
    for begin in range(0, len(samples), block):
        recorder.add(samples[begin : begin + block])
    return recorder


def errors(samples, other, start=0.0, seconds=None, kept=None, near=None, limit=0.5):
    """Return the bit errors of a part of `samples` at its best match in `other`, or None if there is no match."""
    a, b = recorded(samples), recorded(other)
    end = len(samples) if seconds is None else round((start + seconds) * RATE)
    span = a.span(round(start * RATE), end)
    piece = tuple(word[span] for word in a.print())
    found = Reference(b.print(), kept or EVERYTHING).match(piece, near, limit)
    return found and found.errors


@pytest.fixture
def again(tmp_path):
    """Return a function that encodes and decodes samples."""

    def through(samples, suffix, bit_rate):
        write(tmp_path / f"a{suffix}", samples, RATE, suffix, "mono", bit_rate)
        return decoded(tmp_path / f"a{suffix}")

    return through


def shifted(samples, seconds):
    return np.concatenate([np.zeros(round(seconds * RATE), np.int16), samples])


def test_the_print_does_not_depend_on_the_blocks():
    samples = music(1, 15)
    signs, counts = recorded(samples).print()
    for block in (1009, 70000, len(samples)):
        recorder = recorded(samples, block=block)
        recorder.print()  # may be requested in between
        again = recorder.print()
        assert np.array_equal(again[0], signs) and np.array_equal(again[1], counts)
    halves = Recorder(RATE)
    halves.add(samples[:100_003])
    halves.print()
    halves.add(samples[100_003:])
    assert np.array_equal(halves.print()[0], signs)
    assert np.bitwise_count(counts).mean() > 15


@pytest.mark.parametrize(("suffix", "bit_rate"), [(".mp3", 64000), (".webm", 32000), (".m4a", 64000)])
@pytest.mark.parametrize("seconds", [0.0, 5.03, 1.2345])
def test_the_same_music_in_another_codec_level_and_place(suffix, bit_rate, seconds, again):
    samples = music(3, 20)
    other = again(shifted(samples // 2, seconds), suffix, bit_rate)
    assert errors(samples, other, 3, 12) < 0.15
    assert errors(other, samples, seconds + 3, 12) < 0.15


def test_other_music(again):
    samples = music(3, 20)
    for seed in (4, 5, 6):
        assert errors(samples, music(seed, 40), 0, 20) > 0.4
    assert errors(samples, music(3, 20, semitones=3), 0, 20) > 0.35
    assert errors(samples, music(3, 20, tempo=1.15), 0, 20) > 0.35
    noise = np.random.default_rng(0).normal(0, 3000, (2, 20 * RATE)).astype(np.int16)
    assert errors(noise[0], noise[1], 0, 20) > 0.4
    assert errors(samples, noise[0], 0, 20) > 0.4


def test_uninformative_samples_match_nothing():
    assert errors(tone(300, 10), tone(470, 10)) is None
    assert errors(0 * tone(300, 10), 0 * tone(300, 10)) is None
    assert errors(music(3, 10), music(3, 10)[:100]) is None


def test_most_of_a_piece_must_lie_on_what_was_kept():
    samples = music(3, 40)
    frames = RATE / recorded(samples).hop  # one second
    assert errors(samples, samples, 5, 10, [slice(0, int(12.5 * frames))], limit=0.25) is None
    assert errors(samples, samples, 5, 10, [slice(0, int(13.5 * frames))]) == 0
    assert errors(samples, samples, 5, 10, [slice(0, int(8 * frames)), slice(int(9 * frames), int(20 * frames))]) == 0
    assert errors(samples[5 * RATE :], samples[: 14 * RATE], 0, 10) < 0.1  # it extends beyond the end
    assert errors(samples[5 * RATE :], samples[: 12 * RATE], 0, 10, limit=0.25) is None


def test_a_position_to_try_first_changes_nothing():
    samples = music(3, 40)
    for near in (None, -10_000, 0, 108, 10_000):
        assert errors(samples, samples, 5, 10, near=near, limit=0.25) == 0


def test_memory_does_not_grow_with_the_recording():
    def peak(seconds):
        recorder = Recorder(RATE)
        tracemalloc.start()
        for _ in range(seconds):
            recorder.add(np.ones(RATE, np.int16))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(600) < peak(60) + 2_000_000  # 600 s are 26 MB of samples


@pytest.mark.parametrize("rate", [16000, 24000, 32000, 44100, 48000])
def test_at_every_rate(rate):
    samples = music(7, 20)  # played faster or slower
    a, b = recorded(samples, rate), recorded(samples[12345:], rate)
    span = b.span(0, len(samples) - 12345)
    found = Reference(a.print(), EVERYTHING).match(tuple(word[span] for word in b.print()), None, 0.25)
    assert found.errors < 0.15
    assert found.frame == pytest.approx(12345 / a.hop, abs=1)
