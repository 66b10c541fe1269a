"""Unusual lists load or raise `CorpusError`, and never lead to a file outside the corpus's folder."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import CorpusError
from pipeline.corpus import FID, load_films
from pipeline.corpus.entry import FIELDS, OTHER_NAMES
from pipeline.corpus.site import served_file

pytestmark = pytest.mark.slow

SEARCH = "ytsearch1:{title} {year} soundtrack"
MAX_LINE = 600  # characters of a message without the path
HOSTILE = [
    "../../x",
    "/etc/passwd",
    "AAA/../..",
    "..",
    "\x00",
    "\x1b[2J",
    "a\nb\r\n",
    "x" * 10_000,
    "🎬" * 3_000,
    "👨‍👩‍👧",
    "\u202e\u200b\u2028",
    "\ud800",
    "{origin}/../../etc/passwd",
    "{origin}/wiki/%2e%2e/%2e%2e/x",
    "{title}{year}{0.__class__}%s",
    "https://[::1",
    "https://x:99999999/",
    "https://en.wikipedia.org/wiki/" + "%F0%9F%8E%AC" * 300,
    "https://en.wikipedia.org/wiki/%FF%00%0A",
    "ytsearch1:" + "x" * 10_000,
    "ytsearch99999999999999999999:\x07",
    "file:///etc/passwd",
    "dQw4w9WgXcQ",
]
texts = (
    st.sampled_from(HOSTILE)
    | st.text(max_size=30)
    | st.text(st.characters(categories=["Cc", "Cs", "Cf", "So"]), max_size=5)
)
scalars = st.none() | st.booleans() | st.integers() | st.just(10**4000) | st.just(-(10**30)) | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
urls = st.sampled_from(["https://en.wikipedia.org/wiki/Fog_(1931_film)", "{origin}/wiki/Fog", *HOSTILE])
entries = st.fixed_dictionaries(
    {"wikipedia": urls},
    optional=dict.fromkeys((*FIELDS[1:], *OTHER_NAMES), values)
    | {"soundtrack": st.lists(urls, max_size=3), "title": texts, "plot": texts, "tags": st.lists(texts, max_size=3)},
)
ids = st.text("ABZ", min_size=3, max_size=3)
few = settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(folder: Path, data: bytes, name: str = "meta.json", fields: dict[str, str] | None = None) -> None:
    """Load `data` as a list; it must give usable films, or one error in printable lines."""
    for path in folder.glob("meta.*"):
        path.unlink()
    (folder / name).write_bytes(data)
    try:
        films = load_films(folder, SEARCH, fields or {})
    except CorpusError as error:
        for line in str(error).splitlines():
            assert line.isprintable() and len(line) < len(str(folder)) + MAX_LINE
        return
    assert films and [film.fid for film in films] == sorted({film.fid for film in films})
    for film in films:
        assert FID.fullmatch(film.fid)
        json.dumps([film.title, film.tags, film.plot], ensure_ascii=False).encode()
        assert film.title is None or (film.title == " ".join(film.title.split()) and "\x00" not in film.title)
        for url in (film.wikipedia, film.image, *film.soundtrack):
            if url and url.startswith("{origin}"):
                assert (
                    served_file(folder / "site", url.removeprefix("{origin}")).resolve().is_relative_to(folder / "site")
                )
            assert url is None or url.startswith(("https://", "http://", "{origin}/", "ytsearch"))


@few
@given(st.dictionaries(ids, entries, min_size=1, max_size=3))
def test_mutated_entries(tmp_path, meta):
    check(tmp_path, json.dumps(meta).encode())


@few
@given(st.dictionaries(ids | texts, values, max_size=3) | values)
def test_any_json(tmp_path, meta):
    check(tmp_path, json.dumps(meta).encode())


@few
@given(st.binary(max_size=60), st.integers(0, 100), st.integers(0, 10))
@example(b"\xff\xfe", 0, 0)
def test_damaged_bytes(tmp_path, noise, start, length):
    whole = json.dumps(
        {"AAA": {"wikipedia": "https://x/wiki/Fog", "title": "é", "soundtrack": []}}, ensure_ascii=False
    ).encode()
    check(tmp_path, whole[:start] + noise + whole[start + length :])


@few
@given(st.lists(entries | values, max_size=4), st.dictionaries(st.sampled_from([*FIELDS, "id"]), texts, max_size=3))
def test_other_forms(tmp_path, items, fields):
    fields = {own: path for own, path in fields.items() if path}
    check(tmp_path, json.dumps(items).encode(), fields=fields)
    check(tmp_path, "\n".join(map(json.dumps, items)).encode(), "meta.jsonl", fields)


@few
@given(st.lists(st.lists(texts, max_size=4), max_size=4), st.sampled_from(",;\t"), st.binary(max_size=4))
def test_tables(tmp_path, rows, separator, noise):
    head = separator.join(["wikipedia", "year", "audio", "x"])
    text = "\n".join([head, *(separator.join(cell.replace('"', '""') for cell in row) for row in rows)])
    check(tmp_path, text.encode(errors="replace") + noise, "meta.csv")


@pytest.mark.parametrize("depth", [100, 400, 700, 900, 950, 990, 2000, 100_000])
@pytest.mark.parametrize("pair", ["[]", '{"a":0}'])
def test_deep_nesting(tmp_path, depth, pair):
    deep = "[" * depth + "]" * depth if pair == "[]" else '{"a":' * depth + "0" + "}" * depth
    for field in ("soundtrack", "title", "tags", "nonsense"):
        check(tmp_path, f'{{"AAA": {{"wikipedia": "https://x/wiki/Fog", "{field}": {deep}}}}}'.encode())
    check(tmp_path, f'{{"AAA": {deep}}}'.encode())


@few
@given(texts)
def test_one_hostile_value_in_every_field(tmp_path, text):
    for field in FIELDS:
        for value in (text, [text], {text: text}):
            check(tmp_path, json.dumps({"AAA": {"wikipedia": "https://x/wiki/Fog", field: value}}).encode())
    check(tmp_path, json.dumps({text: {"wikipedia": "https://x/wiki/Fog"}}).encode())
    check(tmp_path, json.dumps({"AAA": {text: text}}).encode())


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    st.lists(
        st.sampled_from(["..", ".", "", "/", "%2e", "%2F", "%00", "%5c", "\\", "wiki", "?", "#", "%", "~", "a", "é"]),
        max_size=8,
    ),
    st.text(max_size=5),
)
def test_served_files_stay_in_their_folder(parts, text):
    folder = Path("/srv/corpus/site")
    for path in ("/" + "/".join(parts) + text, "".join(parts) + text):
        served = served_file(folder, path)
        assert served.is_relative_to(folder) and ".." not in served.parts and "\x00" not in str(served)
