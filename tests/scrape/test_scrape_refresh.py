"""`scrape.refresh: true`: fetched files are revalidated and never lost."""

import gzip
import hashlib
from dataclasses import replace

import pytest

from pipeline.core.errors import StageError
from tests.faults import cached, large, ok, status
from tests.scrape.conftest import CORPUS, article, picture

THEN, NOW = "Mon, 06 Jul 2026 10:00:00 GMT", "Tue, 07 Jul 2026 10:00:00 GMT"


@pytest.fixture
def refresh(scrape):
    return replace(scrape, refresh=True, attempts=1)


@pytest.fixture
def url(server):
    """A page with a poster, both with an ETag."""
    server.put("/poster", cached(picture(), "image/png", '"p1"'))
    return server.put("/A", cached(article(), etag='"a1"'))


def sent(server, name):
    return [request.headers.get(name) for request in server.requests]


def test_unchanged(films, server, scrape, refresh, url):
    films(scrape, AAA=url, AAB=server.origin + "/gone")
    first = films.files()
    server.forget()
    films(refresh, AAA=url, AAB=server.origin + "/gone")
    assert server.paths() == ["/A", "/poster"]
    assert sent(server, "If-None-Match") == ['"a1"', '"p1"']
    assert films.files() == first


def test_changed(films, server, scrape, refresh, url):
    films(scrape, AAA=url)
    server.put("/A", cached(article(text="Edited"), etag='"a2"'))
    server.put("/poster", cached(picture("GIF"), "image/gif", '"p2"'))
    row = films(refresh, AAA=url)["AAA"]
    files = films.files()
    assert "Edited" in gzip.decompress(files["data/pages/AAA.html.gz"]).decode()
    assert (row["status"], row["etag"], row["poster_etag"]) == ("ok", '"a2"', '"p2"')
    assert files["data/posters/AAA.gif"] == picture("GIF") and "data/posters/AAA.png" not in files
    assert (row["poster_path"], row["reason"], row["poster_reason"]) == ("data/posters/AAA.gif", "", "")


def test_another_poster_is_shown_now(films, server, scrape, refresh, url):
    films(scrape, AAA=url)
    server.put("/A", cached(article("/other"), etag='"a2"'))
    server.put("/other", ok(picture("JPEG")))
    row = films(refresh, AAA=url)["AAA"]
    assert (row["poster_url"], row["poster_path"]) == (server.origin + "/other", "data/posters/AAA.jpg")
    assert [name for name in films.files() if name.startswith("data/posters")] == ["data/posters/AAA.jpg"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (status(500), "not refreshed (server_error): HTTP 500"),
        (status(404), "not refreshed (not_found): HTTP 404"),
        (large(30_000), "not refreshed (too_large)"),
        (ok(b"hello", "text/plain"), "not refreshed (not_"),
    ],
)
def test_a_failure_keeps_the_files(films, server, scrape, refresh, url, fault, reason):
    films(scrape, AAA=url)
    first = films.files()
    server.put("/A", fault)
    server.put("/poster", fault)
    row = films(refresh, AAA=url)["AAA"]
    assert (row["status"], row["poster_status"]) == ("ok", "ok")
    assert row["reason"].startswith(reason) and row["poster_reason"].startswith(reason)
    changed = {name for name, data in films.files().items() if first[name] != data}
    assert changed == {"data/pages.parquet", "data/pages/AAA.json"}

    server.put("/A", cached(article(), etag='"a1"'))
    server.put("/poster", cached(picture(), "image/png", '"p1"'))
    films(refresh, AAA=url)
    assert films.files() == first


def test_a_403_keeps_the_files_and_stops(films, server, scrape, refresh, url):
    films(scrape, AAA=url, AAB=url, AAC=url)
    server.put("/A", status(403))
    server.forget()
    with pytest.raises(StageError, match="HTTP 403"):
        films.start(refresh, AAA=url, AAB=url, AAC=url)
    assert server.paths() == ["/A"]
    assert [row["status"] for row in films.rows().values()] == ["ok"] * 3
    assert "not refreshed (not_asked): the run stopped" in films.rows()["AAC"]["reason"]


def test_without_an_etag_the_date_is_sent(films, server, scrape, refresh):
    url = server.put("/A", cached(article(), modified=THEN))
    server.put("/poster", cached(picture(), "image/png", modified=NOW))
    films(scrape, AAA=url)
    first = films.files()
    server.forget()
    films(refresh, AAA=url)
    assert sent(server, "If-Modified-Since") == [THEN, NOW] and sent(server, "If-None-Match") == [None, None]
    assert films.files() == first


def test_without_validators_the_request_is_unconditional(films, server, scrape, refresh):
    url = server.put("/A", ok(article()))
    films(scrape, AAA=url)
    first = films.files()
    server.forget()
    films(refresh, AAA=url)
    assert server.paths() == ["/A", "/poster"]
    assert sent(server, "If-Modified-Since") == sent(server, "If-None-Match") == [None, None]
    assert films.files() == first  # the same bytes: the row and its fetching time are unchanged


def test_missing_files_are_fetched_as_usual(films, server, refresh, url):
    assert films(refresh, AAA=url)["AAA"]["status"] == "ok"
    assert sent(server, "If-None-Match") == [None, None]


def test_files_served_by_the_corpus_are_compared_on_disk(films, refresh, tmp_path, monkeypatch):
    wiki = tmp_path / "corpus/site/wiki"
    wiki.mkdir(parents=True)
    (wiki / "One.html").write_text(article(""))
    served = replace(CORPUS, serve="site")
    films(refresh, served, AAA="{origin}/wiki/One")
    first = films.files()
    monkeypatch.setattr("requests.Session.get", None)
    films(refresh, served, AAA="{origin}/wiki/One")
    assert films.files() == first


@pytest.mark.parametrize("changed", ["page", "poster"])
def test_a_run_killed_while_it_replaces_leaves_no_row_of_another_file(
    films, server, scrape, refresh, url, monkeypatch, changed
):
    films(scrape, AAA=url)
    if changed == "page":
        server.put("/A", cached(article(text="Edited"), etag='"a2"'))
    else:
        server.put("/poster", cached(picture(colour=(0, 0, 9)), "image/png", '"p2"'))

    def killed(path, value):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipeline.core.ledger.write_json", killed)
        films(refresh, AAA=url)
    row = films(scrape, AAA=url)["AAA"]
    files = films.files()
    assert row["sha256"] == hashlib.sha256(gzip.decompress(files[row["path"]])).hexdigest()
    assert row["poster_sha256"] == hashlib.sha256(files[row["poster_path"]]).hexdigest()
    assert len([name for name in files if name.startswith("data/posters")]) == 1
