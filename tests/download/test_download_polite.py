"""What is asked of other hosts, with the client replaced: nothing leaves this machine."""

import dataclasses

import pytest

from pipeline.download import fetch as module
from pipeline.download.failures import FetchError
from pipeline.download.rows import Request


@pytest.fixture
def asked(monkeypatch):
    """Replace the client by one that the site refuses; return the URLs that it is asked for, and the pauses."""
    urls, pauses = [], []

    class Client:
        def __init__(self, settings):
            pass

        def look_up(self, url):
            urls.append(url)
            raise FetchError("blocked", "not a bot", stops_host="youtu" in url or "ytsearch" in url)

        def close(self):
            pass

    monkeypatch.setattr(module, "Client", Client)
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    return urls, pauses


def test_a_site_that_asks_to_stop_is_not_asked_again(asked, root, settings):
    urls = ["https://youtu.be/a", "https://www.youtube.com/watch?v=b", "ytsearch1:c", "https://example.org/d.mp3"]
    requests = [Request("AAA", number, url) for number, url in enumerate(urls)]
    rows = module.fetch_all(root, requests, "", dataclasses.replace(settings, workers=1))
    assert asked[0] == [urls[0], urls[3]]
    assert [row["status"] for row in rows] == ["blocked"] * 4
    assert "youtube.com" in rows[2]["reason"]


def test_a_worker_waits_between_requests_to_other_hosts_only(asked, root, settings):
    urls = ["https://example.org/a", "http://127.0.0.1/b", "https://example.org/c"]
    requests = [Request("AAA", number, url) for number, url in enumerate(urls)]
    module.fetch_all(root, requests, "", dataclasses.replace(settings, workers=1, pause_seconds=60.0))
    assert asked[0] == urls
    assert asked[1] == [pytest.approx(60.0, abs=1.0)]
