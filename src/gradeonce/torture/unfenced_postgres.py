"""PostgreSQL without the fence: the commit that many pipelines have, kept here only to be seen to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradeonce.chain import Entry
from gradeonce.model import Change, Copies, EntryDraft, Fence, Move
from gradeonce.schema import Table
from gradeonce.statements import quote_identifier, statement
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.postgres import state
from gradeonce.warehouses.postgres.rows import partition_list, put, sql
from gradeonce.warehouses.postgres.stage import PostgresStage
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse


class UnfencedStage(PostgresStage):
    """DELETE, then INSERT, in one READ COMMITTED transaction.

    What it leaves out, compared with the real commit, are three things:

    - the fence, which the real commit moves first, on its condition (`token <= ours AND seq = base`): here its row is
      written blindly at the end, the last one wins;
    - the look at what stands afterwards;
    - the unique index, which the torture takes from its table.

    Everything else (staging, validation, one transaction, the hash chain) is the real thing.
    """

    def commit(
        self, moves: Sequence[Move], entries: Sequence[EntryDraft], *, copies: Copies = Copies.NONE, on_step: OnStep
    ) -> list[Entry]:
        """Commit blindly; the steps have the names of the real commit's."""
        on_step("commit.begun")
        replaced = sorted(move.partition for move in moves if move.change is Change.REPLACE)
        if replaced:
            self._delete_and_insert(replaced, on_step)
        self._add_revisions()
        on_step("commit.pointed")
        for move in moves:
            self._session.execute(statement(__package__, "unfenced.sql", "overwrite_fence"), self._values(move))
        on_step("commit.fenced")
        appended = state.append(self._session, entries)
        on_step("commit.ledgered")
        self._session.commit()
        on_step("commit.done")
        return appended

    def _delete_and_insert(self, partitions: Sequence[str], on_step: OnStep) -> None:
        table, partition = quote_identifier(self._table.name), quote_identifier(self._table.partition)
        listed = partition_list(self._table, partitions)
        self._session.execute(sql("remove", table=table, partition=partition, partitions=listed))
        on_step("commit.removed")
        self._session.execute(put(self._table, partitions, staged="staged"))

    def _values(self, move: Move) -> dict[str, str | int | None]:
        return {
            "table": move.table,
            "partition": move.partition,
            "token": move.token,
            "seq": move.base_seq + 1,
            "rows": move.rows,
            "content_hash": move.content_hash,
            "version": self._run_id,
            "at": state.now(self._session),
        }


class UnfencedPostgres(PostgresWarehouse):
    """The warehouse with the unfenced commit."""

    stage_type = UnfencedStage

    def fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        """Return where the partitions stand, with no token: nothing is there to refuse a stale writer."""
        return {name: replace(fence, token=0) for name, fence in super().fences(table, partitions).items()}
