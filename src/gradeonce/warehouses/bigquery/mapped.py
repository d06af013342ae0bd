"""Where the rows of our tables are in BigQuery: in tables of our own, or in tables of the user's that stand for them.

A view there can neither be written nor be read as of an instant. So statements name the user's table itself, with the
user's names of the columns; the view of our name is for whoever looks at the dataset.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gradeonce.schema import ROW_TABLES, Column, ColumnType, Table
from gradeonce.statements import statement
from gradeonce.warehouses import mapped
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.rows import columns_of, everything, literal, quoted, within
from gradeonce.warehouses.mapped import Asked, Examined, Shape, Theirs

_OURS = {table.name for table in ROW_TABLES}

_EXACT = {
    ColumnType.TEXT: ("STRING",),
    ColumnType.DATE: ("DATE",),
    ColumnType.INSTANT: ("DATETIME",),
    ColumnType.DECIMAL: ("NUMERIC",),
    ColumnType.SUM: ("BIGNUMERIC",),
    ColumnType.INTEGER: ("INT64",),
    ColumnType.BOOLEAN: ("BOOL",),
}
_READABLE = {
    **_EXACT,
    ColumnType.INSTANT: ("DATETIME", "TIMESTAMP"),
    ColumnType.DECIMAL: ("NUMERIC", "BIGNUMERIC", "INT64", "FLOAT64"),
    ColumnType.INTEGER: ("INT64", "NUMERIC"),
}
_LEGACY = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
"""How the API calls types, where SQL calls them otherwise."""


class BigQuerySpelling:
    """See `gradeonce.warehouses.mapped.Spelling`."""

    exact: Mapping[ColumnType, Sequence[str]] = _EXACT
    readable: Mapping[ColumnType, Sequence[str]] = _READABLE
    casts: Mapping[ColumnType, str] = BIGQUERY_TYPES
    scales: Mapping[ColumnType, tuple[int, int]] = {ColumnType.DECIMAL: (18, 9), ColumnType.SUM: (38, 18)}
    beginning = "DATETIME '1970-01-01'"
    whereabouts = "BigQuery, or may not be seen by us"

    def __init__(self, connection: Connection) -> None:
        self._place = connection.place

    def table(self, physical: str) -> str:
        """See `Spelling.table`; what the name leaves out is the book's own."""
        return ".".join(map(quoted, self.whole_name(physical)))

    def whole_name(self, physical: str) -> list[str]:
        """Return project, dataset and table of `table`, `dataset.table` or `project.dataset.table`."""
        given = physical.split(".")
        return [self._place.project, self._place.dataset][: 3 - len(given)] + given

    def quoted(self, name: str) -> str:
        """See `Spelling.quoted`."""
        return quoted(name)

    def cast(self, column: Column, theirs: Theirs) -> str:
        """See `Spelling.cast`."""
        value = f"u.{quoted(theirs.name)}"
        if theirs.type == "TIMESTAMP":
            return f"DATETIME({value}, 'UTC')"
        if theirs.type == "BIGNUMERIC":
            return f"CAST(ROUND({value}, 9) AS NUMERIC)"
        return f"CAST({value} AS {BIGQUERY_TYPES[column.type]})"

    def digest(self, theirs: Sequence[Theirs]) -> str:
        """See `Spelling.digest`."""
        parts = ", ".join(f"CAST(u.{quoted(column.name)} AS STRING)" for column in theirs)
        return f"TO_HEX(MD5(ARRAY_TO_STRING([{parts}], '|')))"

    def place(self, asked: Asked, shape: Shape, column: str) -> str:
        """See `Spelling.place`: rows have none, so those of a day are numbered in the order of all they say to us."""
        day = f"u.{quoted(asked.named(asked.table.partition))}"
        if column == "load_id":
            return f"CAST({day} AS STRING)"
        names = (asked.named(name) for name in asked.table.column_names)
        said = ", ".join(f"u.{quoted(name)}" for name in names if name in shape.columns)
        return f"ROW_NUMBER() OVER (PARTITION BY {day} ORDER BY TO_JSON_STRING(STRUCT({said})))"

    def add_column(self, asked: Asked, column: Column) -> str:
        """See `Spelling.add_column`."""
        name, kind = quoted(column.name), BIGQUERY_TYPES[column.type]
        return f"ALTER TABLE {self.table(asked.physical)} ADD COLUMN {name} {kind}"


def settle_near(connection: Connection, users: Sequence[Asked]) -> None:
    """Let a book that is not there yet, and whose URL does not say where it is to be, be where the tables are."""
    if not users or connection.location is not None:
        return
    names = (".".join(BigQuerySpelling(connection).whole_name(asked.physical)) for asked in users)
    found = next((table for table in map(connection.table, names) if table is not None), None)
    if found is not None:
        connection.place = replace(connection.place, location=found.location)


def examine(connection: Connection, asked: Asked) -> Examined:
    """Hold a table of the user's against ours; nothing is changed."""
    spelling = BigQuerySpelling(connection)
    found = connection.table(".".join(spelling.whole_name(asked.physical)))
    if found is None:
        return mapped.examine(asked, None, spelling)
    columns = {}
    for field in found.schema:
        kind = _LEGACY.get(field.field_type, field.field_type)
        kind = f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind
        narrowed = f"({field.precision}, {field.scale or 0})" if field.precision else ""
        columns[field.name] = Theirs(
            field.name,
            kind,
            kind + narrowed,
            (field.scale or 0) if field.precision else None,
            field.precision,
            is_asked_for=field.mode == "REQUIRED" and not field.default_value_expression,
        )
    is_table = found.table_type == "TABLE"
    examined = mapped.examine(asked, Shape(columns, is_table, not is_table), spelling)
    problems = []
    ours = connection.location
    if ours and found.location and found.location.lower() != ours.lower():
        problems.append(
            f"{asked.physical} is in {found.location} and the book in {ours}: no statement reaches both; "
            f"make the book in {found.location}"
        )
    if not is_table and asked.table.name not in mapped.READ_ONLY:
        problems.append(f"{asked.physical} is a {found.table_type.lower()}, and {asked.table.name} is written")
    day = found.time_partitioning.field if found.time_partitioning else None
    if found.require_partition_filter and day != asked.named(asked.table.partition):
        problems.append(
            f"{asked.physical} wants a filter on {day or '_PARTITIONTIME'}, and we have one on "
            f"{asked.named(asked.table.partition)}"
        )
    if not problems:
        return examined
    return replace(examined, problems=(*examined.problems, *problems), select="")


@dataclass(frozen=True)
class Held:
    """Where the rows of one of our tables are.

    Attributes:
        table: Ours.
        name: The table that holds them, whole and quoted.
        columns: The user's names of our columns, where they differ.
        is_external: Whether something else fills it.
        is_table: Whether it is a table, so that it can be read as of an instant.
        definition: The SELECT of our columns from it, its table called `u`; empty for a table of our own.
    """

    table: Table
    name: str
    columns: Mapping[str, str]
    is_external: bool = False
    is_table: bool = True
    definition: str = ""

    @property
    def listed(self) -> str:
        """The columns as they are called there, in our order, for what is put into it."""
        return ", ".join(quoted(self.columns.get(name, name)) for name in self.table.column_names)

    def within(self, partitions: Iterable[str], *, of: str = "") -> str:
        """Return the condition that a row there belongs to these partitions."""
        return within(self.table, partitions, of=of, column=self._day)

    def rows(self, partitions: Iterable[str] | None = None, *, moment: str = "") -> str:
        """Return the SELECT of our columns of the rows of these partitions, or of all.

        Args:
            partitions: Which; None: all there are.
            moment: The clause that says as of when; empty: now.
        """
        of = "u." if self.definition else ""
        rows = everything(self.table, of=of, column=self._day) if partitions is None else self.within(partitions, of=of)
        select = self.definition or f"SELECT {columns_of(self.table)} FROM {self.name}"
        return f"{select} {moment if self.is_table else ''} WHERE {rows}"

    @property
    def _day(self) -> str:
        return self.columns.get(self.table.partition, self.table.partition)


def held(connection: Connection, table: Table) -> Held:
    """Return where the rows of a table are; which tables of the user's stand for ours is asked for once."""
    if table.name in _OURS and (found := kept(connection).get(table.name)):
        return found
    return Held(table, own_name(connection, table.name), {})


def own_name(connection: Connection, name: str) -> str:
    """Return the name of a table in the book's dataset, whole and quoted."""
    return ".".join(map(quoted, (connection.place.project, connection.place.dataset, name)))


def kept(connection: Connection) -> Mapping[str, Held]:
    """Return the tables of the user's that stand for ours as `init` remembered them, by our name."""
    if connection.mapped is None:
        tables = {table.name: table for table in ROW_TABLES}
        connection.mapped = {
            name: Held(tables[name], physical, json.loads(columns), is_external, is_table, definition)
            for name, physical, columns, is_external, is_table, definition in connection.query(
                _sql("mapped"), ours=False
            ).rows
        }
    return connection.mapped


def create_text() -> str:
    """Return what makes the table in which all this is remembered."""
    return _sql("create")


def stand_for(connection: Connection, asked: Asked, examined: Examined) -> list[str]:
    """Return the statements that put the user's table in place of ours, and remember it."""
    values = {
        "name": literal(asked.table.name),
        "physical": literal(BigQuerySpelling(connection).table(asked.physical)),
        "columns": literal(json.dumps(dict(asked.columns))),
        "is_external": str(examined.is_external).upper(),
        "is_table": str(examined.is_table).upper(),
        "definition": literal(examined.select),
    }
    whole = everything(asked.table, of="u.", column=asked.named(asked.table.partition))
    return [
        f"CREATE OR REPLACE VIEW {own_name(connection, asked.table.name)} AS {examined.select} WHERE {whole}",
        *_sql("remember", **values).split(";\n"),
    ]


def external_fences_sql(place: Held, *, moment: str = "") -> str:
    """Return the SELECT of what stands, by partition, in a table that something else fills; `moment` as `Held.rows`."""
    table = place.table
    return _sql("fences", table=literal(table.name), partition=quoted(table.partition), rows=place.rows(moment=moment))


def _sql(name: str, /, **slots: str) -> str:
    return statement("gradeonce.warehouses.bigquery.sql", "mapped.sql", name, **slots)
