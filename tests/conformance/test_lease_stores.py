"""The lease stores that ship, each held to the same suite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from builders import graded, land_season, new_book, open_book
from gradeonce.clock import Clock, FakeClock, SystemClock
from gradeonce.errors import LeaseLost, TransientWarehouseError, WarehouseError
from gradeonce.leases import LeaseStore, MemoryLeases, SqliteLeases, acquire
from gradeonce.sqlite_file import write_turn
from gradeonce.testing import KEY, TTL, LeaseStoreConformance, SharedLeaseStoreConformance


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


class TestSqliteLeases(SharedLeaseStoreConformance):
    """Clients of the SQLite store are connections to one file."""

    def open_store(self, folder: Path, clock: Clock) -> LeaseStore:
        return SqliteLeases(folder / "leases.sqlite", clock=clock)

    def opener(self, folder: Path) -> Callable[[], LeaseStore]:
        return partial(SqliteLeases, folder / "leases.sqlite")

    def test_a_file_that_somebody_keeps_to_himself_is_out_of_reach(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A writer that does not finish: renewals fail, which is no loss; the deadline is; then all goes on."""
        monkeypatch.setattr("gradeonce.sqlite_file.BUSY_SECONDS", 0.05)
        clock = FakeClock()
        store = self.open_store(tmp_path, clock)
        # The lease is let go of after the file, so the release works.
        with acquire(store, KEY, ttl_seconds=TTL, clock=clock) as lease, write_turn(tmp_path / "leases.sqlite"):
            assert lease.renew()
            lease.check()
            with pytest.raises(TransientWarehouseError, match="being written by another process"):
                store.try_acquire("other", holder="ann", ttl_seconds=TTL, floor=0)
            clock.advance(TTL)
            with pytest.raises(LeaseLost, match=r"expired\. The lock store was out of reach"):
                lease.check()
        assert store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).token == 2
        store.close()

    @pytest.mark.parametrize("policy", ["fence", "fail"])
    def test_grading_without_its_lock_file_follows_the_policy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
    ) -> None:
        """`fence` grades, safe without a lease; `fail` grades nothing and says why."""
        folder = new_book(tmp_path / "book")
        land_season(folder, days=1, players=2)
        store = self.open_store(tmp_path, SystemClock())
        monkeypatch.setattr("gradeonce.sqlite_file.BUSY_SECONDS", 0.3)
        with (
            write_turn(tmp_path / "leases.sqlite"),
            open_book(folder, leases=store, on_unavailable=policy) as book,
        ):
            (run,) = book.grade("2026-01-01").runs
            assert run.status == ("published" if policy == "fence" else "failed")
            assert len(graded(book)) == (2 if policy == "fence" else 0)
            assert ("being written by another process" in run.error) == (policy == "fail")

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
