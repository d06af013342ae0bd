"""Tables of the user's that stand for ours: what they must hold, whatever the warehouse.

A table that we write (grades, revisions, quarantined rows) must hold every column in exactly our type, or what the
ledger recorded could not stand in it; its columns may go by other names. A table that we only read (predictions, box
scores, injury reports, lines) may be of other types and lack whatever may be null or has a default.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gradeonce.errors import RefusedForSafety
from gradeonce.schema import LOADED_TABLES, ROW_TABLES, Column, ColumnType, Table

READ_ONLY = frozenset(table.name for table in LOADED_TABLES.values())
"""Tables that something else may fill."""

STAMPS = ("load_id", "load_row", "loaded_at")
DEFAULTS = {"market": "'points'", "is_active": "true", "is_final": "true", "line_source": "'ACTUAL_PROP'"}
"""What a row says that does not say it, as in a file that is loaded."""


@dataclass(frozen=True)
class Asked:
    """What the settings say of one of our tables.

    Attributes:
        table: Our table.
        physical: The user's table or view, as it is called in the settings.
        columns: The user's names of our columns, where they differ.
    """

    table: Table
    physical: str
    columns: Mapping[str, str]

    def named(self, column: str) -> str:
        """Return the user's name of one of our columns."""
        return self.columns.get(column, column)


@dataclass(frozen=True)
class Theirs:
    """A column of the user's.

    Attributes:
        name: Its name.
        type: Its type, in the warehouse's own word.
        shown: The same for a message, with what it was narrowed to.
        scale: Decimal places it was narrowed to; None if it was not.
        precision: Digits it was narrowed to; None if it was not.
        is_asked_for: Whether an INSERT must give it a value.
    """

    name: str
    type: str
    shown: str
    scale: int | None = None
    precision: int | None = None
    is_asked_for: bool = False


@dataclass(frozen=True)
class Shape:
    """What the user's table or view is.

    Attributes:
        columns: Its columns, by name.
        is_table: Whether rows can be put into it.
        is_view: Whether it is a query over other tables.
    """

    columns: Mapping[str, Theirs]
    is_table: bool
    is_view: bool


class Spelling(Protocol):
    """What warehouses spell differently; in all SQL, the user's table goes by the name `u`.

    Attributes:
        exact: Types in which a value stands exactly, by ours.
        readable: Types from which a value can be read, by ours.
        casts: Our types.
        scales: Digits and places of our decimals.
        beginning: The SQL of an instant before which nothing was loaded.
        whereabouts: What tables are in, for a message that there is no such table.
    """

    exact: Mapping[ColumnType, Sequence[str]]
    readable: Mapping[ColumnType, Sequence[str]]
    casts: Mapping[ColumnType, str]
    scales: Mapping[ColumnType, tuple[int, int]]
    beginning: str
    whereabouts: str

    def table(self, physical: str) -> str:
        """Return the user's table, quoted."""
        ...

    def quoted(self, name: str) -> str:
        """Return the name of a column, quoted."""
        ...

    def cast(self, column: Column, theirs: Theirs) -> str:
        """Return the SQL of a column of the user's in our type."""
        ...

    def digest(self, theirs: Sequence[Theirs]) -> str:
        """Return the SQL of a text that identifies a row by these columns."""
        ...

    def place(self, asked: Asked, shape: Shape, column: str) -> str | None:
        """Return the SQL of a row's `load_id` or `load_row`; None if it can have none."""
        ...

    def add_column(self, asked: Asked, column: Column) -> str:
        """Return the statement that adds one of our columns to the user's table."""
        ...


@dataclass(frozen=True)
class Examined:
    """What a table of the user's is good for.

    Attributes:
        problems: Why it cannot stand for ours, one line each.
        empty: Our columns that it lacks and that are null, or take their default, in every row.
        is_external: Whether something else fills it: it can be read, and nothing can be loaded into it.
        is_table: Whether it is a table, rather than a view.
        select: The SELECT of our columns, in our order.
    """

    problems: tuple[str, ...]
    empty: tuple[str, ...]
    is_external: bool
    is_table: bool
    select: str

    def refuse_problems(self, asked: Asked) -> None:
        """Raise RefusedForSafety if there are any."""
        if self.problems:
            raise RefusedForSafety(
                f"[tables] {asked.table.name} = {asked.physical!r} cannot be: {'; '.join(self.problems)}.",
                state="Nothing was changed.",
                hint="Mend the table, or name its columns in [columns]; `gradeonce init --check` lists what is left.",
            )


def asked_for(names: Mapping[str, str], columns: Mapping[str, Mapping[str, str]]) -> list[Asked]:
    """Return what the settings ask for, in the order of our tables."""
    return [
        Asked(table, names[table.name], columns.get(table.name, {}))
        for table in ROW_TABLES
        if names.get(table.name, table.name) != table.name
    ]


def refuse_external(table: Table, external: Collection[str]) -> None:
    """Raise if nothing can be loaded into the table that stands for ours.

    Args:
        table: Ours.
        external: Names of ours that something else fills.

    Raises:
        RefusedForSafety: If it is one of them.
    """
    if table.name in external:
        raise RefusedForSafety(
            f"Something else fills the table that stands for {table.name}: it lacks columns that a load must write, "
            "or is a view.",
            hint="Nothing has to be loaded there: its rows are graded as they stand.",
        )


def examine(asked: Asked, shape: Shape | None, spelling: Spelling) -> Examined:
    """Hold a table of the user's against ours; `shape` is None where there is none."""
    if shape is None:
        return Examined((f"{asked.physical} is not in {spelling.whereabouts}",), (), False, False, "")
    reads_only = asked.table.name in READ_ONLY
    problems, empty, shown = [], [], []
    is_exact = True
    for column in asked.table.columns:
        theirs = asked.named(column.name)
        found = shape.columns.get(theirs)
        if found is None:
            is_exact = False
            value = _stand_in(asked, column, shape, spelling)
            if value is None or theirs != column.name:
                problems.append(_lacks(asked, column, theirs, spelling))
                continue
            empty.append(column.name)
            shown.append(f"CAST({value} AS {spelling.casts[column.type]})")
        elif _is_exact(column, found, spelling):
            shown.append(f"u.{spelling.quoted(theirs)}")
        elif reads_only and found.type in spelling.readable[column.type]:
            is_exact = False
            shown.append(spelling.cast(column, found))
        else:
            kinds = spelling.readable if reads_only else spelling.exact
            problems.append(
                f"the column {theirs} of {asked.physical} is {found.shown}; {column.name} needs "
                f"{_wanted(column, kinds[column.type], spelling, exactly=not reads_only)}"
            )
    theirs_of_ours = {asked.named(name) for name in asked.table.column_names}
    strangers = [name for name, found in shape.columns.items() if found.is_asked_for and name not in theirs_of_ours]
    is_external = reads_only and (not is_exact or bool(strangers) or shape.is_view)
    if not is_external:
        problems += [
            f"the column {name} of {asked.physical} must be given a value, and {asked.table.name} has none for it"
            for name in strangers
        ]
    listed = ", ".join(
        f"{sql} AS {spelling.quoted(name)}" for sql, name in zip(shown, asked.table.column_names, strict=False)
    )
    select = "" if problems else f"SELECT {listed} FROM {spelling.table(asked.physical)} AS u"
    return Examined(tuple(problems), tuple(empty), is_external, shape.is_table, select)


def _is_exact(column: Column, found: Theirs, spelling: Spelling) -> bool:
    if found.type not in spelling.exact[column.type]:
        return False
    if column.type not in spelling.scales or found.scale is None:
        return True
    precision, scale = spelling.scales[column.type]
    return found.scale == scale and (found.precision or 0) >= precision


def _stand_in(asked: Asked, column: Column, shape: Shape, spelling: Spelling) -> str | None:
    """Return the SQL of what a row says that has no such column; None if there is nothing that it could say."""
    if asked.table.name not in READ_ONLY:
        return None
    if column.name == "loaded_at":
        # The last of what makes a version is the instant from which it counts.
        theirs = shape.columns.get(asked.named(asked.table.version_of[-1]))
        when = f"{spelling.cast(Column(column.name, ColumnType.INSTANT), theirs)}, " if theirs else ""
        return f"coalesce({when}{spelling.beginning})"
    if column.name in STAMPS:
        return spelling.place(asked, shape, column.name)
    if column.name in DEFAULTS:
        return DEFAULTS[column.name]
    if column.name == "prediction_id":
        names = (asked.named(name) for name in asked.table.version_of)
        return spelling.digest([shape.columns[name] for name in names if name in shape.columns])
    return None if column.required else "NULL"


def _lacks(asked: Asked, column: Column, theirs: str, spelling: Spelling) -> str:
    if theirs != column.name:
        return f"{asked.physical} has no column {theirs}, which [columns] names for {column.name}"
    if column.name in STAMPS and asked.table.name in READ_ONLY:
        return f"{asked.physical} is a view and has no column {column.name}"
    return (
        f"{asked.physical} has no column {column.name} (name yours in [columns], or: "
        f"{spelling.add_column(asked, column)})"
    )


def _wanted(column: Column, kinds: Sequence[str], spelling: Spelling, *, exactly: bool) -> str:
    if column.type in spelling.scales and exactly:
        return "{0}, or {0}({1}, {2})".format(kinds[0], *spelling.scales[column.type])
    return " or ".join(kinds)
