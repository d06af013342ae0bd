"""Appending loaded rows to the book: all of a load or none of it, and never the same row twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.errors import LeaseLost, PublishConflict, ValidationFailed
from gradeonce.model import EntryDraft, Fence
from gradeonce.schema import Table
from gradeonce.statements import quote_identifier, quote_literal, statement
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.embedded.catalog import Catalog, WrittenFile
from gradeonce.warehouses.embedded.files import STAGING_FOLDER, copy_to_parquet, unique_name
from gradeonce.warehouses.embedded.snapshot import fetch, relation
from gradeonce.warehouses.embedded.stage import relation_facts, row_text, seal_file
from gradeonce.warehouses.engine import rows_by_partition, run
from gradeonce.warehouses.landing_terms import Arrival, Landed, Latest, Terms, landed_of, landing_entry, landing_moves

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class _Arrived(Arrival):
    """The same with the fences that its moves start from, and its file if any row lands."""

    fences: Mapping[str, Fence]
    file: WrittenFile | None


def land(
    engine: DuckDBPyConnection,
    catalog: Catalog,
    folder: Path,
    relations: Mapping[str, tuple[Table, str]],
    entry: EntryDraft,
    *,
    content_id: str,
    on_step: OnStep,
    terms: Terms,
) -> Landed:
    """Append each relation's new rows to its table in one transaction.

    Args:
        relations: By a name for the file: the table, and the relation with the table's columns. The terms are those of
            the first.
        entry: The ledger entry, to which what landed where is added.

    Raises:
        LeaseLost: If a fence has accepted a higher token than ours. Nothing landed.
        PublishConflict: If somebody moved one of the partitions meanwhile. Nothing landed.
    """
    unique = unique_name(entry.run_id)
    staged = [folder / STAGING_FOLDER / f"{unique}.{name}.parquet" for name in relations]
    try:
        arrivals = [
            _arrive(engine, catalog, folder, table, name, path, unique, on_step, terms.of_relation(number))
            for number, (path, (table, name)) in enumerate(zip(staged, relations.values(), strict=True))
        ]
        primary = next(iter(relations.values()))[0]
        first = arrivals[0]
        landed = landed_of(entry.run_id, arrivals)
        files = [arrival.file for arrival in arrivals if arrival.file]
        try:
            terms.judge(landed)
            draft = landing_entry(entry, primary, first.moves, first.fences, landed, content_id)
            draft = replace(draft, details={**draft.details, "files": {file.path: file.sha256 for file in files}})
            drafts = [draft, terms.emptied.draft()] if terms.emptied else [draft]
            # Fences with a token first: a holder who is late must hear that, rather than what he has missed.
            moves = [move for arrival in arrivals for move in arrival.moves]
            moves += terms.emptied.moves() if terms.emptied else []
            catalog.commit(moves, files, drafts, version=entry.run_id, on_step=on_step, content_id=content_id)
        except (PublishConflict, LeaseLost, ValidationFailed):
            # Refused for certain, so nobody points at these files. After any other error they wait for collection.
            for file in files:
                (folder / file.path).unlink(missing_ok=True)
            raise
    finally:
        for path in staged:
            path.unlink(missing_ok=True)
    return landed


def _arrive(
    engine: DuckDBPyConnection,
    catalog: Catalog,
    folder: Path,
    table: Table,
    name: str,
    path: Path,
    unique: str,
    on_step: OnStep,
    terms: Terms,
) -> _Arrived:
    part = quote_identifier(table.partition)
    offered = rows_by_partition(engine, table, name)
    touched = list(offered)
    fences = catalog.fences(table, sorted({*terms.concerned(touched)}))
    source, outdated = name, 0
    if any(fences[partition].rows for partition in touched):
        # Read after the fences: rows that somebody lands in between move a seq, and our commit is refused.
        segments = catalog.live_segments([table.name])[table.name]
        old = relation(table, segments, folder, partitions=touched)
        standing = statement(__package__, "rows.sql", "standing_rows", row_text=row_text(table), old=f"({old})")
        run(engine, f"CREATE OR REPLACE TEMP TABLE standing_rows AS {standing}")
        if terms.latest is not None:
            source, outdated = "latest_rows", _leave_out_older(engine, name, terms.latest)
        run(engine, f"CREATE OR REPLACE TEMP TABLE unknown_rows AS {_unknown(table, source)}")
        source = "unknown_rows"
    columns = ", ".join(quote_identifier(column) for column in table.column_names)
    copy_to_parquet(engine, f"SELECT {columns} FROM {source} ORDER BY {part}", path)
    on_step("land.staged")
    facts = relation_facts(engine, table, f"read_parquet({quote_literal(str(path))})")
    moves = landing_moves(table, facts, fences, terms.tokens)
    rows = {fact.partition: fact.rows for fact in facts}
    file = seal_file(engine, folder, table, path, f"{unique}.parquet", rows, on_step) if rows else None
    return _Arrived(sum(offered.values()), moves, sum(rows.values()), outdated, fences, file)


def _leave_out_older(engine: DuckDBPyConnection, name: str, latest: Latest) -> int:
    """Make `latest_rows` of the rows that nothing in `standing_rows` comes before; return how many were left out."""
    same_key = [f"s.{c} IS NOT DISTINCT FROM n.{c}" for c in map(quote_identifier, latest.key)]
    select = statement(
        __package__,
        "rows.sql",
        "latest_rows",
        new=name,
        same_key=" AND ".join(same_key),
        stands_before=latest.stands_before("s", "n"),
    )
    run(engine, f"CREATE OR REPLACE TEMP TABLE latest_rows AS {select}")
    return int(fetch(engine, f"SELECT (SELECT count(*) FROM {name}) - (SELECT count(*) FROM latest_rows)").rows[0][0])


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
