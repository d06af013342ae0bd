"""Staging: workers write predictions to places of their own, and one consolidation merges all of a batch, exactly once.

A write is a partition of the staging table that nobody else touches, so workers never wait for each other. A
consolidation takes whole writes: it merges their rows and empties their partitions in one transaction, each only if it
still is as it was seen. So a row is either staged or merged, and a write that comes meanwhile is left for the next one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gradeonce.clock import Clock
from gradeonce.errors import PublishConflict, UsageError, ValidationFailed
from gradeonce.leases import LeaseStore, new_holder
from gradeonce.load import (
    LoadOptions,
    content_of,
    entry_details,
    new_load_id,
    read_and_check,
    stamp,
    stamp_quarantine,
)
from gradeonce.model import EntryDraft, Fence
from gradeonce.partition_leases import Held, hold_partitions
from gradeonce.publish import ATTEMPTS, ignore_steps
from gradeonce.schema import ACCURACY, PREDICTIONS, STAGED_PREDICTIONS, Table
from gradeonce.statements import quote_identifier, quote_literal, statement
from gradeonce.warehouses.base import OnStep, Warehouse
from gradeonce.warehouses.engine import run
from gradeonce.warehouses.landing_terms import Emptied, Landed, Latest, Terms

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from gradeonce.config import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")

# The first letter of a run's id says what it is: a fence tells by it who emptied a staging.
_WRITE, _CONSOLIDATION, _SWEEP = "w", "c", "s"

# As grading ranks rivals (rules/select.sql).
_LATEST = Latest(key=ACCURACY.key, order=("created_at", "prediction_id"))


@dataclass(frozen=True)
class StageReport:
    """What writing to staging did.

    Attributes:
        batch: The batch.
        worker: Whose staging it is.
        status: staged, already_staged (the same content is waiting already), already_consolidated (the same content was
            merged before) or empty (the files hold no row).
        load_id: Identity of the write, also in every row it staged.
        files: The files, as given.
        rows_read: Rows in the files.
        rows: Rows that were staged.
        repeated: Rows left out because the file repeats them.
        refused: Rows set aside on purpose, by reason.
        quarantined: Bad rows kept in quarantine.
        partitions: Dates predicted for.
    """

    batch: str
    worker: str
    status: str
    load_id: str
    files: tuple[str, ...]
    rows_read: int = 0
    rows: int = 0
    repeated: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConsolidationReport:
    """What a consolidation did. staged = rows + known + outdone + outdated.

    Attributes:
        batch: The batch.
        status: consolidated, repeated (all that was staged stands already; nothing landed), already_consolidated
            (nothing is waiting, all was merged before) or nothing_staged (its files held no row, or it was swept).
        load_id: Identity of the consolidation, also in every row it merged; the last one's for already_consolidated.
        staged: Rows that were taken from staging.
        rows: Rows that were merged into the predictions.
        known: Rows left out because the very same row stands already.
        outdone: Rows left out because another staged row of the same key is later.
        outdated: Rows left out because a prediction that stands with the same key is later.
        workers: Rows taken from each worker.
        partitions: Dates to which rows were added.
        tokens: Fencing token used for each date; empty without leases.
        waiting: Rows of the batch that came meanwhile; the next consolidation takes them.
    """

    batch: str
    status: str
    load_id: str = ""
    staged: int = 0
    rows: int = 0
    known: int = 0
    outdone: int = 0
    outdated: int = 0
    workers: Mapping[str, int] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    tokens: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0


@dataclass(frozen=True)
class StagedBatch:
    """A batch with rows that nobody has merged yet.

    Attributes:
        batch: The batch.
        workers: Rows of each worker.
        writes: How many writes are waiting.
        rows: Rows that are waiting.
        first_staged_at: When the first of them was staged, ISO 8601 UTC.
        last_staged_at: When the last of them was staged.
        is_orphan: Whether nothing was added for `[staging] orphan_hours`.
    """

    batch: str
    workers: Mapping[str, int]
    writes: int
    rows: int
    first_staged_at: str
    last_staged_at: str
    is_orphan: bool


@dataclass(frozen=True)
class SweepReport:
    """What a sweep removed, or would remove.

    Attributes:
        applied: False: it only looked.
        batches: The batches, with the rows that were waiting.
        run_id: Identity of the sweep in the ledger; empty if it only looked or found nothing.
    """

    applied: bool
    batches: tuple[StagedBatch, ...]
    run_id: str = ""


@dataclass(frozen=True)
class Staging:
    """Writes to staging, consolidates, lists and sweeps, in one book.

    Attributes:
        warehouse: Where everything is.
        settings: The settings.
        leases: Lease store; None consolidates under the fence alone.
        clock: Time.
        on_step: Called as each step is reached.
    """

    warehouse: Warehouse
    settings: Settings
    leases: LeaseStore | None
    clock: Clock
    on_step: OnStep = ignore_steps

    def write(self, files: Sequence[Path], *, batch: str, worker: str, options: LoadOptions) -> StageReport:
        """Check files of predictions and put their rows into a staging of the worker's own: all of them or none.

        Raises:
            InputError: If a row breaks the contract; nothing was staged.
            UsageError: If batch or worker is not a name.
        """
        _require_names(batch=batch, worker=worker)
        names = tuple(str(file) for file in files)
        content = content_of(
            self.warehouse, self.settings, "predictions", files, options, batch=batch, worker=worker, staged="yes"
        )
        staging = f"{batch}/{worker}/{content[:16]}"
        # Made before anything lands, so the batch is known even if its files hold no row.
        fence = self.warehouse.fences(STAGED_PREDICTIONS, [staging])[staging]
        if fence.rows or fence.version.startswith(_CONSOLIDATION):
            status = "already_staged" if fence.rows else "already_consolidated"
            return StageReport(batch, worker, status, fence.version, names)
        load_id = new_load_id(_WRITE, self.clock)
        with self.warehouse.engine() as engine:
            read = read_and_check(self.warehouse, engine, self.settings, self.clock, "predictions", files, options)
            self.on_step("stage.read")
            given = {"staging": staging, "batch": batch, "worker": worker}
            stamped = stamp(engine, read, STAGED_PREDICTIONS, load_id, self.clock, **given)
            landed = self.warehouse.land(
                engine,
                {"rows": (STAGED_PREDICTIONS, stamped), **stamp_quarantine(engine, read, load_id)},
                EntryDraft(
                    kind="stage",
                    run_id=load_id,
                    status="staged",
                    holder=new_holder("stage"),
                    details={**given, **entry_details("predictions", files, options, read)},
                ),
                # What was swept may be staged again.
                content_id=f"{content}@{fence.seq}",
                on_step=self.on_step,
            )
        if landed.already:
            return StageReport(batch, worker, "already_staged" if read.rows else "empty", landed.load_id, names)
        return StageReport(
            batch=batch,
            worker=worker,
            status="staged" if landed.rows else "empty",
            load_id=load_id,
            files=names,
            rows_read=read.rows_read,
            rows=landed.rows,
            repeated=read.repeated,
            refused=dict(read.refused),
            quarantined=read.bad,
            partitions=read.partitions,
        )

    def consolidate(self, batch: str, *, wait_seconds: float | None = None) -> ConsolidationReport:
        """Merge all that is staged of a batch into the predictions: all of it or, when it raises, nothing.

        Raises:
            UsageError: If nothing was ever staged under that name.
            ValidationFailed: If no staged row would be merged although rows are staged that do not stand yet.
            LeaseHeld: If somebody else holds the lease of one of the dates.
            LeaseLost: If ours was taken over; nothing was merged, and the staging is kept.
            PublishConflict: If others were faster every time; nothing was merged, and the staging is kept.
        """
        _require_names(batch=batch)
        holder = new_holder("consolidate")
        for attempt in range(1, ATTEMPTS + 1):
            seen = self._fences_of(batch)
            if not seen:
                raise UsageError(
                    f"There is no batch {batch!r}: nothing was ever staged under that name.",
                    hint="`gradeonce stage list` shows what is waiting.",
                )
            waiting = tuple(fence for fence in seen if fence.rows)
            if not waiting:
                merged = [fence.version for fence in seen if fence.version.startswith(_CONSOLIDATION)]
                status = "already_consolidated" if merged else "nothing_staged"
                return ConsolidationReport(batch, status, max(merged, default=""))
            try:
                report = self._consolidate(batch, waiting, holder, wait_seconds)
            except PublishConflict:
                # Another consolidation, or a sweep, has taken what we saw: whatever is left is seen afresh.
                if attempt == ATTEMPTS:
                    raise
                continue
            self.on_step("consolidate.released")
            return report
        raise AssertionError("unreachable")

    def _consolidate(
        self, batch: str, waiting: Sequence[Fence], holder: str, wait_seconds: float | None
    ) -> ConsolidationReport:
        load_id = new_load_id(_CONSOLIDATION, self.clock)
        with self.warehouse.engine() as engine:
            taken, winners, dates = self._take(engine, waiting, load_id)
            self.on_step("consolidate.read")
            with hold_partitions(
                self.warehouse,
                self.leases,
                self.settings,
                self.clock,
                PREDICTIONS,
                dates,
                holder=holder,
                wait_seconds=wait_seconds,
                key=lease_key,
            ) as held:
                self.on_step("consolidate.leased")
                tokens = dict(held.tokens or {})
                details = {
                    "batch": batch,
                    "staged": taken,
                    "outdone": taken - winners,
                    "workers": _rows_by_worker(waiting),
                }
                entry = EntryDraft(
                    kind="consolidate",
                    run_id=load_id,
                    status="merged",
                    token=max(tokens.values(), default=0),
                    holder=holder,
                    details=details,
                )
                emptied = Emptied(
                    STAGED_PREDICTIONS,
                    tuple(waiting),
                    EntryDraft("consolidate", load_id, status="emptied", holder=holder, details={"batch": batch}),
                )
                landed = self.warehouse.land(
                    engine,
                    {"rows": (PREDICTIONS, "winning_rows")},
                    entry,
                    content_id=_content_of(batch, waiting),
                    on_step=self.on_step,
                    terms=Terms(
                        tokens=held.tokens,
                        latest=_LATEST,
                        emptied=emptied,
                        judge=lambda landed: _judge(batch, landed, taken, winners, held),
                    ),
                )
        if landed.already:
            # The rival that merged this very staging has emptied it in the same commit.
            raise PublishConflict(f"The batch {batch} was consolidated by somebody else just now.")
        return ConsolidationReport(
            batch=batch,
            status="consolidated" if landed.rows else "repeated",
            load_id=load_id,
            staged=taken,
            rows=landed.rows,
            known=landed.known,
            outdone=taken - winners,
            outdated=landed.outdated,
            workers=_rows_by_worker(waiting),
            partitions=landed.partitions,
            tokens=tokens,
            waiting=sum(fence.rows for fence in self._fences_of(batch)),
        )

    def _take(self, engine: DuckDBPyConnection, waiting: Sequence[Fence], load_id: str) -> tuple[int, int, list[str]]:
        """Make `winning_rows` of the staged rows; return how many were taken, how many win, and for which dates."""
        stagings = [fence.partition for fence in waiting]
        self.warehouse.bring(engine, STAGED_PREDICTIONS, stagings)
        key = ", ".join(quote_identifier(name) for name in _LATEST.key)
        staged = quote_identifier(STAGED_PREDICTIONS.name)
        run(engine, _sql("taken", key=key, staged=staged), {"stagings": stagings})
        taken, winners, dates = run(engine, _sql("counted")).fetchall()[0]
        if taken != sum(fence.rows for fence in waiting):
            # Emptied since we looked; if it was not, the next look finds the same and says so in the end.
            raise PublishConflict(
                f"{taken} rows are staged where {sum(fence.rows for fence in waiting)} should be.",
                hint="Run it again; if it stays so, `gradeonce ledger verify --deep`.",
            )
        at = self.clock.now().astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
        stamps = {
            "load_id": quote_literal(load_id),
            "load_row": "winner",
            "loaded_at": f"CAST({quote_literal(at)} AS TIMESTAMP)",
        }
        columns = ", ".join(
            f"{stamps.get(name, quote_identifier(name))} AS {quote_identifier(name)}"
            for name in PREDICTIONS.column_names
        )
        run(engine, _sql("winners", columns=columns, key=key))
        return taken, winners, list(dates or ())

    def batches(self) -> list[StagedBatch]:
        """Return every batch with rows that nobody has merged yet, by name."""
        by_batch: dict[str, list[Fence]] = {}
        for fence in self.warehouse.all_fences(STAGED_PREDICTIONS):
            if fence.rows:
                by_batch.setdefault(fence.partition.split("/")[0], []).append(fence)
        return [self._batch(batch, fences) for batch, fences in sorted(by_batch.items())]

    def sweep(self, batch: str | None = None, *, apply: bool = False) -> SweepReport:
        """Remove what is staged of orphaned batches, or of the one that is named whatever its age. Nothing is merged.

        Args:
            apply: False only says what would be removed.
        """
        found = [b for b in self.batches() if (b.is_orphan if batch is None else b.batch == batch)]
        if not apply or not found:
            return SweepReport(applied=apply, batches=tuple(found))
        run_id, holder = new_load_id(_SWEEP, self.clock), new_holder("sweep")
        swept = []
        for one in found:
            fences = tuple(fence for fence in self._fences_of(one.batch) if fence.rows)
            entry = EntryDraft(
                "stage_sweep",
                run_id,
                status="swept",
                holder=holder,
                details={"batch": one.batch, "removed": one.rows, "workers": _rows_by_worker(fences)},
            )
            try:
                self.warehouse.empty(Emptied(STAGED_PREDICTIONS, fences, entry), on_step=self.on_step)
            except PublishConflict:
                # A consolidation was faster: its rows stand now, and are not ours to remove.
                continue
            swept.append(one)
        return SweepReport(applied=True, batches=tuple(swept), run_id=run_id if swept else "")

    def _fences_of(self, batch: str) -> list[Fence]:
        prefix = f"{batch}/"
        return [f for f in self.warehouse.all_fences(STAGED_PREDICTIONS) if f.partition.startswith(prefix)]

    def _batch(self, batch: str, fences: Sequence[Fence]) -> StagedBatch:
        last = max(fence.published_at for fence in fences)
        return StagedBatch(
            batch=batch,
            workers=_rows_by_worker(fences),
            writes=len(fences),
            rows=sum(fence.rows for fence in fences),
            first_staged_at=min(fence.published_at for fence in fences),
            last_staged_at=last,
            is_orphan=datetime.fromisoformat(last) < orphaned_before(self.clock, self.settings),
        )


def lease_key(_: Table, partition: str) -> str:
    """Return the key of the lease that guards the consolidation of a date."""
    return f"consolidation/{partition}"


def orphaned_before(clock: Clock, settings: Settings) -> datetime:
    """Return the instant before which a batch must have been written last to count as orphaned."""
    return clock.now().astimezone(UTC) - timedelta(hours=settings.orphan_hours)


def _judge(batch: str, landed: Landed, taken: int, winners: int, held: Held) -> None:
    held.guard()
    if landed.rows + landed.known + landed.outdated != winners:
        raise ValidationFailed(
            f"{winners} rows were to be merged, but {landed.rows} would land, {landed.known} stand already and "
            f"{landed.outdated} are outdated.",
            failures=["reconciles: the rows do not add up"],
            hint="Please report this.",
        )
    if not landed.rows and landed.outdated:
        raise ValidationFailed(
            f"None of the {taken} rows staged for {batch} would be merged: of their {winners} key(s), a later "
            f"prediction stands for {landed.outdated}, the very same one for {landed.known}. The staging is kept.",
            failures=[f"merges_something: 0 of {taken} staged rows"],
            hint=f"If that is right, remove it with `gradeonce stage sweep --batch {batch}`.",
        )


def _content_of(batch: str, waiting: Sequence[Fence]) -> str:
    """Return what makes a consolidation *that* one: the batch and every write it takes, in its version."""
    text = "\n".join(["consolidate", batch, *(f"{fence.partition}@{fence.seq}" for fence in waiting)])
    return hashlib.sha256(text.encode()).hexdigest()


def _rows_by_worker(fences: Sequence[Fence]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for fence in fences:
        worker = fence.partition.split("/")[1]
        rows[worker] = rows.get(worker, 0) + fence.rows
    return rows


def _require_names(**names: str) -> None:
    for what, name in names.items():
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot name a {what}: letters, digits and . _ : - are allowed, a letter or digit first, "
                "100 at most."
            )


def _sql(name: str, **slots: str) -> str:
    return statement(__package__, "staging.sql", name, **slots)
