import numpy as np
import pytest

from pipeline.audio import NotAudioError, mono
from pipeline.download.check import check, is_short


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


def test_decoding_stops_soon_after_the_limit(tone, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(tone(".mp3", 8.0))
    assert 2.0 < check(path, None, 2.0).decoded_seconds < 2.5


def test_a_length_that_is_only_estimated_is_no_evidence(tone, tmp_path):
    """Without its Xing header, an MP3's length is guessed from its first bit rate: here by far too long."""
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
def test_what_is_no_audio(body, tmp_path):
    (tmp_path / "a.mp3").write_bytes(body)
    with pytest.raises(NotAudioError):
        check(tmp_path / "a.mp3", None, 60.0)
    with pytest.raises(NotAudioError):
        list(mono(tmp_path / "a.mp3", 22050))


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
