"""Backups: which there are, how old, how large, and whether they are whole; the old ones go when told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gradeonce.dedupe.beside import drop_beside
from gradeonce.dedupe.deduper import Deduper
from gradeonce.dedupe.history import DROPPED, PlanState, history_of
from gradeonce.dedupe.plan import Plan
from gradeonce.dedupe.store import all_plans, find_plan
from gradeonce.dedupe.verify import verify_plan
from gradeonce.errors import RefusedForSafety, WarehouseError
from gradeonce.model import Copies, Query
from gradeonce.publish import Judgement, publish
from gradeonce.schema import Table


@dataclass(frozen=True)
class Backup:
    """One backup.

    Attributes:
        name: Table that holds the rows.
        plan_id: The plan whose apply made it.
        table: Table the rows stood in.
        state: applied or rolled_back: what became of the plan.
        made_at: When, ISO 8601 UTC.
        age_days: How old it is, in days.
        expires_in_days: Days until it may be dropped; 0 or less: now.
        rows: Rows in it.
        bytes: What it takes up.
        verified: Whether everything about the plan is as it should be.
        problem: What is not; empty if nothing.
    """

    name: str
    plan_id: str
    table: str
    state: PlanState
    made_at: str
    age_days: float
    expires_in_days: float
    rows: int
    bytes: int
    verified: bool
    problem: str


@dataclass(frozen=True)
class Dropped:
    """What dropping old backups did or, as a dry run, would do.

    Attributes:
        dropped: Those that went.
        kept: Those that are old enough but stay, because something about their plan is not as it should be.
        is_dry_run: Whether nothing was changed.
    """

    dropped: tuple[Backup, ...]
    kept: tuple[Backup, ...]
    is_dry_run: bool


def list_backups(deduper: Deduper) -> list[Backup]:
    """Return every backup that is there, oldest first."""
    now = deduper.clock.now().astimezone(UTC)
    known = {table.name: table for table in deduper.warehouse.tables()}
    found = []
    for plan in all_plans(deduper.warehouse):
        history = history_of(deduper.warehouse, plan)
        if history.state is PlanState.PLANNED or history.backup_dropped_at or not _size(deduper, plan, known):
            continue
        verified = verify_plan(deduper, plan.plan_id)
        made_at = datetime.fromisoformat(_made_at(deduper, known.get(plan.backup)) or history.happened_at)
        age = (now - made_at).total_seconds() / 86400
        found.append(
            Backup(
                name=plan.backup,
                plan_id=plan.plan_id,
                table=plan.table_name,
                state=history.state,
                made_at=made_at.isoformat(timespec="seconds"),
                age_days=round(age, 3),
                expires_in_days=round(deduper.settings.backup_days - age, 3),
                rows=sum(
                    sum(copies * keys for copies, keys in planned.keys.items()) if plan.beside else planned.rows
                    for planned in plan.partitions
                ),
                bytes=_size(deduper, plan, known),
                verified=verified.passed,
                problem="; ".join(finding.text for finding in verified.findings if not finding.passed),
            )
        )
    return found


def _size(deduper: Deduper, plan: Plan, known: Mapping[str, Table]) -> int:
    if plan.beside:
        found = deduper.warehouse.beside().backup(plan.backup)
        return found[2] if found else 0
    return deduper.warehouse.size_bytes(known[plan.backup]) if plan.backup in known else 0


def _made_at(deduper: Deduper, table: Table | None) -> str:
    fences = deduper.warehouse.all_fences(table) if table else []
    return min((fence.published_at for fence in fences if fence.rows), default="")


def drop_expired(deduper: Deduper, *, dry_run: bool = True) -> Dropped:
    """Drop the backups that are older than the setting and whose plan verifies; each in a step of its own.

    Raises:
        PublishConflict, WarehouseError: See `publish`. The backup in hand stays.
    """
    old = [backup for backup in list_backups(deduper) if backup.expires_in_days <= 0]
    going = tuple(backup for backup in old if backup.verified)
    if not dry_run:
        for backup in going:
            _drop(deduper, backup)
        _forget_dropped(deduper)
    return Dropped(going, tuple(backup for backup in old if not backup.verified), dry_run)


def _drop(deduper: Deduper, backup: Backup) -> None:
    plan = find_plan(deduper.warehouse, backup.plan_id)
    try:
        if plan.beside:
            drop_beside(deduper, plan)
        else:
            _empty(deduper, backup)
    except (RefusedForSafety, WarehouseError):
        # Somebody else may have dropped it since we looked.
        if not history_of(deduper.warehouse, plan).backup_dropped_at:
            raise


def _empty(deduper: Deduper, backup: Backup) -> None:
    table = next((table for table in deduper.warehouse.tables() if table.name == backup.name), None)
    if table is None:
        raise RefusedForSafety(f"There is no backup {backup.name} any more.")
    fences = {fence.partition: fence for fence in deduper.warehouse.all_fences(table)}
    columns = ", ".join(f'"{name}"' for name in table.column_names)
    publish(
        deduper.warehouse,
        table,
        Query(f'SELECT {columns} FROM "{table.name}" WHERE false', inputs={table.name: ()}),
        list(fences),
        run_id=deduper.new_run_id("x"),
        holder=deduper.holder,
        kind=DROPPED,
        judge=lambda stage: {
            partition: Judgement({"plan": backup.plan_id, "backup": backup.name}) for partition in fences
        },
        copies=Copies.REMOVED,
        expected=fences,
        clock=deduper.clock,
        on_step=deduper.on_step,
    )


def _forget_dropped(deduper: Deduper) -> None:
    # Also those of somebody who died between emptying a backup and this.
    known = {table.name: table for table in deduper.warehouse.tables()}
    for plan in all_plans(deduper.warehouse):
        if plan.backup in known and history_of(deduper.warehouse, plan).backup_dropped_at:
            deduper.warehouse.forget(known[plan.backup])
