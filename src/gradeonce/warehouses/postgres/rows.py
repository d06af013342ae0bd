"""Rows as SQL on PostgreSQL: their content is one text, hashed as the local engine hashes it, so hashes compare."""

from __future__ import annotations

from collections.abc import Sequence

from gradeonce.chain import content_hash
from gradeonce.model import PartitionFacts
from gradeonce.schema import ColumnType, Table
from gradeonce.statements import quote_identifier, quote_literal, statement
from gradeonce.warehouses.postgres.capabilities import CAST_TYPES
from gradeonce.warehouses.postgres.connection import Session

_HASH_BYTES = 16


def sql(name: str, /, **slots: str) -> str:
    """Return one statement over rows."""
    return statement("gradeonce.warehouses.postgres.sql", "rows.sql", name, **slots)


def text_of(names: Sequence[str]) -> str:
    """Return the SQL of one text that stands for these columns' values, nulls included."""
    values = ", ".join(f"coalesce(CAST(r.{quote_identifier(name)} AS text), chr(30))" for name in names)
    return sql("row_text", values=values)


def hashed(table: Table, relation: str, *, columns: Sequence[str] | None = None) -> str:
    """Return the SELECT of a relation's rows with `row_md5`."""
    return sql("hashed", columns=_listed(table, columns), row_text=text_of(table.content), relation=relation)


def identified(table: Table, relation: str, *, key: Sequence[str]) -> str:
    """Return the SELECT of a relation's rows with `row_key` and `row_md5`."""
    return sql(
        "identified",
        columns=_listed(table, None),
        row_key=text_of(key) if key else "CAST(NULL AS text)",
        row_text=text_of(table.content),
        relation=relation,
    )


def _listed(table: Table, columns: Sequence[str] | None) -> str:
    return ", ".join(f"r.{quote_identifier(name)}" for name in columns or table.column_names)


def typed(table: Table, relation: str) -> str:
    """Return the SELECT of a relation's rows with each column in its own type."""
    columns = ", ".join(
        f"CAST(q.{quote_identifier(c.name)} AS {CAST_TYPES[c.type]}) AS {quote_identifier(c.name)}"
        for c in table.columns
    )
    return f"SELECT {columns} FROM {relation} AS q"


def facts(session: Session, table: Table, relation: str) -> list[PartitionFacts]:
    """Return rows and content hash per partition of a relation that carries `row_md5`."""
    sums = ", ".join(f"sum(get_byte(row_md5, {byte}))" for byte in range(_HASH_BYTES))
    counted = session.query(sql("facts", partition=quote_identifier(table.partition), relation=relation, sums=sums))
    return [PartitionFacts(partition, rows, _hash_of(sums)) for partition, rows, *sums in counted.rows]


def facts_of(session: Session, table: Table, relation: str) -> list[PartitionFacts]:
    """Return the same of a relation whose rows are still to be hashed."""
    # OFFSET 0 again: merged into the sums, every row would be hashed once for each byte of its hash.
    return facts(session, table, f"({hashed(table, relation, columns=(table.partition,))} OFFSET 0) AS hashed")


def _hash_of(sums: Sequence[int]) -> str:
    """Return the content hash that the sums of each byte amount to: the local engine reads the last byte first."""
    half = _HASH_BYTES // 2
    high, low = (
        sum(int(total) << (8 * place) for place, total in enumerate(part)) for part in (sums[:half], sums[half:])
    )
    return content_hash(low, high)


def put(table: Table, partitions: Sequence[str], *, staged: str) -> str:
    """Return the INSERT of the staged rows of these partitions."""
    return sql(
        "put",
        table=quote_identifier(table.name),
        columns=", ".join(quote_identifier(name) for name in table.column_names),
        staged=staged,
        partition=quote_identifier(table.partition),
        partitions=partition_list(table, partitions),
        order=", ".join(quote_identifier(name) for name in (table.partition, *table.key)),
    )


def partition_list(table: Table, partitions: Sequence[str]) -> str:
    """Return partitions as an SQL array of the partition column's own type, so that its index is used."""
    kind = next(CAST_TYPES[column.type] for column in table.columns if column.name == table.partition)
    values = ", ".join(quote_literal(partition) for partition in partitions)
    return f"CAST(ARRAY[{values}] AS {kind}[])"


def json_of(table: Table, names: Sequence[str], pattern: str) -> str:
    """Return the SQL of a JSON text of these columns; `{0}` in the pattern stands for the column.

    Instants are texts, as in the revisions of an embedded book.
    """
    kinds = {column.name: column.type for column in table.columns}
    fields = []
    for name in names:
        value = pattern.format(quote_identifier(name))
        if kinds[name] is ColumnType.INSTANT:
            value = f"CAST({value} AS text)"
        fields.append(f"{value} AS {quote_identifier(name)}")
    return f"(SELECT CAST(row_to_json(j) AS text) FROM (SELECT {', '.join(fields)}) AS j)"
