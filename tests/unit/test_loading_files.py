"""Files as they are read: formats, and what is said of a file that is not what its name says."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from gradeonce.errors import InputError, UsageError
from gradeonce.loading import ReadRows, content_id, read_rows
from gradeonce.loading.files import read_file

TODAY = date(2026, 2, 1)
CSV = "system_id,player_name,game_id,predicted_value,line_value\nalpha,Luka Dončić,20260117_LAL_BOS,27.50,26.5\n"


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    yield connection
    connection.close()


def loaded(engine: duckdb.DuckDBPyConnection, read: ReadRows) -> list[tuple[object, ...]]:
    sql = f"SELECT player_lookup, game_id, CAST(predicted_value AS VARCHAR) FROM {read.relation} ORDER BY load_row"
    return engine.execute(sql).fetchall()


EXPECTED = [("lukadoncic", "20260117_LAL_BOS", "27.500000000")]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl", ".ndjson"])
@pytest.mark.parametrize("zipped", [False, True])
def test_text_formats_give_the_same_rows(
    tmp_path: Path, engine: duckdb.DuckDBPyConnection, suffix: str, zipped: bool
) -> None:
    """CSV, TSV, JSON and JSON lines, plain and gzipped, are one row each."""
    record = (
        '{"system_id": "alpha", "player_name": "Luka Dončić", "game_id": "20260117_LAL_BOS", "predicted_value": 27.50}'
    )
    texts = {".csv": CSV, ".tsv": CSV.replace(",", "\t"), ".json": f"[{record}]"}
    data = texts.get(suffix, record + "\n").encode()
    path = tmp_path / f"picks{suffix}{'.gz' if zipped else ''}"
    path.write_bytes(gzip.compress(data, mtime=0) if zipped else data)

    assert loaded(engine, read_rows(engine, "predictions", [path], today=TODAY)) == EXPECTED


def test_parquet_keeps_its_own_types(tmp_path: Path, engine: duckdb.DuckDBPyConnection) -> None:
    """Dates, doubles and instants with a zone come through Parquet; a float prints as it was meant."""
    path = tmp_path / "picks.parquet"
    engine.execute(
        f"""COPY (SELECT 'alpha' AS system_id, 'Luka Dončić' AS player_name, '20260117_LAL_BOS' AS game_id,
            DATE '2026-01-17' AS game_date, CAST(18.4 AS FLOAT) AS predicted_value, true AS is_active,
            TIMESTAMPTZ '2026-01-17 10:00:00-05:00' AS created_at) TO '{path}'"""
    )

    read = read_rows(engine, "predictions", [path], today=TODAY)

    sql = f"SELECT CAST(predicted_value AS VARCHAR), CAST(created_at AS VARCHAR), is_active FROM {read.relation}"
    assert engine.execute(sql).fetchall() == [("18.400000000", "2026-01-17 15:00:00", True)]


def test_line_ends_quotes_blank_lines_and_a_mark_in_front_do_not_matter(
    tmp_path: Path, engine: duckdb.DuckDBPyConnection
) -> None:
    """CSV as spreadsheets write it: a byte order mark, CRLF, quoted fields, a blank line, no last line end."""
    path = tmp_path / "picks.csv"
    text = 'player_name,system_id,game_id,predicted_value\r\n"Dončić, Luka","alpha",20260117_LAL_BOS," 27.50 "\r\n\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b'"Luka Don\xc4\x8di\xc4\x87",beta,20260117_LAL_BOS,1')

    read = read_rows(engine, "predictions", [path], today=TODAY)

    assert loaded(engine, read) == [*EXPECTED, ("lukadoncic", "20260117_LAL_BOS", "1.000000000")]


def test_file_name_with_wildcards_is_one_file(tmp_path: Path, engine: duckdb.DuckDBPyConnection) -> None:
    """`*`, `?` and `[` in a name mean themselves, not other files."""
    (tmp_path / "a.csv").write_text("nonsense\n", encoding="utf-8")
    path = tmp_path / "[x]*?.csv"
    path.write_text(CSV, encoding="utf-8")

    assert loaded(engine, read_rows(engine, "predictions", [path], today=TODAY)) == EXPECTED


def test_file_with_a_header_alone_is_no_rows(tmp_path: Path, engine: duckdb.DuckDBPyConnection) -> None:
    """A day without predictions is not an error."""
    path = tmp_path / "picks.csv"
    path.write_text(CSV.splitlines()[0] + "\n", encoding="utf-8")

    read = read_rows(engine, "predictions", [path], today=TODAY)

    assert (read.rows_read, read.rows, read.partitions) == (0, 0, ())


def test_columns_that_differ_only_in_case_are_told_apart(tmp_path: Path, engine: duckdb.DuckDBPyConnection) -> None:
    """GAME_DATE and game_date in one header, as a real file has them: the second is game_date_1, as in Parquet."""
    path = tmp_path / "runs.csv"
    path.write_text("GAME_DATE,game_date,pra\n2026-01-17,2026-01-18,30.5\n")

    raw = read_file(engine, path, "raw")

    assert list(raw.columns) == ["GAME_DATE", "game_date_1", "pra"]
    assert engine.execute("SELECT GAME_DATE, game_date_1 FROM raw").fetchall() == [("2026-01-17", "2026-01-18")]


HEADER = b"system_id,player_name,game_id,predicted_value\n"
ROW = b"alpha,A B,20260117_LAL_BOS,20\n"

WRONG = [
    ("picks.csv", b"", "picks.csv: is empty; not even a header is there."),
    ("picks.csv", b"\n", "picks.csv: has no header line."),
    ("picks.xlsx", b"PK", "picks.xlsx: its name does not say what it holds."),
    ("picks", b"PK", "picks: its name does not say what it holds."),
    ("picks.parquet.gz", gzip.compress(b"x", mtime=0), "picks.parquet.gz: gzipped Parquet is not read."),
    ("picks.csv", HEADER + b"alpha,\xe9,20260117_LAL_BOS,20\n", "picks.csv: is not UTF-8 (line 2)."),
    ("picks.csv", "spieler,größe\n".encode("latin-1"), "picks.csv: is not UTF-8."),
    ("picks.csv", HEADER + ROW + b"alpha,A B\n", "picks.csv: line 3 has 2 fields, its header 4."),
    ("picks.csv", HEADER + b"alpha,A B,20260117_LAL_BOS,20,7\n", "picks.csv: line 2 has 5 fields, its header 4."),
    (
        "picks.csv",
        HEADER + b'alpha,"A B,20260117_LAL_BOS,20\n',
        "picks.csv: line 2 opens a quote that is never closed.",
    ),
    ("picks.csv", b"system_id,system_id\nx,y\n", "picks.csv: its header names system_id twice."),
    ("picks.csv", b"system_id,,game_id\nx,y,z\n", "picks.csv: column 2 of its header has no name."),
    ("picks.csv", b"system_id;game_id\nx;y\n", "picks.csv: its fields are separated by ';', not by ','."),
    ("picks.csv", b'[{"system_id": "x"}]', 'picks.csv: is not CSV; it begins with \'[{"system_id": "x"}]\'.'),
    ("picks.csv", gzip.compress(HEADER, mtime=0), "picks.csv: is gzipped, but its name does not end in .gz."),
    ("picks.csv.gz", HEADER, "picks.csv.gz: is not gzipped, but its name ends in .gz."),
    ("picks.csv.gz", gzip.compress(HEADER * 50, mtime=0)[:40], "picks.csv.gz: cannot be read"),
    ("picks.parquet", HEADER, "picks.parquet: is not a Parquet file."),
    ("picks.json", b'[{"a": 1}, {"a":', "picks.json: is not valid JSON at record"),
    ("picks.jsonl", b'{"a": 1}\n{"a":\n{"b": 3}\n', "picks.jsonl: is not valid JSON at record 3"),
    ("picks.json", b"[1, 2]", "picks.json: its records are no JSON objects."),
    ("picks.csv", b"system_id,_row\nx,1\n", "picks.csv: the column name _row is reserved."),
]


@pytest.mark.parametrize(("name", "data", "message"), WRONG)
def test_wrong_file_is_named_with_what_is_wrong(
    tmp_path: Path, engine: duckdb.DuckDBPyConnection, name: str, data: bytes, message: str
) -> None:
    """Each kind of broken file has its own sentence, with the line where the engine knows it."""
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(InputError) as caught:
        read_rows(engine, "predictions", [path], today=TODAY)

    assert caught.value.message.startswith(f"{tmp_path}/{message}")
    assert "Nothing was loaded." in str(caught.value)


def test_missing_file_is_named(tmp_path: Path, engine: duckdb.DuckDBPyConnection) -> None:
    """A file that is not there is an error of ours."""
    with pytest.raises(InputError, match=r"none\.csv: cannot be read \(No such file or directory\)"):
        read_rows(engine, "predictions", [tmp_path / "none.csv"], today=TODAY)


def test_wrong_call_is_a_usage_error(tmp_path: Path, engine: duckdb.DuckDBPyConnection) -> None:
    """Unknown kinds, sources and zones, and two mappings at once, are refused before a file is read."""
    path = tmp_path / "picks.csv"
    path.write_text(CSV, encoding="utf-8")

    with pytest.raises(UsageError, match="nothing to load called 'odds'"):
        read_rows(engine, "odds", [path], today=TODAY)
    with pytest.raises(UsageError, match="No file was given"):
        read_rows(engine, "predictions", [], today=TODAY)
    with pytest.raises(UsageError, match=r"Did you mean prizepicks\.board"):
        read_rows(engine, "lines", [path], source="prizepick.board", today=TODAY)
    with pytest.raises(UsageError, match=r"prizepicks\.board holds lines, not actuals"):
        read_rows(engine, "actuals", [path], source="prizepicks.board", today=TODAY)
    with pytest.raises(UsageError, match="exclude each other"):
        read_rows(engine, "lines", [path], source="prizepicks.board", select=path, today=TODAY)
    with pytest.raises(UsageError, match="no timezone 'Easter'"):
        read_rows(engine, "predictions", [path], timezone="Easter", today=TODAY)


def test_content_is_known_by_bytes_and_options_not_by_name(tmp_path: Path) -> None:
    """The same bytes under another name are the same load; other bytes, another order, source or zone are not."""
    first, copy, other = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    first.write_text("x\n", encoding="utf-8")
    copy.write_text("x\n", encoding="utf-8")
    other.write_text("y\n", encoding="utf-8")

    known = content_id("actuals", [first, other])

    assert content_id("actuals", [copy, other]) == known
    assert len(known) == 64
    assert content_id("actuals", [other, first]) != known
    assert content_id("predictions", [first, other]) != known
    assert content_id("actuals", [first, other], source="bref.box_scores") != known
    assert content_id("actuals", [first, other], options={"timezone": "UTC"}) != known
    assert content_id("actuals", [first, other], aliases=copy) != known
    assert content_id("actuals", [first, other], references={"games": copy}) != known
    assert content_id("actuals", [first, other], select=copy) != known
    with pytest.raises(InputError, match="cannot be read"):
        content_id("actuals", [tmp_path / "none.csv"])
