"""Where a torture takes place: what must be done to a warehouse and its lock store beyond their protocols.

A worker, a reader and the judge know only the protocols `Warehouse` and `LeaseStore`; what a backend must offer beyond
them is here: an unfenced variant of its commit, a way to make its lock store forget, and the steps at which it can be
struck. This is the one place of the torture that knows backends by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gradeonce.clock import Clock
from gradeonce.leases import LeaseStore
from gradeonce.torture.orders import Orders
from gradeonce.torture.plan import Step
from gradeonce.warehouses.base import Warehouse


class Place(Protocol):
    """A warehouse with a lock store, and what a torture may do to them.

    Attributes:
        name: For the verdict.
        is_careless: Whether workers go on without a lock, and believe in one that they took once: as teams do whose
            pattern `lock-only` follows here.
    """

    name: str
    is_careless: bool

    def steps(self, role: str) -> Sequence[Step]:
        """Return the steps at which a process of a role may be killed, stopped or cut off."""
        ...

    def create(self) -> None:
        """Make the tables of the torture; nothing stands in them yet."""
        ...

    def warm_up(self) -> None:
        """Import what every process will need; what is forked afterwards starts in a moment."""
        ...

    def warehouse(self, clock: Clock, *, fenced: bool) -> Warehouse:
        """Open the warehouse; without its fence on request."""
        ...

    def leases(self, clock: Clock) -> LeaseStore | None:
        """Open the lock store; None when it is switched off."""
        ...

    def floors(self, shelves: Sequence[str]) -> dict[str, int]:
        """Return the highest token each shelf's fence has accepted, fenced or not."""
        ...

    def settle(self) -> None:
        """Wait until nothing is under way any more that somebody began who is gone."""
        ...

    def flush_leases(self) -> int:
        """Make the lock store forget every lease of this torture. Return how many there were."""
        ...

    def remove(self) -> None:
        """Take away everything the torture made: tables, leases, and the scratch folder."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def place_of(orders: Orders) -> Place:
    """Return the place these orders name."""
    if orders.server.startswith("bigquery://"):
        from gradeonce.torture.bigquery_place import BigQueryPlace

        return BigQueryPlace(orders)
    if orders.server:
        from gradeonce.torture.postgres_place import PostgresPlace

        return PostgresPlace(orders)
    from gradeonce.torture.embedded_place import EmbeddedPlace

    return EmbeddedPlace(orders)
