"""Allowed redirects of pages, and allowed hosts of posters."""

from dataclasses import replace

import pytest

from pipeline.core.web import is_loopback, site_of
from pipeline.scrape.hosts import is_among, same_site
from tests.faults import ok, redirect
from tests.scrape.conftest import article, picture


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://en.wikipedia.org/wiki/A", "https://en.wikipedia.org/wiki/B"),
        ("https://en.wikipedia.org/wiki/A", "https://EN.wikipedia.org:443/wiki/B"),
        ("http://en.wikipedia.org/wiki/A", "https://en.wikipedia.org/wiki/A"),
        ("https://en.wikipedia.org/wiki/A", "https://de.wikipedia.org/wiki/A"),
        ("https://wikipedia.org/wiki/A", "https://www.wikipedia.org/wiki/A"),
        ("http://127.0.0.1:81/", "http://127.0.0.1:81/x"),
    ],
)
def test_the_same_site(url, target):
    assert same_site(url, target)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://en.wikipedia.org/wiki/A", "http://en.wikipedia.org/wiki/A"),
        ("https://en.wikipedia.org/wiki/A", "https://evilwikipedia.org/wiki/A"),
        ("https://en.wikipedia.org/wiki/A", "https://en.wikipedia.org.evil.example/"),
        ("https://en.wikipedia.org/wiki/A", "https://upload.wikimedia.org/"),
        ("https://en.wikipedia.org/wiki/A", "https://en.wikipedia.org:8443/"),
        ("https://en.wikipedia.org/wiki/A", "https://evil.example\\@en.wikipedia.org/"),
        ("https://en.wikipedia.org/wiki/A", "https://en.wikipedia.org@evil.example/"),
        ("https://example.org/", "https://www.example.org/"),
        ("http://127.0.0.1:81/", "http://127.0.0.1:82/"),
        ("http://127.0.0.1:81/", "http://localhost:81/"),
        ("https://example.org/", "file:///etc/passwd"),
        ("https://example.org/", "https:///etc/passwd"),
        ("https://example.org/", "//example.org/"),
        ("https://example.org/", "https://example.org:99999/"),
    ],
)
def test_another_site(url, target):
    assert not same_site(url, target)


def test_names():
    assert site_of("https://Example.org:443/x") == "example.org"
    assert site_of("http://example.org:443/x") == "example.org:443"
    assert is_loopback("http://127.0.0.1:5/") and is_loopback("http://[::1]/") and not is_loopback("http://127.evil/")
    assert not is_among({""}, "http:///x")


@pytest.mark.parametrize("given", [True, False], ids=["meta.json", "the page"])
def test_a_poster_of_another_host_is_refused_until_it_is_allowed(films, server, remote, scrape, given):
    elsewhere = remote("images.example") + "/poster"
    page = server.put("/A", ok(article("" if given else elsewhere)))
    entry = {"wikipedia": page} | ({"image": elsewhere} if given else {})
    row = films(scrape, AAA=entry)["AAA"]
    assert (row["status"], row["poster_status"], row["poster_url"]) == ("ok", "host_not_allowed", elsewhere)
    site = elsewhere.removeprefix("http://").removesuffix("/poster")
    assert site in row["poster_reason"] and "scrape.poster_hosts" in row["poster_reason"]
    assert server.paths() == ["/A"]
    server.forget()
    row = films(replace(scrape, poster_hosts=[site]), AAA=entry)["AAA"]
    assert (row["poster_status"], server.paths()) == ("ok", ["/poster"])


def test_a_poster_of_the_articles_own_host(films, server, remote, scrape):
    origin = remote("wiki.example")
    server.put("/A", ok(article("/poster")))
    scrape = replace(scrape, requests_per_minute=6000.0)
    assert films(scrape, AAA=origin + "/A")["AAA"]["poster_status"] == "ok"


@pytest.mark.parametrize("source", ["ftp://127.0.0.1/p.png", "file:///etc/passwd", "http://a@upload.wikimedia.org/p"])
def test_a_poster_that_is_not_on_the_web(films, server, scrape, source):
    row = films(scrape, AAA=server.put("/A", ok(article(source))))["AAA"]
    assert row["poster_status"] == "bad_url" and source in row["poster_reason"]


def test_posters_lead_only_to_allowed_hosts(films, server, remote, scrape):
    hosts = [remote(f"{name}.example").removeprefix("http://") for name in "ab"]
    server.put("/A", ok(article(f"http://{hosts[0]}/old")))
    server.put("/old", redirect(f"http://{hosts[1]}/poster"))
    scrape = replace(scrape, requests_per_minute=6000.0, poster_hosts=hosts[:1])
    row = films(scrape, AAA=server.origin + "/A")["AAA"]
    assert row["poster_status"] == "bad_redirect" and hosts[1] in row["poster_reason"]
    assert "/poster" not in server.paths()
    row = films(replace(scrape, poster_hosts=hosts), AAA=server.origin + "/A")["AAA"]
    assert (row["poster_status"], row["poster_url"]) == ("ok", f"http://{hosts[0]}/old")


def test_wikimedias_posters_wait_for_a_contact(films, server, remote, scrape):
    host = remote("upload.wikimedia.org")
    scrape = replace(scrape, poster_hosts=[host.removeprefix("http://")], requests_per_minute=6000.0)
    url = server.put("/A", ok(article(host + "/poster")))
    assert films(scrape, AAA=url)["AAA"]["poster_status"] == "no_contact"
    server.put("/poster", ok(picture()))
    server.forget()
    from tests.scrape.conftest import CORPUS

    row = films(scrape, replace(CORPUS, contact="me@example.org"), AAA=url)["AAA"]
    assert (row["poster_status"], server.paths()) == ("ok", ["/poster"])
