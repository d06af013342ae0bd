"""Holding the book's files and pointers against its ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.chain import Entry
from gradeonce.model import EntryDraft
from gradeonce.schema import REVISIONS, ROW_TABLES, Table
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.embedded.catalog import Catalog
from gradeonce.warehouses.embedded.files import sha256_of
from gradeonce.warehouses.embedded.stage import relation_facts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def verify_rows(
    engine: DuckDBPyConnection,
    catalog: Catalog,
    folder: Path,
    entries: Sequence[Entry],
    standing: Mapping[tuple[str, str], EntryDraft],
    *,
    deep: bool,
) -> list[str]:
    """Return what differs between the ledger and what readers see, one line each.

    Args:
        entries: The whole ledger.
        standing: Per table and partition, the last entry that says what stands there.
        deep: Also compute the content hash of every partition from its rows, not only of every file from its bytes.
    """
    recorded = {path: sha for entry in entries for path, sha in entry.draft.details.get("files", {}).items()}
    findings = []
    for path, sha256 in catalog.file_hashes():
        if path not in recorded:
            findings.append(f"file {path} is read, but no ledger entry wrote it")
        elif recorded[path] != sha256:
            findings.append(f"file {path}: the catalog's checksum is not the ledger's")
        if not (folder / path).is_file():
            findings.append(f"file {path} is missing")
        elif sha256_of(folder / path) != recorded.get(path, sha256):
            findings.append(f"file {path} was changed after it was written")
    if any(finding.endswith("is missing") for finding in findings):
        return findings
    for table in {table.name: table for table in (*ROW_TABLES, *catalog.tables())}.values():
        if table.name not in (REVISIONS.name, "quarantined_rows"):
            findings += _verify_table(engine, catalog, table, standing, deep=deep)
    return findings


def _verify_table(
    engine: DuckDBPyConnection,
    catalog: Catalog,
    table: Table,
    standing: Mapping[tuple[str, str], EntryDraft],
    *,
    deep: bool,
) -> list[str]:
    findings = []
    expected = {partition: draft for (name, partition), draft in standing.items() if name == table.name}
    for fence in catalog.all_fences(table):
        draft = expected.get(fence.partition)
        if fence.seq and draft is None:
            findings.append(f"{table.name} {fence.partition} was published, but the ledger does not know of it")
        elif draft is not None and (fence.seq, fence.rows, fence.content_hash) != (
            draft.seq,
            draft.rows,
            draft.content_hash,
        ):
            findings.append(
                f"{table.name} {fence.partition}: the fence says version {fence.seq} with {fence.rows} rows, "
                f"the ledger says version {draft.seq} with {draft.rows} rows"
            )
    counted = {}
    if deep:
        facts = relation_facts(engine, table, quote_identifier(table.name))
        counted = {fact.partition: (fact.rows, fact.content_hash) for fact in facts}
    else:
        for segment in catalog.live_segments([table.name])[table.name]:
            rows, _ = counted.get(segment.partition, (0, ""))
            counted[segment.partition] = (rows + segment.rows, "")
    for partition in sorted(set(counted) | {p for p, draft in expected.items() if draft.rows}):
        rows, digest = counted.get(partition, (0, ""))
        draft = expected.get(partition)
        if draft is None or rows != draft.rows or (deep and digest != draft.content_hash):
            wanted = draft.rows if draft else 0
            findings.append(f"{table.name} {partition} holds {rows} rows that are not the {wanted} the ledger recorded")
    return findings
