"""Reading any container as mono samples, and writing MP3."""

import av
import numpy as np
import pytest

from pipeline.media.audio import SUFFIXES, NotAudioError, mono, opened, write_mp3
from tests.segment.sounds import CODECS, RATE, decoded, music, pitch, tone, write


@pytest.mark.parametrize("suffix", CODECS)
def test_any_container_is_read(suffix, tmp_path):
    write(tmp_path / f"a{suffix}", np.concatenate([tone(330, 2), tone(770, 2)]), RATE, suffix, "stereo", None)
    samples = decoded(tmp_path / f"a{suffix}")
    assert len(samples) / RATE == pytest.approx(4, abs=0.06)
    assert pitch(samples[4000:40000]) == pytest.approx(330, abs=2)
    assert pitch(samples[48000:84000]) == pytest.approx(770, abs=2)
    with opened(tmp_path / f"a{suffix}") as container:
        assert container.format.name in SUFFIXES


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:2,\n{file}\n",
        "ffconcat version 1.0\nfile '{file}'\n",
        '<?xml version="1.0"?><MPD><BaseURL>{file}</BaseURL></MPD>',
        "",
        "<html>",
    ],
)
@pytest.mark.parametrize("suffix", [".m3u8", ".ffconcat", ".mpd", ".wav"])
def test_files_that_refer_to_other_files_are_not_opened(text, suffix, tmp_path):
    write(tmp_path / "a.wav", tone(330, 1), RATE, ".wav", "mono", None)
    (tmp_path / f"list{suffix}").write_text(text.format(file=tmp_path / "a.wav"))
    with pytest.raises(NotAudioError):
        decoded(tmp_path / f"list{suffix}")


def test_tags_may_be_invalid_utf8(tmp_path):
    path = tmp_path / "old.mp3"
    write_mp3(path, music(1, 1.0), RATE, 96000)
    path.write_bytes(path.read_bytes() + b"TAG" + b"Caf\xe9".ljust(125, b"\0"))  # ID3v1 in Latin-1
    assert sum(len(block) for block in mono(path, RATE)) == RATE


def test_a_mix_is_the_mean_of_its_channels(tmp_path):
    """A single channel is halved, whatever the codec's sample format; of opposite channels only one is used."""
    for suffix, codec in ((".flac", "flac"), (".mp3", "libmp3lame")):
        wave = tone(441, 1, 44100, 0.8)
        for right, level in ((0 * wave, 0.4), (-wave, 0.8), (wave, 0.8)):
            both = np.ascontiguousarray(np.stack([wave, right], axis=1)).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
            frame.sample_rate = 44100
            with av.open(str(tmp_path / f"a{suffix}"), "w") as container:
                stream = container.add_stream(codec, rate=44100, layout="stereo")
                container.mux(stream.encode(frame) + stream.encode(None))
            peak = np.abs(decoded(tmp_path / f"a{suffix}")[2000:-2000]).max() / 32768
            assert peak == pytest.approx(level, abs=0.05)


def test_a_change_of_rate_and_channels_within_a_recording(tmp_path):
    """Two consecutive MPEG streams, as in radio recordings."""
    parts = []
    for rate, layout in ((44100, "stereo"), (32000, "mono")):
        frame = av.AudioFrame.from_ndarray(tone(440, 2, rate)[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        with av.open(str(tmp_path / "part.mp3"), "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
            stream = container.add_stream("libmp3lame", rate=rate, layout=layout)
            container.mux(stream.encode(frame) + stream.encode(None))
        parts.append((tmp_path / "part.mp3").read_bytes())
    (tmp_path / "a.mp3").write_bytes(b"".join(parts))
    samples = decoded(tmp_path / "a.mp3")
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.2)
    assert pitch(samples[5000:40000]) == pytest.approx(440, abs=3)
    assert pitch(samples[50000:85000]) == pytest.approx(440, abs=3)


def test_a_damaged_packet_costs_itself_only(tmp_path):
    write(tmp_path / "a.mp3", tone(440, 6), RATE, ".mp3", "mono", None)
    data = bytearray((tmp_path / "a.mp3").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    (tmp_path / "a.mp3").write_bytes(data)
    assert 5.5 < len(decoded(tmp_path / "a.mp3")) / RATE < 6.1


def test_blocks_are_those_of_one_resampler_at_its_own_pace(tmp_path):
    """Gathering frames changes no sample compared with frame by frame."""
    write(tmp_path / "a.m4a", music(1, 12), RATE, ".m4a", "stereo", None)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(tmp_path / "a.m4a")) as container:
        blocks = [block for frame in container.decode(audio=0) for block in resampler.resample(frame)]
    expected = np.concatenate([block.to_ndarray()[0] for block in blocks + resampler.resample(None)])
    blocks = list(mono(tmp_path / "a.m4a", RATE))
    assert np.array_equal(np.concatenate(blocks), expected)
    assert max(len(block) for block in blocks) < 4 * RATE


@pytest.mark.parametrize(("rate", "bit_rate"), [(16000, 8000), (22050, 96000), (24000, 160000), (44100, 320000)])
@pytest.mark.parametrize("length", [577, 22050, 70001])
def test_an_mp3_decodes_to_its_length_in_its_place(rate, bit_rate, length, tmp_path):
    samples = music(2, 5)[:length]
    write_mp3(tmp_path / "a.mp3", samples, rate, bit_rate)
    again = decoded(tmp_path / "a.mp3", rate)
    assert len(again) == length
    assert np.corrcoef(samples, again)[0, 1] > (0.97 if length > 1000 and bit_rate > 8000 else 0.5)
    with av.open(str(tmp_path / "a.mp3")) as container:
        stream = container.streams.audio[0]
        assert (container.format.name, stream.rate, stream.channels) == ("mp3", rate, 1)
        assert stream.bit_rate == pytest.approx(bit_rate, rel=0.05) or length < 70000
