"""Holding the book's files and pointers against its ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.chain import Entry
from gradeonce.model import EntryDraft, PartitionRange
from gradeonce.schema import QUARANTINE, REVISIONS, ROW_TABLES, Table
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.embedded.catalog import Catalog, LiveSegment
from gradeonce.warehouses.embedded.files import sha256_of
from gradeonce.warehouses.embedded.pointers import verify_pointers
from gradeonce.warehouses.embedded.snapshot import in_partitions
from gradeonce.warehouses.embedded.stage import relation_facts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def verify_files(
    catalog: Catalog, folder: Path, entries: Sequence[Entry], *, within: PartitionRange | None = None
) -> tuple[list[str], bool]:
    """Return what differs between the files and the ledger, one line each, and whether all of them can be read.

    It opens no file as Parquet, so a damaged one is a finding and not a failure of the engine.
    """
    recorded = {path: sha for entry in entries for path, sha in entry.draft.details.get("files", {}).items()}
    findings = []
    are_whole = True
    found = catalog.file_hashes()
    for path, sha256 in {path: sha for path, sha, partition in found if _is_wanted(partition, within)}.items():
        if path not in recorded:
            findings.append(f"file {path} is read, but no ledger entry wrote it")
        elif recorded[path] != sha256:
            findings.append(f"file {path}: the catalog's checksum is not the ledger's")
        if not (folder / path).is_file():
            findings.append(f"file {path} is missing")
            are_whole = False
        elif sha256_of(folder / path) != recorded.get(path, sha256):
            findings.append(f"file {path} was changed after it was written")
            are_whole = False
    return findings, are_whole


def verify_tables(
    engine: DuckDBPyConnection | None,
    catalog: Catalog,
    entries: Sequence[Entry],
    standing: Mapping[tuple[str, str], EntryDraft],
    *,
    within: PartitionRange | None = None,
) -> list[str]:
    """Return what differs between the ledger and what readers see, one line each.

    Args:
        engine: Every table in view: the content hash of every partition is computed from its rows; None: the rows are
            not read, their counts are taken from the catalog.
        entries: The whole ledger.
        standing: Per table and partition, the last entry that says what stands there.
        within: Look only at these partitions; None: at all.
    """
    tables = {table.name: table for table in (*ROW_TABLES, *catalog.tables())}
    segments = catalog.live_segments(list(tables))
    if within is not None:
        segments = {name: [one for one in live if within.holds(one.partition)] for name, live in segments.items()}
        standing = {place: draft for place, draft in standing.items() if within.holds(place[1])}
    findings = verify_pointers(entries, segments, within=within)
    for table in tables.values():
        if table.name not in (REVISIONS.name, QUARANTINE.name):
            findings += _verify_table(engine, catalog, table, segments[table.name], standing, within)
    return findings


def _is_wanted(partition: str, within: PartitionRange | None) -> bool:
    return within is None or within.holds(partition)


def _verify_table(
    engine: DuckDBPyConnection | None,
    catalog: Catalog,
    table: Table,
    segments: Sequence[LiveSegment],
    standing: Mapping[tuple[str, str], EntryDraft],
    within: PartitionRange | None,
) -> list[str]:
    expected = {partition: draft for (name, partition), draft in standing.items() if name == table.name}
    fences = [fence for fence in catalog.all_fences(table) if _is_wanted(fence.partition, within)]
    lost = sorted(set(expected) - {fence.partition for fence in fences})
    findings = [f"{table.name} {partition} has lost its fence" for partition in lost]
    for fence in fences:
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
        elif draft is not None and fence.token != draft.token:
            findings.append(
                f"{table.name} {fence.partition}: the fence has accepted token {fence.token}, "
                f"the ledger recorded token {draft.token}"
            )
    counted = {}
    if engine is not None:
        rows_of = quote_identifier(table.name)
        if within is not None:
            # Whole files are read only where all their partitions are wanted.
            rows_of += f" WHERE {in_partitions(table, sorted({segment.partition for segment in segments}))}"
        facts = relation_facts(engine, table, rows_of)
        counted = {fact.partition: (fact.rows, fact.content_hash) for fact in facts}
    else:
        for segment in segments:
            rows, _ = counted.get(segment.partition, (0, ""))
            counted[segment.partition] = (rows + segment.rows, "")
    for partition in sorted(set(counted) | {p for p, draft in expected.items() if draft.rows}):
        rows, digest = counted.get(partition, (0, ""))
        draft = expected.get(partition)
        if draft is None or rows != draft.rows or (engine is not None and digest != draft.content_hash):
            wanted = draft.rows if draft else 0
            findings.append(f"{table.name} {partition} holds {rows} rows that are not the {wanted} the ledger recorded")
    return findings
