"""The table of results."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.apps.recommend.passing import Filtered
from pipeline.apps.recommend.recommender import Answer
from pipeline.apps.recommend.terminal import print_table
from pipeline.apps.recommend.trained import Figures, Trained
from tests.apps.recommend.tracks import track

MODEL = Trained("Ta", Path("Ta"), ("tags",), False, None, {}, (), "")
NOT_HEARD = {"recording_seconds": None, "tempo": None, "key": ""}


def table(capsys, tracks: list[dict], folder: Path = Path()) -> list[list[str]]:
    """Return the cells of the table printed for `tracks`, header first."""
    found = [{"rank": number + 1, "score": 0.5, **of} for number, of in enumerate(tracks)]
    print_table(Answer(MODEL, "the only one", ("tags",), (), found), folder)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert max(map(len, lines)) <= 100
    rows = [line.split("  ") for line in lines[1:] if "─" not in line]
    return [[cell.strip() for cell in row if cell.strip()] for row in rows]


@pytest.mark.parametrize(
    ("known", "header", "cells"),
    [
        (
            {"title": "a1", "source_url": "https://x.org/a1.mp3", "music_tags": "slow, piano, calm, soft"},
            ["score", "film or album", "track", "length", "tempo", "key", "music", "path"],
            ["Film 0 (1920)", "AAA/0", "0:20", "90", "Am", "slow, piano", "data/audio/A/A/A/0.mp3"],
        ),
        (
            {"fid": "", "film": "Dawn", "year": None, "artist": "Anna", "file_start_seconds": 90.0, "path": "a.mp3"}
            | NOT_HEARD,
            ["film or album", "track", "start", "length", "path"],
            ["Dawn", "Anna - Suite 0", "1:30", "0:10", "a.mp3"],
        ),
        ({"fid": "", "film": "", "year": None, "path": "a.mp3"} | NOT_HEARD, ["track", "path"], ["0:10", "a.mp3"]),
    ],
)
def test_a_track_is_shown_by_what_is_known_of_it(capsys, known, header, cells):
    first, *rows = table(capsys, [track(0, **known)])
    shown = " ".join(first)
    assert [name for name in header if name in shown] == header
    for name in ("start", "music", "tempo", "key"):
        assert (name in shown) == (name in header)
    assert ("film" in shown) == (len(header) > 2)
    assert rows[0][-len(cells) :] == cells


def test_a_path_stays_on_one_line_beside_long_names(capsys):
    path = "data/audio/A/B/C/0.mp3"
    long = track(0, film="The Cabinet of Dr. Caligari " * 3, artist="Somebody of a long name", path=path)
    _, *rows = table(capsys, [long | {"music_tags": "electronic, instrumental"}])
    assert [row[-1] for row in rows if path in row[-1]] == [path]


def test_a_long_path_leaves_room_for_the_rest(capsys):
    known = {"fid": "", "film": "Preludes", "year": None, "title": "Nocturne", "path": "Music/of mine/" * 9 + "a.mp3"}
    _, first, *_ = table(capsys, [track(0, **known)])
    assert "Preludes" in first and "Nocturne" in first


def test_each_row_has_its_start_where_one_begins_later(capsys):
    segments = [track(0, fid="", path="a.mp3", file_start_seconds=start) | NOT_HEARD for start in (0.0, 65.0)]
    _, *rows = table(capsys, segments)
    assert [row[-3] for row in rows] == ["0:00", "1:05"]


def test_reasons_in_plain_words_stand_below_the_table(capsys):
    answers = [
        {"part": "plot", "text": "He dies.\x1b[31m", "drop": 0.2},
        {"part": "tags", "text": "w" * 500, "drop": 0.1},
    ]
    why = {"place": 1, "without": {"tags": {"place": 1234, "score": 0.25}, "plot": {"place": 2, "score": -0.5}}}
    found = [
        track(0, rank=1, score=0.5, answers=answers, **why),
        track(1, rank=2, score=0.4, answers=[], **why),
        track(2, rank=3, score=0.3, answers=answers[:1], **why),
    ]
    model = replace(MODEL, figures=Figures(0.3, 0.694, 0.251, 36, 166))
    print_table(Answer(model, "the only one", ("tags",), (), found), Path())
    out = capsys.readouterr().out
    below = " ".join(out.partition("1. Matches")[2].split())
    assert below.startswith(f": “He dies.[31m”, “{'w' * 50}")
    assert "w" * 121 not in below.replace(" ", "")
    without = "Without tags place 1,234 (0.250) and without plot place 2 (-0.500)."
    assert f". {without} 2. {without} 3. Matches: “He dies.[31m”. {without}" in below
    assert below.endswith(f"Reliability: {model.figures.in_words}. Results for other films and other music may differ.")
    assert max(map(len, out.splitlines())) <= 100
    plain = [{name: of[name] for name in of if name not in ("answers", *why)} for of in found]
    print_table(Answer(model, "the only one", ("tags",), (), plain), Path())
    out = capsys.readouterr().out
    assert "Matches" not in out and "Reliability" not in out


@pytest.mark.parametrize(
    ("filtered", "said"),
    [
        (None, "exclude fewer films"),
        (Filtered(3, {"tempo": 3}), "exclude fewer films"),
        (Filtered(0, {"tempo": 1200, "key": 0}), "alone: tempo 1,200 and key 0"),
    ],
)
def test_nothing_left_names_which_filter_leaves_how_many(capsys, filtered, said):
    print_table(Answer(MODEL, "the only one", ("tags",), (), [], filtered), Path())
    assert said in " ".join(capsys.readouterr().out.split())


def test_numbers_stay_whole_beside_long_texts(capsys):
    known = {"film": "The Cabinet of Dr. Caligari", "artist": "Anna", "music_tags": "electronic, instrumental"}
    found = track(0, **known, file_start_seconds=65.0, recording_seconds=4000.0, key="A# minor", tempo=123.4)
    cells = [cell for row in table(capsys, [found]) for text in row for cell in text.split()]
    wanted = {"score", "start", "length", "tempo", "key", "0.500", "1:05", "1:06:40", "123", "A#m", found["path"]}
    assert wanted <= {*cells}
