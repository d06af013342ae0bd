"""The lock stores a torture can use: each with records of its own, which it can make the store forget, and removes.

The records lie apart from the user's, so that a flush in the middle of a torture never touches a lease of anybody else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gradeonce.clock import Clock
from gradeonce.leases import LeaseStore, MemoryLeases, SqliteLeases
from gradeonce.sqlite_file import SqliteFile


class LockFaults(Protocol):
    """A lock store, and what may be done to it."""

    def open(self, clock: Clock) -> LeaseStore | None:
        """Open the store; None when leases are switched off. It connects with its first verb."""
        ...

    def flush(self) -> int:
        """Make the store forget the leases of this torture. Return how many there were."""
        ...

    def remove(self) -> None:
        """Take away whatever the torture left in the store."""
        ...


class InTheBook:
    """SQLite, in the catalog of the scratch book. Its clock is the machine's, so a skewed worker misjudges leases."""

    def __init__(self, catalog: Path) -> None:
        self._catalog = catalog

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        return SqliteLeases(self._catalog, clock=clock)

    def flush(self) -> int:
        """See `LockFaults.flush`."""
        # Opened for this one time: a connection that is open while its process forks endangers the file.
        file = SqliteFile(self._catalog, durable=False)
        try:
            with file.write() as connection:
                return connection.execute("DELETE FROM leases").rowcount
        finally:
            file.close()

    def remove(self) -> None:
        """See `LockFaults.remove`. It goes with the book."""


class InMemory:
    """Every process has a store of its own: the leases keep nobody out, and the fence alone holds."""

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        return MemoryLeases(clock=clock)

    def flush(self) -> int:
        """See `LockFaults.flush`. A killed process forgets its leases as it is."""
        return 0

    def remove(self) -> None:
        """See `LockFaults.remove`."""


class Off(InMemory):
    """No leases at all."""

    def open(self, clock: Clock) -> LeaseStore | None:
        """See `LockFaults.open`."""
        return None


def lock_faults(store: str, *, catalog: Path) -> LockFaults:
    """Return the lock store that a setting names, with records of this torture only.

    Args:
        store: As in [lock] store.
        catalog: The SQLite file of `sqlite`.
    """
    if store == "off":
        return Off()
    if store == "memory":
        return InMemory()
    return InTheBook(catalog)
