"""A file of SQLite: no signal leaves a transaction open, and what cannot be opened says why."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradeonce.errors import WarehouseError
from gradeonce.sqlite_file import SqliteFile


class Interrupting:
    """A connection in which SIGINT comes while a transaction begins; it is heard just after. Any: as it comes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str) -> Any:
        result = self._connection.execute(sql)
        if sql.startswith("BEGIN"):
            signal.raise_signal(signal.SIGINT)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    """A file with one table."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    file = SqliteFile(tmp_path / "some.sqlite", durable=False)
    try:
        file.connection.execute("CREATE TABLE noted (what TEXT)")
        yield file
    finally:
        file.close()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kind", ["read", "write"])
def test_interrupted_beginning_leaves_no_transaction(file: SqliteFile, kind: str) -> None:
    """Whoever cleans up afterwards can write: in here, and by another connection."""
    connection = file.connection
    file.connection = Interrupting(connection)  # type: ignore[assignment]

    def begin() -> None:
        with getattr(file, kind)():
            pytest.fail("it went on")

    with pytest.raises(KeyboardInterrupt):
        begin()

    file.connection = connection
    assert not connection.in_transaction
    with file.write() as writing:
        writing.execute("INSERT INTO noted VALUES ('cleaned up')")


def test_file_that_cannot_be_opened_says_what_it_needs(tmp_path: Path) -> None:
    """On a disk that cannot be written a book cannot be read either; SQLite says no more than that it is unable to."""
    with pytest.raises(WarehouseError, match="unable to open database file") as caught:
        SqliteFile(tmp_path / "missing" / "catalog.sqlite", durable=True)

    assert caught.value.hint.startswith(f"{tmp_path / 'missing'} must be writable, for reading too")
