"""Breaking the lease of a holder that is certainly gone, with a line in the ledger that says who broke what."""

from __future__ import annotations

from gradeonce.errors import RefusedForSafety
from gradeonce.leases import LeaseRecord, LeaseStore, new_holder
from gradeonce.model import EntryDraft
from gradeonce.warehouses.base import Warehouse


def break_lease(warehouse: Warehouse, leases: LeaseStore, key: str, *, token: int, reason: str = "") -> str:
    """Release somebody else's lease and leave a line in the ledger. Return who held it.

    Args:
        warehouse: The book, whose ledger gets the line.
        leases: Where the lease is.
        key: Of the lease, e.g. `grading/2026-01-17`.
        token: Of the claim that was seen; any other is left alone.
        reason: Why, for the ledger.

    Raises:
        RefusedForSafety: If no claim on the key carries that token; nothing was released.
    """
    record = _record_of(leases, key)
    if record is None or record.released_at is not None or not leases.break_claim(key, token=token):
        # As it stands now: the holder may have let go, and another come, since we looked.
        record = _record_of(leases, key)
        stands = "it is not held" if record is None or record.released_at else f"it now carries token {record.token}"
        raise RefusedForSafety(
            f"The lease {key} was not released: {stands}, not token {token}.",
            hint="Look again with `gradeonce locks list`.",
        )
    warehouse.append_entries(
        [
            EntryDraft(
                kind="lease_broken",
                run_id=new_holder("break"),
                status="released",
                token=token,
                holder=record.holder,
                details={"key": key, "reason": reason},
            )
        ]
    )
    return record.holder


def _record_of(leases: LeaseStore, key: str) -> LeaseRecord | None:
    return next((record for record in leases.records() if record.key == key), None)
