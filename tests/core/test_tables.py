import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core import tables
from pipeline.core.errors import MissingFileError, StageError
from pipeline.core.tables import count_by_status, digest_of_rows, read_table, require_success, write_table

pytestmark = pytest.mark.slow

SCHEMA = pa.schema([("fid", pa.string()), ("number", pa.int32()), ("status", pa.string())])
ROWS = [{"fid": "AAA", "number": 1, "status": "ok"}, {"fid": "AAB", "number": None, "status": "x"}]


def test_rows_round_trip_and_bytes_repeat(tmp_path):
    write_table(tmp_path / "a/t.parquet", [row | {"more": 1} for row in ROWS], SCHEMA)
    write_table(tmp_path / "b/t.parquet", iter(ROWS), SCHEMA)
    assert read_table(tmp_path / "a/t.parquet", SCHEMA, "scrape") == ROWS
    assert (tmp_path / "a/t.parquet").read_bytes() == (tmp_path / "b/t.parquet").read_bytes()


def test_equal_texts_are_stored_and_held_once(tmp_path):
    """Each row of a film repeats its plot."""
    plots = [f"{number} " * 50_000 for number in range(40)]
    rows = [{"fid": plots[number % 40], "number": number, "status": None} for number in range(4000)]
    write_table(tmp_path / "t.parquet", rows, SCHEMA)
    found = read_table(tmp_path / "t.parquet", SCHEMA, "scrape")
    assert found == rows
    assert len({id(row["fid"]) for row in found}) == 40
    column = pq.read_metadata(tmp_path / "t.parquet").row_group(0).column(0)
    assert column.total_uncompressed_size < 2 * sum(map(len, plots))


def test_columns_can_be_left_out(tmp_path):
    write_table(tmp_path / "t.parquet", ROWS, SCHEMA)
    assert read_table(tmp_path / "t.parquet", SCHEMA, "scrape", without=["number"]) == [
        {"fid": "AAA", "status": "ok"},
        {"fid": "AAB", "status": "x"},
    ]


def test_empty_table_keeps_its_columns(tmp_path):
    write_table(tmp_path / "t.parquet", [], SCHEMA)
    assert read_table(tmp_path / "t.parquet", SCHEMA, "scrape") == []


def test_a_missing_column_or_wrong_type_leaves_the_old_file(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, ROWS, SCHEMA)
    with pytest.raises(KeyError):
        write_table(path, [{"fid": "AAA"}], SCHEMA)
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        write_table(path, [{"fid": "AAA", "number": "one", "status": "ok"}], SCHEMA)
    assert read_table(path, SCHEMA, "scrape") == ROWS
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.parquet"]


def test_remains_of_a_killed_run_are_removed_by_the_next_write(tmp_path):
    for name in (".part-t.parquet-x1.parquet", ".part-other.parquet-x1.parquet"):
        (tmp_path / name).write_bytes(b"half")
    write_table(tmp_path / "t.parquet", ROWS, SCHEMA)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".part-other.parquet-x1.parquet", "t.parquet"]


def test_an_unreadable_table_says_what_to_run(tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(MissingFileError, match="missing: run `dvc repro scrape`"):
        read_table(path, SCHEMA, "scrape")
    for damaged in (b"", b"not parquet", b"PAR1" * 20):
        path.write_bytes(damaged)
        with pytest.raises(MissingFileError, match=r"remove it and run `dvc repro scrape`"):
            read_table(path, SCHEMA, "scrape")
    write_table(path, ROWS, SCHEMA)
    with pytest.raises(MissingFileError, match="other columns"):
        read_table(path, tables.PAGES, "scrape")


def test_counts_put_ok_first_then_the_most_frequent():
    statuses = ["x", "b", "a", "ok", "x"]
    assert count_by_status({"status": status} for status in statuses) == "1 ok, 2 x, 1 a, 1 b"
    assert count_by_status([]) == "nothing"


def rows_of(*statuses):
    return [{"fid": f"AA{n}", "status": status, "reason": f"because {n}"} for n, status in enumerate(statuses)]


def test_success_rate():
    require_success(rows_of("ok", "x"), 0.5, "scrape", "pages")
    with pytest.raises(StageError) as caught:
        require_success(rows_of("ok", "x", "y", "x"), 0.5, "scrape", "pages")
    message = str(caught.value)
    assert "scrape: 1 of 4 pages succeeded (1 ok, 2 x, 1 y)" in message
    assert "x, e.g. AA1: because 1" in message and "y, e.g. AA2: because 2" in message
    assert "scrape.min_success_rate (0.5)" in message


def test_nothing_usable_always_fails():
    for rows in ([], rows_of("x")):
        with pytest.raises(StageError):
            require_success(rows, 0.0, "scrape", "pages")


def test_every_table_has_a_film_column_and_most_an_outcome():
    for schema in (tables.PAGES, tables.FILMS, tables.DOWNLOADS, tables.SEGMENTS):
        assert {"fid", "status", "reason"} <= set(schema.names)


TRACKS = [
    {"fid": fid, "number": number, "plot": f"Plot of {fid}.", "seconds": 1.5 * number}
    for fid in ("AAA", "AAB")
    for number in range(3)
]


def test_digest_changes_with_every_value_and_with_the_order():
    changed = [
        [*TRACKS[:i], row | {name: value}, *TRACKS[i + 1 :]]
        for i, row in enumerate(TRACKS)
        for name, value in {"fid": "ZZZ", "number": 9, "plot": "Other.", "seconds": None}.items()
    ]
    turned = [[*TRACKS[:i], TRACKS[i + 1], TRACKS[i], *TRACKS[i + 2 :]] for i in range(len(TRACKS) - 1)]
    shorter = [TRACKS[:i] + TRACKS[i + 1 :] for i in range(len(TRACKS))]
    longer = [[*TRACKS[:i], TRACKS[i], *TRACKS[i:]] for i in range(len(TRACKS))]
    every = [TRACKS, *changed, *turned, *shorter, *longer, []]
    digests = [digest_of_rows(rows) for rows in every]
    assert len(set(digests)) == len(every)
    assert digests[0] == digest_of_rows(dict(row) for row in TRACKS)


def test_digest_reads_a_repeated_text_once(monkeypatch):
    hashed, plot = [], "A long plot. " * 1000

    class Counted:
        def update(self, data):
            hashed.append(len(data))

        def hexdigest(self):
            return ""

    monkeypatch.setattr(tables.hashlib, "sha256", Counted)
    digest_of_rows({"fid": fid, "number": n, "plot": f"{fid}: {plot}"} for fid in ("AAA", "AAB") for n in range(100))
    assert sum(hashed) < 2.5 * len(plot)
    assert max(hashed) < 1.5 * len(plot), "all at once"
