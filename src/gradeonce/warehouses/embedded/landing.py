"""Appending loaded rows to the book: all of a load or none of it, and never the same row twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.chain import add_hashes
from gradeonce.errors import PublishConflict
from gradeonce.model import Change, EntryDraft, Move
from gradeonce.schema import Table
from gradeonce.statements import quote_identifier, quote_literal, statement
from gradeonce.warehouses.base import Landed, OnStep
from gradeonce.warehouses.embedded.catalog import Catalog, WrittenFile
from gradeonce.warehouses.embedded.files import copy_to_parquet, unique_name
from gradeonce.warehouses.embedded.snapshot import fetch, relation
from gradeonce.warehouses.embedded.stage import STAGING_FOLDER, relation_facts, row_text, seal_file
from gradeonce.warehouses.engine import run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def land(
    engine: DuckDBPyConnection,
    catalog: Catalog,
    folder: Path,
    relations: Mapping[str, tuple[Table, str]],
    entry: EntryDraft,
    *,
    content_id: str,
    on_step: OnStep,
) -> Landed:
    """Append each relation's new rows to its table in one transaction.

    Args:
        relations: By a name for the file: the table, and the relation with the table's columns.
        entry: The ledger entry, to which what landed where is added.

    Raises:
        PublishConflict: If somebody appended to one of the partitions meanwhile. Nothing landed.
    """
    moves: list[Move] = []
    files: list[WrittenFile] = []
    landed: dict[str, int] = {}
    known = 0
    unique = unique_name(entry.run_id)
    staged = [folder / STAGING_FOLDER / f"{unique}.{name}.parquet" for name in relations]
    try:
        for path, (table, name) in zip(staged, relations.values(), strict=True):
            offered = fetch(engine, f"SELECT count(*) FROM {name}").rows[0][0]
            more = _new_rows(engine, catalog, folder, table, name, path, unique, on_step)
            if more is not None:
                moves += more[0]
                files.append(more[1])
            landed[table.name] = sum(more[1].rows.values()) if more else 0
            known += offered - landed[table.name]
        primary = next(iter(relations.values()))[0]
        draft = replace(
            entry,
            table=primary.name,
            rows=landed[primary.name],
            details={
                **entry.details,
                "known_rows": known,
                "content_id": content_id,
                "partitions": [
                    {
                        "partition": move.partition,
                        "token": 0,
                        "seq": move.base_seq + 1,
                        "rows": move.rows,
                        "content_hash": move.content_hash,
                    }
                    for move in moves
                    if move.table == primary.name
                ],
                "files": {file.path: file.sha256 for file in files},
            },
        )
        try:
            catalog.commit(moves, files, [draft], version=entry.run_id, on_step=on_step, content_id=content_id)
        except PublishConflict:
            # Refused for certain, so nobody points at these files. After any other error they wait for collection.
            for file in files:
                (folder / file.path).unlink(missing_ok=True)
            raise
    finally:
        for path in staged:
            path.unlink(missing_ok=True)
    partitions = tuple(move.partition for move in moves if move.table == primary.name)
    return Landed(entry.run_id, landed[primary.name], known, partitions)


def _new_rows(
    engine: DuckDBPyConnection,
    catalog: Catalog,
    folder: Path,
    table: Table,
    name: str,
    path: Path,
    unique: str,
    on_step: OnStep,
) -> tuple[list[Move], WrittenFile] | None:
    part = quote_identifier(table.partition)
    touched = [row[0] for row in fetch(engine, f"SELECT DISTINCT CAST({part} AS VARCHAR) FROM {name} ORDER BY 1").rows]
    fences = catalog.fences(table, touched)
    source = name
    if any(fence.rows for fence in fences.values()):
        # Read after the fences: rows that somebody lands in between move a seq, and our commit is refused.
        segments = catalog.live_segments([table.name])[table.name]
        old = relation(table, segments, folder, partitions=touched)
        standing = statement(__package__, "rows.sql", "standing_rows", row_text=row_text(table), old=f"({old})")
        run(engine, f"CREATE OR REPLACE TEMP TABLE standing_rows AS {standing}")
        run(engine, f"CREATE OR REPLACE TEMP TABLE unknown_rows AS {_unknown(table, name)}")
        source = "unknown_rows"
    columns = ", ".join(quote_identifier(column) for column in table.column_names)
    copy_to_parquet(engine, f"SELECT {columns} FROM {source} ORDER BY {part}", path)
    on_step("land.staged")
    facts = relation_facts(engine, table, f"read_parquet({quote_literal(str(path))})")
    if not facts:
        return None
    moves = [
        Move(
            table=table.name,
            partition=fact.partition,
            change=Change.APPEND,
            token=None,
            base_seq=fences[fact.partition].seq,
            rows=fences[fact.partition].rows + fact.rows,
            content_hash=add_hashes(fences[fact.partition].content_hash, fact.content_hash),
        )
        for fact in facts
    ]
    rows = {fact.partition: fact.rows for fact in facts}
    return moves, seal_file(engine, folder, table, path, f"{unique}.parquet", rows, on_step)


def _unknown(table: Table, name: str) -> str:
    """Return the SELECT of the rows of a relation that say something new beside `standing_rows`."""
    if not table.version_of:
        return statement(__package__, "rows.sql", "unknown_rows", row_text=row_text(table), new=name)
    columns = [quote_identifier(column) for column in table.version_of]
    return statement(
        __package__,
        "rows.sql",
        "unknown_versions",
        row_text=row_text(table),
        new=name,
        version_of=", ".join(columns),
        same_thing=" AND ".join(f"l.{column} IS NOT DISTINCT FROM n.{column}" for column in columns),
    )
