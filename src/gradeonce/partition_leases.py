"""Leases on partitions, for operations other than grading that replace them: the same keys, taken in the same order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from gradeonce.clock import Clock
from gradeonce.config import Settings
from gradeonce.errors import LeaseHeld, WarehouseError
from gradeonce.leases import LeaseStore, acquire_all
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
) -> Iterator[Held]:
    """Hold the leases of these partitions while the block runs.

    Args:
        table: Whose fences say what each token must be above.
        wait_seconds: How long to wait for a lease; None takes the setting.
        key: Makes the key of a partition's lease; None takes the one that everybody takes who replaces the partition.

    Raises:
        LeaseHeld: If somebody else holds one and did not let go in time. The block did not run.
    """
    with ExitStack() as stack:
        yield _acquired(
            stack, warehouse, leases, settings, clock, table, partitions, holder, wait_seconds, key or lease_key
        )


def _acquired(
    stack: ExitStack,
    warehouse: Warehouse,
    leases: LeaseStore | None,
    settings: Settings,
    clock: Clock,
    table: Table,
    partitions: Sequence[str],
    holder: str,
    wait_seconds: float | None,
    key: Callable[[Table, str], str],
) -> Held:
    if leases is None:
        return Held(None, lambda: None)

    def accepted_token(partition: str) -> int:
        return warehouse.fences(table, [partition])[partition].token

    try:
        held = stack.enter_context(
            acquire_all(
                leases,
                [(key(table, partition), partial(accepted_token, partition)) for partition in partitions],
                ttl_seconds=settings.ttl_seconds,
                holder=holder,
                wait_seconds=settings.wait_seconds if wait_seconds is None else wait_seconds,
                clock=clock,
            )
        )
    except LeaseHeld:
        raise
    except WarehouseError as error:
        if settings.on_unavailable == "fail":
            raise
        _log.warning("lock_store_unavailable going_on=fence error=%s", error.message)
        return Held(None, lambda: None)

    def guard() -> None:
        for lease in held:
            lease.check()

    tokens = {partition: lease.token for partition, lease in zip(sorted(partitions), held, strict=True)}
    return Held(tokens, guard)


def lease_key(table: Table, partition: str) -> str:
    """Return the key of the lease that guards a partition; the grades of a date have the one that grading takes."""
    return f"grading/{partition}" if table.name == ACCURACY.name else f"{table.name}/{partition}"
