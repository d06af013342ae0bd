"""What the judge looks at when everybody is gone: rows, revisions, ledger, what the keepers left, and what verifies."""

from __future__ import annotations

import time

from gradeonce.clock import SystemClock
from gradeonce.config import Settings
from gradeonce.dedupe import Deduper, verify_plan
from gradeonce.dedupe.history import APPLIED, ROLLED_BACK
from gradeonce.dedupe.store import find_plan
from gradeonce.errors import GradeonceError, LedgerBroken, ValidationFailed
from gradeonce.ledger import verify
from gradeonce.schema import REVISIONS, STAGED_PREDICTIONS
from gradeonce.staging import Staging, consolidate, list_batches
from gradeonce.statements import statement
from gradeonce.torture.copies import COPIES, look_at_crates
from gradeonce.torture.history import Recorder
from gradeonce.torture.orders import Orders
from gradeonce.torture.places import Place
from gradeonce.torture.reader import see_batches, see_crates
from gradeonce.torture.shelves import TABLE, look
from gradeonce.warehouses.base import Warehouse


def look_at_the_end(place: Place, orders: Orders, history: Recorder) -> None:
    """Record all of it. Batches are consolidated once more first, so that nothing waits."""
    warehouse = place.warehouse(SystemClock(), fenced=True)
    try:
        if orders.keepers:
            _consolidate_what_waits(warehouse, history)
        _tell_the_ledger(warehouse, history)
        shelves = [fence.partition for fence in warehouse.all_fences(TABLE)]
        began = time.monotonic()
        history.record("stands", began=round(began, 6), asked=shelves, shelves=look(warehouse, shelves))
        with warehouse.reader({REVISIONS.name: None}) as reader:
            for row in reader.query(statement(__package__, "torture.sql", "revisions")).dicts():
                history.record("revised", shelf=row.pop("partition"), run=row.pop("run_id"), **row)
        if orders.keepers:
            _judge_the_copies(warehouse, history)
        history.record("verified", findings=_findings(warehouse))
    finally:
        warehouse.close()


def _tell_the_ledger(warehouse: Warehouse, history: Recorder) -> None:
    for entry in warehouse.entries():
        draft = entry.draft
        if draft.table == TABLE.name:
            history.record(
                "ledger",
                number=entry.number,
                run=draft.run_id,
                shelf=draft.partition,
                status=draft.status,
                token=draft.token,
                seq=draft.seq,
                rows=draft.rows,
                hash=draft.content_hash,
            )
        elif draft.table == COPIES.name:
            history.record(
                "copies_ledger",
                number=entry.number,
                entry=draft.kind,
                run=draft.run_id,
                crate=draft.partition,
                plan=draft.details.get("plan", ""),
                token=draft.token,
                seq=draft.seq,
                rows=draft.rows,
            )
        elif draft.kind == "consolidate" and draft.status == "merged":
            history.record(
                "batch_ledger",
                number=entry.number,
                run=draft.run_id,
                batch=draft.details["batch"],
                token=draft.token,
            )


def _consolidate_what_waits(warehouse: Warehouse, history: Recorder) -> None:
    staging = Staging(warehouse, Settings(), None, SystemClock())
    waiting = [batch.batch for batch in list_batches(staging)]
    for batch in waiting:
        try:
            consolidate(staging, batch)
        except ValidationFailed as error:
            # All that waits is outdated: it is kept, for whoever staged it to see.
            history.record("kept", batch=batch, error=error.message)
    every = {fence.partition.split("/")[0] for fence in warehouse.all_fences(STAGED_PREDICTIONS)}
    see_batches(warehouse, sorted(every), history, is_last=True)


def _judge_the_copies(warehouse: Warehouse, history: Recorder) -> None:
    """Look at every crate and at every backup, and let `dedupe verify` judge every plan that was carried out."""
    see_crates(warehouse, [fence.partition for fence in warehouse.all_fences(COPIES)], history)
    deduper = Deduper(warehouse, Settings(), None, SystemClock())
    carried_out = {
        entry.draft.details["plan"]: None
        for entry in warehouse.entries()
        if entry.draft.kind in (APPLIED, ROLLED_BACK) and entry.draft.table == COPIES.name
    }
    for plan_id in carried_out:
        plan = find_plan(warehouse, plan_id)
        for crate, seen in look_at_crates(warehouse, plan.names, table=plan.backup).items():
            history.record("backup", plan=plan_id, crate=crate, **seen)
        found = verify_plan(deduper, plan_id)
        # Copies that stand because the crate was filled again are not the plan's; the looks at the crate judge those.
        judged = [f for f in found.findings if f.name != "duplicates" or not found.history.later]
        findings = [finding.text for finding in judged if not finding.passed]
        history.record("plan_verified", plan=plan_id, crate=", ".join(plan.names), findings=findings)
    history.record("deduplication_judged")


def _findings(warehouse: Warehouse) -> list[str]:
    try:
        verify(warehouse, deep=True)
    except LedgerBroken as error:
        return list(error.findings)
    except GradeonceError as error:
        return [error.message]
    return []
