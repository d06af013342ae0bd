"""Appending loaded rows: read by the local engine, sent by COPY, judged by the server, in one transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.errors import WarehouseError
from gradeonce.model import EntryDraft, Fence
from gradeonce.schema import Table
from gradeonce.statements import quote_identifier, quote_literal
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.engine import DUCKDB_TYPES, open_engine, rows_by_partition, run
from gradeonce.warehouses.landing_terms import Arrival, Emptied, Landed, Terms, landed_of, landing_entry, landing_moves
from gradeonce.warehouses.postgres import state
from gradeonce.warehouses.postgres.capabilities import POSTGRES_TYPES
from gradeonce.warehouses.postgres.connection import Session
from gradeonce.warehouses.postgres.rows import facts, identified, partition_list, sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BLOCK_BYTES = 1 << 20

# Quoted is never null, so a text that reads like the mark for null stays a text.
_NULL = r"\N"


@dataclass(frozen=True)
class Offered:
    """One relation of a load, written to a file and ready to be sent.

    Attributes:
        table: Where its rows belong.
        path: The file.
        rows: How many.
        partitions: Partitions they name.
    """

    table: Table
    path: Path
    rows: int
    partitions: tuple[str, ...]


def offer(engine: DuckDBPyConnection, table: Table, relation: str, path: Path) -> Offered:
    """Write a relation of the local engine to a file that PostgreSQL can read."""
    counted = rows_by_partition(engine, table, relation)
    columns = ", ".join(quote_identifier(name) for name in table.column_names)
    run(
        engine,
        f"COPY (SELECT {columns} FROM {relation}) TO {quote_literal(str(path))} "
        f"(FORMAT csv, HEADER false, NULLSTR {quote_literal(_NULL)}, FORCE_QUOTE ({columns}))",
    )
    return Offered(table, path, sum(counted.values()), tuple(counted))


def land(
    session: Session,
    offers: Mapping[str, Offered],
    entry: EntryDraft,
    *,
    content_id: str,
    on_step: OnStep,
    terms: Terms,
) -> Landed:
    """Append each offer's new rows to its table and commit.

    Args:
        offers: By a name for the relation; the first one is what the load is about, and the terms are its own.
        entry: The ledger entry, to which what landed where is added.

    Raises:
        LeaseLost: If a fence has accepted a higher token than ours. Nothing landed.
        PublishConflict: If a partition that was to be emptied is no longer as it was seen. Nothing landed.
    """
    # From the first statement on others wait for us: for the same content first, then for the fences.
    session.let_go_when_idle()
    if not session.execute(state.sql("add_load"), {"content_id": content_id, "load_id": entry.run_id}):
        found = session.query(state.sql("find_load"), {"content_id": content_id}).rows[0][0]
        return Landed(found, 0, 0, (), already=True)
    for name, offered in offers.items():
        _send(session, name, offered)
    on_step("land.sent")
    # From here on nobody else appends to these partitions, so what is new is judged once.
    fences = _lock(session, offers, terms)
    on_step("land.locked")
    arrivals = [
        _judge(session, name, offered, fences[offered.table.name], terms.of_relation(number))
        for number, (name, offered) in enumerate(offers.items())
    ]
    on_step("land.staged")
    primary = next(iter(offers.values())).table
    landed = landed_of(entry.run_id, arrivals)
    terms.judge(landed)
    # Fences with a token first: a holder who is late must hear that, rather than what he has missed.
    moves = [move for arrival in arrivals for move in arrival.moves]
    moves += terms.emptied.moves() if terms.emptied else []
    if moves:
        state.advance(session, moves, version=entry.run_id)
    on_step("commit.fenced")
    for (name, offered), arrival in zip(offers.items(), arrivals, strict=True):
        if arrival.rows:
            columns = ", ".join(quote_identifier(column) for column in offered.table.column_names)
            session.execute(
                f"INSERT INTO {quote_identifier(offered.table.name)} ({columns}) SELECT {columns} FROM {_new(name)}"
            )
    if terms.emptied:
        take_out(session, terms.emptied)
    on_step("commit.pointed")
    drafts = [landing_entry(entry, primary, arrivals[0].moves, fences[primary.name], landed, content_id)]
    state.append(session, [*drafts, terms.emptied.draft()] if terms.emptied else drafts)
    on_step("commit.ledgered")
    session.commit()
    on_step("commit.done")
    return landed


def take_out(session: Session, emptied: Emptied) -> None:
    """Delete the rows of partitions whose fences were moved on, and see that they are the rows that stood."""
    removed = session.execute(
        sql(
            "remove",
            table=quote_identifier(emptied.table.name),
            partition=quote_identifier(emptied.table.partition),
            partitions=partition_list(emptied.table, emptied.partitions),
        )
    )
    if removed != emptied.rows:
        raise WarehouseError(
            f"{emptied.table.name} held {removed} rows where its fences say {emptied.rows}; nothing was taken out.",
            hint="Somebody else writes to this table: run `gradeonce ledger verify --deep`.",
        )


def _lock(session: Session, offers: Mapping[str, Offered], terms: Terms) -> dict[str, dict[str, Fence]]:
    """Hold the fences of every partition concerned; return them by table and partition, as they now stand."""
    places = {(offered.table.name, partition) for offered in offers.values() for partition in offered.partitions}
    places |= {(next(iter(offers.values())).table.name, partition) for partition in terms.tokens or ()}
    if terms.emptied:
        places |= {(terms.emptied.table.name, partition) for partition in terms.emptied.partitions}
    fences: dict[str, dict[str, Fence]] = {offered.table.name: {} for offered in offers.values()}
    for (table, partition), fence in state.lock_fences(session, places).items():
        fences.setdefault(table, {})[partition] = fence
    if terms.emptied:
        terms.emptied.refuse_moved(fences[terms.emptied.table.name])
    return fences


def send_file(session: Session, name: str, table: Table, path: Path) -> None:
    """Send a Parquet file with the table's columns into a temporary table of that name."""
    with tempfile.TemporaryDirectory(prefix="gradeonce-") as folder, open_engine() as engine:
        offered = offer(engine, table, f"read_parquet({quote_literal(str(path))})", Path(folder) / "rows.csv")
        _copy(session, name, offered)
    session.execute(f"ANALYZE {quote_identifier(name)}")


def _send(session: Session, name: str, offered: Offered) -> None:
    _copy(session, f"sent_{name}", offered)


def _copy(session: Session, name: str, offered: Offered) -> None:
    columns = ", ".join(
        f"{quote_identifier(column.name)} {POSTGRES_TYPES[column.type]}" for column in offered.table.columns
    )
    sent = quote_identifier(name)
    session.execute(f"CREATE TEMP TABLE {sent} ({columns}) ON COMMIT DROP")
    options = f"(FORMAT csv, NULL {quote_literal(_NULL)}, ENCODING 'UTF8')"
    session.copy_in(f"COPY {sent} FROM STDIN {options}", _blocks(offered.path))


def _judge(session: Session, name: str, offered: Offered, fences: Mapping[str, Fence], terms: Terms) -> Arrival:
    """Put the rows that say something new into a table of their own; return what they amount to."""
    table, outdated = offered.table, 0
    select = identified(table, quote_identifier(f"sent_{name}"), key=table.version_of)
    if any(fences[partition].rows for partition in offered.partitions):
        made = quote_identifier(f"identified_{name}")
        standing = quote_identifier(f"standing_{name}")
        session.execute(f"CREATE TEMP TABLE {made} ON COMMIT DROP AS {select}")
        part = quote_identifier(table.partition)
        rows = (
            f"(SELECT * FROM {quote_identifier(table.name)} "
            f"WHERE {part} = ANY({partition_list(table, offered.partitions)}))"
        )
        session.execute(
            f"CREATE TEMP TABLE {standing} ON COMMIT DROP AS {identified(table, rows, key=table.version_of)}"
        )
        session.execute(f"ANALYZE {made}, {standing}")
        if terms.latest is not None:
            # As one text each: PostgreSQL joins by hash only what it compares with an equals sign.
            same_key = " AND ".join(
                f"coalesce(CAST(s.{c} AS text), chr(30)) = coalesce(CAST(n.{c} AS text), chr(30))"
                for c in map(quote_identifier, terms.latest.key)
            )
            older = terms.latest.stands_before("s", "n")
            outdated = session.execute(
                sql("leave_out_older", new=made, standing=standing, same_key=same_key, stands_before=older)
            )
        select = sql("unknown_versions" if table.version_of else "unknown_rows", new=made, standing=standing)
    session.execute(f"CREATE TEMP TABLE {_new(name)} ON COMMIT DROP AS {select}")
    found = facts(session, table, _new(name))
    moves = landing_moves(table, found, fences, terms.tokens)
    return Arrival(offered.rows, moves, sum(fact.rows for fact in found), outdated)


def _new(name: str) -> str:
    return quote_identifier(f"new_{name}")


def fetch_table(session: Session, engine: DuckDBPyConnection, table: Table, partitions: tuple[str, ...]) -> None:
    """Copy partitions of a table into the local engine, under the table's own name."""
    part = quote_identifier(table.partition)
    listed = ", ".join(quote_identifier(name) for name in table.column_names)
    rows = (
        f"SELECT {listed} FROM {quote_identifier(table.name)} WHERE {part} = ANY({partition_list(table, partitions)})"
    )
    columns = ", ".join(f"{quote_identifier(c.name)} {DUCKDB_TYPES[c.type]}" for c in table.columns)
    run(engine, f"CREATE OR REPLACE TEMP TABLE {quote_identifier(table.name)} ({columns})")
    with tempfile.TemporaryDirectory(prefix="gradeonce-") as folder:
        path = Path(folder) / "rows.csv"
        with path.open("wb") as file:
            # Quoted wherever it is text, so that an empty text is not taken for null.
            for block in session.copy_out(
                f"COPY ({rows}) TO STDOUT (FORMAT csv, NULL {quote_literal(_NULL)}, FORCE_QUOTE *)"
            ):
                file.write(block)
        run(
            engine,
            f"COPY {quote_identifier(table.name)} FROM {quote_literal(str(path))} "
            # Said, not guessed: of an empty file the engine could guess nothing.
            f"(FORMAT csv, HEADER false, AUTO_DETECT false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', "
            f"NULLSTR {quote_literal(_NULL)}, ALLOW_QUOTED_NULLS false)",
        )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block
