"""Appending loaded rows: read by the local engine, sent by load jobs, judged by the server, committed by one script."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.clock import Clock
from gradeonce.model import EntryDraft, Fence
from gradeonce.schema import Table
from gradeonce.statements import quote_identifier, quote_literal
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.bigquery import state
from gradeonce.warehouses.bigquery.connection import Connection, expiring
from gradeonce.warehouses.bigquery.mapped import held
from gradeonce.warehouses.bigquery.rows import columns_of, facts, identified, quoted, sql
from gradeonce.warehouses.bigquery.spelling import spelled
from gradeonce.warehouses.engine import DUCKDB_TYPES, open_engine, rows_by_partition, run
from gradeonce.warehouses.landing_terms import Arrival, Emptied, Landed, Terms, landed_of, landing_entry, landing_moves

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Offered:
    """One relation of a load, in a staging table.

    Attributes:
        table: Where its rows belong.
        sent: The staging table.
        rows: How many.
        partitions: Partitions they name.
    """

    table: Table
    sent: str
    rows: int
    partitions: tuple[str, ...]


def send(connection: Connection, engine: DuckDBPyConnection, table: Table, relation: str, into: str) -> Offered:
    """Put a relation of the local engine into a staging table."""
    counted = rows_by_partition(engine, table, relation)
    columns = ", ".join(
        f"CAST({quote_identifier(c.name)} AS {DUCKDB_TYPES[c.type]}) AS {quote_identifier(c.name)}"
        for c in table.columns
    )
    with tempfile.TemporaryDirectory(prefix="gradeonce-") as folder:
        path = Path(folder) / "rows.parquet"
        run(engine, f"COPY (SELECT {columns} FROM {relation}) TO {quote_literal(str(path))} (FORMAT parquet)")
        connection.load(path, table, into)
    return Offered(table, into, sum(counted.values()), tuple(counted))


def land(
    connection: Connection,
    clock: Clock,
    offers: Mapping[str, Offered],
    entry: EntryDraft,
    *,
    content_id: str,
    unique: str,
    made: list[str],
    on_step: OnStep,
    terms: Terms,
) -> Landed:
    """Append each offer's new rows to its table and commit; once, from where the fences stand now.

    Args:
        offers: By a name for the relation; the first one is what the load is about, and the terms are its own.
        entry: The ledger entry, to which what landed where is added.
        unique: Tells this attempt's tables from those of others.
        made: Tables that were made, for whoever drops them.

    Raises:
        LeaseLost: If a fence has accepted a higher token than ours. Nothing landed.
        PublishConflict: If somebody landed rows in one of our partitions meanwhile, so that what is new must be judged
            again; or if a partition that was to be emptied is no longer as it was seen. Nothing landed.
    """
    fences = {offered.table.name: state.fences(connection, offered.table.name) for offered in offers.values()}
    if terms.emptied:
        standing = state.fences(connection, terms.emptied.table.name)
        terms.emptied.refuse_moved(standing)
    judged = [f"{offered.sent}_{unique}" for offered in offers.values()]
    made += judged
    arrivals = [
        _judge(connection, offered, into, fences[offered.table.name], terms.of_relation(number))
        for number, (offered, into) in enumerate(zip(offers.values(), judged, strict=True))
    ]
    on_step("land.staged")
    primary = next(iter(offers.values())).table
    landed = landed_of(entry.run_id, arrivals)
    terms.judge(landed)
    moves = [move for arrival in arrivals for move in arrival.moves]
    texts = [state.sql("add_load")]
    for offered, arrival, new in zip(offers.values(), arrivals, judged, strict=True):
        if arrival.rows:
            place, columns = held(connection, offered.table), columns_of(offered.table)
            texts.append(f"INSERT INTO {place.name} ({place.listed}) SELECT {columns} FROM {quoted(new)}")
    drafts = [landing_entry(entry, primary, arrivals[0].moves, fences[primary.name], landed, content_id)]
    if terms.emptied:
        moves += terms.emptied.moves()
        texts += taking_out(connection, terms.emptied)
        drafts.append(terms.emptied.draft())
    state.before_commit(on_step)
    state.Commit(entry.run_id, moves, drafts, texts, {"content_id": content_id}).run(connection, clock)
    on_step("commit.done")
    return landed


def taking_out(connection: Connection, emptied: Emptied) -> list[str]:
    """Return what deletes the rows of partitions whose fences are moved on, and sees that they are those that stood."""
    place = held(connection, emptied.table)
    return [
        f"DELETE FROM {place.name} WHERE {place.within(emptied.partitions)}",
        f"IF @@row_count <> {emptied.rows} THEN RAISE USING MESSAGE = 'gradeonce: other rows stand than were staged'; "
        "END IF",
    ]


def _judge(connection: Connection, offered: Offered, judged: str, fences: Mapping[str, Fence], terms: Terms) -> Arrival:
    """Put the rows that say something new into a table of their own; return what they amount to."""
    table, outdated = offered.table, 0
    select = identified(table, quoted(offered.sent), key=table.version_of)
    if any(fences[partition].rows for partition in offered.partitions):
        rows = held(connection, table).rows(offered.partitions)
        standing = identified(table, f"({rows})", key=table.version_of)
        if terms.latest is not None:
            same_key = " AND ".join(f"s.{c} IS NOT DISTINCT FROM n.{c}" for c in map(quoted, terms.latest.key))
            older = spelled(terms.latest.stands_before("s", "n"))
            is_older = f"EXISTS (SELECT 1 FROM ({standing}) AS s WHERE {same_key} AND {older})"
            outdated = connection.query(f"SELECT COUNT(*) AS n FROM ({select}) AS n WHERE {is_older}", ours=False).rows[
                0
            ][0]
            select = f"SELECT n.* FROM ({select}) AS n WHERE NOT {is_older}"
        select = sql(
            "unknown_versions" if table.version_of else "unknown_rows", new=f"({select})", standing=f"({standing})"
        )
    connection.execute(f"CREATE OR REPLACE TABLE {quoted(judged)} OPTIONS ({expiring()}) AS {select}")
    found = facts(connection, table, quoted(judged))
    moves = landing_moves(table, found, fences, terms.tokens)
    return Arrival(offered.rows, moves, sum(fact.rows for fact in found), outdated)


def send_file(connection: Connection, table: Table, path: Path, into: str) -> None:
    """Send a Parquet file with the table's columns into a staging table."""
    with open_engine() as engine:
        send(connection, engine, table, f"read_parquet({quote_literal(str(path))})", into)


def fetch_table(connection: Connection, engine: DuckDBPyConnection, table: Table, partitions: Sequence[str]) -> None:
    """Copy partitions of a table into the local engine, under the table's own name."""
    columns = ", ".join(f"{quote_identifier(c.name)} {DUCKDB_TYPES[c.type]}" for c in table.columns)
    run(engine, f"CREATE OR REPLACE TEMP TABLE {quote_identifier(table.name)} ({columns})")
    if not partitions:
        return
    rows = connection.query(held(connection, table).rows(partitions), ours=False)
    texts = ", ".join(
        f"CAST(r[{place}] AS {DUCKDB_TYPES[column.type]}) AS {quote_identifier(column.name)}"
        for place, column in enumerate(table.columns, start=1)
    )
    run(
        engine,
        f"INSERT INTO {quote_identifier(table.name)} "
        f"SELECT {texts} FROM (SELECT unnest(from_json($rows, '[[\"VARCHAR\"]]')) AS r)",
        {"rows": json.dumps(rows.rows, default=str)},
    )
