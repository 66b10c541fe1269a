"""Any input to `corpus add`: it ends with a message, and writes only a list that loads."""

import contextlib
import io
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.__main__ import main
from pipeline.apps.corpus.answer import ShapeError, read_answer
from pipeline.apps.corpus.article import NotAnArticleError, article_of
from pipeline.corpus import load_films
from pipeline.params import load_params

SEARCH = "ytsearch1:{title} {year} soundtrack"
STARTS = [
    "https://en.wikipedia.org/wiki/",
    "http://127.0.0.1:1/wiki/",
    "{origin}/wiki/",
    "https://[::1]/wiki/",
    "",
    "file:///",
]
ENDS = [
    "../../x",
    "%2e%2e/%2e%2e/x",
    "\x00",
    "%00",
    "\ud800",
    "%FF",
    "🎬" * 20,
    "x" * 10_000,
    "%25" * 80,
    '"},"AAA":{"',
    "{year}{title}",
    "A_(1999_film)",
    "\u202e",
    "\x1b[2J",
]
urls = st.builds(lambda start, end: start + end, st.sampled_from(STARTS), st.sampled_from(ENDS) | st.text(max_size=20))
few = settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def root(home, monkeypatch):
    """A repository root whose params.yaml is read only once."""
    root = home()
    read = load_params(Path("params.yaml"))
    monkeypatch.setattr("pipeline.params.load_params", lambda path: read)
    return root


@few
@given(st.lists(urls, min_size=1, max_size=4))
def test_add(root, wanted):
    shutil.rmtree(root / "data", ignore_errors=True)
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()):
        assert main(["corpus", "add", "--", *wanted]) in (0, 1)
    assert all(line.isprintable() and len(line) < 500 for line in output.getvalue().splitlines())
    output.getvalue().encode()
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files <= {"params.yaml", "data/mine/meta.json"}
    if "data/mine/meta.json" in files:
        films = load_films(Path("data/mine"), SEARCH)
        assert all(len(film.soundtrack) == 1 for film in films)


@few
@given(urls | st.text(max_size=40))
def test_a_normalised_address_is_unchanged(url):
    with contextlib.suppress(NotAnArticleError):
        article = article_of(url)
        assert article_of(article.url) == article
        assert article.url.isascii() and os.path.normpath(article.title).count("..") == article.title.count("..")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.text(max_size=5) | st.just("x" * 5_000),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "query",
                    "pages",
                    "title",
                    "ns",
                    "missing",
                    "categories",
                    "continue",
                    "error",
                    "code",
                    "redirects",
                    "from",
                    "to",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@few
@given(values)
def test_answers_of_any_shape(value):
    try:
        answer = read_answer(json.dumps(value).encode())
    except ShapeError as error:
        assert len(str(error)) < 300
    else:
        assert all(isinstance(page.title, str) for page in answer.query.pages)


@pytest.mark.parametrize(
    "data", [b"\xff", b'"\\ud800"', b"[" * 10_000, b"1" * 10_000, b'{"query": null}', b'{"continue": {"a": {}}}']
)
def test_invalid_answers(data):
    with pytest.raises(ShapeError):
        read_answer(data)
