"""What writing to staging, consolidating, listing and sweeping answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
