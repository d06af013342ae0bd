"""The unique index over a table's key: out of the way while copies must stand, back as soon as none does."""

from __future__ import annotations

from gradeonce.schema import Table
from gradeonce.statements import quote_identifier, statement
from gradeonce.warehouses.postgres.connection import Session


def hold(session: Session, table: Table) -> None:
    """Keep everybody else from writing to the table to the end of the transaction; readers go on."""
    session.execute(f"LOCK TABLE {quote_identifier(table.name)} IN SHARE ROW EXCLUSIVE MODE")


def loosen(session: Session, table: Table) -> None:
    """Let the staged rows in: without the index if copies are among them, with nulls where they hold some.

    Limit: readers wait from here to the commit, because the server hands out an index to nobody else meanwhile.
    """
    physical = physical_name(session, table)
    key = ", ".join(quote_identifier(name) for name in (table.partition, *table.key))
    if _stands_twice(session, "staged", key):
        for (name,) in session.query(_sql("key_index"), {"table": physical, "index": f"{table.name}_key"}).rows:
            session.execute(f"DROP INDEX {name}")
    nulls = ", ".join(f"count(*) FILTER (WHERE {quote_identifier(name)} IS NULL)" for name in table.required)
    counted = session.query(f"SELECT {nulls} FROM staged").rows[0]
    for name, count in zip(table.required, counted, strict=True):
        if count:
            session.execute(f"ALTER TABLE {physical} ALTER COLUMN {quote_identifier(name)} DROP NOT NULL")


def tighten(session: Session, table: Table) -> bool:
    """Put the index back if it is missing and no key of the table stands twice. Return whether it was put back."""
    physical = physical_name(session, table)
    if session.query(_sql("key_index"), {"table": physical, "index": f"{table.name}_key"}).rows:
        return False
    key = ", ".join(quote_identifier(name) for name in (table.partition, *table.key))
    if _stands_twice(session, quote_identifier(table.name), key):
        return False
    name = quote_identifier(f"{table.name}_key")
    session.execute(f"CREATE UNIQUE INDEX {name} ON {physical} ({key}) NULLS NOT DISTINCT")
    return True


def is_missing(session: Session, table: Table) -> bool:
    """Return whether the table lacks the index over its key."""
    values = {"table": physical_name(session, table), "index": f"{table.name}_key"}
    return bool(table.key) and not session.query(_sql("key_index"), values).rows


def physical_name(session: Session, table: Table) -> str:
    """Return the quoted name of the table that holds the rows: behind our view, the user's own."""
    return str(session.query(_sql("physical"), {"name": quote_identifier(table.name)}).rows[0][0])


def _stands_twice(session: Session, relation: str, key: str) -> bool:
    found = session.query(f"SELECT 1 FROM {relation} GROUP BY {key} HAVING count(*) > 1 LIMIT 1").rows
    return bool(found)


def _sql(name: str) -> str:
    return statement("gradeonce.warehouses.postgres.sql", "layout.sql", name)
