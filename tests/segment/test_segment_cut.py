import dataclasses
import hashlib
import tracemalloc

import av
import numpy as np
import pytest

from pipeline.audio import mono
from pipeline.segment import cut
from pipeline.segment.cut import pieces, segment_film, segment_path


def decoded(path):
    return np.concatenate(list(mono(path, 22050)))


def pitch(samples):
    """Return the strongest frequency of int16 samples at 22,050 Hz, in Hz."""
    return np.abs(np.fft.rfft(samples)).argmax() * 22050 / len(samples)


@pytest.mark.parametrize("suffix", [".m4a", ".webm", ".mp3", ".ogg", ".flac"])
def test_a_recording_becomes_pieces_in_order(suffix, record, settings, tmp_path):
    recording = record("ABC", 0, [300, 300, 600, 600, 900], suffix, "stereo")
    rows = segment_film(tmp_path, settings, [recording])
    assert [(row["number"], row["status"], row["path"]) for row in rows] == [
        (0, "ok", "data/audio/A/B/C/0.mp3"),
        (1, "ok", "data/audio/A/B/C/1.mp3"),
        (2, "ok", "data/audio/A/B/C/2.mp3"),
    ]
    assert [row["start_seconds"] for row in rows] == [0.0, 2.0, 4.0]
    assert [row["seconds"] for row in rows] == pytest.approx([2.0, 2.0, 1.0], abs=0.06)
    for row, hertz in zip(rows, [300, 600, 900], strict=True):
        samples = decoded(tmp_path / row["path"])
        assert len(samples) / 22050 == pytest.approx(row["seconds"], abs=0.06)
        assert pitch(samples[2000:-2000]) == pytest.approx(hertz, abs=5)
        assert row["source"] == recording["path"] and row["source_url"] == recording["video_url"]


def test_an_mp3_is_mono_at_the_rate_asked_for(record, settings, tmp_path):
    row = segment_film(tmp_path, settings, [record("AAA", 0, [440, 440])])[0]
    with av.open(str(tmp_path / row["path"])) as container:
        stream = container.streams.audio[0]
        assert (container.format.name, stream.rate, stream.channels) == ("mp3", 22050, 1)


def test_the_hash_is_that_of_the_samples_before_encoding(record, settings, tmp_path):
    recording = record("AAA", 0, [440, 440, 220])
    rows = segment_film(tmp_path, settings, [recording])
    samples = decoded(tmp_path / recording["path"])
    expected = [hashlib.sha256(part.tobytes()).hexdigest() for part in (samples[:44100], samples[44100:])]
    assert [row["sha256"] for row in rows] == expected


def test_numbers_go_on_over_recordings_and_skip_what_failed(record, settings, tmp_path):
    (tmp_path / "data/downloads/AAA").mkdir(parents=True)
    (tmp_path / "data/downloads/AAA/001.webm").write_bytes(b"<html>")
    recordings = [
        record("AAA", 0, [200, 200, 300]),
        record.row("AAA", 1, "data/downloads/AAA/001.webm"),
        record.row("AAA", 2, "data/downloads/AAA/002.webm"),
        record("AAA", 3, [400, 400, 500, 500]),
    ]
    rows = segment_film(tmp_path, dataclasses.replace(settings, min_seconds=1.5), recordings)
    assert [(row["number"], row["status"]) for row in rows] == [
        (0, "ok"), (None, "too_short"), (None, "corrupt"), (None, "missing"), (1, "ok"), (2, "ok"),
    ]  # fmt: skip
    assert all(bool(row["reason"]) == (row["status"] != "ok") for row in rows)
    assert rows[1]["start_seconds"] == 2.0 and rows[1]["seconds"] == pytest.approx(1.0)
    assert sorted(path.name for path in (tmp_path / "data/audio/A/A/A").iterdir()) == ["0.mp3", "1.mp3", "2.mp3"]


def test_the_padding_that_codecs_append_is_no_row(record, settings, tmp_path):
    rows = segment_film(tmp_path, settings, [record("AAA", 0, [440, 440], ".m4a")])  # AAC adds 9 ms
    assert [row["status"] for row in rows] == ["ok"]


def test_a_recording_that_is_too_short_as_a_whole(record, settings, tmp_path):
    recording = record("AAA", 0, [440])
    assert [row["status"] for row in segment_film(tmp_path, settings, [recording])] == ["ok"]
    longer = dataclasses.replace(settings, min_seconds=1.5)
    assert [row["status"] for row in segment_film(tmp_path, longer, [recording])] == ["too_short"]


def test_the_same_recording_gives_the_same_bytes(record, settings, tmp_path):
    recording = record("AAA", 0, [440, 550, 660], ".webm")
    first = segment_film(tmp_path, settings, [recording])
    files = [(tmp_path / row["path"]).read_bytes() for row in first]
    assert segment_film(tmp_path, settings, [recording]) == first
    assert [(tmp_path / row["path"]).read_bytes() for row in first] == files


def test_a_mix_is_the_mean_of_its_channels(tmp_path):
    """Opposite channels cancel; a single one is heard at half its level, whatever the codec's sample format."""
    for suffix, codec in ((".flac", "flac"), (".mp3", "libmp3lame")):
        wave = (0.8 * 32767 * np.sin(2 * np.pi * 441 * np.arange(44100) / 44100)).astype(np.int16)
        for right, level in ((0 * wave, 0.4), (-wave, 0.0), (wave, 0.8)):
            both = np.ascontiguousarray(np.stack([wave, right], axis=1)).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
            frame.sample_rate = 44100
            with av.open(str(tmp_path / f"a{suffix}"), "w") as container:
                stream = container.add_stream(codec, rate=44100, layout="stereo")
                container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
            peak = np.abs(decoded(tmp_path / f"a{suffix}")[2000:-2000]).max() / 32768
            assert peak == pytest.approx(level, abs=0.05)


def test_a_change_of_rate_and_channels_within_a_recording(tmp_path):
    """Two MPEG streams after one another, as radio recordings have them."""
    parts = []
    for rate, layout in ((44100, "stereo"), (32000, "mono")):
        wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        with av.open(str(tmp_path / "part.mp3"), "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
            stream = container.add_stream("libmp3lame", rate=rate, layout=layout)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append((tmp_path / "part.mp3").read_bytes())
    (tmp_path / "a.mp3").write_bytes(b"".join(parts))
    samples = decoded(tmp_path / "a.mp3")
    assert len(samples) / 22050 == pytest.approx(4.0, abs=0.2)
    assert pitch(samples[5000:40000]) == pytest.approx(440, abs=3)
    assert pitch(samples[50000:85000]) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("sizes", [[], [10], [3, 3, 3, 1], [25], [1] * 25, [10, 10], [7, 16, 2]])
def test_pieces_are_the_samples_again(sizes):
    samples = np.arange(sum(sizes), dtype=np.int16)
    found = list(pieces(np.split(samples, np.cumsum(sizes)[:-1]) if sizes else [], 10))
    assert [len(piece) for piece in found[:-1]] == [10] * (len(found) - 1)
    assert all(0 < len(piece) <= 10 for piece in found)
    assert np.array_equal(np.concatenate([*found, samples[:0]]), samples)


def test_memory_does_not_grow_with_the_recording(record, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(cut, "write_mp3", lambda path, *samples: path.write_bytes(b""))

    def peak(seconds):
        recording = record("AAA", 0, [440] * seconds)
        tracemalloc.start()
        segment_film(tmp_path, settings, [recording])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(4)
    assert peak(120) < peak(12) + 500_000  # 120 s are 5 MB of samples


def test_paths_are_nested_letter_by_letter():
    assert segment_path("NUX", 24).as_posix() == "data/audio/N/U/X/24.mp3"
