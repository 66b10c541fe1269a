"""Presence of vocals from a tagger's output."""

import pytest

from pipeline.encoders.musicnn import TAGS
from pipeline.encoders.vocals import NO_VOICES, VOICES, vocals_of


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"guitar": 0.9, "vocals": 0.3, "no vocals": 0.1, "female": 0.2}, 0.75),
        ({"singing": 0.02, "instrumental": 0.18}, 0.1),
        ({"singing": 0.4, "music": 0.9}, 0.4),
        ({"vocals": 0.0, "no vocals": 0.0}, 0.0),
        ({"guitar": 0.9, "instrumental": 0.5}, None),
        ({}, None),
    ],
)
def test_the_likelier_tag_decides(tags, expected):
    assert vocals_of(tags) == (None if expected is None else pytest.approx(expected))


def test_both_vocabularies_of_musicnn_have_tags_for_voices_and_for_none():
    for tags in TAGS.values():
        named = {tag.lower() for tag in tags}
        assert named & VOICES and named & NO_VOICES
    assert not VOICES & NO_VOICES
