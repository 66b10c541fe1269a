import gzip
import hashlib
import json
import os
import shutil
from dataclasses import replace

import pytest

from pipeline.core import ledger as ledger_module
from pipeline.core.errors import CorpusError, ParamsError, StageError
from tests.faults import ok, redirect, status
from tests.scrape.conftest import CORPUS, article, picture

SERVED = replace(CORPUS, serve="site")


def test_one_row_and_files_per_film(films, server, scrape):
    server.put("/wiki/One", ok(article(), headers={"ETag": '"1"', "Last-Modified": "Mon, 06 Jul 2026 10:00:00 GMT"}))
    server.put("/poster", ok(picture(), "image/png", {"ETag": '"p"'}))
    server.put("/wiki/Old", redirect("/wiki/Older"))
    server.put("/wiki/Older", redirect(server.origin + "/wiki/One#Plot"))
    rows = films(scrape, AAA=server.origin + "/wiki/Old", AAC=server.origin + "/wiki/None")
    row, files = rows["AAA"], films.files()
    assert (row["status"], row["reason"], row["revision"], row["charset"]) == ("ok", "", 4711, "utf-8")
    assert (row["url"], row["url_reached"]) == (server.origin + "/wiki/Old", server.origin + "/wiki/One")
    assert row["redirects"] == [server.origin + "/wiki/Old", server.origin + "/wiki/Older"]
    assert (row["etag"], row["last_modified"]) == ('"1"', "Mon, 06 Jul 2026 10:00:00 GMT")
    page = gzip.decompress(files[row["path"]])
    assert page.decode() == article()
    assert files[row["path"]][:10] == bytes.fromhex("1f8b08000000000002ff")  # no time, and no system of the writer
    assert (row["bytes"], row["sha256"]) == (len(page), hashlib.sha256(page).hexdigest())
    assert row["fetched_at"].endswith("+00:00")
    assert (row["poster_status"], row["poster_url"]) == ("ok", server.origin + "/poster")
    assert (row["poster_page"], row["poster_etag"]) == (server.origin + "/wiki/File:P.png", '"p"')
    digest = hashlib.sha256(files["data/posters/AAA.png"]).hexdigest()
    assert (row["poster_path"], row["poster_sha256"]) == ("data/posters/AAA.png", digest)
    lost = rows["AAC"]
    assert (lost["status"], lost["path"], lost["revision"], lost["bytes"]) == ("not_found", "", None, None)
    assert lost["reason"] == "HTTP 404 Not Found"
    assert (lost["poster_status"], lost["poster_reason"]) == ("no_page", "no page (not_found)")
    assert sorted(files) == [
        "data/pages.parquet",
        "data/pages/AAA.html.gz",
        "data/pages/AAA.json",
        "data/pages/AAC.json",
        "data/pages/corpus.txt",
        "data/posters/AAA.png",
    ]


def test_the_contact_is_sent(films, server, scrape):
    films(scrape, replace(CORPUS, contact="me@example.org"), AAA=server.put("/A", ok(article())))
    assert "(me@example.org)" in server.requests[0].headers["User-Agent"]


def test_one_request_at_a_time(films, server, scrape):
    urls = {f"AA{name}": server.put(f"/{name}", ok(article())) for name in "ABCDEF"}
    films(scrape, **urls)
    assert server.most_at_once == 1 and len(server.requests) == 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_extension_comes_from_the_bytes(films, server, scrape, kind):
    server.put("/poster.exe", ok(picture(kind), "image/bmp"))
    row = films(scrape, AAA=server.put("/a", ok(article("/poster.exe"))))["AAA"]
    assert row["poster_path"] == f"data/posters/AAA.{kind.lower().replace('jpeg', 'jpg')}"
    assert films.files()[row["poster_path"]] == picture(kind)


def test_image_of_meta_json_wins_even_without_a_page(films, server, scrape):
    server.put("/wiki/One", ok(article("/shown")))
    entry = {"wikipedia": server.origin + "/wiki/One", "image": server.origin + "/poster"}
    rows = films(scrape, AAA=entry, AAB=entry | {"wikipedia": server.origin + "/none"})
    assert [row["poster_url"] for row in rows.values()] == [server.origin + "/poster"] * 2
    assert [row["poster_status"] for row in rows.values()] == ["ok", "ok"]
    assert [row["poster_page"] for row in rows.values()] == ["", ""]
    assert "/shown" not in server.paths()


@pytest.mark.parametrize(
    "body",
    ["<html>Amélie</html>".encode("latin-1"), b"\xef\xbb\xbf<html>Am\xc3\xa9lie</html>", b"<html>\xff\x00\xfe</html>"],
)
def test_the_page_is_kept_as_it_came(films, server, scrape, body):
    row = films(scrape, AAA=server.put("/a", ok(body, "text/html; charset=ISO-8859-1")))["AAA"]
    assert gzip.decompress(films.files()[row["path"]]) == body
    assert (row["bytes"], row["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert row["charset"] == "iso-8859-1"


@pytest.mark.parametrize(
    ("script", "revision"),
    [
        ('"wgRevisionId":12', 12),
        ('"wgRevisionId":0', None),
        ('"wgRevisionId":' + "9" * 30, None),
        ('<html about="https://en.wikipedia.org/wiki/Special:Redirect/revision/77">', 77),
        ("", None),
    ],
)
def test_revision(films, server, scrape, script, revision):
    assert films(scrape, AAA=server.put("/a", ok(f"<html>{script}")))["AAA"]["revision"] == revision


def test_second_run_requests_nothing(films, server, scrape):
    server.put("/wiki/One", ok(article()))
    server.put("/wiki/Bare", ok("<html>no poster</html>"))
    server.put("/wiki/Odd", ok(article("/odd")))
    server.put("/odd", ok("<html>no image</html>"))
    names = {"AAA": "/wiki/One", "AAB": "/gone", "AAC": "/wiki/Bare", "AAD": "/wiki/Odd"}
    urls = {fid: server.origin + name for fid, name in names.items()}
    films(scrape, **urls)
    before = films.files()
    server.forget()
    films(scrape, **urls)
    assert server.paths() == []
    assert films.files() == before


def test_a_run_requests_missing_changed_and_transiently_failed(films, server, scrape, tmp_path):
    scrape = replace(scrape, attempts=1)
    for name in "ABCD":
        server.put(f"/{name}", ok(article(f"/poster?{name}")))
        server.put(f"/poster?{name}", ok(picture()))
    server.put("/E", status(503))
    server.put("/poster?D", status(500))
    urls = {f"AA{name}": f"{server.origin}/{name}" for name in "ABCDE"}
    rows = films(scrape, **urls)
    assert (rows["AAE"]["status"], rows["AAD"]["poster_status"]) == ("server_error", "server_error")

    (tmp_path / "data/pages/AAA.html.gz").unlink()
    (tmp_path / "data/posters/AAB.png").unlink()
    server.put("/C2", ok(article("/poster")))
    server.put("/E", ok(article("/poster")))
    server.put("/poster?D", ok(picture("GIF")))
    server.forget()
    rows = films(scrape, **(urls | {"AAC": server.origin + "/C2"}))
    assert server.paths() == ["/A", "/poster?B", "/C2", "/poster", "/poster?D", "/E", "/poster"]
    assert {row["status"] for row in rows.values()} == {row["poster_status"] for row in rows.values()} == {"ok"}
    assert "data/posters/AAD.gif" in films.files()


def test_refusals_by_parameters_are_retried_when_these_change(films, server, scrape):
    server.put("/long", ok(article() + " " * 30_000))
    server.put("/poster", ok(picture() + b" " * 30_000))
    urls = {"AAA": server.origin + "/long", "AAB": server.put("/short", ok(article()))}
    rows = films(scrape, **urls)
    assert (rows["AAA"]["status"], rows["AAB"]["poster_status"]) == ("too_large", "too_large")
    server.forget()
    films(scrape, **urls)
    assert server.paths() == []
    rows = films(replace(scrape, max_page_bytes=40_000, max_poster_bytes=40_000), **urls)
    assert [(row["status"], row["poster_status"]) for row in rows.values()] == [("ok", "ok")] * 2
    assert "/short" not in server.paths()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", ["page", "poster", "row"])
def test_a_killed_run_keeps_what_it_has(films, server, scrape, tmp_path, monkeypatch, moment):
    for name in "ABC":
        server.put(f"/{name}", ok(article(f"/poster{name}")))
        server.put(f"/poster{name}", ok(picture()))
    urls = {f"AA{name}": f"{server.origin}/{name}" for name in "ABC"}
    module, name = {
        "page": ("pipeline.scrape.page", "write_bytes"),
        "poster": ("pipeline.scrape.image", "write_bytes"),
        "row": ("pipeline.core.ledger", "write_json"),
    }[moment]
    original = ledger_module.write_json if moment == "row" else None

    def killed(path, value):
        if path.name.startswith("AAB"):
            raise Killed
        if original:
            original(path, value)
        else:
            path.write_bytes(value)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(f"{module}.{name}", killed)
        films(scrape, **urls)
    (tmp_path / "data/pages/.part-xyz.gz").write_bytes(b"half")
    server.forget()
    rows = films(scrape, **urls)
    assert {row["status"] for row in rows.values()} == {row["poster_status"] for row in rows.values()} == {"ok"}
    assert server.paths() == ["/B", "/posterB", "/C", "/posterC"]
    assert not [name for name in films.files() if ".part-" in name]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"fid": "AAA"}', "é"])
def test_a_damaged_row_is_fetched_again(films, server, scrape, tmp_path, damage):
    url = server.put("/A", ok(article()))
    films(scrape, AAA=url)
    (tmp_path / "data/pages/AAA.json").write_text(damage, encoding="latin-1")
    assert films(scrape, AAA=url)["AAA"]["status"] == "ok"
    assert server.paths().count("/A") == 2


def test_files_of_removed_films_are_deleted(films, server, scrape, tmp_path):
    url = server.put("/A", ok(article()))
    films(scrape, AAA=url, AAB=url)
    (tmp_path / "data/pages/notes.txt").write_text("mine")
    assert list(films(scrape, AAB=url)) == ["AAB"]
    assert not [name for name in films.files() if "AAA" in name]
    assert "data/pages/notes.txt" in films.files()


def test_the_old_page_of_a_broken_url_is_deleted(films, server, scrape):
    url = server.put("/A", ok(article()))
    films(scrape, AAA=url, AAB=url)
    rows = films(scrape, AAA=server.origin + "/gone", AAB=url)
    assert rows["AAA"]["status"] == "not_found"
    assert [name for name in films.files() if "AAA" in name] == ["data/pages/AAA.json"]


def test_fresh_runs_on_the_corpus_own_site_write_the_same_bytes(films, scrape, tmp_path):
    site = tmp_path / "corpus/site"
    (site / "wiki").mkdir(parents=True)
    (site / "wiki/One.html").write_text(article("/poster.png"))
    (site / "poster.png").write_bytes(picture())
    row = films(scrape, SERVED, AAA="{origin}/wiki/One")["AAA"]
    assert (row["status"], row["fetched_at"], row["last_modified"]) == ("ok", "", "")
    first = films.files()
    shutil.rmtree(tmp_path / "data")
    for path in (site / "wiki/One.html", site / "poster.png"):
        os.utime(path, (0, 1_000_000_000))  # as in another checkout
    films(scrape, SERVED, AAA="{origin}/wiki/One")
    assert films.files() == first


def test_the_corpus_serves_its_own_site(films, scrape, tmp_path, monkeypatch):
    wiki = tmp_path / "corpus/site/wiki"
    wiki.mkdir(parents=True)
    (wiki / "One.html").write_text(article("/poster.png"))
    (tmp_path / "corpus/site/poster.png").write_bytes(picture())
    row = films(scrape, SERVED, AAA="{origin}/wiki/One")["AAA"]
    assert (row["url_reached"], row["poster_url"]) == ("{origin}/wiki/One", "{origin}/poster.png")
    assert (row["poster_status"], row["poster_page"]) == ("ok", "{origin}/wiki/File:P.png")
    first = films.files()
    with monkeypatch.context() as patch:
        patch.setattr("requests.Session.get", None)  # nothing is requested
        films(scrape, SERVED, AAA="{origin}/wiki/One")
    assert films.files() == first

    (wiki / "One.html").write_text(article("/poster.png", text="Edited"))
    (tmp_path / "corpus/site/poster.png").write_bytes(picture("GIF"))
    row = films(scrape, SERVED, AAA="{origin}/wiki/One")["AAA"]
    files = films.files()
    assert "Edited" in gzip.decompress(files[row["path"]]).decode()
    assert row["poster_path"] == "data/posters/AAA.gif" and files["data/posters/AAA.gif"] == picture("GIF")
    assert "data/posters/AAA.png" not in files

    (wiki / "One.html").unlink()
    (wiki / "Two.html").write_text(article())
    assert films(scrape, SERVED, AAA="{origin}/wiki/One", AAB="{origin}/wiki/Two")["AAA"]["status"] == "not_found"
    (wiki / "One.html").write_text(article())
    assert films(scrape, SERVED, AAA="{origin}/wiki/One")["AAA"]["status"] == "ok"


def test_a_corpus_in_the_layout_of_the_reference_needs_no_page(films, server, scrape, tmp_path):
    place = tmp_path / "corpus"
    (place / "meta").mkdir(parents=True)
    (place / "image").mkdir()
    (place / "meta/fid_to_text.json").write_text(json.dumps({"AAA": "1926 film", "AAB": "1927 film"}))
    (place / "meta/meta.json").write_text(json.dumps({"AAA": {"plot": "One."}, "AAB": {"plot": "Two."}}))
    (place / "image/AAA.jpg").write_bytes(picture("JPEG"))
    run_stage(films, replace(scrape, min_success_rate=1.0))
    rows = films.rows()
    assert {row["status"] for row in rows.values()} == {"given"}
    assert rows["AAA"]["reason"] == "title, tags and plot are from the corpus; it has no page"
    assert (rows["AAA"]["poster_status"], rows["AAA"]["poster_path"]) == ("ok", "data/posters/AAA.jpg")
    assert (rows["AAB"]["poster_status"], rows["AAB"]["poster_reason"]) == ("none", "the corpus has no image")
    first = films.files()
    run_stage(films, scrape)
    assert films.files() == first


def run_stage(films, scrape):
    from stages.scrape import main

    main(films.root, CORPUS, scrape)


@pytest.mark.parametrize("title", ["../../x", "a\x00b", "x" * 10_000, "🎬", "/etc/passwd", "..\\..\\x"])
def test_no_title_makes_a_path(films, server, scrape, tmp_path, title):
    entry = {"wikipedia": server.put("/A", ok(article(f"/{title}"))), "title": title[:500]}
    films(scrape, AAA=entry)
    ours = {"corpus", "data", "metrics"}
    assert {path.name for path in tmp_path.iterdir()} <= ours
    assert all(name.startswith(("data/pages", "data/posters/AAA.")) for name in films.files())


def test_counts_are_reported(films, server, scrape, tmp_path, caplog):
    caplog.set_level("INFO")
    films(scrape, AAA=server.put("/A", ok(article())), AAB=server.origin + "/gone")
    assert "1 ok, 1 not_found" in caplog.text
    assert not (tmp_path / "metrics").exists()  # only `split` writes it


def test_stops_with_advice(films, server, scrape, caplog):
    caplog.set_level("INFO")
    for entry in (
        "https://en.wikipedia.org/wiki/Metropolis_(1927_film)",
        {"wikipedia": server.origin + "/A", "image": "https://upload.wikimedia.org/a.png"},
    ):
        with pytest.raises(ParamsError, match=r"corpus\.contact.*SOUNDTRACK_CONTACT"):
            films(scrape, AAA=entry)
    assert server.requests == []
    with pytest.raises(CorpusError, match=r"corpus\.serve"):
        films(scrape, AAA="{origin}/wiki/One")
    with pytest.raises(StageError, match=r"0 of 1 pages succeeded \(1 not_found\)"):
        films(scrape, AAA=server.origin + "/gone")
    assert "not_found" in caplog.text


def test_a_question_mark_in_a_title_is_requested(films, server, scrape):
    server.put("/wiki/Doc", ok(article(text="Another article")))
    server.put("/wiki/Doc%3F_(film)", ok(article(text="The film")))
    server.put("/wiki/Doc?oldid=12", ok(article(text="Of old")))
    urls = {
        "AAA": server.origin + "/wiki/Doc?_(film)",
        "AAB": server.origin + "/wiki/Doc%3F_(film)",
        "AAC": server.origin + "/wiki/Doc?oldid=12",
    }
    rows = films(scrape, **urls)
    pages = {fid: gzip.decompress(films.files()[row["path"]]).decode() for fid, row in rows.items()}
    assert "The film" in pages["AAA"] and "The film" in pages["AAB"] and "Of old" in pages["AAC"]
    assert rows["AAA"]["url"] == rows["AAA"]["url_reached"] == server.origin + "/wiki/Doc%3F_(film)"
    server.forget()
    assert films(scrape, **urls) == rows
    assert server.paths() == []


def test_a_page_requested_by_a_truncated_title_is_requested_again(films, server, scrape):
    server.put("/wiki/Doc%3F_(film)", ok(article(text="The film")))
    url = server.origin + "/wiki/Doc?_(film)"
    films(scrape, AAA=url)
    path = films.root / "data/pages/AAA.json"
    path.write_text(path.read_text().replace("Doc%3F_(film)", "Doc?_(film)"))
    server.forget()
    assert films(scrape, AAA=url)["AAA"]["url"] == server.origin + "/wiki/Doc%3F_(film)"
    assert "/wiki/Doc%3F_(film)" in server.paths()
