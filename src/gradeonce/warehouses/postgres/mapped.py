"""Tables of the user's that stand for ours: a view of our name over each, with our columns in our order.

A table that we write (grades, revisions, quarantined rows) must hold every column in exactly our type, or what the
ledger recorded could not stand in it; its columns may go by other names. A table that we only read (predictions, box
scores, injury reports, lines) may be of other types and lack whatever may be null or has a default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradeonce.errors import RefusedForSafety
from gradeonce.schema import LOADED_TABLES, ROW_TABLES, Column, ColumnType, Table
from gradeonce.statements import quote_identifier, statement
from gradeonce.warehouses.postgres.capabilities import CAST_TYPES
from gradeonce.warehouses.postgres.connection import Session

READ_ONLY = frozenset(table.name for table in LOADED_TABLES.values())
"""Tables that something else may fill."""

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
_SCALES = {ColumnType.DECIMAL: (18, 9), ColumnType.SUM: (38, 18)}

_STAMPS = ("load_id", "load_row", "loaded_at")
_DEFAULTS = {"market": "'points'", "is_active": "true", "is_final": "true", "line_source": "'ACTUAL_PROP'"}
"""What a row says that does not say it, as in a file that is loaded."""

_TABLES, _VIEWS = ("r", "p", "m"), ("v", "f")


@dataclass(frozen=True)
class Asked:
    """What the settings say of one of our tables.

    Attributes:
        table: Our table.
        physical: The user's table or view, as `table` or `schema.table`.
        columns: The user's names of our columns, where they differ.
    """

    table: Table
    physical: str
    columns: Mapping[str, str]

    @property
    def quoted(self) -> str:
        """The user's table, quoted."""
        return ".".join(quote_identifier(part) for part in self.physical.split("."))


@dataclass(frozen=True)
class Examined:
    """What a table of the user's is good for.

    Attributes:
        problems: Why it cannot stand for ours, one line each.
        empty: Our columns that it lacks and that are null, or take their default, in every row.
        is_external: Whether something else fills it: it can be read, and nothing can be loaded into it.
        is_table: Whether indexes can be made on it.
        select: The view.
    """

    problems: tuple[str, ...]
    empty: tuple[str, ...]
    is_external: bool
    is_table: bool
    select: str


def asked_for(names: Mapping[str, str], columns: Mapping[str, Mapping[str, str]]) -> list[Asked]:
    """Return what the settings ask for, in the order of our tables."""
    return [
        Asked(table, names[table.name], columns.get(table.name, {}))
        for table in ROW_TABLES
        if names.get(table.name, table.name) != table.name
    ]


def examine(session: Session, asked: Asked) -> Examined:
    """Hold a table of the user's against ours; nothing is changed."""
    shape = {row["name"]: row for row in session.query(_sql("shape"), {"name": asked.quoted}).dicts()}
    if not shape:
        return Examined((f"{asked.physical} is not in the database",), (), False, False, "")
    kind = next(iter(shape.values()))["kind"]
    problems, empty, shown = [], [], []
    is_exact = True
    for column in asked.table.columns:
        theirs = asked.columns.get(column.name, column.name)
        found = shape.get(theirs)
        if found is None:
            is_exact = False
            value = _stand_in(asked, column, shape, kind)
            if value is None or theirs != column.name:
                problems.append(_lacks(asked, column, theirs))
                continue
            empty.append(column.name)
            shown.append(f"CAST({value} AS {CAST_TYPES[column.type]})")
        elif _is_exact(column, found):
            shown.append(f"u.{quote_identifier(theirs)}")
        elif asked.table.name in READ_ONLY and found["type"] in _READABLE[column.type]:
            is_exact = False
            shown.append(_cast(column, f"u.{quote_identifier(theirs)}", found))
        else:
            kinds = _READABLE if asked.table.name in READ_ONLY else _EXACT
            problems.append(
                f"the column {theirs} of {asked.physical} is {found['shown']}; {column.name} needs "
                f"{_wanted(column, kinds[column.type])}"
            )
    theirs_of_ours = {asked.columns.get(name, name) for name in asked.table.column_names}
    strangers = [name for name, found in shape.items() if found["is_asked_for"] and name not in theirs_of_ours]
    is_external = asked.table.name in READ_ONLY and (not is_exact or bool(strangers) or kind in _VIEWS)
    if not is_external:
        problems += [
            f"the column {name} of {asked.physical} must be given a value, and {asked.table.name} has none for it"
            for name in strangers
        ]
    listed = ", ".join(
        f"{sql} AS {quote_identifier(name)}" for sql, name in zip(shown, asked.table.column_names, strict=False)
    )
    select = "" if problems else f"SELECT {listed} FROM {asked.quoted} AS u"
    return Examined(tuple(problems), tuple(empty), is_external, kind in _TABLES, select)


def stands(session: Session, asked: Asked) -> bool:
    """Say whether the user's table stands for ours already, as it now is and is asked for.

    Raises:
        RefusedForSafety: If it cannot stand for ours.
    """
    examined = examine(session, asked)
    if examined.problems:
        raise RefusedForSafety(
            f"[tables] {asked.table.name} = {asked.physical!r} cannot be: {'; '.join(examined.problems)}.",
            state="Nothing was changed.",
            hint="Mend the table, or name its columns in [columns]; `gradeonce init --check` lists what is left.",
        )
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
            "physical": asked.quoted,
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


def _is_exact(column: Column, found: Mapping[str, Any]) -> bool:
    # Any: the row of a catalog.
    if found["type"] not in _EXACT[column.type]:
        return False
    if column.type not in _SCALES or found["scale"] is None:
        return True
    precision, scale = _SCALES[column.type]
    return bool(found["scale"] == scale and found["precision"] >= precision)


def _cast(column: Column, value: str, found: Mapping[str, Any]) -> str:
    if found["type"] == "timestamptz":
        return f"({value} AT TIME ZONE 'UTC')"
    return f"CAST({value} AS {CAST_TYPES[column.type]})"


def _stand_in(asked: Asked, column: Column, shape: Mapping[str, Any], kind: str) -> str | None:
    """Return the SQL of what a row says that has no such column; None if there is nothing that it could say."""
    table = asked.table
    if table.name not in READ_ONLY:
        return None
    if column.name in _STAMPS:
        return _stamp(asked, column, shape, kind)
    if column.name in _DEFAULTS:
        return _DEFAULTS[column.name]
    if column.name == "prediction_id":
        parts = ", ".join(f"CAST({sql} AS text)" for sql in _present(asked, table.version_of, shape))
        return f"md5(concat_ws('|', {parts}))"
    return None if column.required else "NULL"


def _stamp(asked: Asked, column: Column, shape: Mapping[str, Any], kind: str) -> str | None:
    if column.name == "loaded_at":
        # The last of what makes a version is the instant from which it counts.
        theirs = asked.columns.get(asked.table.version_of[-1], asked.table.version_of[-1])
        when = ""
        if theirs in shape:
            instant = Column(theirs, ColumnType.INSTANT)
            when = f"{_cast(instant, f'u.{quote_identifier(theirs)}', shape[theirs])}, "
        return f"coalesce({when}TIMESTAMP '1970-01-01')"
    if kind in _TABLES:
        return _sql("row_of_a_table" if column.name == "load_id" else "place_of_a_table")
    if asked.table.name == LOADED_TABLES["predictions"].name:
        # A prediction is found again by its place, and a view has none.
        return None
    return "''" if column.name == "load_id" else _sql("place_of_a_view")


def _present(asked: Asked, names: Sequence[str], shape: Mapping[str, Any]) -> list[str]:
    theirs = [asked.columns.get(name, name) for name in names]
    return [f"u.{quote_identifier(name)}" for name in theirs if name in shape]


def _lacks(asked: Asked, column: Column, theirs: str) -> str:
    kind = CAST_TYPES[column.type]
    if theirs != column.name:
        return f"{asked.physical} has no column {theirs}, which [columns] names for {column.name}"
    if column.name in _STAMPS and asked.table.name in READ_ONLY:
        return f"{asked.physical} is a view and has no column {column.name}"
    return (
        f"{asked.physical} has no column {column.name} (name yours in [columns], or: ALTER TABLE {asked.quoted} "
        f"ADD COLUMN {quote_identifier(column.name)} {kind})"
    )


def _wanted(column: Column, kinds: Sequence[str]) -> str:
    if column.type in _SCALES and "float8" not in kinds:
        return "numeric, or numeric({}, {})".format(*_SCALES[column.type])
    return " or ".join(kinds)


def _sql(name: str, /, **slots: str) -> str:
    return statement("gradeonce.warehouses.postgres.sql", "mapped.sql", name, **slots)
