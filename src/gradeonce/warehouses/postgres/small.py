"""Small tables in PostgreSQL: ordinary tables, made by `init` or by the first row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradeonce.schema import SmallTable
from gradeonce.statements import quote_identifier, statement
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.postgres.capabilities import POSTGRES_TYPES
from gradeonce.warehouses.postgres.connection import Session
from gradeonce.warehouses.small_rows import delete_sql, insert_sql, key_of, select_sql, values_of


def keep(session: Session, schema: str, table: SmallTable, rows: Sequence[Params], *, replace: bool) -> int:
    """See `Warehouse.keep`; inside the caller's transaction."""
    if not exists(session, schema, table):
        # Two makers of one table would collide over its name, so they take turns with `init` and with each other.
        session.query(_layout("turn"), {"key": f"gradeonce layout {schema}"})
        create(session, table)
    insert = insert_sql(table, [f"${name}" for name in table.column_names], replace=replace)
    values = [values_of(table, row) for row in rows]
    return sum(session.execute(insert, one) for one in _in_turn(table, values))


def kept(session: Session, schema: str, table: SmallTable) -> Rows:
    """See `Warehouse.kept`."""
    return session.query(select_sql(table)) if exists(session, schema, table) else Rows(table.column_names, [])


def drop_kept(session: Session, schema: str, table: SmallTable, keys: Sequence[Params]) -> int:
    """See `Warehouse.drop_kept`; inside the caller's transaction."""
    if not exists(session, schema, table):
        return 0
    delete = delete_sql(table, [f"${name}" for name in table.key])
    return sum(session.execute(delete, one) for one in _in_turn(table, [key_of(table, key) for key in keys]))


def _in_turn(table: SmallTable, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in the order of their keys, for everybody the same, so that nobody waits for another in a circle."""
    # Any: values of any column. One key twice keeps its order: the later row stays.
    return sorted(rows, key=lambda row: tuple(row[name] for name in table.key))


def create(session: Session, table: SmallTable) -> None:
    """Make the table unless it is there."""
    columns = ", ".join(f"{quote_identifier(c.name)} {POSTGRES_TYPES[c.type]}" for c in table.columns)
    key = ", ".join(quote_identifier(name) for name in table.key)
    session.execute(f"CREATE TABLE IF NOT EXISTS {quote_identifier(table.name)} ({columns}, PRIMARY KEY ({key}))")


def exists(session: Session, schema: str, table: SmallTable) -> bool:
    """Say whether the table was made."""
    return bool(session.query(_layout("has_table"), {"schema": schema, "table": table.name}).rows[0][0])


def _layout(name: str) -> str:
    return statement("gradeonce.warehouses.postgres.sql", "layout.sql", name)
