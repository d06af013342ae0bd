"""Rows of small tables as values to bind: the same checks and the same values on every warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gradeonce.errors import UsageError
from gradeonce.schema import SmallTable
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.base import Params


def values_of(table: SmallTable, row: Params) -> dict[str, Any]:
    """Return one value per column, instants as UTC without an offset. Any: whatever the columns hold.

    Raises:
        UsageError: If the row has a column that the table lacks, or a null in its key.
    """
    strangers = set(row) - set(table.column_names)
    if strangers:
        raise UsageError(f"{table.name} has no column {', '.join(sorted(strangers))}.")
    empty = [name for name in table.key if row.get(name) is None]
    if empty:
        raise UsageError(f"A row of {table.name} needs a value for {', '.join(empty)}.")
    return {name: _utc(row.get(name)) for name in table.column_names}


def key_of(table: SmallTable, key: Params) -> dict[str, Any]:
    """Return the values of a key. Any: whatever its columns hold."""
    return {name: _utc(key[name]) for name in table.key}


def insert_sql(table: SmallTable, marks: Sequence[str], *, replace: bool) -> str:
    """Return the INSERT that replaces, or leaves alone, a row whose key stands."""
    columns = ", ".join(quote_identifier(name) for name in table.column_names)
    key = ", ".join(quote_identifier(name) for name in table.key)
    rest = [quote_identifier(name) for name in table.column_names if name not in table.key]
    sets = ", ".join(f"{name} = excluded.{name}" for name in rest)
    otherwise = f"DO UPDATE SET {sets}" if replace and sets else "DO NOTHING"
    return (
        f"INSERT INTO {quote_identifier(table.name)} ({columns}) VALUES ({', '.join(marks)}) "
        f"ON CONFLICT ({key}) {otherwise}"
    )


def select_sql(table: SmallTable) -> str:
    """Return the SELECT of all rows in the order of the key."""
    columns = ", ".join(quote_identifier(name) for name in table.column_names)
    key = ", ".join(quote_identifier(name) for name in table.key)
    return f"SELECT {columns} FROM {quote_identifier(table.name)} ORDER BY {key}"


def delete_sql(table: SmallTable, marks: Sequence[str]) -> str:
    """Return the DELETE of the row with one key."""
    pairs = zip(table.key, marks, strict=True)
    return f"DELETE FROM {quote_identifier(table.name)} WHERE " + " AND ".join(
        f"{quote_identifier(name)} = {mark}" for name, mark in pairs
    )


def _utc(value: Any) -> Any:
    # Any: a value of any column passes through.
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
