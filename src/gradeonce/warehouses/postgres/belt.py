"""The unique index over a table's key: out of the way while copies must stand, back as soon as none does."""

from __future__ import annotations

from gradeonce.schema import Table
from gradeonce.statements import quote_identifier, statement
from gradeonce.warehouses.postgres.connection import Session
from gradeonce.warehouses.postgres.mapped import Kept, kept


def hold(session: Session, table: Table) -> None:
    """Keep everybody else from writing to the table to the end of the transaction; readers go on."""
    session.execute(f"LOCK TABLE {quote_identifier(table.name)} IN SHARE ROW EXCLUSIVE MODE")


def loosen(session: Session, table: Table) -> None:
    """Let the staged rows in: without the index if copies are among them, with nulls where they hold some.

    Limit: readers wait from here to the commit, because the server hands out an index to nobody else meanwhile.
    """
    place = _place(session, table)
    if _doubled(session, table, "staged"):
        for name in _indexes(session, table, place):
            session.execute(f"DROP INDEX {name}")
    if not table.required:
        return
    nulls = ", ".join(f"count(*) FILTER (WHERE {quote_identifier(name)} IS NULL)" for name in table.required)
    counted = session.query(f"SELECT {nulls} FROM staged").rows[0]
    for name, count in zip(table.required, counted, strict=True):
        if count:
            session.execute(f"ALTER TABLE {place.physical} ALTER COLUMN {place.column(name)} DROP NOT NULL")


def tighten(session: Session, table: Table) -> bool:
    """Put the index back if it is missing and no key of the table stands twice. Return whether it was put back."""
    place = _place(session, table)
    if not table.key or _indexes(session, table, place) or _doubled(session, table, quote_identifier(table.name)):
        return False
    key = ", ".join(place.column(name) for name in (table.partition, *table.key))
    # In the user's schema an index of our table's name may be anybody's.
    name = quote_identifier(f"{'gradeonce_' if place.is_the_users else ''}{table.name}_key")
    session.execute(f"CREATE UNIQUE INDEX {name} ON {place.physical} ({key}) NULLS NOT DISTINCT")
    return True


def lacks(session: Session, table: Table) -> str:
    """Return why the index over the table's key is not there; empty when it is, or when the table has no key."""
    if not table.key or _indexes(session, table, _place(session, table)):
        return ""
    doubled = _doubled(session, table, quote_identifier(table.name))
    if not doubled:
        return "the unique index over its key is missing; `gradeonce init` makes it"
    return (
        f"the unique index over its key is missing, because {doubled} keys stand more than once; look at them with "
        "`gradeonce dedupe plan`, and make it with `gradeonce init` when they are gone"
    )


def _place(session: Session, table: Table) -> Kept:
    found = kept(session).get(table.name)
    return found or Kept(quote_identifier(table.name), {}, False, "")


def _indexes(session: Session, table: Table, place: Kept) -> list[str]:
    columns = sorted(place.columns.get(name, name) for name in (table.partition, *table.key))
    found = session.query(_sql("key_index"), {"table": place.physical, "columns": columns}).rows
    return [name for (name,) in found]


def _doubled(session: Session, table: Table, relation: str) -> int:
    """Return how many keys stand more than once in a relation that has our names of the columns."""
    key = ", ".join(quote_identifier(name) for name in (table.partition, *table.key))
    counted = f"SELECT count(*) FROM (SELECT 1 FROM {relation} GROUP BY {key} HAVING count(*) > 1) AS doubled"
    return int(session.query(counted).rows[0][0])


def _sql(name: str) -> str:
    return statement("gradeonce.warehouses.postgres.sql", "layout.sql", name)
