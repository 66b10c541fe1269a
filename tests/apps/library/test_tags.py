"""Tags of files, friendly and hostile."""

import unicodedata
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.apps.library.tags import MAX_CHARS, clean, tags_of
from pipeline.media.audio import write_mp3
from tests.apps.library.world import music
from tests.segment.sounds import CODECS, RATE

TAGGED = (".mp3", ".flac", ".ogg", ".m4a", ".webm", ".wav", ".wma", ".avi", ".caf", ".wv")  # formats with tags


def write(path: Path, **tags: str) -> Path:
    codec, rate = CODECS[path.suffix]
    frame = av.AudioFrame.from_ndarray(music(1, 1.0)[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = RATE
    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64_000
        container.mux(stream.encode(frame) + stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", TAGGED)
def test_tags_of_every_format(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", title="Tïtle", artist="Ärtist", album="Älbum", date="1997-03-02")
    if suffix == ".avi":  # its tag for albums is not written back
        assert tags_of(path).items() >= {"title": "Tïtle", "artist": "Ärtist", "year": 1997}.items()
    else:
        assert tags_of(path) == {"title": "Tïtle", "artist": "Ärtist", "album": "Älbum", "year": 1997}


def test_no_tags_and_no_file(tmp_path):
    assert tags_of(write(tmp_path / "a.flac")) == {}
    assert tags_of(tmp_path / "gone.flac") == {}
    (tmp_path / "text.mp3").write_text("no sound")
    assert tags_of(tmp_path / "text.mp3") == {}


def test_hostile_tags_are_made_harmless(tmp_path):
    title = "\u202egnp.exe\u202c \x1b[2J\x07a\tb\nc\u2028d\u200b" + "x" * 10_000
    tags = tags_of(
        write(tmp_path / "a.flac", title=title, artist="\n \x07", date="year 12345, then 2001", album="../..")
    )
    assert tags["title"].startswith("gnp.exe [2Ja b c")
    assert len(tags["title"]) == MAX_CHARS and tags["title"].endswith("x…")
    assert "artist" not in tags, "nothing is left of it"
    assert (tags["year"], tags["album"]) == (2001, "../..")


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("1931", 1931),
        ("02/03/1931", 1931),
        ("1931-02-03T04:05:06Z", 1931),
        ("0000", None),
        ("'31", None),
        ("19310203", 1931),
        ("20190412101500", 2019),
        ("19311303", None),  # there is no month 13
        ("19310200", None),
        ("12345678, 2001", 2001),
    ],
)
def test_the_year_is_the_first_number_of_four_digits_or_from_a_compact_date(tmp_path, date, year):
    assert tags_of(write(tmp_path / "a.flac", date=date)).get("year") == year


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".flac", ".ogg", ".webm"])
def test_a_date_as_yt_dlp_writes_it(tmp_path, suffix):
    assert tags_of(write(tmp_path / f"a{suffix}", date="20190412"))["year"] == 2019


@pytest.mark.parametrize("name", ["TDOR", "TORY", "originalyear", "ORIGINALDATE"])
def test_the_original_year_is_used_only_without_another(tmp_path, name):
    assert tags_of(write(tmp_path / "a.mp3", **{name: "1977"})) == {"year": 1977}
    assert tags_of(write(tmp_path / "a.mp3", **{name: "1977", "date": "2003"})) == {"year": 2003}


def test_accents_are_composed(tmp_path):
    apart = unicodedata.normalize("NFD", "Häxan für Ångström")
    assert tags_of(write(tmp_path / "a.flac", title=apart, album=apart)) == {
        "title": "Häxan für Ångström",
        "album": "Häxan für Ångström",
    }


def test_clean_leaves_one_printable_line():
    text = "".join(map(chr, range(0x3000))) + "\U0001f3b5\ud800\udfff\u2066"
    line = clean(text, 10**6)
    assert not {unicodedata.category(c) for c in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert line.split(" ") == line.split()
    assert "A" in line and "é" in line and "\U0001f3b5" in line
    assert clean("  a \r\n b\u00a0c ") == "a b c"
    assert clean("abc", 3) == "abc" and clean("abcd", 3) == "ab…"


def test_tags_of_old_mp3s_are_not_utf8(tmp_path):
    path = tmp_path / "old.mp3"
    write_mp3(path, music(1, 1.0), RATE, 96000)
    fields = ((b"Caf\xe9", 30), (b"Bj\xf6rk \x96 live", 30), (b"", 30), (b"1997", 4), (b"", 30))
    path.write_bytes(path.read_bytes() + b"TAG" + b"".join(text.ljust(size, b"\0") for text, size in fields) + b"\0")
    assert tags_of(path) == {"title": "Café", "artist": "Björk – live", "year": 1997}
