"""Reasons for stopping a run, its files, and resuming."""

from dataclasses import replace

import pytest

from pipeline.core.errors import StageError
from tests.faults import ok, status
from tests.scrape.conftest import CORPUS, article, picture

REFUSAL = status(403, b"<html><h1>Too many\nrequests</h1> from you", {"Content-Type": "text/html"})


@pytest.fixture
def urls(server):
    """Six pages with a poster each, and nothing at /F."""
    for name in "ABCDE":
        server.put(f"/{name}", ok(article(f"/poster{name}")))
        server.put(f"/poster{name}", ok(picture()))
    return {f"AA{name}": f"{server.origin}/{name}" for name in "ABCDEF"}


def statuses(rows):
    return [row["status"] for row in rows.values()]


def test_a_403_stops_at_once_and_the_next_run_asks_only_for_the_rest(films, server, scrape, urls):
    server.put("/C", REFUSAL)
    with pytest.raises(StageError) as caught:
        films.start(scrape, **urls)
    message = str(caught.value)
    assert "127.0.0.1" in message and "HTTP 403 Forbidden: Too many requests from you" in message
    assert "2 ok, 3 not_asked, 1 forbidden" in message and "dvc repro scrape" in message
    assert server.paths() == ["/A", "/posterA", "/B", "/posterB", "/C"]
    rows = films.rows()
    assert statuses(rows) == ["ok", "ok", "forbidden", "not_asked", "not_asked", "not_asked"]
    assert rows["AAC"]["reason"] == "HTTP 403 Forbidden: Too many requests from you"
    assert rows["AAD"]["reason"].startswith("the run stopped: 127.0.0.1") and "HTTP 403" in rows["AAD"]["reason"]
    assert {row["poster_status"] for row in list(rows.values())[2:]} == {"no_page"}

    server.put("/C", ok(article("/posterC")))
    server.forget()
    rows = films(scrape, **urls)
    assert server.paths() == ["/C", "/posterC", "/D", "/posterD", "/E", "/posterE", "/F"]
    assert statuses(rows) == ["ok"] * 5 + ["not_found"]


def test_the_posters_403_stops_too(films, server, scrape, urls):
    server.put("/posterB", REFUSAL)
    with pytest.raises(StageError, match="HTTP 403"):
        films.start(scrape, **urls)
    rows = films.rows()
    assert server.paths() == ["/A", "/posterA", "/B", "/posterB"]
    assert statuses(rows) == ["ok", "ok", "not_asked", "not_asked", "not_asked", "not_asked"]
    assert [row["poster_status"] for row in rows.values()][:2] == ["ok", "forbidden"]
    server.put("/posterB", ok(picture()))
    server.forget()
    assert films(scrape, **urls)["AAB"]["poster_status"] == "ok"
    assert server.paths()[:2] == ["/posterB", "/C"]


def test_rows_of_earlier_runs_outlive_a_stop(films, server, scrape, urls):
    first = films(scrape, **{fid: urls[fid] for fid in ("AAB", "AAD", "AAF")})
    server.put("/A", REFUSAL)
    with pytest.raises(StageError):
        films.start(scrape, **urls)
    rows = films.rows()
    assert statuses(rows) == ["forbidden", "ok", "not_asked", "ok", "not_asked", "not_found"]
    assert [rows[fid] for fid in first] == list(first.values())


def test_a_403_for_good_never_asks_more_than_once_a_run(films, server, scrape, urls):
    server.put("/A", REFUSAL)
    for _ in range(3):
        server.forget()
        with pytest.raises(StageError, match="403"):
            films.start(scrape, **urls)
        assert server.paths() == ["/A"]


def test_too_long_a_pause_stops(films, server, scrape, urls):
    server.put("/B", status(429, headers={"Retry-After": "86400"}))
    with pytest.raises(StageError, match=r"requests a pause of 86400 s.*scrape\.max_wait_seconds"):
        films.start(scrape, **urls)
    assert statuses(films.rows()) == ["ok", "rate_limited", *["not_asked"] * 4]
    server.put("/B", ok(article("/posterB")))
    assert statuses(films(scrape, **urls)) == ["ok"] * 5 + ["not_found"]


def test_a_site_that_is_down_stops(films, server, remote, scrape):
    scrape = replace(scrape, requests_per_minute=60_000.0, attempts=2)
    origin = remote("wiki.example")
    server.put("/B", ok(article("")))
    urls = {f"AA{letter}": f"{origin}/{letter}" for letter in "ABCDEFGH"}
    for letter in "ACDEFGH":
        server.put(f"/{letter}", status(503))
    with pytest.raises(StageError, match=r"wiki\.example:\d+ failed 5 times in a row, last: HTTP 503"):
        films.start(scrape, **urls)
    assert statuses(films.rows()) == ["server_error", "ok", *["server_error"] * 5, "not_asked"]
    assert server.paths().count("/G") == 2 and "/H" not in server.paths()


def test_loopback_never_counts_as_down(films, server, scrape):
    urls = {f"AA{letter}": server.put(f"/{letter}", status(503)) for letter in "ABCDEFGH"}
    rows = films(replace(scrape, attempts=1), **urls, AAZ=server.put("/Z", ok(article(""))))
    assert statuses(rows) == ["server_error"] * 8 + ["ok"]


def test_another_corpus_and_back_requests_nothing_twice(films, server, scrape, urls):
    """Ids are unique only within a list: AAA is another film in the second one."""
    first = films(scrape, **urls)
    other = films(scrape, replace(CORPUS, folder="other"), AAA=urls["AAE"])
    assert [row["url"] for row in other.values()] == [urls["AAE"]]
    server.forget()
    assert films(scrape, **urls) == first
    assert server.paths() == []
