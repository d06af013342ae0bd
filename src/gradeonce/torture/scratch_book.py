"""A book that a torture makes for itself, with its lock store: opened when first needed, taken away at the end."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence

from gradeonce.clock import Clock
from gradeonce.leases import LeaseStore
from gradeonce.torture.orders import Orders
from gradeonce.torture.shelves import TABLE
from gradeonce.torture.stores import LockFaults
from gradeonce.warehouses.base import Warehouse


class ScratchBook(ABC):
    """What places have in common: see `Place`. Where the book is, and how it is thrown away, is theirs to say."""

    def __init__(self, orders: Orders, locks: LockFaults) -> None:
        self._orders, self._locks = orders, locks
        self._opened: Warehouse | None = None

    @abstractmethod
    def _open(self) -> Warehouse:
        """Open the book as it is, fenced and with nothing added to be struck at."""

    @abstractmethod
    def _discard(self) -> None:
        """Throw the book away, whatever of it was made."""

    @property
    def _book(self) -> Warehouse:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def leases(self, clock: Clock) -> LeaseStore | None:
        """See `Place.leases`."""
        return self._locks.open(clock)

    def floors(self, shelves: Sequence[str]) -> dict[str, int]:
        """See `Place.floors`."""
        return {name: fence.token for name, fence in self._book.fences(TABLE, shelves).items()}

    def flush_leases(self) -> int:
        """See `Place.flush_leases`."""
        return self._locks.flush()

    def remove(self) -> None:
        """See `Place.remove`."""
        try:
            self._locks.remove()
        finally:
            try:
                self._discard()
            finally:
                shutil.rmtree(self._orders.folder, ignore_errors=True)

    def close(self) -> None:
        """See `Place.close`."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
