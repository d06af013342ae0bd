"""Holding the rows and fences in BigQuery against the ledger: two questions for the whole book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradeonce.model import EntryDraft, PartitionRange
from gradeonce.schema import Table
from gradeonce.warehouses.bigquery import state
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.mapped import held
from gradeonce.warehouses.bigquery.rows import between, facts_of, facts_sql, identified, literal, quoted
from gradeonce.warehouses.standing import EVERYTHING, differing_fences, differing_rows


def verify_tables(
    connection: Connection,
    tables: Sequence[Table],
    standing: Mapping[tuple[str, str], EntryDraft],
    *,
    deep: bool,
    within: PartitionRange | None = None,
    moment: str = "",
) -> list[str]:
    """Return what differs between the ledger, the fences and the rows, one line each.

    Args:
        connection: The book's.
        tables: Which tables; one that was dropped holds no rows.
        standing: Per table and partition, the last entry that says what stands there.
        deep: Hash every row again; otherwise rows are only counted.
        within: Look only at these partitions; None: at all.
        moment: The clause that says as of when; empty: now, and rows and fences may be of two instants.
    """
    wanted = within or EVERYTHING
    counted = _counted(connection, tables, deep=deep, within=within, moment=moment)
    fences = [fence for fence in state.all_fences(connection, moment=moment) if wanted.holds(fence.partition)]
    findings = []
    for table in tables:
        expected = {p: draft for (name, p), draft in standing.items() if name == table.name and wanted.holds(p)}
        findings += differing_fences(table.name, [f for f in fences if f.table == table.name], expected)
        findings += differing_rows(table.name, counted.get(table.name, {}), expected, deep=deep)
    return findings


def _counted(
    connection: Connection, tables: Sequence[Table], *, deep: bool, within: PartitionRange | None, moment: str
) -> dict[str, dict[str, tuple[int, str]]]:
    """Return rows and content hash of each partition that has any, by table."""
    there = connection.tables()
    selects = []
    for table in tables:
        if table.name in there:
            rows = f"({held(connection, table).rows(moment=moment)})"
            if within is not None:
                rows = f"(SELECT * FROM {rows} WHERE {between(table, within)})"
            select = _hashed(table, rows) if deep else _only_counted(table, rows)
            selects.append(f"SELECT {literal(table.name)} AS name, f.* FROM ({select}) AS f")
    counted: dict[str, dict[str, tuple[int, str]]] = {}
    if selects:
        for name, *row in connection.query(" UNION ALL ".join(selects), ours=False).rows:
            found = facts_of([row])[0]
            counted.setdefault(name, {})[found.partition] = (found.rows, found.content_hash)
    return counted


def _hashed(table: Table, rows: str) -> str:
    return facts_sql(table, f"({identified(table, rows, key=(), columns=(table.partition,))})")


def _only_counted(table: Table, rows: str) -> str:
    part = f"COALESCE(CAST({quoted(table.partition)} AS STRING), 'null')"
    return f"SELECT {part} AS part, COUNT(*) AS row_count, 0, 0, 0, 0 FROM {rows} GROUP BY 1"
