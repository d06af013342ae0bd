"""`gradeonce sql`: anything may be read, nothing can be written, and what it prints can be parsed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import gradeonce
from acceptance.command import Command
from gradeonce.errors import GradeonceError, UsageError

WRITING = [
    ("INSERT INTO prediction_accuracy SELECT * FROM prediction_accuracy", "INSERT"),
    ("WITH x AS (SELECT 1) INSERT INTO loads SELECT * FROM x", "INSERT"),
    ("UPDATE publish_fences SET token = 0", "UPDATE"),
    ("DELETE FROM ledger", "DELETE"),
    ("DROP VIEW prediction_accuracy", "DROP"),
    ("ALTER TABLE ledger ADD COLUMN x INTEGER", "ALTER"),
    ("CREATE TABLE x AS SELECT 1", "CREATE"),
    ("COPY (SELECT 1) TO 'x.csv'", "COPY"),
    ("COPY prediction_accuracy TO 'x.parquet'", "COPY"),
    ("EXPORT DATABASE 'x'", "EXPORT"),
    ("ATTACH 'x.duckdb'", "ATTACH"),
    ("PRAGMA database_list", "PRAGMA"),
    ("SET threads = 1", "SET"),
    ("CALL enable_logging()", "CALL"),
    ("INSTALL httpfs", "LOAD"),
    ("SELECT 1; SELECT 2", "SELECT, SELECT"),
    ("SELECT 1; COPY (SELECT 1) TO 'x.csv'", "SELECT, COPY"),
    ("EXPLAIN COPY (SELECT 1) TO 'x.csv'", "COPY"),
    ("EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'", "COPY"),
    ("explain (analyze, format json) COPY (SELECT 1) TO 'x.csv'", "COPY"),
    ("", "nothing"),
]
HIDDEN = [
    "EXPLAIN /* as well */ ANALYZE COPY (SELECT 1) TO 'x.csv'",
    "/* first */ EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'",
    "-- first\nEXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'",
    "SELECT * FROM query('COPY (SELECT 1) TO ''x.csv''')",
    "SELECT * FROM enable_profiling(save_location = 'x.txt')",
    "SELECT * FROM enable_logging(level = 'trace', storage = 'file', storage_path = 'x')",
    "SELECT 1 AS a INTO x",
]


@pytest.fixture(scope="module")
def book(empty_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """One empty book for all: nothing here may change it."""
    command = Command(tmp_path_factory.mktemp("sql"))
    shutil.copytree(empty_folder, command.folder, dirs_exist_ok=True)
    return command


@pytest.mark.parametrize(("query", "what"), WRITING)
def test_sql_refuses_whatever_is_not_one_select(book: Command, query: str, what: str) -> None:
    """Each is named, and no file appears."""
    before = _files(book)

    with gradeonce.open(book.folder / "book") as opened, pytest.raises(UsageError) as caught:
        opened.sql(query)

    assert caught.value.message == f"Only one SELECT is allowed here, not {what}."
    assert _files(book) == before


@pytest.mark.parametrize("query", HIDDEN)
def test_sql_cannot_write_by_a_detour(
    book: Command, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments, functions that run a text, and functions that make the engine write logs do not help."""
    before = _files(book)
    monkeypatch.chdir(tmp_path)

    with gradeonce.open(book.folder / "book") as opened, opened.reader() as reader:
        with pytest.raises(GradeonceError):
            reader.query(query)
        reader.query("SELECT 1")

    assert _files(book) == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("query", ["COPY (SELECT 1) TO 'x.csv'", "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'"])
def test_sql_refusal_is_wrong_usage(book: Command, query: str) -> None:
    """The command says what happened, that nothing was changed, and what changes a book; exit code 64."""
    found = book("sql", query, code=64)

    assert found.out == ""
    assert found.err == (
        "error: Only one SELECT is allowed here, not COPY.\n"
        "       Nothing was changed.\n"
        "  next: The book is changed by load and grade.\n"
    )
    assert not (book.folder / "x.csv").exists()


def test_sql_json_is_a_list_of_objects(book: Command) -> None:
    """Each value as JSON has it: exact decimals, ISO dates and instants, null, lists and letters of all kinds."""
    query = (
        "SELECT 1 AS number, 1.50::DECIMAL(9, 2) AS exact, DATE '2026-01-17' AS day, NULL AS nothing, true AS yes, "
        "TIMESTAMP '2026-01-17 19:00:00' AS instant, [1, 2] AS list, {'a': 1} AS record, 'Dončić' AS name"
    )

    found = book("sql", query, "--json")

    assert found.json() == [
        {
            "number": 1,
            "exact": 1.5,
            "day": "2026-01-17",
            "nothing": None,
            "yes": True,
            "instant": "2026-01-17T19:00:00Z",
            "list": [1, 2],
            "record": {"a": 1},
            "name": "Dončić",
        }
    ]
    assert found.err == ""
    assert book("sql", "SELECT 1 WHERE false", "--json").json() == []


def test_sql_json_is_valid_when_a_number_is_not_finite(book: Command) -> None:
    """JSON knows no Infinity and no NaN: they are null."""
    query = "SELECT 1e0 / 0 AS a, -1e0 / 0 AS b, 'NaN'::DOUBLE AS c, ['NaN'::DOUBLE, 1.5] AS d"

    found = book("sql", query, "--json")

    assert json.loads(found.out, parse_constant=pytest.fail) == [{"a": None, "b": None, "c": None, "d": [None, 1.5]}]


def test_sql_instants_with_an_offset_are_told_in_utc(book: Command) -> None:
    """now() and other TIMESTAMPTZ values need no further package."""
    query = "SELECT TIMESTAMPTZ '2026-01-17 19:00:00-05' AS at, now() > TIMESTAMPTZ '2020-01-01 00:00:00Z' AS later"

    assert book("sql", query, "--json").json() == [{"at": "2026-01-18T00:00:00Z", "later": True}]
    assert book("sql", query, "--csv").out == "at,later\n2026-01-18 00:00:00,True\n"


def test_sql_csv_and_table(book: Command) -> None:
    """CSV with a header for machines, aligned columns for people."""
    query = "SELECT * FROM (VALUES (1, 'a,b'), (NULL, 'c')) t(n, s)"

    assert book("sql", query, "--csv").out == 'n,s\n1,"a,b"\n,c\n'
    assert [line.split() for line in book("sql", query).out.splitlines()] == [["n", "s"], ["1", "a,b"], ["c"]]


def test_sql_shows_how_many_rows_it_left_out(book: Command) -> None:
    """The table stops at --limit and says so on stderr; CSV is whole."""
    found = book("sql", "SELECT * FROM range(5)", "--limit", "2")

    assert len(found.out.splitlines()) == 3
    assert found.err == "5 rows, 2 shown; --limit, --csv or --json shows more\n"
    assert len(book("sql", "SELECT * FROM range(5)", "--limit", "2", "--csv").out.splitlines()) == 6


def test_sql_from_a_file(book: Command) -> None:
    """A long query may stand in a file; query and file exclude each other."""
    book.write("q.sql", "SELECT 42 AS answer")

    assert book("sql", "--file", "q.sql", "--json").json() == [{"answer": 42}]
    assert "Give one query, as an argument or with --file." in book("sql", "SELECT 1", "--file", "q.sql", code=64).err


def test_sql_may_look_at_other_files(book: Command) -> None:
    """Reading a local file beside the book is allowed."""
    book.write("other.csv", "a,b\n1,2\n")

    assert book.inside("sql", "SELECT a + b AS c FROM 'other.csv'", "--json").json() == [{"c": 3}]


def test_sql_explains_a_select(book: Command) -> None:
    """EXPLAIN and EXPLAIN ANALYZE of a SELECT stay allowed."""
    for query in ("EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1", "EXPLAIN (FORMAT JSON) SELECT 1"):
        assert book("sql", query, "--json").json()


def test_sql_says_what_is_wrong_with_a_query(book: Command) -> None:
    """A slip is wrong usage, with the engine's words."""
    found = book("sql", "SELECT nobody FROM prediction_accuracy", code=64)

    assert found.err.startswith("error: The query is not valid: ")
    assert "nobody" in found.err


def test_sql_of_an_error_with_json_is_json(book: Command) -> None:
    """The error is an object on stdout, and in words on stderr."""
    document = book("sql", "SELEC 1", "--json", code=64).json()

    assert document["schema_version"] == 1
    assert document["error"]["kind"] == "UsageError"
    assert document["error"]["exit_code"] == 64


def _files(book: Command) -> dict[str, int]:
    """Everything below the folder but SQLite's own work files."""
    return {
        str(path): path.stat().st_size
        for path in book.folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm", ".lock"))
    }
