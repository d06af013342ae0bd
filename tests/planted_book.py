"""Books of a few rows that were put there beside the kernel: also what it would never let in, such as duplicates.

One body of tests runs over a book in a folder and one in PostgreSQL: both take rows as dictionaries. The folder's rows
get a Parquet file and pointers, as a commit would leave them; the server's are inserted, its unique index dropped.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

import gradeonce
from builders import FakeClock, catalog_of, new_book, open_book
from gradeonce.book import Book
from gradeonce.model import EntryDraft
from gradeonce.schema import ACCURACY, ACTUALS, PREDICTIONS, Table
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.rows import columns_of, literal
from gradeonce.warehouses.bigquery.state import as_script
from gradeonce.warehouses.engine import DUCKDB_TYPES
from servers import Postgres
from small_book import graded_as, row_of

MORNING = datetime(2026, 1, 18, 12, tzinfo=UTC)
"""When the checks are run: seven in the morning where the league plays, the day after `small_book.DAY`."""


class PlantedBook:
    """A book whose rows are planted. The clock stands at MORNING."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._numbers = itertools.count(1)

    def predictions(self, *rows: dict[str, Any]) -> None:
        """Plant predictions; what is not given takes a default."""
        self.plant(PREDICTIONS, rows)

    def actuals(self, *rows: dict[str, Any]) -> None:
        """Plant rows of box scores."""
        self.plant(ACTUALS, rows)

    def grades(self, *rows: dict[str, Any]) -> None:
        """Plant grades; `outcome`, `actual` and `predicted` say what the other figures are."""
        self.plant(ACCURACY, [graded_as(row.pop("outcome", "win"), **row) for row in map(dict, rows)])

    def plant(self, table: Table, rows: Sequence[dict[str, Any]], *, published_at: datetime = MORNING) -> None:
        """Put rows into a table and count them in its fences; the ledger does not know of them."""
        full = [row_of(table, next(self._numbers), **row) for row in rows]
        counts: dict[str, int] = {}
        for row in full:
            partition = str(row[table.partition])
            counts[partition] = counts.get(partition, 0) + 1
        self.book.warehouse.fences(table, list(counts))
        self._put(table, full, counts)
        self._count(table, counts, published_at)

    def run(self, day: str, **details: Any) -> None:
        """Leave a grading of a date in the ledger."""
        status = "failed" if "error" in details else "published"
        draft = EntryDraft("grade", "run1", ACCURACY.name, day, status=status, holder="ann", details=details)
        self.book.warehouse.append_entries([draft])

    def _put(self, table: Table, rows: Sequence[dict[str, Any]], counts: dict[str, int]) -> None:
        raise NotImplementedError

    def _count(self, table: Table, counts: dict[str, int], published_at: datetime) -> None:
        raise NotImplementedError


class PlantedFolder(PlantedBook):
    """In a folder."""

    def _put(self, table: Table, rows: Sequence[dict[str, Any]], counts: dict[str, int]) -> None:
        path = Path("rows") / table.name / f"planted-{next(self._numbers)}.parquet"
        folder = self.book.settings.book_path
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        engine = duckdb.connect(":memory:")
        columns = ", ".join(f'"{column.name}" {DUCKDB_TYPES[column.type]}' for column in table.columns)
        engine.execute(f"CREATE TABLE planted ({columns})")
        # One statement: the engine is slow at many.
        marks = ", ".join(f"({', '.join('?' for _ in table.columns)})" for _ in rows)
        engine.execute(f"INSERT INTO planted VALUES {marks}", [row.get(n) for row in rows for n in table.column_names])
        engine.execute(
            f"COPY (SELECT * FROM planted ORDER BY \"{table.partition}\") TO '{folder / path}' (FORMAT parquet)"
        )
        engine.close()
        catalog = catalog_of(self.book)
        file_id = catalog.execute(
            "INSERT INTO files (table_name, path, bytes, sha256, segments, created_at) VALUES (?, ?, 1, '', ?, '')",
            (table.name, str(path), len(counts)),
        ).lastrowid
        catalog.executemany(
            "INSERT INTO segments (table_name, partition, file_id, rows, added_seq) VALUES (?, ?, ?, ?, 1)",
            [(table.name, partition, file_id, count) for partition, count in counts.items()],
        )
        catalog.close()

    def _count(self, table: Table, counts: dict[str, int], published_at: datetime) -> None:
        catalog = catalog_of(self.book)
        for partition, count in counts.items():
            catalog.execute(_FENCE, (table.name, partition, count, published_at.isoformat(timespec="microseconds")))
        catalog.close()


class PlantedServer(PlantedBook):
    """In PostgreSQL."""

    def __init__(self, book: Book, connection: Any) -> None:
        # Any: a connection of the driver, which is not installed everywhere.
        super().__init__(book)
        self.connection = connection

    def _put(self, table: Table, rows: Sequence[dict[str, Any]], counts: dict[str, int]) -> None:
        columns = ", ".join(f'"{name}"' for name in table.column_names)
        marks = ", ".join("%s" for _ in table.columns)
        with self.connection.cursor() as cursor:
            cursor.executemany(
                f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})',
                [[row.get(name) for name in table.column_names] for row in rows],
            )

    def _count(self, table: Table, counts: dict[str, int], published_at: datetime) -> None:
        with self.connection.cursor() as cursor:
            at = published_at.isoformat(timespec="microseconds")
            cursor.executemany(
                _FENCE.replace("?", "%s"), [(table.name, partition, count, at) for partition, count in counts.items()]
            )


_FENCE = """
INSERT INTO publish_fences AS f (table_name, partition, seq, rows, published_at) VALUES (?, ?, 1, ?, ?)
ON CONFLICT (table_name, partition) DO UPDATE
SET seq = 1, rows = f.rows + excluded.rows, published_at = excluded.published_at
"""


@pytest.fixture(scope="module")
def planted_schema(postgres: Postgres) -> Iterator[Any]:
    """A schema without unique indexes, for the whole module, and a connection in it."""
    import psycopg

    from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse

    name = "planted"
    PostgresWarehouse.create(postgres.url, schema=name)
    with psycopg.connect(postgres.url, autocommit=True, options=f"-c search_path={name}") as connection:
        found = connection.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = %s AND tablename = 'prediction_accuracy' "
            "AND indexdef LIKE 'CREATE UNIQUE%%'",
            (name,),
        ).fetchall()
        for (index,) in found:
            connection.execute(f'DROP INDEX "{index}"'.encode())
        yield connection
        connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())


@pytest.fixture(params=["folder", "server"])
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlantedBook]:
    """An empty book, once in a folder and once in PostgreSQL."""
    if request.param == "folder":
        with open_book(new_book(tmp_path / "book"), clock=FakeClock(MORNING)) as book:
            yield PlantedFolder(book)
        return
    server, connection = request.getfixturevalue("postgres"), request.getfixturevalue("planted_schema")
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'planted'").fetchall()
    kept = ("schema_steps", "ledger_head")
    emptied = ", ".join(f'"{name}"' for (name,) in tables if name not in kept)
    connection.execute(f"TRUNCATE {emptied}".encode())
    connection.execute("UPDATE ledger_head SET number = 0, entry_hash = repeat('0', 64)")
    with gradeonce.open(server.url, schema="planted", threads=1, clock=FakeClock(MORNING)) as book:
        yield PlantedServer(book, connection)


class PlantedDataset(PlantedBook):
    """In BigQuery: rows and fences are gathered, and `settle` puts them there with one request."""

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self._texts: list[str] = []
        self._fences: dict[tuple[str, str], tuple[int, datetime]] = {}

    def plant(self, table: Table, rows: Sequence[dict[str, Any]], *, published_at: datetime = MORNING) -> None:
        """See `PlantedBook.plant`."""
        full = [row_of(table, next(self._numbers), **row) for row in rows]
        given = literal(json.dumps(full, default=str))
        values = ", ".join(
            f"CAST(JSON_VALUE(j, '$.{column.name}') AS {BIGQUERY_TYPES[column.type]})" for column in table.columns
        )
        self._texts.append(
            f"INSERT INTO `{table.name}` ({columns_of(table)}) "
            f"SELECT {values} FROM UNNEST(JSON_QUERY_ARRAY({given})) AS j"
        )
        for row in full:
            key = table.name, str(row[table.partition])
            self._fences[key] = self._fences.get(key, (0, published_at))[0] + 1, published_at

    def settle(self) -> None:
        """Put there what was planted."""
        fences = ", ".join(
            f"('{table}', '{partition}', 0, 1, {rows}, '', 'planted', '{at.isoformat(timespec='microseconds')}')"
            for (table, partition), (rows, at) in self._fences.items()
        )
        connection = Connection(self.book.settings.book)
        connection.execute(as_script([*self._texts, f"INSERT INTO publish_fences VALUES {fences}"]))
        connection.close()
