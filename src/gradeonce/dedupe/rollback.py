"""Taking a deduplication back: the rows stand again exactly as they stood, whatever came in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gradeonce.dedupe.beside import restore_beside
from gradeonce.dedupe.deduper import Deduper
from gradeonce.dedupe.history import ROLLED_BACK, Later, PlanState, history_of
from gradeonce.dedupe.plan import Plan, by_partition
from gradeonce.dedupe.store import find_plan
from gradeonce.errors import RefusedForSafety, ValidationFailed
from gradeonce.model import Copies, Query
from gradeonce.publish import Judgement, Published, publish
from gradeonce.warehouses.base import Stage

REASON = "rolled_back"
"""Why a row came or went, in the revisions."""


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did or, as a dry run, would do.

    Attributes:
        plan: What is taken back.
        is_dry_run: Whether nothing was changed.
        run_id: The run, in ledger and revisions.
        rows_restored: Rows that come back.
        rows_undone: Rows that go: written since by others, and not among those that stood before.
        later: What changed the plan's partitions since it was applied; it is undone.
        table_rows: Rows that stand in the whole table afterwards.
        backup: Table that the rows come from.
    """

    plan: Plan
    is_dry_run: bool
    run_id: str
    rows_restored: int
    rows_undone: int
    later: tuple[Later, ...]
    table_rows: int
    backup: str


def roll_back(
    deduper: Deduper, plan_id: str, *, dry_run: bool = False, wait_seconds: float | None = None
) -> RolledBack:
    """Bring the rows back as they stood before the plan was applied.

    Args:
        dry_run: Only say what would come back, and what would be undone.

    Raises:
        RefusedForSafety: If the plan is not applied, or its backup is gone. Nothing was changed.
        ValidationFailed: If the backup does not hold the rows that stood. Nothing was changed.
        LeaseHeld, LeaseLost, PublishConflict, WarehouseError: See `publish`.
    """
    plan = find_plan(deduper.warehouse, plan_id)
    _require_applied(deduper, plan)
    if plan.beside:
        restored, run_id = restore_beside(deduper, plan, dry_run=dry_run)
        return RolledBack(plan, dry_run, run_id, restored.restored, restored.undone, (), restored.rows, plan.backup)
    if dry_run:
        return _published(deduper, plan, None, None, dry_run=True)
    with deduper.hold(plan, wait_seconds) as held:
        _require_applied(deduper, plan)
        return _published(deduper, plan, held.tokens, held.guard, dry_run=False)


def _require_applied(deduper: Deduper, plan: Plan) -> None:
    history = history_of(deduper.warehouse, plan)
    if history.backup_dropped_at:
        raise RefusedForSafety(
            f"The backup of the plan {plan.plan_id} was dropped at {history.backup_dropped_at}.",
            hint="What was removed is still told by `gradeonce revisions`.",
        )
    if history.state is PlanState.ROLLED_BACK:
        raise RefusedForSafety(
            f"The plan {plan.plan_id} was rolled back already, at {history.happened_at}.",
            hint=f"Apply it again with `gradeonce dedupe apply {plan.plan_id}`.",
        )
    if history.state is not PlanState.APPLIED:
        raise RefusedForSafety(f"The plan {plan.plan_id} was never applied.", hint="There is nothing to take back.")


def _published(
    deduper: Deduper,
    plan: Plan,
    tokens: Mapping[str, int] | None,
    guard: Callable[[], None] | None,
    *,
    dry_run: bool,
) -> RolledBack:
    choice, names = plan.choice, plan.names
    history = history_of(deduper.warehouse, plan)
    backup = choice.backup(plan.plan_id)
    run_id = deduper.new_run_id("r")
    published = publish(
        deduper.warehouse,
        choice.table,
        Query(choice.standing(names, table=backup), inputs={backup.name: tuple(names)}),
        names,
        run_id=run_id,
        tokens=tokens,
        holder=deduper.holder,
        kind=ROLLED_BACK,
        derived=deduper.following(choice.table),
        judge=lambda stage: _judge(stage, plan),
        reason_sql=f"'{REASON}'",
        copies=Copies.ALLOWED,
        guard=guard,
        dry_run=(lambda stage, replaced, compared: None) if dry_run else None,
        clock=deduper.clock,
        on_step=deduper.on_step,
    )
    return _told(deduper, plan, published, history.later, run_id, dry_run=dry_run)


def _judge(stage: Stage, plan: Plan) -> dict[str, Judgement]:
    restored = by_partition(stage.facts_of(plan.choice.whole, "staged"))
    failures = []
    for planned in plan.partitions:
        found = restored.get(planned.partition)
        if found is None or (found.rows, found.content_hash) != (planned.rows, planned.rows_hash):
            failures.append(
                f"{planned.partition}: {found.rows if found else 0} rows that are not the {planned.rows} that stood"
            )
    if failures:
        raise ValidationFailed(
            f"The backup {plan.backup} is not whole: {'; '.join(failures)}.",
            failures=failures,
            hint=f"Look closer with `gradeonce dedupe verify {plan.plan_id}`.",
        )
    return {
        planned.partition: Judgement(
            {"plan": plan.plan_id, "backup": plan.backup, **({"adopted": True} if planned.is_adopted else {})}
        )
        for planned in plan.partitions
    }


def _told(
    deduper: Deduper,
    plan: Plan,
    published: Mapping[str, Published],
    later: tuple[Later, ...],
    run_id: str,
    *,
    dry_run: bool,
) -> RolledBack:
    standing = {fence.partition: fence.rows for fence in deduper.warehouse.all_fences(plan.choice.table)}
    standing.update({partition: result.rows for partition, result in published.items()})
    return RolledBack(
        plan=plan,
        is_dry_run=dry_run,
        run_id="" if dry_run else run_id,
        rows_restored=sum(result.revised.added for result in published.values()),
        rows_undone=sum(result.revised.removed for result in published.values()),
        later=later,
        table_rows=sum(standing.values()),
        backup=plan.backup,
    )
