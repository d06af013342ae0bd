"""Applying a plan: backup, removal, aggregates and ledger in one commit, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gradeonce.dedupe.beside import remove_beside, rows_beside
from gradeonce.dedupe.deduper import Deduper
from gradeonce.dedupe.history import APPLIED, History, PlanState, history_of
from gradeonce.dedupe.plan import Plan, by_partition
from gradeonce.dedupe.store import find_plan
from gradeonce.errors import RefusedForSafety, ValidationFailed
from gradeonce.model import Copies, Fence, Query
from gradeonce.publish import Derived, Judgement, publish
from gradeonce.warehouses.base import Stage, staged_relation

REASON = "duplicate_removed"
"""Why a row went, in the revisions."""


class ApplyStatus(StrEnum):
    """What became of an apply."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"


@dataclass(frozen=True)
class Applied:
    """What an apply did.

    Attributes:
        plan: What was applied.
        status: applied, or already_applied (it stands; nothing was done now).
        run_id: The run that removed the rows, in ledger and revisions.
        rows_deleted: How many went.
        rows_kept: Rows that stand in the plan's partitions afterwards.
        table_rows: Rows that stand in the whole table afterwards.
        backup: Table with the rows as they stood.
    """

    plan: Plan
    status: ApplyStatus
    run_id: str
    rows_deleted: int
    rows_kept: int
    table_rows: int
    backup: str


def apply_plan(deduper: Deduper, plan_id: str, *, wait_seconds: float | None = None) -> Applied:
    """Do what the plan showed, all of it or nothing.

    Raises:
        RefusedForSafety: If a partition has moved since it was looked at. Nothing was changed.
        ValidationFailed: If what would stand is not what was planned. Nothing was changed.
        LeaseHeld, LeaseLost, PublishConflict, WarehouseError: See `publish`.
    """
    plan = find_plan(deduper.warehouse, plan_id)
    history = history_of(deduper.warehouse, plan)
    if history.state is PlanState.APPLIED:
        return _applied(deduper, plan, ApplyStatus.ALREADY_APPLIED, history.run_id)
    if plan.beside:
        return _applied_beside(deduper, plan)
    with deduper.hold(plan, wait_seconds) as held:
        # Asked again: somebody else may have applied it while we waited.
        history = history_of(deduper.warehouse, plan)
        if history.state is PlanState.APPLIED:
            return _applied(deduper, plan, ApplyStatus.ALREADY_APPLIED, history.run_id)
        choice, names, run_id = plan.choice, plan.names, deduper.new_run_id("d")
        try:
            publish(
                deduper.warehouse,
                choice.table,
                Query(choice.kept(names), inputs={choice.table.name: tuple(names)}),
                names,
                run_id=run_id,
                tokens=held.tokens,
                holder=deduper.holder,
                kind=APPLIED,
                derived=[_backup(plan), *deduper.following(choice.table)],
                judge=lambda stage: _judge(stage, plan),
                reason_sql=f"'{REASON}'",
                copies=Copies.REMOVED,
                expected=_expected(plan, history),
                guard=held.guard,
                clock=deduper.clock,
                on_step=deduper.on_step,
            )
        except RefusedForSafety as error:
            raise RefusedForSafety(
                f"The plan {plan_id} no longer fits. {error.message}", hint="Make a new one: gradeonce dedupe plan"
            ) from error
    return _applied(deduper, plan, ApplyStatus.APPLIED, run_id)


def _applied_beside(deduper: Deduper, plan: Plan) -> Applied:
    try:
        rows = remove_beside(deduper, plan)
    except RefusedForSafety as error:
        # Asked again: somebody else may have applied it while we waited for the table.
        history = history_of(deduper.warehouse, plan)
        if history.state is PlanState.APPLIED:
            return _applied(deduper, plan, ApplyStatus.ALREADY_APPLIED, history.run_id)
        raise RefusedForSafety(
            f"The plan {plan.plan_id} no longer fits. {error.message}", hint="Make a new one: gradeonce dedupe plan"
        ) from error
    run_id = history_of(deduper.warehouse, plan).run_id
    return Applied(plan, ApplyStatus.APPLIED, run_id, plan.rows_deleted, rows, rows, plan.backup)


def _expected(plan: Plan, history: History) -> Mapping[str, Fence]:
    # After a rollback the very rows that were looked at stand again, one version further on.
    if history.state is PlanState.ROLLED_BACK:
        return history.fences
    return {planned.partition: planned.fence for planned in plan.partitions}


def _backup(plan: Plan) -> Derived:
    return Derived(plan.choice.backup(plan.plan_id), plan.choice.standing(plan.names))


def _judge(stage: Stage, plan: Plan) -> dict[str, Judgement]:
    """Hold what is staged against the plan, before the commit.

    Raises:
        ValidationFailed: If it is anything else.
    """
    choice, names = plan.choice, plan.names
    standing = by_partition(stage.facts_of(choice.whole, f"({choice.standing(names)})"))
    saved = by_partition(stage.facts_of(choice.whole, staged_relation(choice.backup(plan.plan_id))))
    kept = by_partition(stage.facts_of(choice.whole, "staged"))
    failures = []
    for planned in plan.partitions:
        for what, facts, rows, digest in (
            ("as it stands", standing, planned.rows, planned.rows_hash),
            ("in the backup", saved, planned.rows, planned.rows_hash),
            ("without copies", kept, planned.kept_rows, planned.kept_hash),
        ):
            found = facts.get(planned.partition)
            if found is None or (found.rows, found.content_hash) != (rows, digest):
                failures.append(
                    f"{planned.partition} {what}: {found.rows if found else 0} rows that are not the {rows} planned"
                )
    drift = stage.query(choice.key_drift(choice.standing(names), "staged")).rows[0][0]
    if drift:
        failures.append(f"{drift} keys would appear or disappear")
    if failures:
        raise ValidationFailed(
            f"What would stand is not what the plan {plan.plan_id} showed: {'; '.join(failures)}.",
            failures=failures,
            hint="Make a new one: gradeonce dedupe plan",
        )
    return {
        planned.partition: Judgement(
            {
                "plan": plan.plan_id,
                "deleted": planned.rows_deleted,
                "backup": plan.backup,
                **({"adopted": True} if planned.is_adopted else {}),
            }
        )
        for planned in plan.partitions
    }


def _applied(deduper: Deduper, plan: Plan, status: ApplyStatus, run_id: str) -> Applied:
    if plan.beside:
        rows = rows_beside(deduper, plan).rows
        return Applied(plan, status, run_id, 0, rows, rows, plan.backup)
    fences = deduper.warehouse.all_fences(plan.choice.table)
    return Applied(
        plan=plan,
        status=status,
        run_id=run_id,
        rows_deleted=plan.rows_deleted if status is ApplyStatus.APPLIED else 0,
        rows_kept=sum(fence.rows for fence in fences if fence.partition in set(plan.names)),
        table_rows=sum(fence.rows for fence in fences),
        backup=plan.backup,
    )
