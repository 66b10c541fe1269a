"""External text on one printable line."""

import pytest

from pipeline.core.text import excerpt, one_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Das   Boot\n", "Das Boot"),
        ("a\x1b[31mb\x00c", "a [31mb c"),
        ("left\u202eright", "leftright"),
        ("no\u00a0break\u2028line\u3000wide", "no break line wide"),
        ("half \ud800 pair", "half pair"),
        ("private\ue000use", "private use"),
        ("Čiauliai 東京 😀", "Čiauliai 東京 😀"),
        ("", ""),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    assert one_line(text) == expected
    assert one_line(text).isprintable()
    one_line(text).encode()


def test_one_line_is_cut() -> None:
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
    assert one_line("abcd efg", 6) == "abcd…"


def test_excerpt_omits_tags_and_scripts() -> None:
    assert excerpt("<title>x</title><script>y()</script><p>Not &amp; <b>here</b>", 20) == "Not & here"
