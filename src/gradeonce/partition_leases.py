"""Leases on partitions, for every operation that replaces them: the same keys, taken in the same order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from gradeonce.clock import Clock
from gradeonce.config import Settings
from gradeonce.errors import LeaseHeld, WarehouseError
from gradeonce.leases import Lease, LeaseStore, Observer, acquire_all
from gradeonce.schema import ACCURACY, Table
from gradeonce.warehouses.base import Warehouse

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """Leases on partitions while they are held.

    Attributes:
        tokens: Fencing token per partition; None without leases: the sequence numbers keep two publishes apart.
        guard: Raises LeaseLost if one of them was lost.
    """

    tokens: Mapping[str, int] | None
    guard: Callable[[], None]


@contextmanager
def hold_partitions(
    warehouse: Warehouse,
    leases: LeaseStore | None,
    settings: Settings,
    clock: Clock,
    table: Table,
    partitions: Sequence[str],
    *,
    holder: str,
    wait_seconds: float | None = None,
    key: Callable[[Table, str], str] | None = None,
    observer: Observer | None = None,
) -> Iterator[Held]:
    """Hold the leases of these partitions while the block runs.

    Args:
        table: Whose fences say what each token must be above.
        wait_seconds: How long to wait for a lease; None takes the setting.
        key: Makes the key of a partition's lease; None takes the one that everybody takes who replaces the partition.
        observer: Told of every acquisition, renewal and loss.

    Yields:
        The tokens; none without a lease store, or when it is out of reach and the settings say to go on.

    Raises:
        LeaseHeld: If somebody else holds one and did not let go in time. The block did not run.
    """
    key_of = key or lease_key
    known: dict[str, int] = {}

    def accepted_token(partition: str) -> int:
        # Asked again for a partition, we have waited for its lease: what the fences had accepted by then is read anew.
        if partition not in known:
            known.update({p: fence.token for p, fence in warehouse.fences(table, partitions).items()})
        return known.pop(partition)

    with ExitStack() as stack:
        held: Sequence[Lease] | None = None
        if leases is not None:
            try:
                held = stack.enter_context(
                    acquire_all(
                        leases,
                        [(key_of(table, partition), partial(accepted_token, partition)) for partition in partitions],
                        ttl_seconds=settings.ttl_seconds,
                        holder=holder,
                        wait_seconds=settings.wait_seconds if wait_seconds is None else wait_seconds,
                        clock=clock,
                        observer=observer,
                    )
                )
            except LeaseHeld:
                raise
            except WarehouseError as error:
                if settings.on_unavailable == "fail":
                    raise
                _log.warning("lock_store_unavailable going_on=fence error=%s", error.message)
        yield _held(partitions, held)


def _held(partitions: Sequence[str], leases: Sequence[Lease] | None) -> Held:
    if leases is None:
        return Held(None, lambda: None)

    def guard() -> None:
        for lease in leases:
            lease.check()

    # Leases come in the order of their keys, which is that of the partitions.
    return Held({partition: lease.token for partition, lease in zip(sorted(partitions), leases, strict=True)}, guard)


def lease_key(table: Table, partition: str) -> str:
    """Return the key of the lease that guards a partition; the grades of a date have the one that grading takes."""
    return f"grading/{partition}" if table.name == ACCURACY.name else f"{table.name}/{partition}"
