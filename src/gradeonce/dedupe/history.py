"""What became of a plan, as the ledger tells it: the ledger is written in the same transaction as the rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gradeonce.dedupe.plan import Plan
from gradeonce.model import Fence
from gradeonce.warehouses.base import Warehouse

APPLIED, ROLLED_BACK, DROPPED = "dedupe", "dedupe_rollback", "backup_dropped"
"""Kinds of ledger entries."""

_ENTRIES = """
SELECT number, "at" AS happened_at, kind, run_id, table_name, partition, status, token, seq, rows, content_hash, details
FROM ledger
WHERE number >= (
        SELECT min(number) FROM ledger
        WHERE kind IN ('dedupe', 'dedupe_rollback', 'backup_dropped') AND details LIKE $mark
    )
    AND ((table_name = $table AND seq > 0) OR details LIKE $mark)
ORDER BY number
"""


class PlanState(StrEnum):
    """Where a plan stands."""

    PLANNED = "planned"
    APPLIED = "applied"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Later:
    """A change of a partition that came after the plan was applied or rolled back.

    Attributes:
        partition: Which one.
        kind: Kind of the ledger entry, e.g. grade.
        run_id: What changed it.
        happened_at: When, ISO 8601 UTC.
    """

    partition: str
    kind: str
    run_id: str
    happened_at: str


@dataclass(frozen=True)
class History:
    """What became of a plan.

    Attributes:
        state: Where it stands.
        run_id: The apply or the rollback that brought it there; empty while it is only planned.
        happened_at: When, ISO 8601 UTC.
        fences: Per partition, what that left.
        later: What changed the plan's partitions since, oldest first.
        backup_dropped_at: When the backup was dropped; empty while it was not.
    """

    state: PlanState = PlanState.PLANNED
    run_id: str = ""
    happened_at: str = ""
    fences: Mapping[str, Fence] = field(default_factory=dict)
    later: tuple[Later, ...] = ()
    backup_dropped_at: str = ""


def history_of(warehouse: Warehouse, plan: Plan) -> History:
    """Return what became of a plan."""
    with warehouse.reader() as reader:
        rows = reader.query(_ENTRIES, {"table": plan.table_name, "mark": f'%"plan":"{plan.plan_id}"%'}).dicts()
    names = set(plan.names)
    state, run_id, happened_at, dropped_at = PlanState.PLANNED, "", "", ""
    fences: dict[str, Fence] = {}
    later: list[Later] = []
    for row in rows:
        is_ours = row["kind"] in (APPLIED, ROLLED_BACK, DROPPED) and (
            json.loads(row["details"]).get("plan") == plan.plan_id
        )
        if is_ours and row["kind"] == DROPPED:
            dropped_at = row["happened_at"]
        elif is_ours:
            state = PlanState.APPLIED if row["kind"] == APPLIED else PlanState.ROLLED_BACK
            if row["run_id"] != run_id:
                run_id, happened_at, later, fences = row["run_id"], row["happened_at"], [], {}
            fences[row["partition"]] = Fence(
                row["table_name"],
                row["partition"],
                int(row["token"]),
                int(row["seq"]),
                int(row["rows"]),
                row["content_hash"],
            )
        else:
            touched = [row["partition"]] if row["partition"] else _landed_in(row["details"])
            later += [
                Later(partition, row["kind"], row["run_id"], row["happened_at"])
                for partition in touched
                if partition in names and row["status"] != "unchanged"
            ]
    return History(state, run_id, happened_at, fences, tuple(later), dropped_at)


def _landed_in(details: str) -> list[str]:
    return [part["partition"] for part in json.loads(details).get("partitions", ())]
