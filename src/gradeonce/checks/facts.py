"""What checks must know that no table tells: how leases stand, what was left staged, whether the ledger holds.

Each is asked only when its check is run, and is bound as lists of values: the check itself is SQL like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gradeonce.ledger import standing_partitions, verify_chain
from gradeonce.model import PartitionRange

if TYPE_CHECKING:
    from gradeonce.checks.scope import CheckScope
    from gradeonce.leases import LeaseStore
    from gradeonce.warehouses.base import Warehouse


@dataclass(frozen=True)
class Sources:
    """Whom to ask.

    Attributes:
        warehouse: Where the book is.
        leases: Returns the lease store; a function, because it may have to be connected.
    """

    warehouse: Warehouse
    leases: Callable[[], LeaseStore]


def facts_of(name: str, sources: Sources, scope: CheckScope) -> Mapping[str, Any]:
    """Return what the check of this name binds beside the common values. Any: lists and numbers."""
    ask = _FACTS.get(name)
    return ask(sources, scope) if ask else {}


def _lease_facts(sources: Sources, scope: CheckScope) -> dict[str, Any]:
    records = sources.leases().records()
    left = [record for record in records if record.released_at is None]
    return {
        "lease_count": len(left),
        "leases": [record.key for record in left],
        "lease_holders": [record.holder for record in left],
        "lease_since": [record.acquired_at.astimezone(UTC).isoformat(timespec="seconds") for record in left],
        # By the store's own clock: how long ago it was renewed, and how long before that it was acquired.
        "lease_seconds": [
            (record.renewed_at - record.acquired_at).total_seconds() + record.ttl_seconds - record.expires_in_seconds
            for record in left
        ],
        "lease_is_held": [record.is_held for record in left],
    }


def _ledger_facts(sources: Sources, scope: CheckScope) -> dict[str, Any]:
    entries = list(sources.warehouse.entries())
    standing = standing_partitions(entries)
    within = PartitionRange(scope.first.isoformat(), scope.last.isoformat())
    findings = verify_chain(entries)
    findings += sources.warehouse.verify_rows(entries, standing, deep=True, within=within)
    verified = sum(within.holds(partition) for _, partition in standing)
    # Rows that the ledger knows nothing of are something to look at, too.
    return {"partitions_verified": verified + len(findings), "ledger_findings": findings}


def _leftover_facts(sources: Sources, scope: CheckScope) -> dict[str, Any]:
    found = sources.warehouse.leftovers()
    return {
        "leftover_count": len(found),
        "leftovers": [leftover.name for leftover in found],
        "leftover_kinds": [leftover.kind for leftover in found],
        "leftover_bytes": [leftover.bytes for leftover in found],
        "leftover_hours": [_hours(scope.now, leftover.made_at) for leftover in found],
    }


def _hours(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds() / 3600


_FACTS: Mapping[str, Callable[[Sources, CheckScope], dict[str, Any]]] = {
    "lock_health": _lease_facts,
    "ledger_agreement": _ledger_facts,
    "orphaned_staging": _leftover_facts,
}
