"""BigQuery without the fence: the jobs that many pipelines run, kept here only to be seen to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradeonce.chain import Entry
from gradeonce.model import Change, Copies, EntryDraft, Fence, Move
from gradeonce.schema import REVISIONS, Table
from gradeonce.statements import statement
from gradeonce.warehouses.base import OnStep
from gradeonce.warehouses.bigquery import state
from gradeonce.warehouses.bigquery.rows import columns_of, within
from gradeonce.warehouses.bigquery.stage import BigQueryStage
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse


class UnfencedStage(BigQueryStage):
    """DELETE by one job, then INSERT by the next, as teams write it.

    What it leaves out, compared with the real commit, are three things:

    - the transaction around both: a reader may come between them, and so may another writer;
    - the fence, which the real commit moves first, on its condition (`token <= ours AND seq = base`): here its row is
      written blindly at the end, the last one wins;
    - the look at what stands afterwards.

    Everything else (staging, validation, the hash chain) is the real thing.
    """

    def commit(
        self, moves: Sequence[Move], entries: Sequence[EntryDraft], *, copies: Copies = Copies.NONE, on_step: OnStep
    ) -> list[Entry]:
        """Commit blindly, job by job."""
        on_step("commit.begun")
        replaced = sorted(move.partition for move in moves if move.change is Change.REPLACE)
        if replaced:
            self._delete_and_insert(replaced, on_step)
        if self._compared:
            columns = columns_of(REVISIONS)
            made = self._own(f"{self._name}_revisions")
            self._connection.execute(
                f"INSERT INTO {self._own(REVISIONS.name)} ({columns}) SELECT {columns} FROM {made}"
            )
        for move in moves:
            self._connection.execute(
                statement(__package__, "unfenced.sql", "overwrite_fence_there"), self._values(move)
            )
        # The ledger is a chain, and stays one.
        appended = state.Commit(self._run_id, [], entries).run(self._connection, self._clock)
        on_step("commit.done")
        return appended

    def _delete_and_insert(self, partitions: Sequence[str], on_step: OnStep) -> None:
        own, rows = self._own(self._table.name), within(self._table, partitions)
        self._connection.execute(f"DELETE FROM {own} WHERE {rows}")
        on_step("commit.removed")
        columns = columns_of(self._table)
        self._connection.execute(
            f"INSERT INTO {own} ({columns}) SELECT {columns} FROM {self._own(self._staged)} WHERE {rows}"
        )

    def _values(self, move: Move) -> dict[str, str | int | None]:
        return {
            "table": move.table,
            "partition": move.partition,
            "token": move.token if move.token is not None else -1,
            "seq": move.base_seq + 1,
            "rows": move.rows,
            "content_hash": move.content_hash,
            "version": self._run_id,
        }


class UnfencedBigQuery(BigQueryWarehouse):
    """The warehouse with the unfenced commit."""

    stage_type = UnfencedStage

    def fences(self, table: Table, partitions: Sequence[str]) -> dict[str, Fence]:
        """Return where the partitions stand, with no token: nothing is there to refuse a stale writer."""
        return {name: replace(fence, token=0) for name, fence in super().fences(table, partitions).items()}
