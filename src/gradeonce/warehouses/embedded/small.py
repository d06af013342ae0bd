"""Small tables in the catalog: SQLite's types are few, so values are put away as text and come back as they were."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gradeonce.schema import ColumnType, SmallTable
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.engine import DUCKDB_TYPES, run
from gradeonce.warehouses.small_rows import delete_sql, insert_sql, key_of, select_sql, values_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQLITE_TYPES = {ColumnType.INTEGER: "INTEGER", ColumnType.BOOLEAN: "INTEGER"}

_FROM_SQLITE: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.DATE: date.fromisoformat,
    ColumnType.INSTANT: datetime.fromisoformat,
    ColumnType.DECIMAL: Decimal,
    ColumnType.SUM: Decimal,
    ColumnType.BOOLEAN: bool,
}
"""Any: SQLite hands over int or str, and each becomes the column's own type."""


def keep(connection: sqlite3.Connection, table: SmallTable, rows: Sequence[Params], *, replace: bool) -> int:
    """See `Warehouse.keep`; inside the caller's transaction."""
    _create(connection, table)
    insert = insert_sql(table, [f":{name}" for name in table.column_names], replace=replace)
    return sum(connection.execute(insert, _bound(values_of(table, row))).rowcount for row in rows)


def kept(connection: sqlite3.Connection, table: SmallTable) -> Rows:
    """See `Warehouse.kept`."""
    if not _exists(connection, table):
        return Rows(table.column_names, [])
    kinds = [column.type for column in table.columns]
    rows = connection.execute(select_sql(table)).fetchall()
    return Rows(table.column_names, [tuple(map(_typed, kinds, row)) for row in rows])


def drop_kept(connection: sqlite3.Connection, table: SmallTable, keys: Sequence[Params]) -> int:
    """See `Warehouse.drop_kept`; inside the caller's transaction."""
    if not _exists(connection, table):
        return 0
    delete = delete_sql(table, [f":{name}" for name in table.key])
    return sum(connection.execute(delete, _bound(key_of(table, key))).rowcount for key in keys)


def as_json(connection: sqlite3.Connection, table: SmallTable) -> str:
    """Return all rows as a JSON array of arrays, for `define_small_tables`."""
    return json.dumps(connection.execute(select_sql(table)).fetchall() if _exists(connection, table) else [])


def define_small_tables(engine: DuckDBPyConnection, tables: Sequence[tuple[SmallTable, str]]) -> None:
    """Put small tables in view; their rows cross as one JSON text, no extension is needed."""
    for table, rows_json in tables:
        picked = ", ".join(
            f"CAST({_picked(i, column.type)} AS {DUCKDB_TYPES[column.type]}) AS {quote_identifier(column.name)}"
            for i, column in enumerate(table.columns, start=1)
        )
        run(
            engine,
            f"CREATE OR REPLACE TEMP TABLE {quote_identifier(table.name)} AS "
            f"SELECT {picked} FROM (SELECT unnest(from_json($rows, '[[\"VARCHAR\"]]')) AS r)",
            {"rows": rows_json},
        )


def _picked(place: int, kind: ColumnType) -> str:
    # A text has no cast from '1' to true without the step over a number.
    return f"CAST(r[{place}] AS INTEGER)" if kind is ColumnType.BOOLEAN else f"r[{place}]"


def _create(connection: sqlite3.Connection, table: SmallTable) -> None:
    columns = ", ".join(f"{quote_identifier(c.name)} {_SQLITE_TYPES.get(c.type, 'TEXT')}" for c in table.columns)
    key = ", ".join(quote_identifier(name) for name in table.key)
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {quote_identifier(table.name)} ({columns}, PRIMARY KEY ({key})) STRICT"
    )


def _exists(connection: sqlite3.Connection, table: SmallTable) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table.name,))
    return found.fetchone() is not None


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    # Any: a value of any column; SQLite takes str, int and None.
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, date | Decimal):
        return str(value)
    return value


def _typed(kind: ColumnType, value: Any) -> Any:
    made = _FROM_SQLITE.get(kind)
    return value if value is None or made is None else made(value)
