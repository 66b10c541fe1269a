"""Coverage of handmade tables with a known funnel."""

import dataclasses
import gzip
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.tables import DOWNLOADS, FILMS, PAGES, SEGMENTS, write_table
from pipeline.corpus import Film
from pipeline.parse.films import parse_films
from pipeline.split.coverage import report

SCHEMAS = {"pages": PAGES, "films": FILMS, "downloads": DOWNLOADS, "segments": SEGMENTS}


def row(schema, fid, status="ok", reason="", **known):
    """Return a row with empty or null values in all other columns."""
    empty = {
        field.name: "" if field.type == pa.string() else [] if "list" in str(field.type) else None for field in schema
    }
    return empty | {"fid": fid, "status": status, "reason": reason} | known


def page(fid, status="ok", reason="", poster="ok"):
    return row(PAGES, fid, status, reason, poster_status=poster, poster_reason="" if poster == "ok" else "why not")


def film(fid, status="ok", reason="", image="x.jpg", plot="A plot.", tags="drama", placeholders=()):
    return row(FILMS, fid, status, reason, image=image, plot=plot, tags=tags, placeholders=list(placeholders))


def recording(fid, number=0, status="ok", reason="", seconds=60.0, entry=None):
    decoded = seconds if status == "ok" else None
    return row(DOWNLOADS, fid, status, reason, number=number, entry=entry, decoded_seconds=decoded)


def piece(fid, number=0, status="ok", seconds=30.0):
    return row(SEGMENTS, fid, status, number=number if status == "ok" else None, seconds=seconds)


TABLES = {
    "pages": [
        page("AAA"),
        page("AAB", "not_found", "HTTP 404 on\nhttps://en.wikipedia.org/wiki/B", poster=""),
        page("AAC", "not_found", "HTTP 404 too", poster=""),
        page("AAD", poster="too_large"),
        page("AAE"),
        page("AAF", "given", poster="given"),
        page("AAG", "forbidden", "HTTP 403", poster=""),
        page("AAH"),
        page("AAI", poster="none"),
        page("AAJ"),
    ],
    "films": [
        film("AAA"),
        film("AAB", "no_page", "not_found", image="", plot="", tags=""),
        film("AAC", "no_page", "not_found", image="", plot="", tags="given"),
        film("AAD", "not_a_film", "a person", image="", plot="", tags=""),
        film("AAE", "no_plot", "no plot section", image="", plot="", tags=""),
        film("AAF"),
        film("AAG"),  # meta.json gives everything that its page would have
        film("AAH"),
        film("AAI", placeholders=("image", "tags")),
        film("AAJ", "no_poster", "none", image=""),
    ],
    "downloads": [  # no recording of AAF is requested
        recording("AAA", 0),
        recording("AAA", 1, "gone", "video unavailable"),
        recording("AAB", 0),
        *(recording("AAG", 0, entry=entry, seconds=90.0) for entry in range(3)),
        recording("AAG", 0, "gone", "private video", entry=3),
        recording("AAH", 0, "blocked", "not a bot"),
        recording("AAH", 1, "gone", "removed"),
        recording("AAI", 0),
        recording("AAJ", 0, seconds=4.0),
    ],
    "segments": [
        *(piece("AAA", number) for number in range(2)),
        *(piece("AAB", number) for number in range(2)),
        *(piece("AAG", number) for number in range(9)),
        piece("AAI", 0, seconds=29.0),
        piece("AAI", 1, "too_short", seconds=1.0),
        piece("AAJ", 0, "too_short", seconds=4.0),
    ],
}


@pytest.fixture
def cover(tmp_path):
    """Return a function that writes tables, reports, and returns the JSON and the text."""

    def run(left_out=(), shared=(), **tables):
        for name, rows in tables.items():
            write_table(tmp_path / f"data/{name}.parquet", rows, SCHEMAS[name])
        text = report(tmp_path, "data/films", dict(left_out), list(shared))
        return json.loads((tmp_path / "metrics/coverage.json").read_text(encoding="utf-8")), text

    run.root = tmp_path
    return run


def counts(losses):
    return {stage: {status: loss["count"] for status, loss in causes.items()} for stage, causes in losses.items()}


def test_available_data_are_counted(cover):
    coverage, _ = cover(**TABLES)
    assert {name: value for name, value in coverage.items() if not isinstance(value, dict | list)} == {
        "films_asked": 10,
        "pages_fetched": 7,
        "posters_fetched": 5,
        "films_with_image": 4,  # AAI's is blank
        "films_with_plot": 6,
        "films_with_tags": 6,
        "films_complete": 5,
        "films_usable": 6,  # AAJ too, which lacks a poster
        "films_with_audio": 5,
        "recordings_asked": 11,
        "recordings_ok": 7,
        "minutes_downloaded": 7.57,  # 3 × 60 s, 3 × 90 s and 4 s
        "films_with_segments": 4,
        "segments": 14,
        "minutes_of_segments": 6.98,  # 13 × 30 s and 29 s
        "films_in_data_set": 3,
        "shared_recordings": 0,
        "films_sharing": 0,
    }
    assert coverage["notes"] == []


def test_each_film_is_lost_once_at_its_first_cause(cover):
    coverage, _ = cover(**TABLES)
    assert counts(coverage["lost_films"]) == {
        "scrape": {"not_found": 2},
        "parse": {"no_plot": 1, "not_a_film": 1},
        "download": {"blocked": 1, "no_recordings": 1},
        "segment": {"too_short": 1},
    }
    lost = [fid for causes in coverage["lost_films"].values() for loss in causes.values() for fid in loss["films"]]
    assert sorted(lost) == ["AAB", "AAC", "AAD", "AAE", "AAF", "AAH", "AAJ"]
    assert coverage["films_in_data_set"] == coverage["films_asked"] - len(lost)


def test_films_left_out_by_split_and_shared_music(cover):
    left_out = {"AAA": ("not_given", "why"), "AAD": ("not_a_film", "lost before")}
    coverage, text = cover(left_out=left_out, shared=[["AAG", "AAI"]], **TABLES)
    assert counts(coverage["lost_films"])["split"] == {"not_given": 1}
    assert coverage["films_in_data_set"] == 2
    assert (coverage["shared_recordings"], coverage["films_sharing"]) == (1, 2)
    assert "split     not_given" in text


def test_every_loss_of_each_table_by_reason(cover):
    coverage, _ = cover(**TABLES)
    assert counts(coverage["losses"]) == {
        "scrape": {"not_found": 2, "forbidden": 1},
        "posters": {"none": 1, "too_large": 1},  # a film without a page does not count as a lost poster
        "parse": {"no_page": 2, "no_plot": 1, "no_poster": 1, "not_a_film": 1},
        "download": {"gone": 3, "blocked": 1},
        "segment": {"too_short": 2},
    }
    reason = "HTTP 404 on https://en.wikipedia.org/wiki/B"
    assert coverage["losses"]["scrape"]["not_found"] == {"count": 2, "films": ["AAB", "AAC"], "reason": reason}


def test_examples_are_few_and_name_a_film_once(cover):
    fids = [f"AB{letter}" for letter in "ABCDEFGH"]
    coverage, text = cover(downloads=[recording(fid, number, "gone", "removed") for fid in fids for number in range(2)])
    assert coverage["losses"]["download"]["gone"] == {"count": 16, "films": fids[:5], "reason": "removed"}
    assert "ABA, ABB…: removed" in text


def test_same_tables_give_the_same_bytes(cover):
    _, text = cover(**TABLES)
    first = (cover.root / "metrics/coverage.json").read_bytes()
    _, again = cover(**TABLES)
    assert (cover.root / "metrics/coverage.json").read_bytes() == first
    assert again == text


def test_fetching_time_is_not_included(cover):
    _, text = cover(**TABLES)
    first = (cover.root / "metrics/coverage.json").read_bytes()
    later = [page | {"fetched_at": "2031-01-01T00:00:00Z", "etag": "other"} for page in TABLES["pages"]]
    assert cover(pages=later)[1] == text
    assert (cover.root / "metrics/coverage.json").read_bytes() == first


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        (["pages"], {"films_with_plot", "films_usable", "recordings_asked", "segments", "films_in_data_set"}),
        (["pages", "films"], {"recordings_asked", "segments", "films_in_data_set"}),
        (["pages", "downloads"], {"films_usable", "segments", "films_in_data_set"}),
        (["films", "downloads", "segments"], {"pages_fetched", "posters_fetched"}),
    ],
)
def test_tables_that_do_not_exist_yet(cover, names, absent):
    whole, _ = cover(**TABLES)
    for name in SCHEMAS.keys() - set(names):
        (cover.root / f"data/{name}.parquet").unlink()
    coverage, text = cover()
    assert coverage["films_asked"] == 10
    assert absent.isdisjoint(coverage)
    shared = [key for key in coverage if isinstance(coverage[key], int | float)]
    assert {key: coverage[key] for key in shared} == {key: whole[key] for key in shared}
    assert whole.keys() - coverage.keys() >= absent
    assert "in the data set" not in text or "segments" in names


def test_no_table_at_all(cover):
    coverage, text = cover()
    assert coverage["films_asked"] == 0
    assert "films in the list" in text


def test_old_or_broken_table_is_left_out(cover):
    coverage, _ = cover(pages=TABLES["pages"], films=TABLES["films"])
    old = pa.table({"fid": ["AAA"], "status": ["ok"]})
    pq.write_table(old, cover.root / "data/films.parquet")
    (cover.root / "data/downloads.parquet").write_bytes(b"PAR1 cut off")
    (cover.root / "data/segments.parquet").mkdir()
    coverage, _ = cover()
    assert "films_usable" not in coverage
    assert "recordings_asked" not in coverage
    assert coverage["pages_fetched"] == 7


def test_tables_of_two_lists_are_noted(cover):
    films = TABLES["films"][:-1]
    other = [*TABLES["downloads"], recording("ZZZ")]
    coverage, text = cover(pages=TABLES["pages"], films=films, downloads=other)
    assert [note.split()[0] for note in coverage["notes"]] == ["data/films.parquet", "data/downloads.parquet"]
    assert "dvc repro parse" in text
    assert coverage["pending_films"]["parse"]["no_row"]["films"] == ["AAJ"]
    assert coverage["films_asked"] == 10


def test_placeholders_from_parse_do_not_count(cover, params):
    """A film's page without plot, poster or categories goes through the parse stage's own code."""
    html = '<h1 id="firstHeading">Fog</h1><table class="infobox"><tr><th>Directed by</th><td>Ann</td></tr></table>'
    path = cover.root / "data/pages/AAA.html.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(html.encode()))
    saved = {"path": "data/pages/AAA.html.gz", "url_reached": "https://e.org/wiki/Fog", "bytes": len(html)}
    pages = [page("AAA", poster="none") | saved]
    asked = [Film("AAA", "https://e.org/wiki/Fog", (), year=1926)]
    settings = dataclasses.replace(params.parse, missing="placeholder")
    rows = parse_films(cover.root, asked, pages, settings, 1)
    assert rows[0]["plot"]
    coverage, _ = cover(pages=pages, films=rows)
    found = {name: coverage[name] for name in coverage if name.startswith("films_")}
    assert found == {
        "films_asked": 1, "films_complete": 1, "films_usable": 1,
        "films_with_image": 0, "films_with_plot": 0, "films_with_tags": 0,
    }  # fmt: skip


def test_text_is_aligned_and_fits_the_width(cover):
    long = [
        TABLES["pages"][0],
        page("AAB", "not_found", "HTTP 404 \x1b[2J" + 200 * "x", poster=""),
        *TABLES["pages"][2:],
    ]
    _, text = cover(**TABLES | {"pages": long})
    assert "HTTP 404 [2Jxxx" in text
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(map(str.isprintable, lines))
    numbers = [re.search(r"\d", line[46:]) and line[46:55] for line in lines if line.startswith(("  films", "  …"))]
    assert all(number == number.rstrip() for number in numbers)
    assert re.search(r"usable.*\s6\s+60\.0%", text)
    assert re.search(r"in the data set\s+3\s+30\.0%", text)
    assert re.search(r"parse\s+not_a_film\s+1\s+AAD: a person", text)


def test_tables_of_another_corpus_are_left_out(cover):
    """Two lists have the same ids: only the corpus name distinguishes them."""
    name = cover.root / "data/downloads/corpus.txt"
    name.parent.mkdir(parents=True)
    name.write_text("data/other\n")
    coverage, _ = cover(**TABLES)
    assert {"recordings_ok", "segments", "films_in_data_set"}.isdisjoint(coverage)
    assert coverage["films_usable"] == 6
    assert set(coverage["lost_films"]) == {"scrape", "parse"}
    name.write_text("data/films\n")
    assert cover()[0]["films_in_data_set"] == 3


def test_films_that_a_stage_has_not_reached_are_not_lost(cover):
    pages = [*TABLES["pages"][:-1], page("AAJ", "not_asked", "the run stopped", poster="")]
    films = TABLES["films"][:-1]
    segments = [row for row in TABLES["segments"] if row["fid"] != "AAI"]
    coverage, text = cover(**TABLES | {"pages": pages, "films": films, "segments": segments})
    assert counts(coverage["pending_films"]) == {"scrape": {"not_asked": 1}, "segment": {"no_row": 1}}
    lost = sum(loss["count"] for causes in coverage["lost_films"].values() for loss in causes.values())
    assert coverage["films_in_data_set"] == 2
    assert coverage["films_asked"] == 2 + 2 + lost
    assert re.search(r"in the data set\s+2\s+20\.0%", text)
