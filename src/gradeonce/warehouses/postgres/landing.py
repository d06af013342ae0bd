"""Appending loaded rows: read by the local engine, sent by COPY, judged by the server, in one transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.chain import add_hashes
from gradeonce.model import Change, EntryDraft, Fence, Move, PartitionFacts
from gradeonce.schema import Table
from gradeonce.statements import quote_identifier, quote_literal
from gradeonce.warehouses.base import Landed, OnStep
from gradeonce.warehouses.engine import DUCKDB_TYPES, open_engine, run
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
    part = quote_identifier(table.partition)
    counted = run(engine, f"SELECT CAST({part} AS VARCHAR), count(*) FROM {relation} GROUP BY 1 ORDER BY 1").fetchall()
    columns = ", ".join(quote_identifier(name) for name in table.column_names)
    run(
        engine,
        f"COPY (SELECT {columns} FROM {relation}) TO {quote_literal(str(path))} "
        f"(FORMAT csv, HEADER false, NULLSTR {quote_literal(_NULL)}, FORCE_QUOTE ({columns}))",
    )
    return Offered(table, path, sum(rows for _, rows in counted), tuple(partition for partition, _ in counted))


def land(
    session: Session, offers: Mapping[str, Offered], entry: EntryDraft, *, content_id: str, on_step: OnStep
) -> Landed:
    """Append each offer's new rows to its table and commit.

    Args:
        offers: By a name for the relation; the first one is what the load is about.
        entry: The ledger entry, to which what landed where is added.
    """
    if not session.execute(state.sql("add_load"), {"content_id": content_id, "load_id": entry.run_id}):
        found = session.query(state.sql("find_load"), {"content_id": content_id}).rows[0][0]
        return Landed(found, 0, 0, (), already=True)
    for name, offered in offers.items():
        _send(session, name, offered)
    on_step("land.sent")
    # From here on nobody else appends to these partitions, so what is new is judged once.
    places = [(offered.table.name, partition) for offered in offers.values() for partition in offered.partitions]
    fences = state.lock_fences(session, places)
    moves: list[Move] = []
    landed: dict[str, int] = {}
    known = 0
    on_step("land.locked")
    session.join_by_hash()
    for name, offered in offers.items():
        found_facts = _judge(
            session, name, offered, any(fences[offered.table.name, p].rows for p in offered.partitions)
        )
        moves += [_move(offered.table, fact, fences[offered.table.name, fact.partition]) for fact in found_facts]
        landed[offered.table.name] = sum(fact.rows for fact in found_facts)
        known += offered.rows - landed[offered.table.name]
    on_step("land.staged")
    primary = next(iter(offers.values())).table
    if moves:
        state.advance(session, moves, version=entry.run_id)
    on_step("commit.fenced")
    for name, offered in offers.items():
        if landed[offered.table.name]:
            columns = ", ".join(quote_identifier(column) for column in offered.table.column_names)
            session.execute(
                f"INSERT INTO {quote_identifier(offered.table.name)} ({columns}) SELECT {columns} FROM {_new(name)}"
            )
    on_step("commit.pointed")
    state.append(session, [_draft(entry, primary, moves, landed[primary.name], known, content_id)])
    on_step("commit.ledgered")
    session.commit()
    on_step("commit.done")
    partitions = tuple(move.partition for move in moves if move.table == primary.name)
    return Landed(entry.run_id, landed[primary.name], known, partitions)


def _draft(entry: EntryDraft, primary: Table, moves: list[Move], rows: int, known: int, content_id: str) -> EntryDraft:
    return replace(
        entry,
        table=primary.name,
        rows=rows,
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
        },
    )


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


def _judge(session: Session, name: str, offered: Offered, has_standing: bool) -> list[PartitionFacts]:
    """Put the rows that say something new into a table of their own; return what they amount to."""
    table = offered.table
    select = identified(table, quote_identifier(f"sent_{name}"), key=table.version_of)
    if has_standing:
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
        select = sql("unknown_versions" if table.version_of else "unknown_rows", new=made, standing=standing)
    session.execute(f"CREATE TEMP TABLE {_new(name)} ON COMMIT DROP AS {select}")
    return facts(session, table, _new(name))


def _new(name: str) -> str:
    return quote_identifier(f"new_{name}")


def _move(table: Table, fact: PartitionFacts, fence: Fence) -> Move:
    return Move(
        table=table.name,
        partition=fact.partition,
        change=Change.APPEND,
        token=None,
        base_seq=fence.seq,
        rows=fence.rows + fact.rows,
        content_hash=add_hashes(fence.content_hash, fact.content_hash),
    )


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
            f"(FORMAT csv, HEADER false, NULLSTR {quote_literal(_NULL)}, ALLOW_QUOTED_NULLS false)",
        )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block
