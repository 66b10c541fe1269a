import pytest
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError

from pipeline.download.client import Client
from pipeline.download.failures import FetchError, meaning


@pytest.mark.parametrize(
    ("text", "status", "stops"),
    [
        ("Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies", "blocked", True),
        ("Video unavailable. This content isn’t available, try again later.", "blocked", True),
        ("Private video. Sign in if you've been granted access to this video", "gone", False),
        ("Video unavailable. This video has been removed by the uploader", "gone", False),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", "restricted", False),
        ("The uploader has not made this video available in your country", "restricted", False),
        ("Premieres in 3 hours", "live", False),
        ("Requested format is not available. Use --list-formats", "failed", False),
        ("Unable to parse the moon; please report this issue on  https://github.com/yt-dlp", "failed", False),
    ],
)
def test_what_sites_write(text, status, stops):
    cause = ExtractorError(text, expected=True, video_id="abc", ie="youtube")
    found = meaning(DownloadError(f"ERROR: [youtube] abc: {text}", (type(cause), cause, None)))
    assert (found.status, found.stops_host) == (status, stops)
    assert text.startswith(found.reason) and "Use --" not in found.reason and "report this" not in found.reason


def test_an_error_without_a_cause_keeps_its_text():
    found = meaning(DownloadError("ERROR: [youtube] abc: something odd", (None, None, None)))
    assert (found.status, found.reason) == ("failed", "something odd")


def test_a_country():
    assert meaning(GeoRestrictedError("no", countries=["DE"])).status == "restricted"


@pytest.mark.parametrize(
    ("info", "status"),
    [
        (None, "gone"),
        ({"_type": "playlist", "entries": []}, "gone"),
        ({"id": "x", "is_live": True}, "live"),
        ({"id": "x", "live_status": "is_upcoming"}, "live"),
    ],
)
def test_what_is_not_downloaded(info, status, settings, monkeypatch):
    client = Client(settings)
    monkeypatch.setattr(client._ydl, "extract_info", lambda url, download: info)
    with pytest.raises(FetchError) as caught:
        client.look_up("https://example.org/")
    assert caught.value.status == status


def test_the_first_entry_of_a_playlist_or_search_is_taken(settings, monkeypatch):
    client = Client(settings)
    inner = {"_type": "playlist", "entries": [None, {"id": "first"}, {"id": "second"}]}
    monkeypatch.setattr(client._ydl, "extract_info", lambda url, download: {"_type": "playlist", "entries": [inner]})
    assert client.look_up("https://example.org/")["id"] == "first"


def test_files_of_this_machine_are_refused(settings, tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"secret")
    with pytest.raises(FetchError) as caught:
        Client(settings).look_up((tmp_path / "a.mp3").as_uri())
    assert caught.value.status == "failed"
