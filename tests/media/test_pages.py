import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.text import excerpt, one_line
from pipeline.media.pages import page_text, read_tree


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("iso-8859-1", "<html>Amélie – “x”</html>".encode("cp1252")),
        ("ISO-8859-1", '<html><meta charset="utf-8">Amélie – “x”</html>'.encode("cp1252")),
        ("", '<html><meta charset="windows-1252">Amélie – “x”</html>'.encode("cp1252")),
        ("", '<html><meta charset="utf-16">Amélie – “x”</html>'.encode()),
        ("no-such-thing", "<html>Amélie – “x”</html>".encode()),
        ("rot13", "<html>Amélie – “x”</html>".encode()),
        ("idna", "<html>Amélie – “x”</html>".encode()),
        ("a\0b", "<html>Amélie – “x”</html>".encode()),
        ("", b"\xef\xbb\xbf" + "<html>Amélie – “x”</html>".encode()),
        ("iso-8859-1", b"\xef\xbb\xbf" + "<html>Amélie – “x”</html>".encode()),
        ("", "<html>Amélie – “x”</html>".encode("utf-16")),
        ("utf-16le", "<html>Amélie – “x”</html>".encode("utf-16-le")),
    ],
)
def test_encodings(charset, body):
    assert page_text(body, charset).endswith("Amélie – “x”</html>")
    assert page_text(body, charset).startswith("<html>")


def test_undecodable_bytes_are_replaced():
    assert page_text(b"a\xffb", "utf-8") == "a\ufffdb"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=20))
def test_never_raises(data, charset):
    text = page_text(data, charset)
    text.encode()
    read_tree(text)
    assert excerpt(text, 50).isprintable()


def test_a_hostile_page_takes_no_longer():
    start = time.process_time()
    page_text(b"<meta " * 1_000_000, "")
    assert time.process_time() - start < 1


def test_excerpt_is_what_a_reader_sees_first():
    page = "<!DOCTYPE html><title>Error</title><style>p {}</style><!-- x > y --><h1>Stop&nbsp;it</h1>\n<p>now &lt;b&gt;"
    assert excerpt(page, 100) == "Stop it now <b>"


def test_one_line():
    assert one_line("a\r\n b\0\x1b[1m\u202e c\u00a0d ", 50) == "a b [1m c d"
    assert one_line("word " * 10, 10) == "word word…"
    assert one_line("x" * 10, 10) == "x" * 10
