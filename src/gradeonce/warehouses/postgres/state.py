"""The small state inside a transaction: fences, loads and the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from gradeonce.chain import Entry, seal_all
from gradeonce.errors import WarehouseError
from gradeonce.model import Change, EntryDraft, Fence, Move
from gradeonce.schema import Table
from gradeonce.statements import statement
from gradeonce.warehouses.base import Rows
from gradeonce.warehouses.definitions import defined_table
from gradeonce.warehouses.entries import entry_of_row, row_of_entry
from gradeonce.warehouses.postgres.connection import Session
from gradeonce.warehouses.refusals import refuse_other_columns, refused


def sql(name: str) -> str:
    """Return one statement on the small state."""
    return statement("gradeonce.warehouses.postgres.sql", "state.sql", name)


def fences(found: Rows) -> list[Fence]:
    """Return the fences that were found, in order."""
    return [Fence(*row) for row in found.rows]


def fences_of(table: Table, found: Rows) -> dict[str, Fence]:
    """Return the fences of a table by partition, each row with the definition of the table that made it.

    Raises:
        RefusedForSafety: If that was a table with other columns, key or stamps.
    """
    for *_, known in found.rows[:1]:
        refuse_other_columns(table, known)
    return {fence.partition: fence for fence in (Fence(*row[:-1]) for row in found.rows)}


def lock_fences(session: Session, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Fence]:
    """Hold these fences (table, partition) until the end of the transaction; return them as they now stand."""
    wanted = list(places)
    values = {"tables": [table for table, _ in wanted], "partitions": [partition for _, partition in wanted]}
    return {(row[0], row[1]): Fence(*row) for row in session.query(sql("lock_fences"), values).rows}


def advance(session: Session, moves: Sequence[Move], *, version: str) -> None:
    """Move every fence one step on, or raise.

    Raises:
        LeaseLost: If a fence has accepted a higher token than a move's.
        PublishConflict: If a partition is no longer at its move's base.
    """
    standing = lock_fences(session, [(move.table, move.partition) for move in moves])
    stepping = [move for move in moves if move.change is not Change.WATCH]
    advanced = {
        (table, partition)
        for table, partition in session.query(
            sql("advance_fences"),
            {
                "tables": [move.table for move in stepping],
                "partitions": [move.partition for move in stepping],
                "tokens": [move.token for move in stepping],
                "base_seqs": [move.base_seq for move in stepping],
                "rows": [move.rows for move in stepping],
                "hashes": [move.content_hash for move in stepping],
                "keeps": [move.change is Change.KEEP for move in stepping],
                "version": version,
            },
        ).rows
    }
    for move in moves:
        fence = standing.get((move.table, move.partition))
        if fence is None:
            raise WarehouseError(f"{move.table} {move.partition} has no fence.", hint="Please report this.")
        if move.change is Change.WATCH:
            # Held since lock_fences: nobody can move it before we are done.
            if fence.seq == move.base_seq:
                continue
        elif (move.table, move.partition) in advanced:
            continue
        raise refused(move, fence)


def now(session: Session) -> str:
    """Return the server's clock, ISO 8601 UTC."""
    return str(session.query(sql("now")).rows[0][0])


def read_at(session: Session, inputs: Mapping[str, Sequence[str] | None]) -> str:
    """Return the instant from which on what is read of these partitions can be told from what is loaded later.

    Args:
        inputs: Tables, each with the partitions that will be read; None: all of them.
    """
    places = [(table, partition) for table, partitions in inputs.items() for partition in partitions or ()]
    values = {
        "whole": [table for table, partitions in inputs.items() if partitions is None],
        "tables": [table for table, _ in places],
        "partitions": [partition for _, partition in places],
    }
    return str(session.query(sql("read_at"), values).rows[0][0])


def append(session: Session, drafts: Sequence[EntryDraft]) -> list[Entry]:
    """Append to the chain. Last in a transaction: neighbours wait for each other from here to the commit."""
    if not drafts:
        return []
    number, previous, at = session.query(sql("lock_head")).rows[0]
    entries = seal_all(drafts, number=number, at=at, previous_hash=previous)
    rows = json.dumps([row_of_entry(entry) for entry in entries])
    head = {"number": entries[-1].number, "entry_hash": entries[-1].entry_hash}
    session.execute(sql("add_entries"), {"entries": rows, **head})
    return entries


def entries(session: Session) -> list[Entry]:
    """Return the whole chain, oldest first."""
    return [entry_of_row(row) for row in session.query(sql("entries")).dicts()]


def tables(session: Session) -> list[Table]:
    """Return every table that was ever written."""
    return [defined_table(text) for (text,) in session.query(sql("tables")).rows]


def remembered(session: Session, table: Table) -> str:
    """Return the definition under which a table is remembered."""
    return str(session.query(sql("definition"), {"name": table.name}).rows[0][0])
