"""Holding the rows and fences in PostgreSQL against the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from gradeonce.model import EntryDraft, PartitionRange
from gradeonce.schema import ColumnType, Table
from gradeonce.statements import quote_identifier, quote_literal
from gradeonce.warehouses.postgres import state
from gradeonce.warehouses.postgres.connection import Session
from gradeonce.warehouses.postgres.rows import facts_of
from gradeonce.warehouses.standing import EVERYTHING, differing_fences, differing_rows


def verify_table(
    session: Session,
    table: Table,
    standing: Mapping[tuple[str, str], EntryDraft],
    *,
    deep: bool,
    within: PartitionRange | None = None,
) -> list[str]:
    """Return what differs between the ledger, the fences and the rows of one table, one line each.

    Args:
        standing: Per table and partition, the last entry that says what stands there.
        deep: Hash every row again; otherwise rows are only counted.
        within: Look only at these partitions; None: at all.
    """
    wanted = within or EVERYTHING
    expected = {p: draft for (name, p), draft in standing.items() if name == table.name and wanted.holds(p)}
    fences = state.fences(session.query(state.sql("fences"), {"table": table.name}))
    findings = differing_fences(table.name, [fence for fence in fences if wanted.holds(fence.partition)], expected)
    name = quote_identifier(table.name)
    part = f"CAST({quote_identifier(table.partition)} AS text)"
    if within is not None:
        name = f"(SELECT * FROM {name} WHERE {_lies_within(table, within)})"
    if deep:
        counted = {f.partition: (f.rows, f.content_hash) for f in facts_of(session, table, name)}
    else:
        rows = session.query(f"SELECT {part}, count(*) FROM {name} AS r GROUP BY 1").rows
        counted = {partition: (count, "") for partition, count in rows}
    return findings + differing_rows(table.name, counted, expected, deep=deep)


def _lies_within(table: Table, within: PartitionRange) -> str:
    """Return the condition that a row belongs to these partitions; dates as dates, so that their index is used."""
    column, first, last = quote_identifier(table.partition), quote_literal(within.first), quote_literal(within.last)
    if next(c.type for c in table.columns if c.name == table.partition) is ColumnType.DATE:
        return f"{column} BETWEEN CAST({first} AS date) AND CAST({last} AS date)"
    return f'CAST({column} AS text) COLLATE "C" BETWEEN {first} AND {last}'
