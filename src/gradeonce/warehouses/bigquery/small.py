"""Small tables in BigQuery, which enforces no keys: every change touches the one row that all others touch, too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gradeonce.clock import Clock
from gradeonce.schema import SmallTable
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.bigquery import layout, state
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.rows import quoted
from gradeonce.warehouses.small_rows import key_of, values_of


def keep(connection: Connection, clock: Clock, table: SmallTable, rows: Sequence[Params], *, replace: bool) -> int:
    """See `Warehouse.keep`."""
    written: dict[tuple[Any, ...], dict[str, Any]] = {}
    # Any: whatever the columns hold. One statement writes all, so of two rows with one key it is told here which stays.
    for row in rows:
        values = values_of(table, row)
        key = tuple(values[name] for name in table.key)
        if replace or key not in written:
            written[key] = values
    if not written:
        return 0
    given = {"rows": json.dumps(list(written.values()), default=str)}
    insert = state.Counted(_insert(table))
    texts = [_delete(table), insert] if replace else [insert]
    if not connection.has(table.name):
        connection.execute(layout.small_table_text(table))
    return state.counted_in_turn(connection, clock, texts, given)


def kept(connection: Connection, table: SmallTable, *, moment: str = "") -> Rows:
    """See `Warehouse.kept`.

    Args:
        moment: The clause that says as of when; empty: now.
    """
    if not connection.has(table.name):
        return Rows(table.column_names, [])
    columns = ", ".join(map(quoted, table.column_names))
    key = ", ".join(map(quoted, table.key))
    found = connection.query(f"SELECT {columns} FROM {quoted(table.name)} {moment} ORDER BY {key}", ours=False)
    return Rows(table.column_names, found.rows)


def drop_kept(connection: Connection, clock: Clock, table: SmallTable, keys: Sequence[Params]) -> int:
    """See `Warehouse.drop_kept`."""
    if not keys or not connection.has(table.name):
        return 0
    given = {"rows": json.dumps([key_of(table, key) for key in keys], default=str)}
    return state.counted_in_turn(connection, clock, [state.Counted(_delete(table))], given)


def _insert(table: SmallTable) -> str:
    columns = ", ".join(map(quoted, table.column_names))
    return (
        f"INSERT INTO {quoted(table.name)} ({columns}) "
        f"SELECT {columns} FROM ({_given(table, table.column_names)}) AS n "
        f"WHERE NOT EXISTS (SELECT 1 FROM {quoted(table.name)} AS t WHERE {_same(table)})"
    )


def _delete(table: SmallTable) -> str:
    return (
        f"DELETE FROM {quoted(table.name)} AS t "
        f"WHERE EXISTS (SELECT 1 FROM ({_given(table, table.key)}) AS n WHERE {_same(table)})"
    )


def _given(table: SmallTable, names: Sequence[str]) -> str:
    """Return the SELECT of the rows that are bound as one JSON text."""
    kinds = {column.name: BIGQUERY_TYPES[column.type] for column in table.columns}
    values = ", ".join(f"CAST(JSON_VALUE(j, '$.{name}') AS {kinds[name]}) AS {quoted(name)}" for name in names)
    return f"SELECT {values} FROM UNNEST(JSON_QUERY_ARRAY(@rows)) AS j"


def _same(table: SmallTable) -> str:
    return " AND ".join(f"t.{quoted(name)} = n.{quoted(name)}" for name in table.key)
