"""The fenced, atomic replace of partitions: stage, validate, compare, commit.

It serves any table whose partitions are replaced whole; it is handed a table, a query and fencing tokens, and knows
nothing of what the rows mean.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gradeonce.chain import Entry
from gradeonce.clock import Clock, SystemClock
from gradeonce.errors import (
    GradeonceError,
    LeaseLost,
    PublishConflict,
    RefusedForSafety,
    UsageError,
    ValidationFailed,
    WarehouseError,
)
from gradeonce.model import Change, Copies, EntryDraft, Fence, Move, PartitionFacts, Query
from gradeonce.schema import Table
from gradeonce.validation import Validation, refuse_standing_copies, validate
from gradeonce.warehouses.base import OnStep, Revised, Stage, Warehouse

_log = logging.getLogger(__name__)

ATTEMPTS = 10
"""Times a publish starts again from base when somebody else committed first."""


class PublishStatus(StrEnum):
    """What became of a partition."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    HELD_BACK = "held_back"


@dataclass(frozen=True)
class Derived:
    """Rows of another table that follow from the rows of this one: published with them, or not at all.

    Attributes:
        table: Where they stand: its partitions are those of the table they follow from, and it has no stamps.
        sql: SELECT of all its columns over the relation `staged`. It must not look at stamps: a row that did not change
            keeps older ones than were staged.
        validations: Rules that these rows must keep, beside the built-in ones.
    """

    table: Table
    sql: str
    validations: tuple[Validation, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What the caller makes of a staged partition before it is committed.

    Attributes:
        details: Plain values for the ledger entry (counts and the like).
        hold_back: True leaves the partition as it is, provided nothing stands there yet.
    """

    details: Mapping[str, Any] = field(default_factory=dict)
    hold_back: bool = False


@dataclass(frozen=True)
class Published:
    """One partition after a publish.

    Attributes:
        partition: Which one.
        status: published, unchanged (the same content stood already; its rows and stamps are untouched) or held_back.
        token: Fencing token the fence now carries.
        seq: Version number of the partition.
        rows: Rows that stand.
        content_hash: Their content hash.
        revised: How the rows differ from those that stood before; all zero for a first publish.
        details: The caller's own details.
        entry_hash: Hash of the ledger entry; empty if none was written.
    """

    partition: str
    status: PublishStatus
    token: int
    seq: int
    rows: int
    content_hash: str
    revised: Revised
    details: Mapping[str, Any]
    entry_hash: str = ""


def ignore_steps(_: str) -> None:
    """Stand in for an `on_step` that nobody asked for."""


def publish(
    warehouse: Warehouse,
    table: Table,
    query: Query,
    partitions: Sequence[str],
    *,
    run_id: str,
    tokens: Mapping[str, int] | None = None,
    watched: Sequence[str] = (),
    holder: str = "",
    kind: str = "publish",
    validations: Sequence[Validation] = (),
    derived: Sequence[Derived] = (),
    judge: Callable[[Stage], Mapping[str, Judgement]] | None = None,
    reason_sql: str = "'content changed'",
    copies: Copies = Copies.NONE,
    expected: Mapping[str, Fence] | None = None,
    on_based: Callable[[], None] | None = None,
    guard: Callable[[], None] | None = None,
    dry_run: Callable[[Stage, Sequence[str], Sequence[str]], None] | None = None,
    clock: Clock | None = None,
    on_step: OnStep = ignore_steps,
    seed: int | None = None,
) -> dict[str, Published]:
    """Replace these partitions of the table by what the query returns, all or none, each exactly once.

    Args:
        warehouse: Where the table lives.
        table: Its columns, key and partition column.
        query: SELECT of all columns of the table, for exactly these partitions. It is run again if somebody else
            commits first, so it must read its inputs afresh.
        partitions: Partitions to replace; one for which the query returns no row becomes empty.
        run_id: Identity of this run, in the ledger and in the revisions.
        tokens: Fencing token per partition, from its lease; None takes them from the fences (no lease is held: then
            the sequence numbers alone keep two publishes apart).
        watched: Further partitions of the table that hold no rows and must hold none until the commit, because the
            rows staged here are right only then. Their fences move with the others, so whoever is about to publish one
            of them starts again, and can look what was published here.
        holder: Who publishes, for the ledger.
        kind: Kind of the ledger entry.
        validations: Rules beside the built-in ones (key unique, nothing null where forbidden, no foreign partition).
        derived: Tables whose rows follow from these. Every publish of the table must name the same ones. What follows
            is computed anew each time, so a publish of unchanged rows puts right what no longer follows from them.
        judge: Looks at the staged rows and returns details for the ledger, or holds a partition back.
        reason_sql: SQL over the relations `old` and `new` that says why a row changed. Where copies may stand, rows are
            not paired by key, and it must not look at `old` and `new`.
        copies: Where several rows of one key may stand. For anything but `none` the rows are put exactly as they were
            staged, stamps and all, and only the partition column must not be null: these are rows that stood before.
        expected: Fences as the caller knows them: a partition that has moved since is refused.
        on_based: Called each time that the fences were read, before anything is staged: whoever publishes one of these
            partitions later makes this publish start again. Raises if they are the wrong ones.
        guard: Called just before the commit; raises if the caller's leases are lost.
        dry_run: Stage, validate and compare, then stop: the result says what a publish would have done. Called with
            the stage, the partitions to be replaced, and those of them that hold rows now, whose differences are in
            the relation `revisions`.
        clock: Time for back-off; None takes the machine's.
        on_step: Called as each step is reached.
        seed: Seeds the jitter of the back-off.

    Returns:
        One Published per partition.

    Raises:
        ValidationFailed: If staged rows break a rule. Nothing was published.
        LeaseLost: If a fence has accepted a higher token. Nothing was published.
        PublishConflict: If others committed first every time. Nothing of this run was published.
        TransientWarehouseError: If the warehouse is out of reach. The error's state says whether that is known to have
            been before anything was published.
        RefusedForSafety: If copies of a key stand where none may, or a partition is not as expected. Nothing was
            published.
    """
    clock = clock or SystemClock()
    jitter = random.Random(seed)
    lost: _AnswerLost | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            fences = fences_of(warehouse, table, [*partitions, *watched], makes=dry_run is None)
            # After the fences were read: whoever is seen to have moved them since has let our commit finish first.
            landed = lost.landed(warehouse) if lost else None
        except GradeonceError as error:
            if lost is not None:
                lost.doubt(error)
            raise
        if landed is not None:
            return landed
        bases = {partition: fences[partition] for partition in partitions}
        if on_based is not None:
            on_based()
        on_step("publish.based")
        _refuse_unexpected(bases, expected or {})
        used = {partition: fence.token for partition, fence in bases.items()} if tokens is None else tokens
        _refuse_stale(table, bases, used)
        watches = [_refuse_filled(fences[partition]) for partition in watched]
        # Read after our own: whoever commits in between moves ours too, and is noticed.
        followers = [
            _Follower(follows, fences_of(warehouse, follows.table, partitions, makes=dry_run is None))
            for follows in derived
        ]
        try:
            with warehouse.stage(table, query, run_id=run_id) as stage:
                on_step("publish.staged")
                work = _Work(
                    table, bases, used, tokens is not None, watches, run_id, holder, kind, followers, copies, dry_run
                )
                return work.finish(stage, validations, judge, reason_sql, guard, on_step)
        except _AnswerLost as lost_now:
            lost = lost_now
            _log.warning("publish_unanswered run_id=%s attempt=%d error=%s", run_id, attempt, lost.error.message)
            if attempt == ATTEMPTS or watched:
                return lost.settled(warehouse)
        except ValidationFailed:
            if expected:
                # A rival who came after we read the fences shows in what was staged: then it is not the rows that are
                # wrong, but the partition has moved.
                _refuse_unexpected(warehouse.fences(table, list(expected)), expected)
            raise
        except GradeonceError as error:
            # A watched partition that moved asks for another choice of partitions, which is the caller's.
            if not error.is_transient or attempt == ATTEMPTS or watched:
                raise
            _log.info("publish_again run_id=%s attempt=%d error=%s", run_id, attempt, error.message)
        clock.sleep(jitter.uniform(0, min(1.0, 0.01 * 2**attempt)))
    raise AssertionError("unreachable")


def fences_of(warehouse: Warehouse, table: Table, partitions: Sequence[str], *, makes: bool) -> dict[str, Fence]:
    """Return the fences of partitions; whoever only looks (`makes` false) takes those that are missing as new ones."""
    if makes:
        return warehouse.fences(table, partitions)
    standing = {fence.partition: fence for fence in warehouse.all_fences(table)} if partitions else {}
    return {partition: standing.get(partition, Fence(table.name, partition)) for partition in partitions}


def _refuse_filled(fence: Fence) -> Fence:
    if fence.rows:
        raise PublishConflict(f"{fence.table} {fence.partition} was published while we worked.", hint="Run it again.")
    return fence


def _refuse_unexpected(bases: Mapping[str, Fence], expected: Mapping[str, Fence]) -> None:
    for partition, known in expected.items():
        fence = bases[partition]
        if (fence.seq, fence.rows, fence.content_hash) != (known.seq, known.rows, known.content_hash):
            raise RefusedForSafety(
                f"{fence.table} {partition} has moved since: version {known.seq} with {known.rows} rows was looked at, "
                f"version {fence.seq} with {fence.rows} rows stands.",
                hint="Look at it again.",
            )


def _refuse_stale(table: Table, bases: Mapping[str, Fence], tokens: Mapping[str, int]) -> None:
    missing = [partition for partition in bases if partition not in tokens]
    if missing:
        raise UsageError(f"No fencing token was given for {', '.join(missing[:3])}.")
    for partition, fence in bases.items():
        if fence.token > tokens[partition]:
            raise LeaseLost(
                f"{table.name}/{partition}",
                token=tokens[partition],
                reason="superseded",
                detail=f"The fence has accepted token {fence.token} since.",
            )


class _AnswerLost(Exception):
    """A commit that ended in silence: it may have landed or not, and only the ledger can tell.

    To try again blindly would do no harm to the rows, but the caller could be told that it was refused, or that it
    changed nothing, after its rows had stood.
    """

    def __init__(
        self,
        error: WarehouseError,
        drafts: Sequence[EntryDraft],
        told: Callable[[Iterable[Entry]], dict[str, Published]],
    ) -> None:
        super().__init__(error.message)
        self.error, self._drafts, self._told = error, drafts, told

    def landed(self, warehouse: Warehouse) -> dict[str, Published] | None:
        """Return what the commit did, if the ledger has its entries; None if it does not."""
        wanted = {_identity(draft) for draft in self._drafts}
        found = [entry for entry in warehouse.entries() if _identity(entry.draft) in wanted]
        return self._told(found) if found else None

    def settled(self, warehouse: Warehouse) -> dict[str, Published]:
        """Return what the commit did, or raise its error, when there is no further attempt."""
        try:
            landed = self.landed(warehouse)
        except GradeonceError as error:
            self.doubt(error)
            raise
        if landed is None:
            raise self.error
        return landed

    def doubt(self, error: GradeonceError) -> None:
        """Let an error that came over our asking say what is known of the data by now."""
        error.state = "It is not known whether this run was published."
        error.hint = "Run the same again: what was published is left as it is."


def _identity(draft: EntryDraft) -> tuple[str | int, ...]:
    # All but the details, to which a warehouse may add its own. A seq is taken only once.
    return (draft.kind, draft.run_id, draft.table, draft.partition, draft.token, draft.seq, draft.content_hash)


@dataclass(frozen=True)
class _Follower:
    """A derived table with its own fences."""

    derived: Derived
    bases: Mapping[str, Fence]


@dataclass(frozen=True)
class _Work:
    """One attempt: from staged rows to a commit."""

    table: Table
    bases: Mapping[str, Fence]
    tokens: Mapping[str, int]
    has_leases: bool
    watches: Sequence[Fence]
    run_id: str
    holder: str
    kind: str
    followers: Sequence[_Follower]
    copies: Copies
    dry_run: Callable[[Stage, Sequence[str], Sequence[str]], None] | None

    def finish(
        self,
        stage: Stage,
        validations: Sequence[Validation],
        judge: Callable[[Stage], Mapping[str, Judgement]] | None,
        reason_sql: str,
        guard: Callable[[], None] | None,
        on_step: OnStep,
    ) -> dict[str, Published]:
        facts = {fact.partition: fact for fact in stage.facts()}
        validate(stage, self.table, self.bases, facts, validations, copies=self.copies)
        derived = [(follower, self._derive(stage, follower)) for follower in self.followers]
        on_step("publish.validated")
        judged = dict(judge(stage)) if judge else {}
        judgements = {partition: judged.get(partition, Judgement()) for partition in self.bases}
        moves = {}
        for partition, base in self.bases.items():
            if not (judgements[partition].hold_back and base.rows == 0):
                moves[partition] = self._move(base, facts.get(partition))
        replaced = [p for p, move in moves.items() if move.change is Change.REPLACE]
        compared = [p for p in replaced if self.bases[p].rows]
        revised = {}
        if compared and self.table.key:
            revised = stage.compare(compared, reason_sql=reason_sql, copies=self.copies)
            if self.copies is Copies.NONE:
                refuse_standing_copies(stage, self.table)
        on_step("publish.compared")
        if self.dry_run is not None:
            self.dry_run(stage, replaced, compared)
            return {p: self._published(p, moves.get(p), judgements[p], revised.get(p), {}) for p in self.bases}
        drafts = [self._draft(move, judgements[p].details, revised.get(p)) for p, move in moves.items()]
        following = []
        for follower, steps in derived:
            following += [steps[partition] for partition in moves]
            drafts += [self._derived_draft(follower, steps[p]) for p in moves if steps[p].change is Change.REPLACE]
        watches = [Move(f.table, f.partition, Change.KEEP, None, f.seq, 0, f.content_hash) for f in self.watches]
        drafts += [self._watch_draft(fence) for fence in self.watches]
        if guard is not None:
            guard()

        def told(entries: Iterable[Entry]) -> dict[str, Published]:
            hashes = {e.draft.partition: e.entry_hash for e in entries if e.draft.table == self.table.name}
            return {p: self._published(p, moves.get(p), judgements[p], revised.get(p), hashes) for p in self.bases}

        if not moves:
            return told([])
        stepping = [*moves.values(), *following, *watches]
        try:
            return told(stage.commit(stepping, drafts, copies=self.copies, on_step=on_step))
        except PublishConflict:
            raise
        except WarehouseError as error:
            if not error.is_transient:
                raise
            raise _AnswerLost(error, drafts, told) from error

    def _move(self, base: Fence, fact: PartitionFacts | None) -> Move:
        rows, content = (fact.rows, fact.content_hash) if fact else (0, "")
        same = base.seq > 0 and (base.rows, base.content_hash) == (rows, content)
        # Put as they are means stamps and all, and those are not in the content that was compared here.
        changes = {Copies.NONE: Change.KEEP if same else Change.REPLACE, Copies.IN_PLACE: Change.TAKE_OVER}
        return Move(
            table=self.table.name,
            partition=base.partition,
            change=changes.get(self.copies, Change.REPLACE),
            # Without a lease there is no token to be late with: the sequence number alone decides, and we start again.
            token=self.tokens[base.partition] if self.has_leases else None,
            base_seq=base.seq,
            rows=rows,
            content_hash=content,
        )

    def _derive(self, stage: Stage, follower: _Follower) -> dict[str, Move]:
        """Stage what follows from the staged rows; return each partition's step, or its watch if it stays."""
        table = follower.derived.table
        staged = stage.derive(table, follower.derived.sql)
        facts = {fact.partition: fact for fact in staged.facts}
        validate(stage, table, self.bases, facts, follower.derived.validations, relation=staged.relation)
        moves = {}
        for partition, base in follower.bases.items():
            fact = facts.get(partition, PartitionFacts(partition, 0, ""))
            same = (base.rows, base.content_hash) == (fact.rows, fact.content_hash)
            moves[partition] = Move(
                table=table.name,
                partition=partition,
                change=Change.WATCH if same else Change.REPLACE,
                token=self.tokens[partition] if self.has_leases else None,
                base_seq=base.seq,
                rows=fact.rows,
                content_hash=fact.content_hash,
            )
        return moves

    def _derived_draft(self, follower: _Follower, move: Move) -> EntryDraft:
        return EntryDraft(
            kind="derive",
            run_id=self.run_id,
            table=move.table,
            partition=move.partition,
            status=PublishStatus.PUBLISHED,
            token=follower.bases[move.partition].token if move.token is None else move.token,
            seq=move.base_seq + 1,
            rows=move.rows,
            content_hash=move.content_hash,
            holder=self.holder,
            details={"follows": self.table.name},
        )

    def _watch_draft(self, fence: Fence) -> EntryDraft:
        return EntryDraft(
            kind="watch",
            run_id=self.run_id,
            table=fence.table,
            partition=fence.partition,
            status="empty",
            token=fence.token,
            seq=fence.seq + 1,
            content_hash=fence.content_hash,
            holder=self.holder,
        )

    def _draft(self, move: Move, details: Mapping[str, Any], revised: Revised | None) -> EntryDraft:
        return EntryDraft(
            kind=self.kind,
            run_id=self.run_id,
            table=move.table,
            partition=move.partition,
            status=_status(move),
            token=self.tokens[move.partition],
            seq=move.base_seq + 1,
            rows=move.rows,
            content_hash=move.content_hash,
            holder=self.holder,
            details={**details, "revised": revised.total if revised else 0},
        )

    def _published(
        self,
        partition: str,
        move: Move | None,
        judgement: Judgement,
        revised: Revised | None,
        hashes: Mapping[str, str],
    ) -> Published:
        base = self.bases[partition]
        return Published(
            partition=partition,
            status=_status(move) if move else PublishStatus.HELD_BACK,
            token=self.tokens[partition],
            seq=move.base_seq + 1 if move else base.seq,
            rows=move.rows if move else base.rows,
            content_hash=move.content_hash if move else base.content_hash,
            revised=revised or Revised(0, 0, 0),
            details=judgement.details,
            entry_hash=hashes.get(partition, ""),
        )


def _status(move: Move) -> PublishStatus:
    return PublishStatus.UNCHANGED if move.change is Change.KEEP else PublishStatus.PUBLISHED
