"""What a landing may ask for beside its rows: fencing tokens, rivals to outdo, partitions emptied with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradeonce.chain import add_hashes
from gradeonce.errors import PublishConflict
from gradeonce.model import Change, EntryDraft, Fence, Move, PartitionFacts
from gradeonce.schema import Table
from gradeonce.statements import quote_identifier


@dataclass(frozen=True)
class Landed:
    """What a load did.

    Attributes:
        load_id: Identity of the load.
        rows: Rows that landed.
        known: Rows left out because the very same row stood already.
        partitions: Partitions touched.
        already: True when this content was loaded before, and nothing landed now.
        outdated: Rows left out because a row that stands comes before them (`Latest`).
    """

    load_id: str
    rows: int
    known: int
    partitions: tuple[str, ...]
    already: bool = False
    outdated: int = 0


@dataclass(frozen=True)
class Latest:
    """Of rows that are rivals only the latest counts, so one that is older than what stands does not land.

    Attributes:
        key: Columns that rivals have in common, null-safe.
        order: Columns that rank them, highest first, nulls last.
    """

    key: tuple[str, ...]
    order: tuple[str, ...]

    def stands_before(self, standing: str, new: str) -> str:
        """Return the condition that a standing row comes before a new one with the same key (aliases of the two)."""
        condition = "false"
        for name in reversed(self.order):
            old, its = f"{standing}.{quote_identifier(name)}", f"{new}.{quote_identifier(name)}"
            higher = f"{old} > {its} OR ({its} IS NULL AND {old} IS NOT NULL)"
            condition = f"({higher} OR ({old} IS NOT DISTINCT FROM {its} AND {condition}))"
        return condition


@dataclass(frozen=True)
class Emptied:
    """Partitions that are emptied, each only if it still is as it was seen.

    Attributes:
        table: Their table.
        fences: Each as it was seen.
        entry: The ledger entry, to which the partitions are added.
    """

    table: Table
    fences: tuple[Fence, ...]
    entry: EntryDraft

    @property
    def partitions(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(fence.partition for fence in self.fences)

    @property
    def rows(self) -> int:
        """Rows that are taken out, in all."""
        return sum(fence.rows for fence in self.fences)

    def moves(self) -> list[Move]:
        """Return each partition's step to a version without rows."""
        return [Move(self.table.name, f.partition, Change.REPLACE, None, f.seq, 0, "") for f in self.fences]

    def draft(self) -> EntryDraft:
        """Return the whole ledger entry."""
        details = {
            **self.entry.details,
            "taken": {fence.partition: fence.rows for fence in self.fences},
            "partitions": _parts(self.moves(), {fence.partition: fence for fence in self.fences}),
        }
        return replace(self.entry, table=self.table.name, details=details)

    def refuse_moved(self, standing: Mapping[str, Fence]) -> None:
        """Raise PublishConflict if a partition is no longer as it was seen: whoever moved it has its rows."""
        for fence in self.fences:
            if standing[fence.partition].seq != fence.seq:
                raise PublishConflict(f"{fence.table} {fence.partition} was emptied by somebody else just now.")


def accept(_: Landed) -> None:
    """Let every landing pass: the judge that nobody asked for."""


@dataclass(frozen=True)
class Terms:
    """How the rows of a landing's first table are to land.

    Attributes:
        tokens: Fencing token per partition, from its lease. Each fence is moved on under its token, also where no row
            lands: whoever held the lease before is then too late. None: the sequence numbers alone keep writers apart.
        latest: Leave out rows that are older than what stands in the same partitions; None: rows are no rivals.
        emptied: Partitions that are emptied in the same commit; None: none are.
        judge: Looks at what is about to land, just before the commit; what it raises stops the landing.
    """

    tokens: Mapping[str, int] | None = None
    latest: Latest | None = None
    emptied: Emptied | None = None
    judge: Callable[[Landed], None] = accept

    def of_relation(self, number: int) -> Terms:
        """Return the terms of a landing's relation, by its number from 0: all but the first are merely appended."""
        return self if number == 0 else APPEND

    def concerned(self, partitions: Sequence[str]) -> list[str]:
        """Return the partitions whose fences move if rows name these: those that have a token move in any case."""
        return [*partitions, *(self.tokens or ())]


APPEND = Terms()
"""Rows are added to what stands; nothing else is asked for."""


@dataclass(frozen=True)
class Arrival:
    """What one relation of a landing amounts to.

    Attributes:
        offered: Rows that were offered.
        moves: The step of each partition concerned.
        rows: Rows that land.
        outdated: Rows left out because a row that stands comes before them.
    """

    offered: int
    moves: list[Move]
    rows: int
    outdated: int


def landed_of(load_id: str, arrivals: Sequence[Arrival]) -> Landed:
    """Return what a landing does: what it says of rows and partitions is of the first relation, the main one."""
    primary = arrivals[0]
    return Landed(
        load_id=load_id,
        rows=primary.rows,
        known=sum(arrival.offered - arrival.rows - arrival.outdated for arrival in arrivals),
        partitions=tuple(move.partition for move in primary.moves if move.change is Change.APPEND),
        outdated=primary.outdated,
    )


def landing_moves(
    table: Table, facts: Sequence[PartitionFacts], fences: Mapping[str, Fence], tokens: Mapping[str, int] | None
) -> list[Move]:
    """Return each partition's step: rows are appended, or only the fence is moved on under its token."""
    landing = {fact.partition: fact for fact in facts}
    moves = []
    for partition in sorted({*landing, *(tokens or ())}):
        fence, fact = fences[partition], landing.get(partition)
        moves.append(
            Move(
                table=table.name,
                partition=partition,
                change=Change.APPEND if fact else Change.KEEP,
                token=tokens.get(partition) if tokens else None,
                base_seq=fence.seq,
                rows=fence.rows + (fact.rows if fact else 0),
                content_hash=add_hashes(fence.content_hash, fact.content_hash if fact else ""),
            )
        )
    return moves


def landing_entry(
    entry: EntryDraft, table: Table, moves: Sequence[Move], fences: Mapping[str, Fence], landed: Landed, content_id: str
) -> EntryDraft:
    """Return a load's ledger entry: what the caller knows, and what landed where."""
    details = {
        **entry.details,
        "known_rows": landed.known,
        "content_id": content_id,
        "partitions": _parts([move for move in moves if move.table == table.name], fences),
    }
    return replace(entry, table=table.name, rows=landed.rows, details=details)


def _parts(moves: Sequence[Move], fences: Mapping[str, Fence]) -> list[dict[str, Any]]:
    # Any: plain JSON values. A move without a token leaves the fence's own as it was. Rows are appended unless it says
    # otherwise.
    return [
        {
            "partition": move.partition,
            "token": max(fences[move.partition].token, move.token or 0),
            "seq": move.base_seq + 1,
            "rows": move.rows,
            "content_hash": move.content_hash,
            **({} if move.change is Change.APPEND else {"change": move.change.value}),
        }
        for move in moves
    ]
