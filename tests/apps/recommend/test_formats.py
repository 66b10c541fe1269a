"""Output for programs, spreadsheets and players, with hostile titles."""

import csv
import io
import json

import pytest

from pipeline.apps.recommend.formats import as_csv, as_json, as_m3u, caption, clock, plain
from tests.apps.recommend.tracks import track

HOSTILE = '=HYPERLINK("http://x")\n\x1b[31m\u202e'


def found(number: int, **known) -> dict:
    return track(number, **({"rank": number + 1, "row": number, "score": 0.5} | known))


def where(of: dict) -> str:
    return f"/music/{of['path']}"


def test_json_has_what_a_program_needs():
    why = {"place": 3, "without": {"tags": {"score": 0.25, "place": 9}}}
    answer = json.loads(as_json({"variant": "Ta"}, [found(0, **why)], where))
    assert answer["variant"] == "Ta"
    assert answer["tracks"] == [
        {
            "rank": 1,
            "score": 0.5,
            "film": "Film 0",
            "year": 1920,
            "artist": "",
            "title": "Suite 0",
            "start_seconds": 0.0,
            "file_start_seconds": 0.0,
            "seconds": 10.0,
            "recording_seconds": 20.0,
            "tempo": 90.0,
            "key": "A minor",
            "loudness": -20.0,
            "vocals": 0.25,
            "fid": "AAA",
            "number": 0,
            "split": "eval",
            "url": "",
            "source_url": "",
            "music_tags": "",
            "path": "/music/data/audio/A/A/A/0.mp3",
            **why,
        }
    ]


def test_csv_has_a_column_for_each_fact_and_nothing_that_a_spreadsheet_runs():
    why = {"place": 3, "without": {"tags": {"score": -0.25, "place": 9}}}
    tracks = [found(0, film=HOSTILE, artist="@a", title="-1", **why), found(1, year=None, title='"a",b', **why)]
    rows = list(csv.DictReader(io.StringIO(as_csv(tracks, where))))
    assert rows[0]["film"] == """'=HYPERLINK("http://x") [31m"""
    assert (rows[0]["artist"], rows[0]["title"]) == ("'@a", "'-1")
    assert (rows[0]["score_without_tags"], rows[0]["place_without_tags"], rows[0]["place"]) == ("-0.25", "9", "3")
    assert (rows[1]["year"], rows[1]["title"], rows[1]["rank"]) == ("", '"a",b', "2")
    assert rows[1]["path"] == "/music/data/audio/A/A/A/1.mp3"


def test_an_address_on_the_corpus_own_server_is_of_no_use_to_others():
    own = found(0, title="a", url="{origin}/wiki/A", source_url="{origin}/audio/a.mp3")
    other = found(1, source_url="https://a.org/b.mp3")
    assert "{origin}" not in as_json({}, [own], where) + as_csv([own], where) + as_m3u([own], where)
    rows = list(csv.DictReader(io.StringIO(as_csv([own, other], where))))
    assert [(row["url"], row["source_url"]) for row in rows] == [("", ""), ("", "https://a.org/b.mp3")]


def test_no_tracks_are_a_header_and_an_empty_playlist():
    assert as_csv([], where).startswith("rank,score,film,")
    assert as_m3u([], where) == "#EXTM3U\n"


def test_playlist_names_each_track_and_starts_within_a_file():
    segment = found(1, fid="", file_start_seconds=30.0, seconds=12.5, artist="Anna", film="", year=None)
    assert as_m3u([found(0), segment], where).splitlines() == [
        "#EXTM3U",
        "#EXTINF:10,Suite 0 (Film 0, 1920)",
        "/music/data/audio/A/A/A/0.mp3",
        "#EXTINF:12,Anna - Suite 0",
        "#EXTVLCOPT:start-time=30",
        "#EXTVLCOPT:stop-time=42.5",
        "/music/data/audio/A/A/A/1.mp3",
    ]


def test_a_playlist_of_a_track_of_unknown_length():
    lines = as_m3u([found(0, fid="", seconds=None, file_start_seconds=None)], where).splitlines()
    assert lines[1].startswith("#EXTINF:-1,")
    assert [line for line in lines if line.startswith("#EXTVLCOPT")] == ["#EXTVLCOPT:start-time=0"]


def test_a_hostile_title_stays_on_its_line_of_a_playlist():
    text = as_m3u([found(0, film="x\n/etc/passwd\r#EXTINF", title="\u2028y")], where)
    assert len(text.splitlines()) == 3
    assert text.splitlines()[1] == "#EXTINF:10,y (x /etc/passwd #EXTINF, 1920)"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"artist": "Anna", "title": "Song", "film": "Album", "year": 1999}, "Anna - Song (Album, 1999)"),
        ({"artist": "", "title": "", "film": "Album", "year": None}, "Album"),
        ({"artist": "", "title": "Song", "film": "", "year": None}, "Song"),
        ({"source_url": "https://a.org/x/Suite 0.webm"}, "Film 0, 1920"),
    ],
)
def test_captions(known, expected):
    assert caption(track(0, **known)) == expected


def test_plain_text_and_clock():
    assert plain("a\tb\n\x00\x9b[1m c\u202e\ud800") == "a b [1m c"
    assert plain("Häxan – 愛 🎻") == "Häxan – 愛 🎻"
    assert [clock(seconds) for seconds in (0.0, 65.9, 3665.0)] == ["0:00", "1:05", "1:01:05"]


def test_passages_that_a_track_answers_are_in_json_and_csv():
    answers = [{"part": "plot", "text": 'He "dies".\nEnd', "drop": 0.2}, {"part": "tags", "text": "noir", "drop": 0.1}]
    tracks = [found(0, place=1, without={}, answers=answers), found(1, place=2, without={}, answers=[])]
    assert [of["answers"] for of in json.loads(as_json({}, tracks, where))["tracks"]] == [answers, []]
    rows = csv.DictReader(io.StringIO(as_csv(tracks, where)))
    assert [row["answers"] for row in rows] == ['He "dies". End | noir', ""]
