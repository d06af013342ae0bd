"""What waits in staging, and removing what nobody came for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gradeonce.errors import PublishConflict
from gradeonce.leases import new_holder
from gradeonce.model import EntryDraft, Fence
from gradeonce.run_id import new_run_id
from gradeonce.schema import STAGED_PREDICTIONS
from gradeonce.staging.reports import StagedBatch, SweepReport
from gradeonce.staging.stagings import Letter, Staging, batch_of, rows_by_worker
from gradeonce.warehouses.landing_terms import Emptied


def list_batches(staging: Staging) -> list[StagedBatch]:
    """Return every batch with rows that nobody has merged yet, by name."""
    return [_batch(staging, batch, fences) for batch, fences in _waiting(staging).items()]


def sweep(staging: Staging, batch: str | None = None, *, apply: bool = False) -> SweepReport:
    """Remove what is staged of orphaned batches, or of the one that is named whatever its age. Nothing is merged.

    Args:
        apply: False only says what would be removed.
    """
    waiting = _waiting(staging)
    found = [_batch(staging, name, fences) for name, fences in waiting.items()]
    found = [one for one in found if (one.is_orphan if batch is None else one.batch == batch)]
    if not apply or not found:
        return SweepReport(applied=apply, batches=tuple(found))
    run_id, holder = new_run_id(Letter.SWEEP, staging.clock.now()), new_holder("sweep")
    swept = []
    for one in found:
        # The writes that were looked at, and no other: what a worker adds now makes the batch no orphan.
        fences = tuple(waiting[one.batch])
        entry = EntryDraft(
            "stage_sweep",
            run_id,
            status="swept",
            holder=holder,
            details={"batch": one.batch, "removed": one.rows, "workers": rows_by_worker(fences)},
        )
        try:
            staging.warehouse.empty(Emptied(STAGED_PREDICTIONS, fences, entry), on_step=staging.on_step)
        except PublishConflict:
            # A consolidation was faster: its rows stand now, and are not ours to remove.
            continue
        swept.append(one)
    return SweepReport(applied=True, batches=tuple(swept), run_id=run_id if swept else "")


def _waiting(staging: Staging) -> dict[str, list[Fence]]:
    """Return the writes that hold rows, by batch."""
    by_batch: dict[str, list[Fence]] = {}
    for fence in staging.warehouse.all_fences(STAGED_PREDICTIONS):
        if fence.rows:
            by_batch.setdefault(batch_of(fence), []).append(fence)
    return dict(sorted(by_batch.items()))


def _batch(staging: Staging, batch: str, fences: Sequence[Fence]) -> StagedBatch:
    last = max(fence.published_at for fence in fences)
    orphaned_before = staging.clock.now().astimezone(UTC) - timedelta(hours=staging.settings.orphan_hours)
    return StagedBatch(
        batch=batch,
        workers=rows_by_worker(fences),
        writes=len(fences),
        rows=sum(fence.rows for fence in fences),
        first_staged_at=min(fence.published_at for fence in fences),
        last_staged_at=last,
        is_orphan=datetime.fromisoformat(last) < orphaned_before,
    )
