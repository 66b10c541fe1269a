import gzip
import hashlib
import io
import json
import os
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.errors import CorpusError, ParamsError, StageError
from pipeline.scrape import pages as pages_module
from pipeline.sections import Corpus
from pipeline.tables import PAGES, read_table
from stages.scrape import main

CORPUS = Corpus(folder="corpus", serve=None, contact=None)
INFOBOX = '<table class="infobox vevent"><tr><td colspan="2"><img src="{}"></td></tr></table>'


def picture(kind="PNG", colour=(200, 10, 10)):
    data = io.BytesIO()
    Image.new("RGB", (30, 40), colour).save(data, kind)
    return data.getvalue()


def article(poster="/poster", text="Plot"):
    return f'<html><script>{{"wgRevisionId":4711}}</script>{INFOBOX.format(poster)}<p>{text} ø</p></html>'


@pytest.fixture
def films(tmp_path, site):
    """Write meta.json and return the table of a run, its rows by id."""
    site.answers["/poster"] = (200, {"Content-Type": "text/plain"}, picture())

    def run(scrape, corpus=CORPUS, **urls):
        meta = {
            fid: {"soundtrack": [], "wikipedia": url} if isinstance(url, str) else {"soundtrack": []} | url
            for fid, url in urls.items()
        }
        (tmp_path / "corpus").mkdir(exist_ok=True)
        (tmp_path / "corpus/meta.json").write_text(json.dumps(meta))
        main(tmp_path, corpus, scrape)
        return {row["fid"]: row for row in read_table(tmp_path / "data/pages.parquet", PAGES, "scrape")}

    return run


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in (folder / "data").rglob("*") if path.is_file())


def test_a_row_and_files_a_film(films, site, scrape, tmp_path):
    site.html("/wiki/One", article())
    site.answers["/wiki/Old"] = (301, {"Location": "/wiki/One"}, b"")
    rows = films(scrape, AAA=site.origin + "/wiki/Old", AAC=site.origin + "/wiki/None")
    row = rows["AAA"]
    assert (row["status"], row["reason"], row["revision"]) == ("ok", "", 4711)
    assert (row["url"], row["url_reached"]) == (site.origin + "/wiki/Old", site.origin + "/wiki/One")
    packed = (tmp_path / row["path"]).read_bytes()
    page = gzip.decompress(packed)
    assert page.decode() == article()
    assert packed == gzip.compress(page, mtime=0)
    assert (row["bytes"], row["sha256"]) == (len(page), hashlib.sha256(page).hexdigest())
    assert row["fetched_at"].endswith("+00:00")
    assert (row["poster_status"], row["poster_url"]) == ("ok", site.origin + "/poster")
    assert (row["poster_path"], row["poster_sha256"]) == (
        "data/posters/AAA.png",
        hashlib.sha256((tmp_path / "data/posters/AAA.png").read_bytes()).hexdigest(),
    )
    lost = rows["AAC"]
    assert (lost["status"], lost["path"], lost["revision"], lost["bytes"]) == ("not_found", "", None, None)
    assert lost["reason"] == "HTTP 404 Not Found"
    assert lost["poster_status"] == "none"
    assert files(tmp_path) == [
        "data/pages.parquet",
        "data/pages/AAA.html.gz",
        "data/pages/AAA.json",
        "data/pages/AAC.json",
        "data/posters/AAA.png",
    ]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_extension_comes_from_the_bytes(films, site, scrape, tmp_path, kind):
    site.html("/wiki/One", article("/poster.exe"))
    site.answers["/poster.exe"] = (200, {"Content-Type": "image/bmp"}, picture(kind))
    row = films(scrape, AAA=site.origin + "/wiki/One")["AAA"]
    assert row["poster_path"] == f"data/posters/AAA.{kind.lower().replace('jpeg', 'jpg')}"
    assert (tmp_path / row["poster_path"]).read_bytes() == picture(kind)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((200, {}, b"<html>error page</html>"), "not_an_image"),
        ((200, {}, b""), "not_an_image"),
        ((404, {}, b""), "not_found"),
        ((200, {}, b"x" * 20_001), "too_large"),
    ],
)
def test_a_poster_that_fails_leaves_the_page(films, site, scrape, tmp_path, answer, status):
    site.html("/wiki/One", article())
    site.answers["/poster"] = answer
    row = films(scrape, AAA=site.origin + "/wiki/One")["AAA"]
    assert (row["status"], row["poster_status"], row["poster_path"]) == ("ok", status, "")
    assert row["poster_reason"]
    assert not list((tmp_path / "data/posters").iterdir())


def test_image_of_meta_json_wins_even_without_a_page(films, site, scrape):
    site.html("/wiki/One", article("/shown"))
    entry = {"wikipedia": site.origin + "/wiki/One", "image": site.origin + "/poster"}
    rows = films(scrape, AAA=entry, AAB=entry | {"wikipedia": site.origin + "/none"})
    assert [row["poster_url"] for row in rows.values()] == [site.origin + "/poster"] * 2
    assert [row["poster_status"] for row in rows.values()] == ["ok", "ok"]
    assert "/shown" not in site.asked


def test_only_html_is_a_page(films, site, scrape):
    site.html("/wiki/One", article())
    site.answers["/pdf"] = (200, {"Content-Type": "application/pdf"}, b"%PDF")
    site.answers["/nothing"] = (200, {}, b"<html>")
    rows = films(scrape, AAA=site.origin + "/wiki/One", AAB=site.origin + "/pdf", AAC=site.origin + "/nothing")
    assert [row["status"] for row in rows.values()] == ["ok", "not_html", "not_html"]


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("text/html; charset=iso-8859-1", "<html>Amélie</html>".encode("latin-1")),
        ("text/html", '<html><meta charset="windows-1252">Amélie</html>'.encode("cp1252")),
        ("text/html; charset=no-such-thing", "<html>Amélie</html>".encode()),
        ("text/html; charset=rot13", "<html>Amélie</html>".encode()),
        ("text/html", b"\xef\xbb\xbf" + "<html>Amélie</html>".encode()),
    ],
)
def test_pages_are_kept_as_utf8(films, site, scrape, tmp_path, header, body):
    site.answers["/a"] = (200, {"Content-Type": header}, body)
    row = films(scrape, AAA=site.origin + "/a")["AAA"]
    assert "Amélie" in gzip.decompress((tmp_path / row["path"]).read_bytes()).decode()


def test_second_run_asks_for_nothing(films, site, scrape, tmp_path):
    site.html("/wiki/One", article())
    site.html("/wiki/Bare", "<html>no poster</html>")
    urls = {"AAA": site.origin + "/wiki/One", "AAB": site.origin + "/gone", "AAC": site.origin + "/wiki/Bare"}
    films(scrape, **urls)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    site.asked.clear()
    films(scrape, **urls)
    assert site.asked == []
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_a_run_asks_for_what_is_missing_changed_or_may_pass(films, site, scrape, tmp_path):
    scrape = replace(scrape, attempts=1)
    for name in "ABCD":
        site.html(f"/{name}", article(f"/poster?{name}"))
        site.answers[f"/poster?{name}"] = (200, {}, picture())
    site.answers["/E"] = (503, {}, b"")
    site.answers["/poster?D"] = (500, {}, b"")
    urls = {f"AA{name}": f"{site.origin}/{name}" for name in "ABCDE"}
    rows = films(scrape, **urls)
    assert (rows["AAE"]["status"], rows["AAD"]["poster_status"]) == ("server_error", "server_error")

    (tmp_path / "data/pages/AAA.html.gz").unlink()
    (tmp_path / "data/posters/AAB.png").unlink()
    site.html("/C2", article("/poster"))
    site.html("/E", article("/poster"))
    site.answers["/poster?D"] = (200, {}, picture("GIF"))
    site.asked.clear()
    rows = films(scrape, **(urls | {"AAC": site.origin + "/C2"}))
    assert site.asked == ["/A", "/poster?B", "/C2", "/poster", "/poster?D", "/E", "/poster"]
    assert {row["status"] for row in rows.values()} == {row["poster_status"] for row in rows.values()} == {"ok"}
    assert (tmp_path / "data/posters/AAD.gif").is_file()


def test_a_killed_run_keeps_what_it_has(films, site, scrape, tmp_path, monkeypatch):
    for name in "ABC":
        site.html(f"/{name}", article())
    urls = {f"AA{name}": f"{site.origin}/{name}" for name in "ABC"}
    kept = pages_module.write_json

    def killed(path, row):
        if path.stem == "AAB":
            raise KeyboardInterrupt
        kept(path, row)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pages_module, "write_json", killed)
        films(scrape, **urls)
    (tmp_path / "data/pages/.part-xyz.gz").write_bytes(b"half")
    site.asked.clear()
    rows = films(scrape, **urls)
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert "/A" not in site.asked and {"/B", "/C"} <= set(site.asked)
    assert not [name for name in files(tmp_path) if ".part-" in name]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"fid": "AAA"}'])
def test_a_damaged_row_is_fetched_again(films, site, scrape, tmp_path, damage):
    site.html("/A", article())
    films(scrape, AAA=site.origin + "/A")
    (tmp_path / "data/pages/AAA.json").write_text(damage)
    assert films(scrape, AAA=site.origin + "/A")["AAA"]["status"] == "ok"
    assert site.asked.count("/A") == 2


def test_films_that_left_take_their_files_along(films, site, scrape, tmp_path):
    site.html("/A", article())
    films(scrape, AAA=site.origin + "/A", AAB=site.origin + "/A")
    (tmp_path / "data/pages/notes.txt").write_text("mine")
    rows = films(scrape, AAB=site.origin + "/A")
    assert list(rows) == ["AAB"]
    assert not [name for name in files(tmp_path) if "AAA" in name]
    assert "data/pages/notes.txt" in files(tmp_path)


def test_a_url_that_no_longer_works_takes_the_old_page_along(films, site, scrape, tmp_path):
    site.html("/A", article())
    films(scrape, AAA=site.origin + "/A", AAB=site.origin + "/A")
    rows = films(scrape, AAA=site.origin + "/gone", AAB=site.origin + "/A")
    assert rows["AAA"]["status"] == "not_found"
    assert [name for name in files(tmp_path) if "AAA" in name] == ["data/pages/AAA.json"]


def test_the_corpus_serves_its_own_site(films, scrape, tmp_path):
    corpus = replace(CORPUS, serve="site")
    wiki = tmp_path / "corpus/site/wiki"
    wiki.mkdir(parents=True)
    (wiki / "One.html").write_text(article("/poster.png"))
    (tmp_path / "corpus/site/poster.png").write_bytes(picture())
    row = films(scrape, corpus, AAA="{origin}/wiki/One")["AAA"]
    assert (row["url_reached"], row["poster_url"]) == ("{origin}/wiki/One", "{origin}/poster.png")
    first = (tmp_path / "data/pages.parquet").read_bytes()
    films(scrape, corpus, AAA="{origin}/wiki/One")
    assert (tmp_path / "data/pages.parquet").read_bytes() == first

    (wiki / "One.html").write_text(article("/poster.png", text="Edited"))
    (tmp_path / "corpus/site/poster.png").write_bytes(picture("GIF"))
    row = films(scrape, corpus, AAA="{origin}/wiki/One")["AAA"]
    assert "Edited" in gzip.decompress((tmp_path / row["path"]).read_bytes()).decode()
    assert (tmp_path / "data/posters/AAA.gif").read_bytes() == picture("GIF")
    assert row["poster_path"] == "data/posters/AAA.gif" and not (tmp_path / "data/posters/AAA.png").exists()


def test_stops_with_advice(films, site, scrape, monkeypatch):
    monkeypatch.delenv("SOUNDTRACK_CONTACT", raising=False)
    with pytest.raises(ParamsError, match="SOUNDTRACK_CONTACT"):
        films(scrape, AAA="https://en.wikipedia.org/wiki/Metropolis_(1927_film)")
    with pytest.raises(CorpusError, match=r"corpus\.serve"):
        films(scrape, AAA="{origin}/wiki/One")
    with pytest.raises(StageError, match=r"0 of 1 pages succeeded \(1 not_found\)"):
        films(scrape, AAA=site.origin + "/gone")
    assert os.environ.get("SOUNDTRACK_CONTACT") is None
