"""The small state: fences, loads and the ledger; and the one script in which everything is committed."""

from __future__ import annotations

import json
import logging
import os
import platform
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradeonce.chain import Entry, seal_all
from gradeonce.clock import Clock
from gradeonce.errors import GradeonceError, PublishConflict, WarehouseError
from gradeonce.model import Change, EntryDraft, Fence, Move
from gradeonce.schema import Table
from gradeonce.statements import statement
from gradeonce.warehouses.base import OnStep, Params, Rows
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.definitions import defined_table, definition
from gradeonce.warehouses.entries import entry_of_row, row_of_entry
from gradeonce.warehouses.refusals import refuse_other_columns, refused

_log = logging.getLogger(__name__)

COMMIT_ATTEMPTS = 30
"""Times a commit is sent again when a neighbour's came in between: BigQuery aborts one of two that change a table."""


UNKNOWN_ATTEMPTS = 5
"""The same for an error that does not say it was a conflict."""


def sql(name: str, /, **slots: str) -> str:
    """Return one statement on the small state, in BigQuery's own spelling."""
    return statement("gradeonce.warehouses.bigquery.sql", "state.sql", name, **slots)


def as_of(instant: str) -> str:
    """Return the clause that has a table read as of an instant."""
    return f"FOR SYSTEM_TIME AS OF TIMESTAMP '{instant}'"


def fences(connection: Connection, table: str, *, moment: str = "") -> dict[str, Fence]:
    """Return every fence of a table by partition, in order.

    Args:
        moment: The clause that says as of when; empty: now.
    """
    found = connection.query(sql("fences", moment=moment), {"table": table}, ours=False)
    return {row[1]: Fence(*row) for row in found.rows}


def all_fences(connection: Connection, *, moment: str = "") -> list[Fence]:
    """Return every fence of the book, in order; `moment` as for `fences`."""
    return [Fence(*row) for row in connection.query(sql("all_fences", moment=moment), ours=False).rows]


def entries(connection: Connection, *, moment: str = "") -> list[Entry]:
    """Return the whole chain, oldest first; `moment` as for `fences`."""
    return [entry_of_row(row) for row in connection.query(sql("entries", moment=moment), ours=False).dicts()]


def now_and_tables(connection: Connection) -> tuple[str, list[Table]]:
    """Return the server's clock, and every table that was ever written by then: one answer for both."""
    rows = connection.query(sql("now_and_tables"), ours=False).rows
    return str(rows[0][0]), [defined_table(text) for _, text in rows if text is not None]


def tables(connection: Connection) -> list[Table]:
    """Return every table that was ever written."""
    return now_and_tables(connection)[1]


def known_fences(connection: Connection, table: Table) -> tuple[bool, dict[str, Fence]]:
    """Return whether the table was ever written, and its fences by partition, in order.

    Raises:
        RefusedForSafety: If one of that name but with other columns was written: old and new rows could not be read
            together.
    """
    return _known(table, connection.query(sql("known_fences"), {"table": table.name}, ours=False))


def create_fences(
    connection: Connection, clock: Clock, table: Table, absent: Sequence[str], *, before: Sequence[str]
) -> dict[str, Fence]:
    """Make the fences that are missing, remember the table if nobody did, and return all its fences.

    Args:
        absent: Partitions without a fence.
        before: What is to be run first, outside the transaction: it makes the table.

    Raises:
        RefusedForSafety: See `known_fences`.
    """
    values = {"name": table.name, "definition": definition(table), "table": table.name, "partitions": list(absent)}
    texts = [sql("remember_table"), sql("create_fences")]
    return _known(table, in_turn(connection, clock, texts, values, before=before, answer=sql("known_fences")))[1]


def _known(table: Table, answer: Rows) -> tuple[bool, dict[str, Fence]]:
    rows = answer.rows
    known = rows[0][0]
    if known is not None:
        refuse_other_columns(table, known)
    return known is not None, {row[2]: Fence(*row[1:]) for row in rows if row[2] is not None}


def as_script(texts: Sequence[str]) -> str:
    """Return statements as one script."""
    return "\n".join(f"{text.rstrip().rstrip(';')};" for text in texts)


class Counted(str):
    """A statement whose rows are counted."""


def counted_in_turn(connection: Connection, clock: Clock, texts: Sequence[str], params: Params) -> int:
    """Run statements as one transaction of their own; return how many rows those touched that are `Counted`.

    What is counted is what this call did, whatever became of the first answers: each job goes under a name, and is run
    again under another one only if it is known to have failed.
    """
    counting = ["SET touched_rows = touched_rows + @@row_count"]
    parts = [part for text in texts for part in (text, *(counting if isinstance(text, Counted) else []))]
    script = _transaction(parts, before=["DECLARE touched_rows INT64 DEFAULT 0"], answer="SELECT touched_rows")
    name = _new_name()

    def run() -> Rows:
        nonlocal name
        try:
            return connection.query_once(script, params, name=name)
        except GradeonceError:
            if connection.has_failed(name):
                name = _new_name()
            raise

    return int(_again(run, clock).rows[0][0])


def in_turn(
    connection: Connection, clock: Clock, texts: Sequence[str], params: Params, *, before: Sequence[str], answer: str
) -> Rows:
    """Run statements as one transaction of their own, again if a neighbour's came in between.

    Args:
        before: Statements in front of the transaction; they may be run more than once.
        answer: The statement behind it whose rows are returned.
    """
    script = _transaction(texts, before=before, answer=answer)
    return _again(lambda: connection.query(script, params, ours=False), clock)


def _transaction(texts: Sequence[str], *, before: Sequence[str], answer: str) -> str:
    return as_script([*before, sql("begin"), *texts, sql("end"), answer])


def _again(run: Callable[[], Rows], clock: Clock) -> Rows:
    # Two processes that met once must not meet again and again, so each backs off by amounts of its own.
    jitter = random.Random(f"{platform.node()} {os.getpid()}")
    for attempt in range(1, COMMIT_ATTEMPTS + 1):
        try:
            return run()
        except GradeonceError as error:
            # A conflict may be told in words that nobody documents; a statement that is really wrong fails again.
            if attempt >= (COMMIT_ATTEMPTS if error.is_transient else UNKNOWN_ATTEMPTS):
                raise
            _pause(clock, jitter, attempt)
    raise AssertionError("unreachable")


def _new_name() -> str:
    return f"gradeonce_{os.urandom(16).hex()}"


def before_commit(on_step: OnStep) -> None:
    """Say that all steps of a commit but the last are reached: the server does them, none before it has the script."""
    for step in ("commit.begun", "commit.fenced", "commit.pointed", "commit.ledgered"):
        on_step(step)


@dataclass
class Commit:
    """One transaction: the chain's head, the fences, then whatever the caller adds, then the links.

    Attributes:
        version: The run or load that commits.
        moves: Steps of partitions.
        drafts: Entries to append.
        texts: Statements between the fences and the links.
        params: Their values. Any: whatever they bind.
    """

    version: str
    moves: Sequence[Move]
    drafts: Sequence[EntryDraft]
    texts: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict)

    def run(self, connection: Connection, clock: Clock) -> list[Entry]:
        """Commit. A neighbour that came in between is waited for; one that moved our partitions is the end.

        Raises:
            LeaseLost: If a fence has accepted a higher token than a move's. Nothing changed.
            PublishConflict: If a partition is no longer at its move's base. Nothing changed.
        """
        jitter = random.Random(self.version)
        # Nobody says when a script ends that was sent and not answered: it may still do so, at any moment.
        sent: list[list[Entry]] = []
        for attempt in range(1, COMMIT_ATTEMPTS + 1):
            *head, at = connection.query(sql("head"), ours=False).rows[0]
            number, previous, _ = head
            links = seal_all(self.drafts, number=number, at=at, previous_hash=previous)
            last = links[-1] if links else None
            values = {
                **self.params,
                **_steps(self.moves),
                "version": self.version,
                "at": at,
                "old_number": number,
                "old_hash": previous,
                "number": last.number if last else number,
                "entry_hash": last.entry_hash if last else previous,
                "entries": json.dumps([row_of_entry(link) for link in links]),
            }
            if last is not None:
                sent.append(links)
            try:
                connection.execute(self._script(), values)
                return links
            except GradeonceError as error:
                landed = self._landed(connection, sent, error)
                if landed is not None:
                    return landed
                try:
                    self._judge(connection, error, head, attempt)
                except GradeonceError as refusal:
                    # Who moved the fence since may have been ourselves.
                    landed = self._landed(connection, sent, refusal)
                    if landed is None:
                        raise
                    return landed
            _pause(clock, jitter, attempt)
        raise AssertionError("unreachable")

    def _landed(self, connection: Connection, sent: Sequence[list[Entry]], error: GradeonceError) -> list[Entry] | None:
        """Return the links of the one script of those we sent that is in the chain; None if none of them is."""
        if not sent:
            return None
        values = {"number": sent[0][-1].number, "hashes": [links[-1].entry_hash for links in sent]}
        found = {row[0] for row in connection.query(sql("found_entries"), values, ours=False).rows}
        for links in sent:
            if links[-1].entry_hash in found:
                _log.info("commit_answer_lost run_id=%s error=%s", self.version, error.message)
                return links
        return None

    def _script(self) -> str:
        parts = ["BEGIN TRANSACTION;", sql("move_head")]
        if any(move.change is not Change.WATCH for move in self.moves):
            parts.append(sql("advance_fences"))
        if any(move.change is Change.WATCH for move in self.moves):
            parts.append(sql("watch_fences"))
        parts += self.texts
        if self.drafts:
            parts.append(sql("add_entries"))
        return as_script([*parts, sql("end")])

    def _judge(self, connection: Connection, error: GradeonceError, head: Sequence[Any], attempt: int) -> None:
        """Raise unless it is worth another try. What happened is told by what stands, not by the words of the error.

        Args:
            head: The end of the chain as it was before. Any: numbers and a text.
        """
        if "gradeonce: loaded before" in error.message:
            raise PublishConflict("The same content was loaded by somebody else just now.") from error
        if "gradeonce: other rows stand" in error.message:
            raise WarehouseError(
                f"Other rows would stand than were staged by {self.version}; the publish was taken back.",
                hint="Somebody else writes to these tables: run `gradeonce ledger verify --deep`.",
            ) from error
        standing = {table: fences(connection, table) for table in {move.table for move in self.moves}}
        for move in self.moves:
            fence = standing[move.table].get(move.partition)
            if fence is None:
                raise WarehouseError(
                    f"{move.table} {move.partition} has no fence.", hint="Please report this."
                ) from error
            if fence.seq != move.base_seq or (move.token is not None and fence.token > move.token):
                raise refused(move, fence) from error
        # A neighbour that came in between has touched the head, whatever he did.
        is_overtaken = list(connection.query(sql("head"), ours=False).rows[0][:-1]) != list(head)
        if not (error.is_transient or is_overtaken) or attempt == COMMIT_ATTEMPTS:
            raise error


def _steps(moves: Sequence[Move]) -> dict[str, str | int]:
    stepping = [move for move in moves if move.change is not Change.WATCH]
    watching = [move for move in moves if move.change is Change.WATCH]
    return {
        "moves": json.dumps([_step(move) for move in stepping]),
        "stepping": len(stepping),
        "watches": json.dumps([_step(move) for move in watching]),
        "watching": len(watching),
    }


def _step(move: Move) -> dict[str, str | int | bool | None]:
    return {
        "table": move.table,
        "partition": move.partition,
        "token": move.token,
        "base_seq": move.base_seq,
        "rows": move.rows,
        "content_hash": move.content_hash,
        "keeps": move.change is Change.KEEP,
        "replaces": move.change is Change.REPLACE,
    }


def _pause(clock: Clock, jitter: random.Random, attempt: int) -> None:
    clock.sleep(jitter.uniform(0, min(2.0, 0.05 * 2**attempt)))
