"""Plans where the book keeps them: written once, never changed. What became of a plan is in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from gradeonce.chain import canonical_json
from gradeonce.dedupe.choice import Choice, Keep
from gradeonce.dedupe.plan import Plan, PlannedPartition, SampleKey
from gradeonce.errors import UsageError
from gradeonce.model import Fence
from gradeonce.schema import DEDUPE_PLANS, Column, ColumnType, Table
from gradeonce.warehouses.base import Warehouse


def keep_plan(warehouse: Warehouse, plan: Plan) -> None:
    """Remember a plan under its name."""
    row = {
        "plan_id": plan.plan_id,
        "table_name": plan.table_name,
        "made_at": datetime.fromisoformat(plan.made_at).astimezone(UTC).replace(tzinfo=None),
        "partitions": len(plan.partitions),
        "keys": sum(plan.keys.values()),
        "rows_deleted": plan.rows_deleted,
        "backup": plan.backup,
        "plan_json": canonical_json(_document(plan)),
    }
    warehouse.keep(DEDUPE_PLANS, [row], replace=False)


def find_plan(warehouse: Warehouse, plan_id: str) -> Plan:
    """Return a plan.

    Raises:
        UsageError: If there is none of that name; it names the last ones.
    """
    plans = {row["plan_id"]: row["plan_json"] for row in warehouse.kept(DEDUPE_PLANS).dicts()}
    if plan_id not in plans:
        last = ", ".join(sorted(plans)[-3:])
        raise UsageError(
            f"There is no plan {plan_id!r}.",
            hint=f"The last ones: {last}." if last else "Make one with `gradeonce dedupe plan`.",
        )
    return _plan(json.loads(plans[plan_id]))


def all_plans(warehouse: Warehouse) -> list[Plan]:
    """Return every plan that was ever made, oldest first."""
    return [_plan(json.loads(row["plan_json"])) for row in warehouse.kept(DEDUPE_PLANS).dicts()]


def _document(plan: Plan) -> dict[str, Any]:
    table = plan.choice.table
    return {
        "plan_id": plan.plan_id,
        "made_at": plan.made_at,
        "table": {
            "name": table.name,
            "partition": table.partition,
            "key": table.key,
            "stamps": table.stamps,
            "indexed": table.indexed,
            "version_of": table.version_of,
            "columns": [[c.name, c.type.value, c.required] for c in table.columns],
        },
        "key": plan.choice.key,
        "keep": plan.choice.keep.value,
        "by": plan.choice.by,
        "partitions": [
            {**asdict(planned), "keys": [list(pair) for pair in planned.keys.items()]} for planned in plan.partitions
        ],
        "differing_columns": dict(plan.differing_columns),
        "samples": [asdict(sample) for sample in plan.samples],
        "backup": plan.backup,
        "beside": plan.beside,
    }


def _plan(raw: Mapping[str, Any]) -> Plan:
    table = raw["table"]
    choice = Choice(
        Table(
            name=table["name"],
            partition=table["partition"],
            key=tuple(table["key"]),
            stamps=tuple(table["stamps"]),
            indexed=tuple(table["indexed"]),
            version_of=tuple(table["version_of"]),
            columns=tuple(Column(name, ColumnType(kind), required) for name, kind, required in table["columns"]),
        ),
        tuple(raw["key"]),
        Keep(raw["keep"]),
        raw["by"],
    )
    return Plan(
        plan_id=raw["plan_id"],
        choice=choice,
        made_at=raw["made_at"],
        partitions=tuple(
            PlannedPartition(**{**one, "fence": Fence(**one["fence"]), "keys": dict(one["keys"])})
            for one in raw["partitions"]
        ),
        differing_columns=raw["differing_columns"],
        samples=tuple(SampleKey(**{**one, "removed_by": tuple(one["removed_by"])}) for one in raw["samples"]),
        backup=raw["backup"],
        beside=raw.get("beside", ""),
    )
