"""Rows as SQL on BigQuery: their content is one text, hashed as the local engine hashes it, so hashes compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from gradeonce.chain import content_hash
from gradeonce.model import PartitionFacts, PartitionRange
from gradeonce.schema import Column, ColumnType, Table
from gradeonce.statements import statement
from gradeonce.warehouses.bigquery.capabilities import BIGQUERY_TYPES, TEXT_PATTERNS
from gradeonce.warehouses.bigquery.connection import Connection

WORD_LENGTH = 80
"""How much of a run's id is in the names of its tables; what tells them apart stands behind it."""


def sql(name: str, /, **slots: str) -> str:
    """Return one statement over rows, in BigQuery's own spelling."""
    return statement("gradeonce.warehouses.bigquery.sql", "rows.sql", name, **slots)


def quoted(name: str) -> str:
    """Return the name as a quoted identifier; the only place where one is quoted for BigQuery."""
    return "`" + name.replace("`", "") + "`"


def only_word(text: str) -> str:
    """Return the text as a part of a table's name."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)[:WORD_LENGTH]


def literal(text: str) -> str:
    """Return the text as a string literal, for what cannot be bound."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def columns_of(table: Table) -> str:
    """Return the quoted columns, comma-separated."""
    return ", ".join(quoted(name) for name in table.column_names)


def partition_type(table: Table) -> ColumnType:
    """Return the type of the column whose value names the partition."""
    return next(column.type for column in table.columns if column.name == table.partition)


def within(table: Table, partitions: Iterable[str], *, of: str = "", column: str = "") -> str:
    """Return the condition that a row belongs to these partitions: what BigQuery prunes by.

    Args:
        table: Which table.
        partitions: Their names.
        of: The qualifier of the column, with its dot.
        column: The column, if the partition's is called otherwise there.
    """
    kind = partition_type(table)
    column = f"{of}{quoted(column or table.partition)}"
    values = [f"DATE {literal(p)}" if kind is ColumnType.DATE else literal(p) for p in partitions]
    if kind not in (ColumnType.DATE, ColumnType.TEXT):
        return f"CAST({column} AS STRING) IN ({', '.join(values)})" if values else "FALSE"
    return f"{column} IN ({', '.join(values)})" if values else "FALSE"


def everything(table: Table, *, of: str = "", column: str = "") -> str:
    """Return the condition that every row fulfils, for tables that must not be read without one."""
    if partition_type(table) is ColumnType.DATE:
        return f"{of}{quoted(column or table.partition)} >= DATE '0001-01-01'"
    return "TRUE"


def between(table: Table, partitions: PartitionRange) -> str:
    """Return the condition that a row's partition is one of a range of texts; BigQuery prunes by it where it can."""
    limits = f"{literal(partitions.first)} AND {literal(partitions.last)}"
    return f"{everything(table)} AND CAST({quoted(table.partition)} AS STRING) BETWEEN {limits}"


def scoped(select: str, relations: dict[str, str]) -> str:
    """Put relations in view of a SELECT that may begin with common tables of its own."""
    made = ", ".join(f"{quoted(name)} AS ({text})" for name, text in relations.items())
    if not made:
        return select
    head = select.lstrip()
    if head[:4].upper() == "WITH" and head[4:5].isspace():
        return f"WITH {made}, {head[4:].lstrip()}"
    return f"WITH {made} {head}"


def typed(table: Table, relation: str) -> str:
    """Return the SELECT of a relation's rows with each column in its own type."""
    columns = ", ".join(f"{_typed(column)} AS {quoted(column.name)}" for column in table.columns)
    return f"SELECT {columns} FROM {relation} AS q"


def _typed(column: Column) -> str:
    cast = f"CAST(q.{quoted(column.name)} AS {BIGQUERY_TYPES[column.type]})"
    # A BIGNUMERIC has more places than a sum has on the other warehouses.
    return f"CAST(ROUND({cast}, 18) AS BIGNUMERIC)" if column.type is ColumnType.SUM else cast


def text_of(columns: Sequence[Column]) -> str:
    """Return the SQL of one text that stands for these columns' values, nulls included."""
    values = ", ".join(f"COALESCE({_text(column)}, CHR(30))" for column in columns)
    return sql("row_text", values=values)


def _text(column: Column) -> str:
    return TEXT_PATTERNS.get(column.type, "CAST({0} AS STRING)").format(f"r.{quoted(column.name)}")


def identified(table: Table, relation: str, *, key: Sequence[str], columns: Sequence[str] | None = None) -> str:
    """Return the SELECT of a relation's rows with `row_key` and `row_md5`."""
    by_name = {column.name: column for column in table.columns}
    return sql(
        "identified",
        columns=", ".join(f"r.{quoted(name)}" for name in columns or table.column_names),
        row_key=text_of([by_name[name] for name in key]) if key else "CAST(NULL AS STRING)",
        row_text=text_of([by_name[name] for name in table.content]),
        relation=relation,
    )


def facts(connection: Connection, table: Table, relation: str) -> list[PartitionFacts]:
    """Return rows and content hash per partition of a relation that carries `row_md5`."""
    return facts_of(connection.query(facts_sql(table, relation), ours=False).rows)


def facts_sql(table: Table, relation: str) -> str:
    """Return the SELECT that `facts_of` reads."""
    return sql("facts", partition=quoted(table.partition), relation=relation)


def facts_of(rows: Iterable[Sequence[Any]]) -> list[PartitionFacts]:
    """Put the words of the hashes together. Any: what `facts_sql` selects."""
    return [
        PartitionFacts(partition, count, content_hash(low_1 + (low_2 << 32), high_1 + (high_2 << 32)))
        for partition, count, high_1, high_2, low_1, low_2 in rows
    ]


def json_of(table: Table, names: Sequence[str], pattern: str) -> str:
    """Return the SQL of a JSON text of these columns; `{0}` in the pattern stands for the column.

    Decimals are numbers and instants texts, as in the revisions of an embedded book.
    """
    kinds = {column.name: column.type for column in table.columns}
    fields = []
    for name in names:
        value = pattern.format(quoted(name))
        if kinds[name] is ColumnType.INSTANT:
            value = TEXT_PATTERNS[ColumnType.INSTANT].format(value)
        fields.append(f"{value} AS {quoted(name)}")
    return f"TO_JSON_STRING(STRUCT({', '.join(fields)}))"
