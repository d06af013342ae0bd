"""Writing to staging: files are read and checked as a load does, and lie where only their worker has been."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradeonce.leases import new_holder
from gradeonce.load import (
    LoadOptions,
    content_of,
    entry_details,
    read_and_check,
    stamp,
    stamp_quarantine,
)
from gradeonce.model import EntryDraft
from gradeonce.run_id import new_run_id
from gradeonce.schema import STAGED_PREDICTIONS
from gradeonce.staging.reports import StageReport
from gradeonce.staging.stagings import Letter, Staging, require_names, staging_of


def write(staging: Staging, files: Sequence[Path], *, batch: str, worker: str, options: LoadOptions) -> StageReport:
    """Check files of predictions and put their rows into a staging of the worker's own: all of them or none.

    Raises:
        InputError: If a row breaks the contract; nothing was staged.
        UsageError: If batch or worker is not a name.
    """
    require_names(batch=batch, worker=worker)
    names = tuple(str(file) for file in files)
    content = content_of(
        staging.warehouse, staging.settings, "predictions", files, options, batch=batch, worker=worker, staged="yes"
    )
    name = staging_of(batch, worker, content)
    # Made before anything lands, so the batch is known even if its files hold no row.
    fence = staging.warehouse.fences(STAGED_PREDICTIONS, [name])[name]
    if fence.rows or fence.version.startswith(Letter.CONSOLIDATION):
        status = "already_staged" if fence.rows else "already_consolidated"
        return StageReport(batch, worker, status, fence.version, names)
    load_id = new_run_id(Letter.WRITE, staging.clock.now())
    with staging.warehouse.engine() as engine:
        read = read_and_check(staging.warehouse, engine, staging.settings, staging.clock, "predictions", files, options)
        staging.on_step("stage.read")
        given = {"staging": name, "batch": batch, "worker": worker}
        stamped = stamp(engine, read, STAGED_PREDICTIONS, load_id, staging.clock, **given)
        landed = staging.warehouse.land(
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
            on_step=staging.on_step,
        )
    if landed.already:
        stands = staging.warehouse.fences(STAGED_PREDICTIONS, [name])[name]
        if stands.version.startswith(Letter.SWEEP):
            # Somebody staged the same since we looked, and it was swept: it is staged no more.
            return write(staging, files, batch=batch, worker=worker, options=options)
        merged = stands.version.startswith(Letter.CONSOLIDATION)
        status = "already_consolidated" if merged else ("already_staged" if read.rows else "empty")
        return StageReport(batch, worker, status, landed.load_id, names)
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
