"""Each fault of a server, and the resulting row; the films before and after it are not affected."""

import gzip
import re
import tracemalloc
from dataclasses import replace

import pytest

from pipeline.core.errors import StageError
from pipeline.scrape import client as client_module
from tests.faults import (
    HTML,
    gzip_bomb,
    http_date,
    image_bomb,
    in_turn,
    large,
    ok,
    packed,
    redirect,
    reset,
    stall,
    status,
    trickle,
    truncated,
)
from tests.scrape.conftest import article, picture

PAGE = article().encode()
MEGABYTE = 1_000_000


def retry_after(code, value):
    return status(code, headers={"Retry-After": value})


def garbage(handler):
    handler.hang_up()
    handler.send(b"\x00\x01 this is not HTTP\r\n\r\n")


FAULTS = {  # answer, status and reason of the row, number of requests for the page in two attempts
    "301 chain": (redirect("/hop/8"), "ok", "", 1),
    "long 301 chain": (redirect("/hop/0"), "too_many_redirects", "more than 10", 1),
    "301 loop": (redirect("/bad"), "too_many_redirects", "in a circle", 1),
    "redirect to file": (redirect("file:///etc/passwd"), "bad_redirect", "file:///etc/passwd", 1),
    "redirect to another host": (redirect("http://example.org/x", 302), "bad_redirect", "http://example.org/x", 1),
    "redirect to another port": (redirect("http://127.0.0.1:9/", 307), "bad_redirect", "127.0.0.1:9", 1),
    "redirect to nowhere": (status(301), "http_error", "HTTP 301", 1),
    "404": (status(404, b"<html>no article"), "not_found", "HTTP 404", 1),
    "410": (status(410), "not_found", "HTTP 410", 1),
    "400": (status(400), "http_error", "HTTP 400", 1),
    "429": (status(429), "rate_limited", "HTTP 429", 2),
    "429 with seconds": (in_turn(retry_after(429, "0"), ok(PAGE)), "ok", "", 2),
    "429 with a date": (in_turn(retry_after(429, http_date(-1)), ok(PAGE)), "ok", "", 2),
    "500": (status(500), "server_error", "HTTP 500", 2),
    "503": (status(503), "server_error", "HTTP 503", 2),
    "503 once": (in_turn(status(503), ok(PAGE)), "ok", "", 2),
    "stall": (stall(), "timeout", "no answer from 127.0.0.1", 2),
    "stall in the body": (stall(b"<html>"), "timeout", "no data after 6 bytes", 2),
    "trickle": (trickle(0.02), "timeout", r"only \d+ bytes received in", 2),
    "reset in the body": (reset(PAGE, 50), "unreachable", "after 50 bytes", 2),
    "reset at once": (reset(PAGE, 0), "unreachable", "no connection", 2),
    "truncated": (truncated(PAGE, 50), "unreachable", "after 50 bytes", 2),
    "not HTTP": (garbage, "unreachable", "no connection", 2),
    "wrong type": (ok(b"%PDF-1.7", "application/pdf"), "not_html", "application/pdf", 1),
    "no type": (ok(PAGE, ""), "not_html", "missing", 1),
    "broken gzip": (ok(PAGE, HTML, {"Content-Encoding": "gzip"}), "http_error", "decompressed", 1),
    "unknown packing": (ok(PAGE, HTML, {"Content-Encoding": "br"}), "http_error", "encoded as br", 1),
    "gzip bomb": (gzip_bomb(200 * MEGABYTE), "too_large", "more than the 20000", 1),
    "200 MB": (large(200 * MEGABYTE), "too_large", "200000000 bytes", 1),
    "200 MB without length": (large(200 * MEGABYTE, length=False), "too_large", "more than the 20000", 1),
    "packed": (packed(PAGE), "ok", "", 1),
}


SILENT = ("stall", "stall in the body", "trickle")


@pytest.fixture
def hasty(scrape, monkeypatch, request):
    """Parameters with two attempts and a short time-out for silent servers."""
    monkeypatch.setattr(client_module, "BODY_TIMEOUTS", 1)
    silent = any(f"[{name}]" in request.node.name for name in SILENT)
    return replace(scrape, timeout_seconds=0.3 if silent else 10.0, attempts=2)


@pytest.mark.parametrize(("fault", "word", "reason", "asked"), FAULTS.values(), ids=FAULTS)
def test_the_row_of_a_page(films, server, hasty, fault, word, reason, asked):
    fine = server.put("/fine", ok(PAGE))
    server.put("/hop/11", ok(PAGE))
    for number in range(11):
        server.put(f"/hop/{number}", redirect(f"/hop/{number + 1}"))
    bad = server.put("/bad", fault)
    rows = films(hasty, AAA=fine, AAB=bad, AAC=fine)
    row = rows["AAB"]
    assert row["status"] == word, row["reason"]
    assert row["url"] == bad
    assert server.paths().count("/bad") == asked
    assert [(rows[fid]["status"], rows[fid]["poster_status"]) for fid in ("AAA", "AAC")] == [("ok", "ok")] * 2
    if word == "ok":
        assert row["reason"] == ""
        assert gzip.decompress(films.files()[row["path"]]) == PAGE
    else:
        assert re.search(reason, row["reason"]), row["reason"]
        assert row["reason"].isprintable()
        assert (row["path"], row["sha256"], row["fetched_at"], row["poster_status"]) == ("", "", "", "no_page")
        assert [name for name in films.files() if "AAB" in name] == ["data/pages/AAB.json"]


POSTER_FAULTS = {
    "404": (status(404), "not_found", "HTTP 404"),
    "500": (status(500), "server_error", "HTTP 500"),
    "429": (status(429), "rate_limited", "HTTP 429"),
    "HTML instead of an image": (ok("<html>error page</html>", "image/png"), "not_an_image", "not a JPEG"),
    "SVG": (ok("<svg/>", "image/svg+xml"), "not_an_image", "not a JPEG"),
    "empty": (ok(b"", "image/png"), "not_an_image", "not a JPEG"),
    "truncated": (truncated(picture(), 40, "image/png"), "unreachable", "after 40 bytes"),
    "reset": (reset(picture(), 40, "image/png"), "unreachable", "after 40 bytes"),
    "stall": (stall(picture()[:9], "image/png"), "timeout", "no data after 9"),
    "gzip bomb": (gzip_bomb(200 * MEGABYTE, "image/png"), "too_large", "more than the 20000"),
    "200 MB": (large(200 * MEGABYTE, "image/png", length=False), "too_large", "more than the 20000"),
    "redirect to file": (redirect("file:///etc/passwd"), "bad_redirect", "file:///etc/passwd"),
    "redirect to another host": (redirect("https://example.org/p.png"), "bad_redirect", "example.org"),
    "redirect loop": (redirect("/bad"), "too_many_redirects", "circle"),
    "image bomb": (ok(image_bomb(20_000, 5_000), "image/png"), "ok", ""),  # parse checks the content
    "redirect": (redirect("/poster"), "ok", ""),
}


@pytest.mark.parametrize(("fault", "word", "reason"), POSTER_FAULTS.values(), ids=POSTER_FAULTS)
def test_the_row_of_a_poster(films, server, hasty, fault, word, reason):
    server.put("/bad", fault)
    row = films(hasty, AAA=server.put("/a", ok(article("/bad"))))["AAA"]
    assert (row["status"], row["poster_status"]) == ("ok", word), row["poster_reason"]
    assert reason in row["poster_reason"]
    assert bool(row["poster_path"]) == bool(row["poster_sha256"]) == (word == "ok")
    assert len([name for name in films.files() if name.startswith("data/posters")]) == (word == "ok")


@pytest.mark.parametrize(
    "fault",
    [gzip_bomb(200 * MEGABYTE), large(200 * MEGABYTE), large(200 * MEGABYTE, length=False)],
    ids=["gzip bomb", "200 MB", "200 MB without length"],
)
@pytest.mark.parametrize("target", ["page", "poster", "refusal", "redirect"])
def test_memory_stays_near_the_limit(films, server, hasty, fault, target):
    if target == "page":
        url = server.put("/bad", fault)
    elif target == "poster":
        server.put("/bad", fault)
        url = server.put("/a", ok(article("/bad")))
    else:
        url = server.put("/bad", recoded(fault, 403 if target == "refusal" else 301))
    scrape = replace(hasty, max_page_bytes=MEGABYTE, max_poster_bytes=MEGABYTE)
    films(scrape, AAA=server.put("/fine", ok(PAGE)))  # loads everything that is loaded once
    tracemalloc.start()
    try:
        if target == "refusal":
            with pytest.raises(StageError, match="403"):
                films.start(scrape, AAA=server.origin + "/fine", AAB=url)
        else:
            films.start(scrape, AAA=server.origin + "/fine", AAB=url)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert films.rows()["AAB"]["status" if target != "poster" else "poster_status"] != "ok"
    assert peak < 5 * MEGABYTE


def recoded(answer, code):
    """Return `answer` with another status and a redirect to itself."""

    def changed(handler):
        start = handler.start
        handler.start = lambda _, headers: start(code, {"Location": "/bad"} | dict(headers))
        answer(handler)

    return changed
