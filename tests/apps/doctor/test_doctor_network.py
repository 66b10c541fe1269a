"""The doctor's requests to the sites of a corpus; nothing leaves this machine."""

import socket
import threading
from types import SimpleNamespace

import pytest
import requests

from pipeline.apps.doctor import network
from pipeline.apps.doctor.network import check_network
from pipeline.corpus import Film

CORPUS = SimpleNamespace(contact="me@example.org")
FILMS = [
    Film("AAA", "https://en.wikipedia.org/wiki/Fog", ("https://www.youtube.com/watch?v=x", "ytsearch1:Fog")),
    Film("AAB", "https://en.wikipedia.org/wiki/Rain", ("http://music.example:8000/a.mp3",)),
]
SITES = ["https://en.wikipedia.org/", "https://www.youtube.com/", "http://music.example:8000/"]


@pytest.fixture
def requested(monkeypatch):
    """The requested URLs, in any order; each gets a 403 response."""
    monkeypatch.delenv("SOUNDTRACK_CONTACT", raising=False)
    urls = []

    def head(url, **options):
        assert options["timeout"] <= network.SECONDS and not options["allow_redirects"]
        urls.append(url)
        response = requests.Response()
        response.status_code = 403
        response.raw = SimpleNamespace(close=lambda: None, release_conn=lambda: None)
        return response

    monkeypatch.setattr(requests, "head", head)
    return urls


def test_each_site_gets_one_request_and_any_response_is_enough(requested):
    check = check_network(CORPUS, FILMS)
    assert check.state == "ok"
    assert sorted(requested) == sorted(SITES)


def test_wikimedia_is_not_queried_without_a_contact(requested):
    assert check_network(SimpleNamespace(contact=None), FILMS).state == "ok"
    assert sorted(requested) == sorted(SITES[1:])


@pytest.mark.parametrize("url", ["{origin}/wiki/Fog", "http://127.0.0.1:8000/wiki/Fog"])
def test_a_corpus_on_this_machine_needs_no_request(requested, url):
    check = check_network(CORPUS, [Film("AAA", url, (url.replace("wiki", "audio"),))])
    assert (check.state, requested) == ("ok", [])


def test_unknown_films_are_not_a_failure(requested):
    assert check_network(CORPUS, None).state == "warning"
    assert requested == []


def test_offline_is_a_warning_that_names_the_sites(monkeypatch):
    def getaddrinfo(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    check = check_network(CORPUS, FILMS)
    assert check.state == "warning"
    for site in ("en.wikipedia.org", "www.youtube.com", "music.example:8000"):
        assert site in check.found
    assert "download" in check.disables and check.remedy


def test_a_firewall_that_drops_packets_costs_seconds(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(network, "SECONDS", 0.2)

    def head(*_, **__):
        ended.wait(30)
        raise requests.ConnectTimeout

    monkeypatch.setattr(requests, "head", head)
    check = check_network(CORPUS, FILMS)
    ended.set()
    assert check.state == "warning" and check.found.count("0.2 s") == len(SITES)
