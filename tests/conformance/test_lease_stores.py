"""The lease stores that ship, each held to the same suite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from builders import FakeClock
from conformance.lease_store import KEY, TTL, LeaseStoreConformance
from gradeonce.clock import Clock
from gradeonce.errors import WarehouseError
from gradeonce.leases import LeaseStore, MemoryLeases, SqliteLeases


class TestMemoryLeases(LeaseStoreConformance):
    """Clients of the memory store are one object, shared by threads."""

    @pytest.fixture(autouse=True)
    def forget(self) -> None:
        """Start each test with an empty store."""
        self._stores: dict[int, MemoryLeases] = {}

    def open_store(self, folder: Path, clock: Clock) -> LeaseStore:
        # A test's real clocks are all the same clock.
        kind = id(clock) if isinstance(clock, FakeClock) else 0
        return self._stores.setdefault(kind, MemoryLeases(clock=clock))


class TestSqliteLeases(LeaseStoreConformance):
    """Clients of the SQLite store are connections to one file."""

    def open_store(self, folder: Path, clock: Clock) -> LeaseStore:
        return SqliteLeases(folder / "leases.sqlite", clock=clock)

    def test_a_file_that_is_no_database_is_named(self, tmp_path: Path) -> None:
        """The error names the file; the driver's own error is the cause."""
        path = tmp_path / "leases.sqlite"
        path.write_bytes(b"this is not a database, however long it is" * 100)

        with pytest.raises(WarehouseError, match=r"leases\.sqlite: file is not a database") as failed:
            SqliteLeases(path)

        assert isinstance(failed.value.__cause__, sqlite3.Error)

    def test_a_forgotten_claim_is_made_up_for_by_the_floor(self, tmp_path: Path) -> None:
        """The file is lost: the next token is still above the one the fence has accepted."""
        store = self.open_store(tmp_path, FakeClock())
        for _ in range(3):
            token = store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0).token
            store.release(KEY, holder="ann", token=token)
        store.close()
        for path in tmp_path.iterdir():
            path.unlink()

        again = self.open_store(tmp_path, FakeClock())
        assert again.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=token).token == 4
        again.close()
