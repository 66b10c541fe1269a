from dataclasses import replace

import pytest

from pipeline.apps.corpus import estimate as module
from pipeline.apps.corpus.estimate import estimate
from pipeline.apps.corpus.wording import columns, duration, number, size
from pipeline.corpus import Film

PAGE = "https://en.wikipedia.org/wiki/Fog"
VIDEO = "https://www.youtube.com/watch?v=x"


def test_nothing_is_fetched_for_what_the_corpus_serves(params):
    films = [
        Film("AAA", "{origin}/wiki/Fog", ("{origin}/a.mp3",)),
        Film("AAB", "", ("{origin}/audio/A/A/B/0.mp3",), image="{origin}/image/AAB.jpg"),
    ]
    need = estimate(films, params.scrape, params.download)
    assert (need.pages, need.posters, need.recordings, need.bytes, need.seconds) == (0, 0, 0, 0, 0.0)


def test_things_are_counted(params):
    download = replace(params.download, max_entries=5)
    films = [
        Film("AAA", PAGE, (VIDEO, f"{VIDEO}&list=y", "https://youtu.be/x", "https://example.org/a.mp3", "{origin}/a")),
        Film("AAB", PAGE, ("https://www.youtube.com/playlist?list=y", "https://soundcloud.com/x/sets/y")),
        Film("AAC", PAGE, ("ytsearch1:fog", "ytsearch3:fog", "ytsearch99:fog", "ytsearch:fog"), image="{origin}/a.jpg"),
        Film("AAD", "{origin}/wiki/Fog", (), image="https://example.org/a.jpg"),
    ]
    need = estimate(films, params.scrape, download)
    assert (need.pages, need.posters, need.searches, need.playlists) == (3, 3, 4, 2)
    assert need.recordings == 4 + 2 * 5 + (1 + 3 + 5 + 1)


def test_time_follows_the_rates(params):
    scrape = replace(params.scrape, requests_per_minute=30.0)
    download = replace(params.download, video_pause_seconds=100.0, request_pause_seconds=0.0)
    films = [Film("AAA", PAGE, (VIDEO,))] * 10
    need = estimate(films, scrape, download)
    assert need.seconds == pytest.approx(20 * 2.0 + 10 * 100.0)
    transfer = need.audio_seconds * module.BYTES_A_SECOND / module.LINE_BYTES_A_SECOND
    unpaused = estimate(films, scrape, replace(download, video_pause_seconds=0.0))
    assert unpaused.seconds == pytest.approx(20 * 2.0 + transfer)
    assert need.audio_seconds == 10 * module.TRACK_SECONDS
    short = estimate(films, scrape, replace(download, max_seconds=60.0))
    assert short.audio_seconds == 600.0 and short.bytes < need.bytes


def test_the_references_7771_films_take_days_not_hours(params):
    films = [Film("AAA", PAGE, ("ytsearch1:fog",))] * 7771
    need = estimate(films, params.scrape, params.download)
    assert 86_400 < need.seconds < 10 * 86_400 and 20e9 < need.bytes < 1e12


def test_words():
    assert [number(*pair) for pair in ((1, "film"), (0, "page"), (7771, "film"), (2, "search"), (2, "address"))] == [
        "1 film",
        "0 pages",
        "7,771 films",
        "2 searches",
        "2 addresses",
    ]
    assert [*map(size, (500, 39_000_000, 1_234_000_000))] == ["0 kB", "39 MB", "1.2 GB"]
    assert [*map(duration, (0, 1, 77, 100, 5400, 40_000, 150_000))] == [
        "0 seconds",
        "1 second",
        "77 seconds",
        "2 minutes",
        "1.5 hours",
        "11 hours",
        "1.7 days",
    ]
    assert columns([("a", "bb", "c"), ("aaa", "b", "")]) == ["a    bb  c", "aaa  b"]
    assert columns([("a\x1b\n", "\ud800b")]) == ["a  b"]
    assert [len(line) for line in columns([("a", "x" * 10_000), ("b", "x" * 10)], 120)] == [120, 13]
