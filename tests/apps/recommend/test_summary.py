"""The filters that a library offers."""

import numpy as np

from pipeline.apps.recommend.summary import summary_of
from tests.apps.recommend.tracks import make_index, track


def test_bounds_and_counts():
    tracks = [
        track(0, tempo=60.0, key="A minor", vocals=0.5, seconds=1800.0, year=1922, recording_seconds=30.0),
        track(1, tempo=None, key="", vocals=None, seconds=None, year=None, recording_seconds=90.0),
        track(2, tempo=90.0, key="C major", vocals=0.1, seconds=5400.0, year=1920, loudness=None),
        track(3, tempo=75.0, key="A minor", vocals=0.2, seconds=0.0, year=1930, loudness=-30.0),
    ]
    probabilities = np.array([[255, 26, 0], [25, 26, 0], [26, 26, 0], [0, 0, 25]], np.uint8)
    found = summary_of(make_index(np.eye(4), tracks, probabilities, music_tags=["slow", "strings", "piano"]))
    assert (found["tracks"], found["hours"]) == (4, 2.0)
    assert found["filters"] == {
        "length": [20.0, 90.0],
        "tempo": [60.0, 90.0],
        "loudness": [-30.0, -20.0],
        "year": [1920, 1930],
        "keys": [{"key": "C major", "tracks": 1}, {"key": "A minor", "tracks": 2}],
        "vocals": {"vocal": 1, "instrumental": 2},
        "music": [{"tag": "strings", "tracks": 3}, {"tag": "slow", "tracks": 2}],
    }


def test_nothing_where_nothing_is_known():
    unknown = {"recording_seconds": None, "tempo": None, "key": "", "loudness": None, "vocals": None, "year": None}
    found = summary_of(make_index(np.eye(2), [track(number, **unknown, seconds=None) for number in range(2)]))
    assert (found["hours"], found["filters"]) == (
        0.0,
        {"length": None, "tempo": None, "loudness": None, "year": None, "keys": [], "vocals": None, "music": []},
    )
