import contextlib
import gzip
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from pipeline.errors import ParamsError
from pipeline.scrape.agent import needs_contact, operator_contact, require_contact
from pipeline.scrape.client import MAX_REFUSALS, Client, FetchError
from pipeline.scrape.pace import MAX_WAIT_SECONDS, HostBusy, Pace
from pipeline.sections import Corpus

HTML = {"Content-Type": "text/html; charset=ISO-8859-1"}


class Clock:
    """A time that passes only by sleeping."""

    def __init__(self):
        self.now, self.slept = 100.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(scrape, clock):
    with Client(scrape, "me@example.org", clock, clock.sleep) as client:
        yield client


def status_of(client, url, max_bytes=1000):
    with pytest.raises(FetchError) as caught:
        client.get(url, max_bytes)
    assert caught.value.reason
    return caught.value.status


def test_returns_body_type_charset_and_names_itself(client, site):
    site.answers["/a"] = (200, HTML, b"body")
    fetched = client.get(site.origin + "/a#section", 1000)
    assert (fetched.url, fetched.media_type, fetched.charset) == (site.origin + "/a", "text/html", "iso-8859-1")
    assert fetched.data == b"body"
    assert site.headers[0]["User-Agent"].startswith("soundtrack-retrieval/")
    assert "(me@example.org)" in site.headers[0]["User-Agent"]


@pytest.mark.parametrize(
    ("code", "status"),
    [(404, "not_found"), (410, "not_found"), (403, "forbidden"), (401, "forbidden"), (418, "http_error")],
)
def test_lasting_failures_are_asked_once(client, site, clock, code, status):
    site.answers["/a"] = (code, {}, b"")
    assert status_of(client, site.origin + "/a") == status
    assert len(site.asked) == 1 and clock.slept == []


@pytest.mark.parametrize(("code", "status"), [(500, "server_error"), (503, "server_error"), (429, "rate_limited")])
def test_passing_failures_are_tried_with_growing_pauses(client, site, clock, code, status):
    site.answers["/a"] = (code, {}, b"")
    assert status_of(client, site.origin + "/a") == status
    assert len(site.asked) == 3 and clock.slept == [1.0, 2.0]


def test_second_attempt_succeeds(client, site):
    site.answers["/a"] = [(503, {}, b""), (200, HTML, b"now")]
    assert client.get(site.origin + "/a", 1000).data == b"now"


def test_retry_after_in_seconds_and_as_a_date(client, site, clock):
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=60), usegmt=True)
    site.answers["/a"] = [(429, {"Retry-After": "17"}, b""), (503, {"Retry-After": later}, b""), (200, HTML, b"now")]
    assert client.get(site.origin + "/a", 1000).data == b"now"
    assert clock.slept[0] == 17.0
    assert 55 < clock.slept[1] <= 60


def test_a_host_that_asks_for_an_hour_is_left_to_the_next_run(client, site, clock):
    site.answers["/a"] = (429, {"Retry-After": "3600"}, b"")
    assert status_of(client, site.origin + "/a") == "rate_limited"
    assert status_of(client, site.origin + "/b") == "rate_limited"
    assert site.asked == ["/a"] and clock.slept == []


def test_redirects_are_followed_to_the_end(client, site):
    site.answers["/a"] = (301, {"Location": "/b"}, b"")
    site.answers["/b"] = (200, HTML, b"end")
    assert client.get(site.origin + "/a", 1000).url == site.origin + "/b"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[bad/"])
def test_redirects_leave_the_web_never(client, site, target):
    site.answers["/a"] = (302, {"Location": target}, b"")
    assert status_of(client, site.origin + "/a") == "bad_url"


def test_redirects_in_a_circle_end(client, site):
    site.answers["/a"] = (302, {"Location": "/a"}, b"")
    assert status_of(client, site.origin + "/a") == "too_many_redirects"


def test_too_large_by_header_by_body_and_unpacked(client, site):
    site.answers["/long"] = (200, HTML, b"x" * 1001)
    site.answers["/bomb"] = (200, HTML | {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 10_000_000))
    site.answers["/fits"] = (200, HTML | {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 1000))

    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"x" * 5000)

    site.answers["/endless"] = endless
    assert [status_of(client, site.origin + path) for path in ("/long", "/bomb", "/endless")] == ["too_large"] * 3
    assert len(client.get(site.origin + "/fits", 1000).data) == 1000


def test_silence_is_a_timeout(scrape, site):
    site.answers["/a"] = lambda handler: time.sleep(0.5)
    with Client(replace(scrape, timeout_seconds=0.1, attempts=1), None) as client:
        assert status_of(client, site.origin + "/a") == "timeout"


def test_a_trickle_is_a_timeout(scrape, site):
    def trickle(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                handler.wfile.write(b"x")
                time.sleep(0.02)

    site.answers["/a"] = trickle
    with Client(replace(scrape, timeout_seconds=0.05, attempts=1), None) as client:
        assert status_of(client, site.origin + "/a", 200_000) == "timeout"


def test_a_body_that_breaks_off_is_no_page(client, site):
    def cut(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 500\r\n\r\nhalf")

    site.answers["/a"] = cut
    assert status_of(client, site.origin + "/a") == "unreachable"


def test_a_dead_host_is_not_asked_for_every_film(client, clock):
    dead = "http://127.0.0.1:1/"
    assert {status_of(client, f"{dead}{number}") for number in range(MAX_REFUSALS)} == {"unreachable"}
    assert len(clock.slept) <= 2 * MAX_REFUSALS
    with pytest.raises(FetchError, match="was not asked"):
        client.get(dead, 1000)


@pytest.mark.parametrize("url", ["ftp://example.org/x", "data:image/png;base64,AAAA", "http://[", "/relative", ""])
def test_urls_that_are_not_of_the_web(client, url):
    assert status_of(client, url) == "bad_url"


def test_loopback_ignores_a_proxy(client, site, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    site.answers["/a"] = (200, HTML, b"direct")
    assert client.get(site.origin + "/a", 1000).data == b"direct"


def test_pace_spaces_requests_to_a_host_and_spares_loopback(clock):
    pace = Pace(30.0, clock, clock.sleep)
    for _ in range(3):
        pace.wait("a.example")
    pace.wait("b.example")
    assert clock.slept == [2.0, 2.0]
    for _ in range(3):
        pace.wait("127.0.0.1")
    assert clock.slept == [2.0, 2.0]


def test_pace_slower_than_the_longest_wait_still_goes_on(clock):
    pace = Pace(0.1, clock, clock.sleep)
    pace.wait("a.example")
    pace.wait("a.example")
    assert clock.slept == [600.0]
    pace.postpone("b.example", MAX_WAIT_SECONDS * 3)
    with pytest.raises(HostBusy, match=r"b\.example"):
        pace.wait("b.example")


def test_wikimedia_is_not_asked_without_contact(scrape):
    for host in ("en.wikipedia.org", "upload.wikimedia.org", "wikipedia.org"):
        assert needs_contact(host)
        with Client(scrape, None) as client, pytest.raises(FetchError, match="SOUNDTRACK_CONTACT") as caught:
            client.get(f"https://{host}/x", 1000)
        assert caught.value.status == "no_contact"
    assert not needs_contact("notwikipedia.org")
    with pytest.raises(ParamsError, match=r"corpus\.contact"):
        require_contact(["https://example.org/", "https://en.wikipedia.org/wiki/X"], None)
    require_contact(["https://example.org/"], None)


def test_contact_of_the_environment_wins(monkeypatch):
    corpus = Corpus(folder="x", serve=None, contact="params@example.org")
    monkeypatch.delenv("SOUNDTRACK_CONTACT", raising=False)
    assert operator_contact(corpus) == "params@example.org"
    assert operator_contact(replace(corpus, contact=None)) is None
    monkeypatch.setenv("SOUNDTRACK_CONTACT", "https://example.org/me")
    assert operator_contact(corpus) == "https://example.org/me"


@pytest.mark.parametrize("value", ["nobody", "a@b.org\r\nX-Evil: 1", "é@example.org"])
def test_contact_must_be_an_address(monkeypatch, value):
    monkeypatch.setenv("SOUNDTRACK_CONTACT", value)
    with pytest.raises(ParamsError, match="SOUNDTRACK_CONTACT"):
        operator_contact(Corpus(folder="x", serve=None, contact=None))
