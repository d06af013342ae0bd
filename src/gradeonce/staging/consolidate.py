"""Consolidating a batch: the latest of each key lands and the staging is emptied, in one commit, under leases."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from gradeonce.errors import PublishConflict, UsageError, ValidationFailed
from gradeonce.leases import new_holder
from gradeonce.model import EntryDraft, Fence
from gradeonce.partition_leases import Held, hold_partitions
from gradeonce.publish import ATTEMPTS
from gradeonce.run_id import new_run_id
from gradeonce.schema import ACCURACY, PREDICTIONS, STAGED_PREDICTIONS, Table
from gradeonce.staging.reports import ConsolidationReport
from gradeonce.staging.stagings import Letter, Staging, require_names, rows_by_worker
from gradeonce.statements import quote_identifier, quote_literal, statement
from gradeonce.warehouses.engine import run
from gradeonce.warehouses.landing_terms import Emptied, Landed, Latest, Terms

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# As grading ranks rivals (rules/select.sql).
_LATEST = Latest(key=ACCURACY.key, order=("created_at", "prediction_id"))


@dataclass(frozen=True)
class _Taken:
    """What a consolidation has in view: whole writes, and what of them is to be merged (`winning_rows`)."""

    batch: str
    load_id: str
    writes: tuple[Fence, ...]
    rows: int
    winners: int
    dates: tuple[str, ...]

    @property
    def content_id(self) -> str:
        """What makes a consolidation *that* one: the batch and every write it takes, in its version."""
        text = "\n".join(["consolidate", self.batch, *(f"{fence.partition}@{fence.seq}" for fence in self.writes)])
        return hashlib.sha256(text.encode()).hexdigest()


def consolidate(staging: Staging, batch: str, *, wait_seconds: float | None = None) -> ConsolidationReport:
    """Merge all that is staged of a batch into the predictions: all of it or, when it raises, nothing.

    Raises:
        UsageError: If nothing was ever staged under that name.
        ValidationFailed: If no staged row would be merged although rows are staged that do not stand yet.
        LeaseHeld: If somebody else holds the lease of one of the dates.
        LeaseLost: If ours was taken over; nothing was merged, and the staging is kept.
        PublishConflict: If others were faster every time; nothing was merged, and the staging is kept.
    """
    require_names(batch=batch)
    holder = new_holder("consolidate")
    for attempt in range(1, ATTEMPTS + 1):
        seen = staging.fences_of(batch)
        if not seen:
            raise UsageError(
                f"There is no batch {batch!r}: nothing was ever staged under that name.",
                hint="`gradeonce stage list` shows what is waiting.",
            )
        waiting = tuple(fence for fence in seen if fence.rows)
        if not waiting:
            merged = [fence.version for fence in seen if fence.version.startswith(Letter.CONSOLIDATION)]
            status = "already_consolidated" if merged else "nothing_staged"
            return ConsolidationReport(batch, status, max(merged, default=""))
        try:
            report = _consolidate(staging, batch, waiting, holder, wait_seconds)
        except PublishConflict:
            # Another consolidation, or a sweep, has taken what we saw: whatever is left is seen afresh.
            if attempt == ATTEMPTS:
                raise
            continue
        staging.on_step("consolidate.released")
        return report
    raise AssertionError("unreachable")


def _consolidate(
    staging: Staging, batch: str, waiting: Sequence[Fence], holder: str, wait_seconds: float | None
) -> ConsolidationReport:
    with staging.warehouse.engine() as engine:
        taken = _take(staging, engine, batch, waiting)
        staging.on_step("consolidate.read")
        with hold_partitions(
            staging.warehouse,
            staging.leases,
            staging.settings,
            staging.clock,
            PREDICTIONS,
            taken.dates,
            holder=holder,
            wait_seconds=wait_seconds,
            key=lease_key,
        ) as held:
            staging.on_step("consolidate.leased")
            try:
                landed = _merge(staging, engine, taken, held, holder)
            except PublishConflict:
                # Whoever was faster may be our successor: then we are too late, and not merely to look again.
                held.guard()
                raise
    return ConsolidationReport(
        batch=batch,
        status="consolidated" if landed.rows else "repeated",
        load_id=taken.load_id,
        staged=taken.rows,
        rows=landed.rows,
        known=landed.known,
        outdone=taken.rows - taken.winners,
        outdated=landed.outdated,
        workers=rows_by_worker(waiting),
        partitions=landed.partitions,
        tokens=dict(held.tokens or {}),
        waiting=sum(fence.rows for fence in staging.fences_of(batch)),
    )


def _take(staging: Staging, engine: DuckDBPyConnection, batch: str, waiting: Sequence[Fence]) -> _Taken:
    """Make `winning_rows` of the staged rows."""
    stagings = [fence.partition for fence in waiting]
    staging.warehouse.bring(engine, STAGED_PREDICTIONS, stagings)
    key = ", ".join(quote_identifier(name) for name in _LATEST.key)
    run(engine, _sql("taken", key=key, staged=quote_identifier(STAGED_PREDICTIONS.name)), {"stagings": stagings})
    rows, winners, dates = run(engine, _sql("counted")).fetchall()[0]
    expected = sum(fence.rows for fence in waiting)
    if rows != expected:
        # Emptied since we looked; if it was not, the next look finds the same and says so in the end.
        raise PublishConflict(
            f"{rows} rows are staged where {expected} should be.",
            hint="Run it again; if it stays so, `gradeonce ledger verify --deep`.",
        )
    load_id = new_run_id(Letter.CONSOLIDATION, staging.clock.now())
    at = staging.clock.now().astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    stamps = {
        "load_id": quote_literal(load_id),
        "load_row": "winner",
        "loaded_at": f"CAST({quote_literal(at)} AS TIMESTAMP)",
    }
    columns = ", ".join(
        f"{stamps.get(name, quote_identifier(name))} AS {quote_identifier(name)}" for name in PREDICTIONS.column_names
    )
    run(engine, _sql("winners", columns=columns, key=key))
    return _Taken(batch, load_id, tuple(waiting), rows, winners, tuple(dates))


def _merge(staging: Staging, engine: DuckDBPyConnection, taken: _Taken, held: Held, holder: str) -> Landed:
    details = {
        "batch": taken.batch,
        "staged": taken.rows,
        "outdone": taken.rows - taken.winners,
        "workers": rows_by_worker(taken.writes),
    }
    entry = EntryDraft(
        kind="consolidate",
        run_id=taken.load_id,
        status="merged",
        token=max((held.tokens or {}).values(), default=0),
        holder=holder,
        details=details,
    )
    emptied = EntryDraft("consolidate", taken.load_id, status="emptied", holder=holder, details={"batch": taken.batch})

    def judge(landed: Landed) -> None:
        held.guard()
        _refuse_nothing(taken, landed)

    landed = staging.warehouse.land(
        engine,
        {"rows": (PREDICTIONS, "winning_rows")},
        entry,
        content_id=taken.content_id,
        on_step=staging.on_step,
        terms=Terms(held.tokens, _LATEST, Emptied(STAGED_PREDICTIONS, taken.writes, emptied), judge),
    )
    if landed.already:
        # The rival that merged this very staging has emptied it in the same commit.
        raise PublishConflict(f"The batch {taken.batch} was consolidated by somebody else just now.")
    return landed


def _refuse_nothing(taken: _Taken, landed: Landed) -> None:
    """Raise if a batch would vanish without a trace: nothing of it lands, and not all of it stands already."""
    if not landed.rows and landed.outdated:
        raise ValidationFailed(
            f"None of the {taken.rows} rows staged for {taken.batch} would be merged: of their {taken.winners} key(s), "
            f"a later prediction stands for {landed.outdated}, the very same one for {landed.known}. "
            "The staging is kept.",
            failures=[f"merges_something: 0 of {taken.rows} staged rows"],
            hint=f"If that is right, remove it with `gradeonce stage sweep --batch {taken.batch}`.",
        )


def lease_key(_: Table, partition: str) -> str:
    """Return the key of the lease that guards the consolidation of a date."""
    return f"consolidation/{partition}"


def _sql(name: str, **slots: str) -> str:
    return statement(__package__, "staging.sql", name, **slots)
