import numpy as np
import pytest
import soundfile

from pipeline.download.check import CutOffError, check, is_short
from pipeline.download.ending import is_cut_off
from pipeline.media import sandbox
from pipeline.media.audio import NotAudioError, mono
from tests.media.misbehaving import crashing, hanging


@pytest.mark.parametrize(
    ("decoded", "expected", "short"),
    [(10.0, 10.0, False), (9.0, 10.0, False), (8.8, 10.0, True), (3563.1, 3600.0, False), (3562.0, 3600.0, True)],
)
def test_tolerance(decoded, expected, short):
    assert is_short(decoded, expected) is short


def test_the_length_that_the_site_states_wins(tone, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(tone(".ogg", 3.0))
    assert check(path, 9.0, 60.0).truncated
    assert not check(path, None, 60.0).truncated


@pytest.mark.parametrize("suffix", [".m4a", ".webm", ".mp3", ".ogg", ".wav"])
@pytest.mark.parametrize("share", [0.3, 0.62, 0.95])
def test_a_file_without_its_end_is_not_whole(suffix, share, tone, tmp_path):
    body = tone(suffix, 30.0)
    path = tmp_path / "a"
    path.write_bytes(body)
    result = check(path, None, 60.0)
    assert not result.truncated and result.expected_seconds == pytest.approx(30.0, abs=0.1)
    path.write_bytes(body[: int(len(body) * share)])
    try:
        result = check(path, None, 60.0)
    except CutOffError:
        assert suffix == ".m4a"
    else:
        assert result.truncated
        assert result.expected_seconds is None or result.expected_seconds == pytest.approx(30.0, abs=0.1)


@pytest.mark.parametrize("suffix", [".m4a", ".ogg", ".wav"])
def test_data_after_a_complete_file_are_ignored(suffix, tone, tmp_path):
    (tmp_path / "a").write_bytes(tone(suffix, 2.0) + b"TAG" + bytes(125))
    assert not check(tmp_path / "a", None, 60.0).truncated


def test_an_ogg_of_the_length_that_the_site_states_is_whole(tone, tmp_path):
    body = tone(".ogg", 5.0)
    (tmp_path / "a").write_bytes(body[:-20])
    assert not check(tmp_path / "a", 5.0, 60.0).truncated


def test_a_wav_that_was_streamed_states_no_length(tone, tmp_path):
    body = tone(".wav", 2.0)
    (tmp_path / "a").write_bytes(body[:4] + b"\xff\xff\xff\xff" + body[8:])
    assert not check(tmp_path / "a", None, 60.0).truncated


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", False),
        (b"OggS", True),
        (b"OggS" + bytes(23), False),
        (b"\0\0\0\x08ftyp", True),
        (b"\0\0\0\x01ftyp" + bytes(9), True),
        (b"\0\0\0\x02ftyp", True),
        (b"\0\0\0\x08ftyp\0\0\0\x20moov", True),
        (b"\0\0\0\x08ftyp\0\0\0\x08moov", False),
        (b"RIFF\0WAVE", False),
        (b"\x1a\x45\xdf\xa3", True),
        (b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff", True),
        (b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x1f\x43\xb6\x75", False),
        (b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\xec\x85\0\0", True),
        (b"\x1a\x45\xdf\xa3\x80\0\0\0\0\0\0", False),
        (b"<html>", False),
    ],
)
def test_truncated_headers(body, expected, tmp_path):
    (tmp_path / "a").write_bytes(body)
    assert is_cut_off(tmp_path / "a") is expected


def test_decoding_stops_soon_after_the_limit(tone, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(tone(".mp3", 8.0))
    assert 2.0 < check(path, None, 2.0).decoded_seconds < 2.5


def test_an_estimated_length_is_not_evidence(tone, tmp_path):
    """Without its Xing header, an MP3's length is guessed from its first bit rate: here much too long."""
    path = tmp_path / "a"
    quiet, loud = (tone(".mp3", 3.0, bit_rate=rate, write_xing="0") for rate in (32_000, 320_000))
    path.write_bytes(quiet + loud)
    result = check(path, None, 60.0)
    assert result.decoded_seconds == pytest.approx(6.0, abs=0.2)
    assert result.expected_seconds is None and not result.truncated


def test_damage_in_the_middle_costs_only_what_is_damaged(tone, tmp_path):
    body = bytearray(tone(".mp3", 8.0))
    body[60_000:62_000] = bytes(2_000)
    (tmp_path / "a").write_bytes(body)
    assert check(tmp_path / "a", None, 60.0).decoded_seconds == pytest.approx(8.0, abs=0.3)


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"ffconcat version 1.0\nfile /etc/passwd\n", b"RIFF"])
def test_files_that_are_not_audio(body, tmp_path):
    (tmp_path / "a.mp3").write_bytes(body)
    with pytest.raises(NotAudioError):
        check(tmp_path / "a.mp3", None, 60.0)
    with pytest.raises(NotAudioError):
        list(mono(tmp_path / "a.mp3", 22050))


@pytest.mark.parametrize("size", [5, 54, 64, 200, 400])
def test_a_webm_cut_in_its_header_is_cut_off(size, tone, tmp_path):
    (tmp_path / "a").write_bytes(tone(".webm", 2.0)[:size])
    with pytest.raises(CutOffError):
        check(tmp_path / "a", None, 60.0)


@pytest.mark.parametrize(("work", "reason"), [(crashing, r"crashed \(SIGSEGV\)"), (hanging, "more than 1 s")])
def test_a_hanging_decoder_is_a_reason(work, reason, tone, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(tone(".mp3", 1.0))
    monkeypatch.setattr(sandbox, "SECONDS", 1.0)
    monkeypatch.setattr(sandbox, "SECONDS_PER_MB", 0.0)
    decoded = sandbox.decoded
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "decoded", lambda function, *arguments: decoded(work, *arguments))
        with pytest.raises(NotAudioError, match=reason):
            check(tmp_path / "a", None, 60.0)
    monkeypatch.undo()
    assert check(tmp_path / "a", None, 60.0).decoded_seconds == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("channels", [9, 60])
def test_many_channels_are_a_recording(channels, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((44100, channels), np.int16), 44100)
    assert check(tmp_path / "a.wav", None, 60.0).decoded_seconds == pytest.approx(1.0)


def test_an_unknown_codec_is_a_reason(tone, tmp_path):
    body = bytearray(tone(".wav", 1.0))
    body[20:22] = b"\xc4\x0a"  # AC-4, for which FFmpeg has no decoder
    (tmp_path / "a").write_bytes(body)
    with pytest.raises(NotAudioError):
        check(tmp_path / "a", None, 60.0)


def test_a_missing_file_is_not_called_bad_audio(tmp_path):
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "none.mp3", None, 60.0)


def test_mono_is_the_mean_of_the_channels_at_the_rate_asked_for(tone, tmp_path):
    (tmp_path / "a").write_bytes(tone(".webm", 2.0, hertz=1000.0))
    samples = np.concatenate(list(mono(tmp_path / "a", 22050)))
    assert samples.dtype == np.int16 and abs(len(samples) - 2 * 22050) < 0.02 * 22050
    spectrum = np.abs(np.fft.rfft(samples[:22050]))
    assert spectrum.argmax() == 1000
    assert np.abs(samples[2000:-2000]).max() / 32768 == pytest.approx(0.3, abs=0.03)
