"""Named SQL statements: found by name, filled slot by slot, nothing left over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradeonce.statements import fill, quote_identifier, quote_literal, statement, statements

TEXT = """
-- name: first
-- What it is for.
SELECT {columns}  -- not a whole-line comment
FROM {table};

-- name: second
-- Another.
SELECT 1;
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with one file of statements."""
    folder = tmp_path / "sql_for_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "queries.sql").write_text(TEXT, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "sql_for_a_test"
    sys.modules.pop("sql_for_a_test", None)
    statements.cache_clear()


def test_statements_are_found_by_name(package: str) -> None:
    """Without the comment lines and the final semicolon."""
    assert statement(package, "queries.sql", "second") == "SELECT 1"
    assert statement(package, "queries.sql", "first", columns="a, b", table="t").splitlines() == [
        "SELECT a, b  -- not a whole-line comment",
        "FROM t",
    ]


def test_an_unknown_name_is_an_error(package: str) -> None:
    """A misspelt name never yields an empty statement."""
    with pytest.raises(KeyError, match="third"):
        statement(package, "queries.sql", "third")


def test_a_name_that_stands_twice_is_an_error(package: str, tmp_path: Path) -> None:
    """The second would silently hide the first."""
    path = tmp_path / "sql_for_a_test" / "queries.sql"
    path.write_text(TEXT + "\n-- name: first\nSELECT 2;\n", encoding="utf-8")

    with pytest.raises(KeyError, match="the statement first stands twice"):
        statements(package, "queries.sql")


def test_every_slot_must_be_filled_and_every_filling_used() -> None:
    """Neither an open slot nor a filling that nobody asked for goes unnoticed."""
    assert fill("SELECT {a} FROM {b} WHERE {a}", a="x", b="y") == "SELECT x FROM y WHERE x"
    with pytest.raises(KeyError, match="b"):
        fill("SELECT {a} FROM {b}", a="x")
    with pytest.raises(KeyError, match="no such slot: c, d"):
        fill("SELECT {a}", a="x", c="y", d="z")


def test_a_filling_is_not_filled_again() -> None:
    """What looks like a slot inside a filling stays as it is."""
    assert fill("{a}", a="{b}") == "{b}"


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine to ask what it makes of a text."""
    with duckdb.connect() as engine:
        yield engine


@settings(deadline=None, derandomize=True)
@given(text=st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_quoting_holds_in_the_engine(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    """Any text comes back as it was, as a value and as a column's name."""
    assert engine.execute(f"SELECT {quote_literal(text)}").fetchall() == [(text,)]
    if text:
        assert engine.execute(f"SELECT 1 AS {quote_identifier(text)}").description[0][0] == text


def test_every_file_of_statements_we_ship_can_be_read() -> None:
    """No name stands twice, and none without a statement."""
    root = Path(str(resources.files("gradeonce")))
    files = [path for path in root.rglob("*.sql") if "-- name:" in path.read_text(encoding="utf-8")]
    assert files
    for path in files:
        package = ".".join(("gradeonce", *path.parent.relative_to(root).parts))
        assert all(statements(package, path.name).values()), path
