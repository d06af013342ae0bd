"""Tables of the user's that stand for ours in PostgreSQL: a view of our name over each, our columns in our order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradeonce.errors import RefusedForSafety
from gradeonce.schema import LOADED_TABLES, Column, ColumnType, Table
from gradeonce.statements import quote_identifier, statement
from gradeonce.warehouses import mapped
from gradeonce.warehouses.mapped import Asked, Examined, Shape, Theirs
from gradeonce.warehouses.postgres.capabilities import CAST_TYPES
from gradeonce.warehouses.postgres.connection import Session

_EXACT = {
    ColumnType.TEXT: ("text", "varchar"),
    ColumnType.DATE: ("date",),
    ColumnType.INSTANT: ("timestamp",),
    ColumnType.DECIMAL: ("numeric",),
    ColumnType.SUM: ("numeric",),
    ColumnType.INTEGER: ("int4", "int8"),
    ColumnType.BOOLEAN: ("bool",),
}
_READABLE = {
    **_EXACT,
    ColumnType.TEXT: ("text", "varchar", "bpchar", "name", "uuid"),
    ColumnType.INSTANT: ("timestamp", "timestamptz"),
    ColumnType.DECIMAL: ("numeric", "int2", "int4", "int8", "float4", "float8"),
    ColumnType.INTEGER: ("int2", "int4", "int8", "numeric"),
}

_TABLES, _VIEWS = ("r", "p", "m"), ("v", "f")


class PostgresSpelling:
    """See `gradeonce.warehouses.mapped.Spelling`."""

    exact: Mapping[ColumnType, Sequence[str]] = _EXACT
    readable: Mapping[ColumnType, Sequence[str]] = _READABLE
    casts: Mapping[ColumnType, str] = CAST_TYPES
    scales: Mapping[ColumnType, tuple[int, int]] = {ColumnType.DECIMAL: (18, 9), ColumnType.SUM: (38, 18)}
    beginning = "TIMESTAMP '1970-01-01'"
    whereabouts = "the database"

    def table(self, physical: str) -> str:
        """See `Spelling.table`; the name is `table` or `schema.table`."""
        return ".".join(quote_identifier(part) for part in physical.split("."))

    def quoted(self, name: str) -> str:
        """See `Spelling.quoted`."""
        return quote_identifier(name)

    def cast(self, column: Column, theirs: Theirs) -> str:
        """See `Spelling.cast`."""
        value = f"u.{quote_identifier(theirs.name)}"
        if theirs.type == "timestamptz":
            return f"({value} AT TIME ZONE 'UTC')"
        return f"CAST({value} AS {CAST_TYPES[column.type]})"

    def digest(self, theirs: Sequence[Theirs]) -> str:
        """See `Spelling.digest`."""
        parts = ", ".join(f"CAST(u.{quote_identifier(column.name)} AS text)" for column in theirs)
        return f"md5(concat_ws('|', {parts}))"

    def place(self, asked: Asked, shape: Shape, column: str) -> str | None:
        """See `Spelling.place`."""
        if shape.is_table:
            return _sql("row_of_a_table" if column == "load_id" else "place_of_a_table")
        if asked.table.name == LOADED_TABLES["predictions"].name:
            # A prediction is found again by its place, and a view has none.
            return None
        return "''" if column == "load_id" else _sql("place_of_a_view")

    def add_column(self, asked: Asked, column: Column) -> str:
        """See `Spelling.add_column`."""
        name, kind = quote_identifier(column.name), CAST_TYPES[column.type]
        return f"ALTER TABLE {self.table(asked.physical)} ADD COLUMN {name} {kind}"


SPELLING = PostgresSpelling()


def examine(session: Session, asked: Asked) -> Examined:
    """Hold a table of the user's against ours; nothing is changed."""
    rows = session.query(_sql("shape"), {"name": SPELLING.table(asked.physical)}).dicts()
    if not rows:
        return mapped.examine(asked, None, SPELLING)
    kind = rows[0]["kind"]
    columns = {
        row["name"]: Theirs(
            row["name"], row["type"], row["shown"], row["scale"], row["precision"], is_asked_for=row["is_asked_for"]
        )
        for row in rows
    }
    return mapped.examine(asked, Shape(columns, kind in _TABLES, kind in _VIEWS), SPELLING)


def stands(session: Session, asked: Asked) -> bool:
    """Say whether the user's table stands for ours already, as it now is and is asked for.

    Raises:
        RefusedForSafety: If it cannot stand for ours.
    """
    examined = examine(session, asked)
    examined.refuse_problems(asked)
    known = kept(session).get(asked.table.name)
    return known is not None and known.definition == examined.select


def stand_for(session: Session, asked: Asked) -> None:
    """Put the view over the user's table, in place of what stood there.

    Raises:
        RefusedForSafety: If a table of ours holds rows already.
    """
    examined = examine(session, asked)
    known = kept(session).get(asked.table.name)
    name = quote_identifier(asked.table.name)
    if known is not None:
        session.execute(f"DROP VIEW {name}")
    elif session.query("SELECT to_regclass($name) IS NOT NULL", {"name": name}).rows[0][0]:
        if session.query(f"SELECT EXISTS (SELECT 1 FROM {name})").rows[0][0]:
            raise RefusedForSafety(
                f"{asked.table.name} holds rows of its own, so {asked.physical} cannot stand for it.",
                hint="Take the line out of [tables], or make the book in another schema.",
            )
        session.execute(f"DROP TABLE {name}")
    session.execute(f"CREATE VIEW {name} AS {examined.select}")
    session.execute(
        _sql("remember"),
        {
            "name": asked.table.name,
            "physical": SPELLING.table(asked.physical),
            "columns": json.dumps(dict(asked.columns)),
            "is_external": examined.is_external,
            "definition": examined.select,
        },
    )


@dataclass(frozen=True)
class Kept:
    """What `init` remembered of a table of the user's.

    Attributes:
        physical: Its name, quoted.
        columns: The user's names of our columns, where they differ.
        is_external: Whether something else fills it.
        definition: The view.
    """

    physical: str
    columns: Mapping[str, str]
    is_external: bool
    definition: str

    @property
    def is_the_users(self) -> bool:
        """Whether it is a table of the user's, rather than our own."""
        return bool(self.definition)

    def column(self, name: str) -> str:
        """Return the name there of one of our columns, quoted."""
        return quote_identifier(self.columns.get(name, name))


def kept(session: Session) -> dict[str, Kept]:
    """Return the tables of the user's that stand for ours, by our name."""
    if not session.query(_sql("is_kept")).rows[0][0]:
        return {}
    return {
        name: Kept(physical, json.loads(columns), is_external, definition)
        for name, physical, columns, is_external, definition in session.query(_sql("mapped")).rows
    }


def external_fences_sql(table: Table) -> str:
    """Return the SELECT of what stands, by partition, in a table that something else fills."""
    quoted = "'" + table.name + "'"
    name, partition = quote_identifier(table.name), quote_identifier(table.partition)
    return _sql("fences", table=quoted, partition=partition, name=name)


def create(session: Session) -> None:
    """Make the table in which all this is remembered."""
    session.execute(_sql("create"))


def _sql(name: str, /, **slots: str) -> str:
    return statement("gradeonce.warehouses.postgres.sql", "mapped.sql", name, **slots)
