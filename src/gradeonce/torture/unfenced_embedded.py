"""The book without its fence: the commit that many pipelines have, kept here only to be seen to fail."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gradeonce.chain import Entry
from gradeonce.clock import Clock
from gradeonce.model import Change, EntryDraft, Fence, Move
from gradeonce.schema import Table
from gradeonce.statements import statement
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.embedded.catalog import Catalog, WrittenFile, _append, _point_at
from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse


class UnfencedCatalog(Catalog):
    """DELETE what I saw, INSERT what I made: one transaction, committed whoever came in between.

    It does what DELETE + INSERT does in a warehouse where two transactions see snapshots: it removes the rows that
    stood when it looked, and adds its own. What it leaves out, compared with the real commit, are three things:

    - the condition on the fence (`token <= ours AND seq = base`): its fence row is written blindly, the last one wins;
    - the removal of whatever stands now, which the real commit may do because the fence proved it to be the base;
    - the look at what stands afterwards (`_verify`).

    Everything else (staging, validation, atomic pointers, the hash chain) is the real thing.
    """

    def commit(
        self,
        moves: Sequence[Move],
        files: Sequence[WrittenFile],
        drafts: Sequence[EntryDraft],
        *,
        version: str,
        on_step: OnStep,
        content_id: str | None = None,
    ) -> list[Entry]:
        """Commit blindly; the steps have the names of the real commit's."""
        at = self._clock.now().isoformat(timespec="microseconds")
        with self._file.write() as connection:
            on_step("commit.begun")
            for move in moves:
                self._advance(connection, move, version, at)
            on_step("commit.fenced")
            for file in files:
                _point_at(connection, file, moves, at)
            on_step("commit.pointed")
            entries = _append(connection, drafts, at)
            on_step("commit.ledgered")
        on_step("commit.done")
        return entries

    def _advance(self, connection: sqlite3.Connection, move: Move, version: str, at: str) -> None:
        values = {
            "table": move.table,
            "partition": move.partition,
            "token": move.token,
            "base_seq": move.base_seq,
            "seq": move.base_seq + 1,
            "rows": move.rows,
            "content_hash": move.content_hash,
            "version": version,
            "at": at,
        }
        connection.execute(statement(__package__, "unfenced.sql", "overwrite_fence"), values)
        if move.change is Change.REPLACE:
            connection.execute(statement(__package__, "unfenced.sql", "retire_what_was_seen"), values)


class UnfencedWarehouse(EmbeddedWarehouse):
    """The book with the unfenced commit."""

    def __init__(
        self, folder: Path, *, clock: Clock, threads: int, minimum_free_megabytes: int, allow_network_filesystem: bool
    ) -> None:
        super().__init__(
            folder,
            clock=clock,
            threads=threads,
            minimum_free_megabytes=minimum_free_megabytes,
            allow_network_filesystem=allow_network_filesystem,
        )
        self._catalog.close()
        self._catalog = UnfencedCatalog(folder, clock=clock)

    def fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        """Return where the partitions stand, with no token: nothing is there to refuse a stale writer."""
        return {name: replace(fence, token=0) for name, fence in super().fences(table, partitions).items()}
