"""Where a torture takes place: one small adapter per warehouse and lock store, for what can be done to them.

A worker, a reader and the judge know only the protocols `Warehouse` and `LeaseStore`; what a backend must offer beyond
them is here: an unfenced variant of its commit, and a way to make its lock store forget.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gradeonce.clock import Clock, SystemClock
from gradeonce.leases import LeaseStore
from gradeonce.torture.orders import Orders
from gradeonce.torture.shelves import TABLE, shelf
from gradeonce.torture.stores import lock_faults
from gradeonce.torture.unfenced import UnfencedWarehouse
from gradeonce.warehouses.base import Warehouse
from gradeonce.warehouses.embedded.catalog import CATALOG_FILE
from gradeonce.warehouses.embedded.warehouse import EmbeddedWarehouse


class Place(Protocol):
    """A warehouse with a lock store, and what a torture may do to them."""

    def create(self) -> None:
        """Make the tables of the torture; nothing stands in them yet."""
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

    def flush_leases(self) -> int:
        """Make the lock store forget every lease of this torture. Return how many there were."""
        ...

    def remove(self) -> None:
        """Take away everything the torture made: tables, leases, and the scratch folder."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class EmbeddedPlace:
    """A book of its own, beside the user's: on the same disk, with the same settings."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._folder = Path(orders.folder) / "book"
        name = re.sub(r"\W+", "_", Path(orders.folder).name)
        self._locks = lock_faults(orders.store, catalog=self._folder / CATALOG_FILE, name=f"torture_{name}")
        self._fences: EmbeddedWarehouse | None = None

    def create(self) -> None:
        """See `Place.create`."""
        EmbeddedWarehouse.create(self._folder, allow_network_filesystem=self._orders.allow_network_filesystem)
        self.floors([shelf(0)])
        store = self.leases(SystemClock())
        if store is not None:
            # A store that is out of reach before anything was broken is the user's to mend.
            store.records()
            store.close()

    def warehouse(self, clock: Clock, *, fenced: bool) -> Warehouse:
        """See `Place.warehouse`."""
        build = EmbeddedWarehouse if fenced else UnfencedWarehouse
        return build(
            self._folder,
            clock=clock,
            threads=self._orders.threads,
            minimum_free_megabytes=self._orders.minimum_free_megabytes,
            allow_network_filesystem=self._orders.allow_network_filesystem,
        )

    def leases(self, clock: Clock) -> LeaseStore | None:
        """See `Place.leases`."""
        return self._locks.open(clock)

    def floors(self, shelves: Sequence[str]) -> dict[str, int]:
        """See `Place.floors`."""
        if self._fences is None:
            self._fences = EmbeddedWarehouse(
                self._folder, allow_network_filesystem=self._orders.allow_network_filesystem
            )
        return {name: fence.token for name, fence in self._fences.fences(TABLE, shelves).items()}

    def flush_leases(self) -> int:
        """See `Place.flush_leases`."""
        return self._locks.flush()

    def remove(self) -> None:
        """See `Place.remove`."""
        try:
            self._locks.remove()
        finally:
            shutil.rmtree(self._orders.folder, ignore_errors=True)

    def close(self) -> None:
        """See `Place.close`."""
        if self._fences is not None:
            self._fences.close()
            self._fences = None


def place_of(orders: Orders) -> Place:
    """Return the place these orders name."""
    return EmbeddedPlace(orders)
