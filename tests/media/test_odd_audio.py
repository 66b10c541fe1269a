"""Odd recordings are decoded or rejected with a reason; normal ones are not affected."""

import os

import av
import numpy as np
import pytest
import soundfile

from pipeline.media import audio
from pipeline.media.audio import NotAudioError, metadata, mono, opened
from tests.segment.sounds import CODECS, RATE, decoded, music, pitch, tone, write

SECONDS = 4.0
NOBODY = 65534  # the user without privileges


def save(path, channels, suffix=".wav", layout="stereo"):
    """Encode int16 channels [c, t] of 44,100 Hz."""
    codec, rate = ("pcm_s16le", 44100) if suffix == ".wav" else CODECS[suffix]
    packed = np.ascontiguousarray(np.stack(channels, axis=1)).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
    frame.sample_rate = 44100
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 128_000
        container.mux(stream.encode(frame) + stream.encode(None))


def peak(samples):
    return np.abs(samples[2000:-2000].astype(float)).max() / 32768


@pytest.mark.parametrize("channels", [9, 60, 65, 200])
def test_many_channels_are_their_mean(channels, tmp_path):
    waves = np.zeros((44100 * 2, channels), np.int16)
    waves[:, ::2] = tone(440, 2, 44100, 0.8)[:, None]
    soundfile.write(tmp_path / "a.wav", waves, 44100)
    samples = decoded(tmp_path / "a.wav")
    assert len(samples) == 2 * RATE and pitch(samples[2000:-2000]) == pytest.approx(440, abs=2)
    assert peak(samples) == pytest.approx(0.8 * ((channels + 1) // 2) / channels, abs=0.02)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "DOUBLE"])
def test_the_mean_is_that_of_any_sample_format(subtype, tmp_path):
    waves = np.repeat(tone(440, 2, 44100, 0.5)[:, None] / 32768, 9, axis=1)
    soundfile.write(tmp_path / "a.wav", waves, 44100, subtype=subtype)
    assert peak(decoded(tmp_path / "a.wav")) == pytest.approx(0.5, abs=0.02)


def test_ambisonics_are_heard(tmp_path):
    """First-order ambisonics in Opus: channel mapping family 2 (RFC 8486)."""
    waves = np.stack([tone(440, 3, 48000), *3 * [tone(440, 3, 48000) // 4]])
    packed = np.ascontiguousarray(waves.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout="4.0")
    frame.sample_rate = 48000
    with av.open(str(tmp_path / "a.ogg"), "w") as container:
        stream = container.add_stream("libopus", rate=48000, layout="4.0", options={"mapping_family": "255"})
        container.mux(stream.encode(frame) + stream.encode(None))
    data = bytearray((tmp_path / "a.ogg").read_bytes())
    family = data.index(b"OpusHead") + 18
    data[family] = 2
    (tmp_path / "a.ogg").write_bytes(repaired_page(bytes(data)))
    with opened(tmp_path / "a.ogg") as container:
        assert container.streams.audio[0].layout.name.startswith("ambisonic")
    samples = decoded(tmp_path / "a.ogg")
    assert pitch(samples[4000:-4000]) == pytest.approx(440, abs=2) and peak(samples) > 0.1


def repaired_page(data: bytes) -> bytes:
    """Return an Ogg stream with the checksum of its first page (RFC 3533, section 6) corrected."""
    end = 27 + data[26] + sum(data[27 : 27 + data[26]])
    page = bytearray(data[:end])
    page[22:26] = bytes(4)
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x104C11DB7 if value & 0x80000000 else 0)
    page[22:26] = value.to_bytes(4, "little")
    return bytes(page) + data[end:]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".webm", ".ac3", ".wv", ".voc", ".nut"])
def test_channels_in_opposite_phase_are_heard(suffix, tmp_path):
    rate = 44100
    wave = tone(441, SECONDS, rate, 0.6)
    save(tmp_path / f"a{suffix}", [wave, -wave], suffix)
    samples = decoded(tmp_path / f"a{suffix}")
    assert pitch(samples[4000:-4000]) == pytest.approx(441, abs=2)
    assert peak(samples) == pytest.approx(0.6, abs=0.06)
    periods = samples[4000:84000].astype(float).reshape(-1, 500)
    assert np.abs(periods).max(axis=1).min() > 0.4 * 32768, "nowhere a gap"


def test_the_channel_that_replaces_a_mix_never_changes(tmp_path):
    wave = tone(441, 20.0, 44100, 0.6)
    level = np.linspace(0.9, 1.0, len(wave))  # the left one is louder at times, the right one at others
    left, right = (wave * level).astype(np.int16), (-wave * level[::-1]).astype(np.int16)
    save(tmp_path / "a.wav", [left, right])
    samples = decoded(tmp_path / "a.wav", 44100)[: len(wave)]
    assert np.abs(samples.astype(int) - left).max() <= 1, "and not now this and now that one, with a step between"
    silent = 0 * left
    save(tmp_path / "a.wav", [silent, right, -right], layout="3.0")
    samples = decoded(tmp_path / "a.wav", 44100)[: len(wave)]
    assert np.abs(samples.astype(int) - right).max() <= 1, "not a silent one"


def test_only_the_part_that_cancels_is_mixed_otherwise(tmp_path):
    wave = np.resize(music(1, 10.0), 30 * audio.BLOCK)
    opposite = wave.copy()
    opposite[10 * audio.BLOCK : 20 * audio.BLOCK] *= -1
    save(tmp_path / "a.wav", [wave, opposite])
    samples = decoded(tmp_path / "a.wav", 44100)
    assert len(samples) == 30 * audio.BLOCK
    assert np.array_equal(samples, wave), "one channel, or the mean of equal ones"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (lambda wave, other: wave, lambda wave, other: other),
        (lambda wave, other: wave, lambda wave, other: 0 * wave),
        (lambda wave, other: wave, lambda wave, other: -wave // 2),
        (lambda wave, other: wave // 2 + other // 2, lambda wave, other: other // 2 - wave // 2),  # wide stereo
        (lambda wave, other: 0 * wave, lambda wave, other: 0 * wave),
    ],
)
def test_channels_that_do_not_cancel_are_mixed_exactly_as_by_ffmpeg(left, right, tmp_path):
    wave, other = music(1, 12.0), music(2, 12.0)
    save(tmp_path / "a.flac", [left(wave, other), right(wave, other)], ".flac")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(tmp_path / "a.flac")) as container:
        blocks = [block for frame in container.decode(audio=0) for block in resampler.resample(frame)]
    expected = np.concatenate([block.to_ndarray()[0] for block in blocks + resampler.resample(None)])
    assert np.array_equal(decoded(tmp_path / "a.flac"), expected)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 70_000, -1])
def test_nan_samples_are_not_music(subtype, value, place, tmp_path):
    waves = np.stack([music(1, SECONDS), music(2, SECONDS)], axis=1) / 32768
    waves[place, 1] = value
    soundfile.write(tmp_path / "a.wav", waves, RATE, subtype=subtype)
    with pytest.raises(NotAudioError, match="it has samples that are NaN or infinite"):
        decoded(tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [1, 10, 4000])
def test_a_low_rate_does_not_make_large_blocks(rate, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(500, np.int16), rate)
    total = 0
    for block in mono(tmp_path / "a.wav", RATE):
        assert len(block) <= 2 * audio.BLOCK
        total += len(block)
        if total > 20 * audio.BLOCK:
            break
    assert total > 0


@pytest.mark.parametrize("tag", [0x0AC4, 0x4243, 0x1234])
def test_an_unknown_codec_is_reported(tag, tmp_path):
    soundfile.write(tmp_path / "a.wav", music(1, 1.0), RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[20:22] = tag.to_bytes(2, "little")
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(NotAudioError):
        list(mono(tmp_path / "a.wav", RATE))


def test_a_codec_without_a_decoder_is_reported(tmp_path):
    """AC-4 in MP4: FFmpeg knows only its name."""
    write(tmp_path / "a.flac", music(1, 2.0), RATE, ".flac", "stereo", None)
    with av.open(str(tmp_path / "a.flac")) as source, av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.m4a").write_bytes(data.replace(b"fLaC", b"ac-4").replace(b"dfLa", b"dac4"))
    with pytest.raises(NotAudioError, match="no decoder"):
        list(mono(tmp_path / "a.m4a", RATE))
    with pytest.raises(NotAudioError, match="no decoder"):
        metadata(tmp_path / "a.m4a")


@pytest.mark.parametrize("size", [5, 54, 64, 200, 400])
def test_a_webm_cut_in_its_header_is_no_error_of_the_disk(size, tmp_path):
    write(tmp_path / "a.webm", music(1, 2.0), RATE, ".webm", "stereo", None)
    (tmp_path / "a.webm").write_bytes((tmp_path / "a.webm").read_bytes()[:size])
    with pytest.raises(NotAudioError):
        list(mono(tmp_path / "a.webm", RATE))


@pytest.mark.parametrize("error", [ValueError("odd"), RuntimeError("odd"), AssertionError("odd"), MemoryError()])
def test_an_unforeseen_exception_is_blamed_on_the_file(error, tmp_path, monkeypatch):
    write(tmp_path / "a.mp3", music(1, 2.0), RATE, ".mp3", "stereo", None)

    def failing(*arguments):
        raise error

    monkeypatch.setattr(audio, "_graph", failing)
    with pytest.raises(NotAudioError, match="memory" if isinstance(error, MemoryError) else "Error: odd"):
        list(mono(tmp_path / "a.mp3", RATE))


def test_disk_errors_are_distinguished_from_ffmpegs(tmp_path, monkeypatch):
    """FFmpeg's EIO is a disk error only if the file cannot be read here either."""
    write(tmp_path / "a.webm", music(1, 2.0), RATE, ".webm", "stereo", None)
    (tmp_path / "a.webm").write_bytes((tmp_path / "a.webm").read_bytes()[:64])

    def broken(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(audio, "sha256_of", broken)
    with pytest.raises(OSError, match=r"Input/output error: '.*a\.webm'"):
        list(mono(tmp_path / "a.webm", RATE))


def test_a_file_that_may_not_be_read_is_an_error(tmp_path):
    write(tmp_path / "a.mp3", music(1, 1.0), RATE, ".mp3", "mono", None)
    (tmp_path / "a.mp3").chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read all files
        os.seteuid(NOBODY)
    try:
        with pytest.raises(PermissionError):
            list(mono(tmp_path / "a.mp3", RATE))
    finally:
        os.seteuid(user)
