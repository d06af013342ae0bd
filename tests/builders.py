"""Books, rows and clocks for tests: everything is made by a SELECT in the engine, no file is read."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import gradeonce
from gradeonce.book import Book
from gradeonce.clock import FakeClock as FakeClock
from gradeonce.errors import LedgerBroken
from gradeonce.leases import PostgresLeases
from gradeonce.leases.sqlite_store import SqliteLeases
from gradeonce.ledger import LedgerProof, verify
from gradeonce.model import EntryDraft, Query
from gradeonce.publish import ignore_steps
from gradeonce.rules.derived import daily_sql
from gradeonce.schema import ACCURACY, ACTUALS, DAILY_PERFORMANCE, PREDICTIONS, Column, ColumnType, Table
from gradeonce.statements import quote_identifier, quote_literal
from gradeonce.warehouses.base import Landed, OnStep, Warehouse
from gradeonce.warehouses.embedded.catalog import CATALOG_FILE
from gradeonce.warehouses.engine import DUCKDB_TYPES

FIRST_DAY = date(2026, 1, 1)

SHELVES = Table(
    name="shelf_counts",
    partition="day",
    key=("shelf", "item"),
    stamps=("counted_by",),
    columns=(
        Column("day", ColumnType.DATE, required=True),
        Column("shelf", ColumnType.TEXT),
        Column("item", ColumnType.TEXT),
        Column("marker", ColumnType.INTEGER, required=True),
        Column("counted_by", ColumnType.TEXT, required=True),
    ),
)
"""A table that has nothing to do with sport. Every row of one publish carries the same marker: a mixture shows."""

ITEMS = 20
"""Rows of a partition of `SHELVES`, as `shelf_query` makes them."""


def days_of(count: int) -> list[date]:
    """Return that many dates, from 2026-01-01."""
    return [FIRST_DAY + timedelta(days=offset) for offset in range(count)]


def new_book(folder: Path) -> Path:
    """Make a book."""
    gradeonce.create(folder)
    return folder


def open_book(folder: Path, **settings: Any) -> Book:
    """Open a book for a test: one engine thread, next to no reserve of disk.

    Args:
        settings: Of Book (clock, leases, on_step) or any setting. Any: each has its own type.
    """
    return gradeonce.open(folder, **{"threads": 1, "minimum_free_megabytes": 1, **settings})


def shelf_query(days: Sequence[str], marker: int, *, items: int = ITEMS, by: str = "somebody") -> Query:
    """Return the SELECT of `items` rows per day that all carry the marker; keys have null parts among them."""
    return Query(
        "SELECT CAST(d AS DATE) AS day, "
        "CASE WHEN i % 3 > 0 THEN 'shelf' || CAST(i AS VARCHAR) END AS shelf, "
        "CASE WHEN i % 2 > 0 OR i % 3 = 0 THEN 'item' || CAST(i AS VARCHAR) END AS item, "
        "CAST($marker AS INTEGER) AS marker, "
        "$by AS counted_by FROM unnest(CAST($days AS VARCHAR[])) AS t (d), "
        "generate_series(0, CAST($items AS INTEGER) - 1) AS r (i)",
        {"days": list(days), "marker": marker, "items": items, "by": by},
    )


def land_season(book: Book | Path, days: int, players: int, systems: int = 1) -> None:
    """Land predictions of every system on every player, and box scores in which all of them are final.

    Every prediction is 20 points on a line of 10.5, OVER; every actual is 11 points: all of them win.
    """
    land_predictions(book, days, players, systems)
    land_actuals(book, days, players, points=11)


def land_predictions(
    book: Book | Path, days: int, players: int, systems: int = 1, *, load_id: str = "", on_step: OnStep = ignore_steps
) -> Landed:
    """Land `players` times `systems` predictions per day."""
    rows = {
        "prediction_id": "'p' || s || '.' || p || '.' || d",
        "system_id": "'system' || s",
        "line_value": "CAST(10.5 AS DECIMAL(18,9))",
        "predicted_value": "CAST(20 AS DECIMAL(18,9))",
        "recommendation": "'OVER'",
        "is_active": "true",
        "line_source": "'ACTUAL_PROP'",
    }
    source = f"range({days}) AS a (d), range({players}) AS b (p), range({systems}) AS c (s)"
    identity = load_id or f"predictions-{days}-{players}-{systems}"
    return land_rows(book, PREDICTIONS, {**_who(), **rows}, source, identity, on_step=on_step)


def land_actuals(
    book: Book | Path,
    days: int,
    players: int,
    *,
    points: int,
    version: int = 1,
    first_player: int = 0,
    load_id: str = "",
    content_id: str = "",
    on_step: OnStep = ignore_steps,
) -> Landed:
    """Land box scores in which everybody makes that many points; a higher version corrects a lower one."""
    rows = {
        "actual_value": f"CAST({points} AS DECIMAL(18,9))",
        "is_dnp": "false",
        "is_final": "true",
        "recorded_at": f"TIMESTAMP '2026-07-01' + to_minutes({version})",
    }
    source = f"range({days}) AS a (d), range({first_player}, {first_player + players}) AS b (p)"
    identity = load_id or f"actuals-{days}-{players}-{points}-{version}-{first_player}"
    return land_rows(
        book, ACTUALS, {**_who(), **rows}, source, identity, content_id=content_id or identity, on_step=on_step
    )


def _who() -> dict[str, str]:
    return {
        "player_lookup": "'player' || p",
        "game_id": "'game' || d",
        "game_date": f"CAST(DATE '{FIRST_DAY}' + CAST(d AS INTEGER) AS DATE)",
        "market": "'points'",
    }


def land_rows(
    book: Book | Path,
    table: Table,
    values: Mapping[str, str],
    source: str,
    load_id: str,
    *,
    content_id: str = "",
    on_step: OnStep = ignore_steps,
) -> Landed:
    """Land the rows of a SELECT: SQL per column, null for the columns not named."""
    if isinstance(book, Path):
        with open_book(book) as opened:
            return land_rows(opened, table, values, source, load_id, content_id=content_id, on_step=on_step)
    stamps = {
        "load_id": quote_literal(load_id),
        "load_row": "CAST(row_number() OVER () AS INTEGER)",
        "loaded_at": f"TIMESTAMP {quote_literal(f'{book.clock.now():%Y-%m-%d %H:%M:%S.%f}')}",
    }
    given = {**{name: sql for name, sql in stamps.items() if name in table.column_names}, **values}
    columns = ", ".join(
        f"CAST({given.get(c.name, 'NULL')} AS {DUCKDB_TYPES[c.type]}) AS {quote_identifier(c.name)}"
        for c in table.columns
    )
    with book.warehouse.engine() as engine:
        engine.execute(f"CREATE TEMP TABLE landing_rows AS SELECT {columns} FROM {source}")
        return book.warehouse.land(
            engine,
            {"rows": (table, "landing_rows")},
            EntryDraft(kind="load", run_id=load_id, status="loaded", holder="test"),
            content_id=content_id or load_id,
            on_step=on_step,
        )


def graded(book: Book) -> list[tuple[Any, ...]]:
    """Return all grades: date, system, player, outcome, actual value, in order."""
    return book.sql(
        "SELECT CAST(game_date AS VARCHAR), system_id, player_lookup, outcome, CAST(actual_value AS INTEGER) "
        "FROM prediction_accuracy ORDER BY ALL"
    ).rows


def sums_off(book: Book) -> list[tuple[Any, ...]]:
    """Return the daily sums that are not those of the grades, and those of the grades that are not there."""
    columns = ", ".join(DAILY_PERFORMANCE.column_names)
    stands = f"SELECT {columns} FROM {DAILY_PERFORMANCE.name}"
    fresh = f"SELECT {columns} FROM ({daily_sql(f'SELECT * FROM {ACCURACY.name}')}) AS fresh"
    return book.sql(f"({stands} EXCEPT {fresh}) UNION ALL ({fresh} EXCEPT {stands})").rows


def duplicate_keys(book: Book, table: Table) -> int:
    """Return how many business keys stand more than once in one partition; null parts are equal here."""
    key = ", ".join(quote_identifier(name) for name in (table.partition, *table.key))
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {quote_identifier(table.name)} GROUP BY {key} HAVING count(*) > 1)"
    return int(book.sql(sql).rows[0][0])


def ledger_findings(warehouse: Warehouse, *, deep: bool = True, head: str | None = None) -> tuple[str, ...]:
    """Return what `ledger verify` finds; empty when it holds."""
    try:
        proof = verify(warehouse, deep=deep, head=head)
    except LedgerBroken as error:
        return error.findings
    assert isinstance(proof, LedgerProof)
    return ()


def catalog_of(book: Book | Path) -> sqlite3.Connection:
    """Open the book's catalog with plain sqlite3, as somebody who tampers with it would."""
    folder = book if isinstance(book, Path) else book.settings.book_path
    return sqlite3.connect(folder / CATALOG_FILE, isolation_level=None)


def files_of(folder: Path) -> set[str]:
    """Return every Parquet file of a book, staged ones too, relative to it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}


def live_files(folder: Path) -> set[str]:
    """Return the files that any version of a partition points at, old versions included."""
    connection = catalog_of(folder)
    try:
        return {path for (path,) in connection.execute("SELECT path FROM files JOIN segments USING (file_id)")}
    finally:
        connection.close()


def let_leases_run_out(book: Book) -> None:
    """Have the ttl of every lease of a book pass: who is dead has not renewed it since, and nobody need wait for that.

    So these may be long, and no pause of a busy machine takes one from somebody who is alive.
    """
    store = book.leases
    if isinstance(store, SqliteLeases):
        with store._file.write() as connection:
            connection.execute("UPDATE leases SET renewed_at = renewed_at - ttl_seconds")
        return
    assert isinstance(store, PostgresLeases)
    store._run("UPDATE {table} SET renewed_at = renewed_at - ttl_seconds * interval '1 second' RETURNING key", {})


def is_running(process_id: int) -> bool:
    """Say whether a process is there and no zombie, which nobody may ever bury in a container."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
