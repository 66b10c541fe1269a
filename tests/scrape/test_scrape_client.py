import gzip
import random
from dataclasses import replace

import pytest

from pipeline.core.errors import ParamsError
from pipeline.core.web import FetchError, Pace
from pipeline.corpus.section import Corpus
from pipeline.scrape.agent import needs_contact, operator_contact, require_contact
from pipeline.scrape.client import MAX_FAILURES, MAX_PAUSE_SECONDS, MAX_REDIRECTS, Client
from tests.faults import cached, http_date, in_turn, large, ok, packed, redirect, reset, stall, status, trickle

CORPUS = Corpus(folder="x", serve=None, contact=None, search="ytsearch1:{title}", fields={})
BUSY = [(500, "server_error"), (503, "server_error"), (429, "rate_limited"), (408, "timeout")]


def failed(client, url, max_bytes=1000):
    with pytest.raises(FetchError) as caught:
        client.get(url, max_bytes)
    assert caught.value.reason.isprintable() and len(caught.value.reason) < 400
    return caught.value


def test_returns_body_and_headers_and_names_itself(client, server):
    headers = {"ETag": 'W/"1"', "Last-Modified": "Mon, 06 Jul 2026 10:00:00 GMT"}
    url = server.put("/a", ok(b"body", "Text/HTML; Charset=ISO-8859-1", headers))
    fetched = client.get(url + "#section", 1000)
    assert (fetched.url, fetched.redirects, fetched.data) == (url, (), b"body")
    assert (fetched.media_type, fetched.charset) == ("text/html", "iso-8859-1")
    assert (fetched.etag, fetched.last_modified) == tuple(headers.values())
    sent = server.requests[0].headers
    assert sent["User-Agent"].startswith("soundtrack-retrieval/") and "(me@example.org)" in sent["User-Agent"]
    assert sent["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("etag", ["é", "x" * 300, "tab\there"])
def test_validators_that_cannot_be_sent_back_are_not_kept(client, server, etag):
    assert client.get(server.put("/a", ok(b"", headers={"ETag": etag})), 1000).etag == ""


@pytest.mark.parametrize(
    ("code", "word"), [(404, "not_found"), (410, "not_found"), (401, "http_error"), (304, "http_error")]
)
def test_permanent_failures_are_requested_once(client, server, clock, code, word):
    assert failed(client, server.put("/a", status(code))).status == word
    assert len(server.requests) == 1 and clock.slept == []


@pytest.mark.parametrize(("code", "word"), BUSY)
def test_transient_failures_are_retried_with_growing_pauses(client, server, clock, code, word):
    assert failed(client, server.put("/a", status(code))).status == word
    assert len(server.requests) == 3 and clock.slept == [1.0, 2.0]


def test_the_next_url_of_a_failing_host_waits_too(client, server, clock):
    failed(client, server.put("/a", status(503)))
    client.get(server.put("/b", ok(b"")), 1000)
    assert clock.slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("jitter", [0.0, 0.25, 0.999])
def test_jitter_at_most_doubles_a_pause(scrape, server, clock, jitter):
    with Client(replace(scrape, attempts=4), None, clock, clock.sleep, lambda: jitter) as client:
        failed(client, server.put("/a", status(500)))
    assert clock.slept == pytest.approx([pause * (1 + jitter) for pause in (1.0, 2.0, 4.0)])


def test_jitter_is_random(scrape, server, clock):
    with Client(replace(scrape, attempts=9), None, clock, clock.sleep) as client:
        failed(client, server.put("/a", status(500)))
    shares = [slept / 2**number for number, slept in enumerate(clock.slept[:6])]
    assert all(1.0 <= share < 2.0 for share in shares) and len(set(shares)) == 6


def test_pauses_stay_bounded_over_many_attempts(scrape, server, clock):
    scrape = replace(scrape, attempts=30, max_wait_seconds=10 * MAX_PAUSE_SECONDS)
    with Client(scrape, None, clock, clock.sleep, lambda: 0.0) as client:
        failed(client, server.put("/a", status(500)))
    assert max(clock.slept) == MAX_PAUSE_SECONDS


def test_retry_after_in_seconds_and_as_a_date(client, server, clock):
    busy = [status(429, headers={"Retry-After": "17"}), status(503, headers={"Retry-After": http_date(60)})]
    assert client.get(server.put("/a", in_turn(*busy, ok(b"now"))), 1000).data == b"now"
    assert clock.slept[0] == 17.0
    assert 55 < clock.slept[1] <= 60


@pytest.mark.parametrize(
    "value",
    ["soon", "", "-5", "1e9", "Mon, 99 Jan 2026 00:00:00 GMT", pytest.param(http_date(-60), id="a minute ago"), "²"],
)
def test_a_meaningless_retry_after_is_ignored(client, server, clock, value):
    url = server.put("/a", in_turn(status(429, headers={"Retry-After": value}), ok(b"now")))
    assert client.get(url, 1000).data == b"now"
    assert clock.slept == [1.0]


def test_a_redirect_may_ask_for_a_pause(client, server, clock):
    server.put("/b", ok(b"end"))
    url = server.put("/a", status(302, headers={"Location": "/b", "Retry-After": "7"}))
    assert client.get(url, 1000).data == b"end"
    assert clock.slept == [7.0]


@pytest.mark.parametrize("wish", ["101", pytest.param(http_date(3600), id="in an hour"), "9" * 400])
def test_a_host_that_asks_for_too_long_a_pause_ends_the_run(client, server, clock, wish):
    url = server.put("/a", status(429, headers={"Retry-After": wish}))
    error = failed(client, url)
    assert error.status == "rate_limited" and "scrape.max_wait_seconds (100)" in error.reason
    assert "requests a pause" in client.stopped
    assert failed(client, server.origin + "/b").status == "not_asked"
    assert server.paths() == ["/a"] and clock.slept == []


def test_a_403_ends_the_run_at_once_with_what_the_host_says(client, server, clock):
    body = (
        b"<title>Error</title><script>x()</script><h1>Forbidden</h1>\r\n<p>Set a <b>User-Agent</b> &amp; wait\0\x1b[31m"
    )
    error = failed(client, server.put("/a", status(403, body + b" word" * 100)))
    assert error.status == "forbidden"
    assert error.reason.startswith("HTTP 403 Forbidden: Forbidden Set a User-Agent & wait [31m word")
    assert error.reason in client.stopped
    assert failed(client, server.origin + "/b").status == "not_asked"
    assert server.paths() == ["/a"] and clock.slept == []


def test_a_403_without_a_message(client, server):
    assert failed(client, server.put("/a", status(403))).reason == "HTTP 403 Forbidden"


def test_a_site_that_is_down_ends_the_run(client, remote, server, clock):
    origin = remote("wiki.example")
    for number in range(MAX_FAILURES - 1):
        failed(client, f"{origin}{server.put(f'/{number}', status(503)).removeprefix(server.origin)}")
    server.put("/ok", ok(b""))
    client.get(origin + "/ok", 1000)
    for number in range(MAX_FAILURES):
        assert client.stopped is None
        failed(client, f"{origin}/{number % 4}")
    assert "wiki.example" in client.stopped and "5 times in a row" in client.stopped and "HTTP 503" in client.stopped
    server.forget()
    assert failed(client, origin + "/ok").status == "not_asked"
    assert server.paths() == []


def test_a_missing_page_ends_a_row_of_failures(client, remote, server):
    origin = remote("wiki.example")
    server.put("/busy", status(503))
    for _ in range(3):
        for path in ("/busy", "/busy", "/gone"):
            failed(client, origin + path)
    assert client.stopped is None


def test_loopback_is_requested_for_every_film(client, server):
    for _ in range(MAX_FAILURES + 2):
        assert failed(client, "http://127.0.0.1:1/").status == "unreachable"
    assert client.stopped is None


def test_redirects_are_followed_within_the_site(client, server):
    for start, end in ("ab", "bc"):
        server.put(f"/{start}", redirect(f"/{end}#part"))
    server.put("/c", ok(b"end"))
    fetched = client.get(server.origin + "/a", 1000)
    assert fetched.url == server.origin + "/c"
    assert fetched.redirects == (server.origin + "/a", server.origin + "/b")


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://[bad/",
        "http://127.0.0.1:1/other-port",
        "//example.org/x",
        "http://example.org\\@127.0.0.1/",
        "http://user@127.0.0.1/",
        "javascript:alert(1)",
        "http://127.0.0.1:99999999/",
        "http://ex\x7f\u00e9mple.org/" + "x" * 1000,
    ],
)
def test_redirects_never_leave_the_site(client, server, target):
    error = failed(client, server.put("/a", redirect(target, 302)))
    assert error.status == "bad_redirect"
    assert target[:7] in error.reason
    assert server.paths() == ["/a"]


def test_the_caller_says_where_redirects_may_lead(client, remote, server):
    server.put("/a", redirect(remote("b.example") + "/b"))
    server.put("/b", ok(b"end"))
    assert client.get(server.origin + "/a", 1000, lambda url: "b.example" in url).data == b"end"


def test_circular_and_endless_redirects(client, server):
    server.put("/self", redirect("/self"))
    server.put("/ping", redirect("/pong"))
    server.put("/pong", redirect("/ping"))
    for number in range(30):
        server.put(f"/{number}", redirect(f"/{number + 1}"))
    for path, requests in (("/self", 1), ("/ping", 2), ("/0", MAX_REDIRECTS + 1)):
        server.forget()
        assert failed(client, server.origin + path).status == "too_many_redirects"
        assert len(server.requests) == requests


def test_a_redirects_location_may_be_any_bytes(client, server):
    server.put("/caf%C3%A9", ok(b"end"))
    assert client.get(server.put("/a", redirect("/caf\u00c3\u00a9")), 1000).url.endswith("/caf%C3%A9")
    assert failed(client, server.put("/b", redirect("/\u00e9\u00ff"))).status == "not_found"
    assert failed(client, server.put("/c", status(302))).status == "http_error"


def test_the_body_of_a_redirect_is_not_read(client, server):
    server.put("/b", ok(b"end"))

    def endless(handler):
        handler.hang_up()
        handler.start(302, {"Location": "/b", "Content-Length": "100000000000"})
        while not handler.server.faults.closing.is_set():
            handler.send(b"x" * 65536)

    assert client.get(server.put("/a", endless), 1000).data == b"end"


def test_too_large_by_header_by_body_and_unpacked(client, server):
    for answer in (large(1001), large(1001, length=False), packed(b"x" * 1001)):
        assert failed(client, server.put("/a", answer)).status == "too_large"
    assert len(client.get(server.put("/a", packed(b"x" * 1000)), 1000).data) == 1000


@pytest.mark.parametrize("packing", ["br", "zstd", "deflate", "gzip, gzip", "gzip"])
def test_a_body_that_cannot_be_decompressed(client, server, packing):
    assert failed(client, server.put("/a", ok(b"junk", headers={"Content-Encoding": packing}))).status == "http_error"


def test_compressed_in_parts_of_any_size(client, server):
    body = b"".join(gzip.compress(b"%d" % number * size) for number, size in enumerate((0, 1, 65536, 200_000, 0)))
    data = client.get(server.put("/a", ok(body, headers={"Content-Encoding": "x-gzip"})), 300_000).data
    assert data == b"1" + b"2" * 65536 + b"3" * 200_000


@pytest.mark.parametrize("kept", [0, 5, 10, 500, -4])
def test_a_truncated_compressed_body_is_rejected(client, server, kept):
    body = gzip.compress(random.Random(0).randbytes(900))[:kept]
    error = failed(client, server.put("/a", ok(body, headers={"Content-Encoding": "gzip"})))
    assert (error.status, len(server.requests)) == ("unreachable", 3)


@pytest.mark.parametrize("answer", [stall(), stall(b"half"), trickle(0.02)], ids=["silent", "half", "trickle"])
def test_time_outs(scrape, server, answer):
    with Client(replace(scrape, timeout_seconds=0.05, attempts=1), None) as client:
        assert failed(client, server.put("/a", answer), 200_000).status == "timeout"


def test_a_conditional_request(client, server):
    url = server.put("/a", cached("page", etag='"1"'))
    assert client.get_if_changed(url, 1000, {"If-None-Match": '"1"'}) is None
    assert client.get_if_changed(url, 1000, {"If-None-Match": '"0"'}).data == b"page"
    assert client.get_if_changed(url, 1000, {}).data == b"page"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/x", "data:image/png;base64,AAAA", "http://[", "/relative", "", "http://a@b/", "http://é/"],
)
def test_urls_that_are_not_requested(client, url):
    assert failed(client, url).status == "bad_url"


def test_loopback_ignores_a_proxy(client, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert client.get(server.put("/a", ok(b"direct")), 1000).data == b"direct"


def test_no_cookie_is_sent_back(client, server):
    url = server.put("/a", ok(b"", headers={"Set-Cookie": "id=1; Path=/"}))
    client.get(url, 1000)
    client.get(url, 1000)
    assert "Cookie" not in server.requests[1].headers


def test_a_broken_connection_is_reopened(client, server):
    assert (
        client.get(server.put("/a", in_turn(reset(b"x" * 900, 0), reset(b"x" * 900, 9), ok(b"y"))), 1000).data == b"y"
    )


def test_pace_is_shared_by_all_hosts_except_loopback(clock):
    pace = Pace({"request": 2.0}, clock, clock.sleep)
    for host in ("a.example", "b.example", "a.example"):
        pace.wait("request", f"https://{host}/")
    assert clock.slept == [2.0, 2.0]
    for _ in range(3):
        pace.wait("request", "http://127.0.0.1:80/")
    assert clock.slept == [2.0, 2.0]
    pace.wait("request", "https://c.example/")
    assert clock.slept == [2.0, 2.0, 2.0]


def test_pace_postpones_one_host(clock):
    pace = Pace({"request": 0.1}, clock, clock.sleep)
    pace.postpone("https://a.example/x", 30.0)
    pace.postpone("https://a.example/x", 3.0)
    pace.wait("request", "https://b.example/")
    assert clock.slept == []
    pace.wait("request", "https://a.example/y")
    assert clock.slept == [30.0]


def test_requests_keep_the_pace_across_hosts(scrape, clock, remote, server):
    server.put("/a", ok(b""))
    with Client(replace(scrape, requests_per_minute=20.0), None, clock, clock.sleep) as client:
        for host in ("a.example", "b.example", "c.example"):
            client.get(remote(host) + "/a", 1000)
    assert clock.slept == [3.0, 3.0]


def test_wikimedia_is_not_contacted_without_contact(scrape):
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
    corpus = replace(CORPUS, contact="params@example.org")
    assert operator_contact(corpus) == "params@example.org"
    assert operator_contact(CORPUS) is None
    monkeypatch.setenv("SOUNDTRACK_CONTACT", "https://example.org/me")
    assert operator_contact(corpus) == "https://example.org/me"


@pytest.mark.parametrize("value", ["nobody", "a@b.org\r\nX-Evil: 1", "é@example.org"])
def test_contact_must_be_an_address(monkeypatch, value):
    monkeypatch.setenv("SOUNDTRACK_CONTACT", value)
    with pytest.raises(ParamsError, match="SOUNDTRACK_CONTACT"):
        operator_contact(CORPUS)
