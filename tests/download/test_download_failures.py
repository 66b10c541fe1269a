import errno
import io
import os

import pytest
from yt_dlp.globals import plugin_dirs
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UserNotLive

from pipeline.core.errors import StageError
from pipeline.core.web import FetchError, Pace
from pipeline.download.answers import is_live
from pipeline.download.breaker import CircuitBreaker
from pipeline.download.client import Client
from pipeline.download.failures import COOKIES, LIVE, UnknownFailure, meaning
from pipeline.download.recordings import intervals_of
from tests.faults import ok


@pytest.fixture
def client(settings):
    breaker = CircuitBreaker()
    return Client(settings, Pace(intervals_of(settings), lambda: 0.0, breaker.wait), breaker, None)


@pytest.mark.parametrize(
    ("text", "status", "needs"),
    [
        ("Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies", "blocked", None),
        ("Video unavailable. This content isn’t available, try again later.", "blocked", None),
        ("Video unavailable. The current session has been rate-limited by YouTube for up to an hour", "blocked", None),
        ("All player responses are invalid. Your IP is likely being blocked by Youtube", "blocked", None),
        ("Video unavailable. YouTube is requiring a captcha challenge before playback", "blocked", None),
        ("Please sign in. Use --cookies-from-browser or --cookies", "blocked", None),
        ("Private video. Sign in if you've been granted access to this video", "gone", COOKIES),
        ("YouTube said: This playlist is private", "gone", COOKIES),
        ("Join this channel to get access to members-only content like this video", "gone", COOKIES),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", "gone", COOKIES),
        ("Video unavailable. This video has been removed by the uploader", "gone", None),
        ("This video is no longer available because the YouTube account has been terminated.", "gone", None),
        ("YouTube said: The playlist does not exist.", "gone", None),
        ("The uploader has not made this video available in your country", "gone", None),
        ("This live stream recording is not available.", "gone", None),
        ("This video is DRM protected", "gone", None),
        ("Premieres in 3 hours", "skipped", LIVE),
        ("This live event will begin in a few moments.", "skipped", LIVE),
        ("This video is only available for registered users. Use --cookies-from-browser", "gone", COOKIES),
        ("You need to log in to see this. Use --username and --password", "gone", COOKIES),
        ("Content isn’t available", "gone", None),
        ("This content is no longer available", "gone", None),
        ("The Broadcast no longer exists", "gone", None),
        ("The following content is not available on this app.. Watch on the latest version", "transient", None),
        ("This video is not available on this device", "transient", None),
        ("This video is not available on Mondays", "transient", None),
        ("The page needs to be reloaded.", "transient", None),
        ("This content is currently unavailable", "transient", None),
        ("This video is not available yet. Release date: 2030-01-01", "skipped", LIVE),
        ("Requested format is not available. Use --list-formats", "transient", None),
        ("Unable to parse the moon; please report this issue on  https://github.com/yt-dlp", "transient", None),
    ],
)
def test_what_sites_write(text, status, needs):
    cause = ExtractorError(text, expected=True, video_id="abc", ie="youtube")
    found = meaning(DownloadError(f"ERROR: [youtube] abc: {text}", (type(cause), cause, None)))
    assert (found.status, found.needs) == (status, needs)
    assert text.startswith(found.reason) and "Use --" not in found.reason and "report this" not in found.reason


def test_an_error_without_a_cause_keeps_its_text():
    found = meaning(DownloadError("ERROR: [youtube] abc: something\x00odd\ud800", (None, None, None)))
    assert (found.status, found.reason) == ("transient", "something odd")


def test_unexpected_extractor_errors_are_unknown_whatever_the_text():
    error = ExtractorError("Video not available, status code 404", expected=False)
    assert isinstance(meaning(error), UnknownFailure)


def test_a_channel_that_is_not_live():
    found = meaning(UserNotLive("The stage is empty", video_id="x"))
    assert (found.status, found.needs) == ("skipped", LIVE)


@pytest.mark.parametrize(("code", "unknown"), [(400, True), (418, True), (500, False), (503, False)])
def test_unrecognised_answers(code, unknown):
    response = Response(io.BytesIO(), "https://example.org/", {}, status=code)
    found = meaning(HTTPError(response))
    assert found.status == "transient" and isinstance(found, UnknownFailure) is unknown


def test_a_country():
    assert meaning(GeoRestrictedError("no", countries=["DE"])).status == "gone"


def test_a_full_disk_is_not_a_failure_of_one_recording():
    error = DownloadError("unable to write data")
    error.__context__ = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StageError, match=r"No space left on device.*dvc repro download"):
        meaning(error)


@pytest.mark.parametrize(
    ("info", "status"),
    [(None, "gone"), ({"id": "x", "is_live": True}, "skipped"), ({"id": "x", "live_status": "is_upcoming"}, "skipped")],
)
def test_what_is_not_downloaded(info, status, client, monkeypatch):
    monkeypatch.setattr(client._ydl, "extract_info", lambda url, download: info)
    with pytest.raises(FetchError) as caught:
        client.look_up("https://example.org/")
    assert caught.value.status == status


def test_a_stream_that_has_ended_is_a_recording():
    assert not is_live({"live_status": "was_live", "is_live": False})


def test_whatever_an_extractor_raises_is_a_row(client, monkeypatch):
    def broken(url, download):
        raise TypeError("'NoneType' object is not subscriptable")

    monkeypatch.setattr(client._ydl, "extract_info", broken)
    with pytest.raises(FetchError) as caught:
        client.look_up("https://example.org/")
    assert caught.value.status == "transient" and "subscriptable" in caught.value.reason


@pytest.mark.parametrize("protocol", ["file", "rtmp", "rtsp", "websocket_frag", "mhtml", None])
def test_only_web_addresses_are_downloaded(protocol, client, tmp_path):
    (tmp_path / "secret.mp3").write_bytes(b"secret")
    with pytest.raises(FetchError) as caught:
        client.save({"protocol": protocol, "url": (tmp_path / "secret.mp3").as_uri()}, tmp_path / "a")
    assert caught.value.status == "skipped"
    assert not (tmp_path / "a").exists()


def test_files_of_this_machine_are_refused(client, tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"secret")
    with pytest.raises(FetchError) as caught:
        client.look_up((tmp_path / "a.mp3").as_uri())
    assert caught.value.status == "skipped" and "file:" in caught.value.reason


def test_no_plugin_is_loaded(client):
    assert plugin_dirs.value == []


def test_no_program_is_called(server, client, tmp_path, monkeypatch):
    """yt-dlp passes HLS that it cannot decode itself to ffmpeg, which opens anything named in the manifest."""
    called = tmp_path / "called"
    (tmp_path / "bin").mkdir()
    for name in ("ffmpeg", "ffprobe"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\ntouch {called}\necho ffmpeg version 7.1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    manifest = '#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/key"\n#EXTINF:9,\n/a.ts\n#EXT-X-ENDLIST\n'
    url = server.put("/a", ok(manifest, "application/x-mpegurl"))
    with pytest.raises(FetchError) as caught:
        client.save({"id": "a", "title": "a", "ext": "mp4", "protocol": "m3u8_native", "url": url}, tmp_path / "a")
    assert not called.exists()
    assert caught.value.status == "skipped"
