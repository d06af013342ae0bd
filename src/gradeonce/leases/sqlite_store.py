"""Leases in a SQLite file: the default of the embedded book, in its catalog."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gradeonce.clock import Clock, SystemClock
from gradeonce.leases.store import LeaseRecord
from gradeonce.sqlite_file import SqliteFile

_TABLE = """
CREATE TABLE IF NOT EXISTS leases (
    key TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    ttl_seconds REAL NOT NULL,
    acquired_at REAL NOT NULL,
    renewed_at REAL NOT NULL,
    released_at REAL,
    took_over INTEGER NOT NULL
) STRICT
"""

# The rival's claim is judged and replaced in one statement, so no second reader can come in between.
_ACQUIRE = """
INSERT INTO leases (key, holder, token, ttl_seconds, acquired_at, renewed_at, released_at, took_over)
VALUES (:key, :holder, :floor + 1, :ttl, store_now(), store_now(), NULL, 0)
ON CONFLICT (key) DO UPDATE SET
    holder = excluded.holder,
    token = max(leases.token, :floor) + 1,
    ttl_seconds = excluded.ttl_seconds,
    acquired_at = excluded.acquired_at,
    renewed_at = excluded.renewed_at,
    released_at = NULL,
    took_over = leases.released_at IS NULL
WHERE leases.released_at IS NOT NULL OR leases.renewed_at + leases.ttl_seconds <= store_now()
"""

_RECORD = """
SELECT key, holder, token, ttl_seconds, acquired_at, renewed_at, released_at,
       renewed_at + ttl_seconds - store_now(), took_over
FROM leases
"""


class SqliteLeases:
    """A lease store in a SQLite file, for the processes of one machine.

    Its commits are not forced to disk (an acquisition would cost milliseconds): after a power cut a claim may be
    forgotten, which is safe, because the token then starts from the warehouse's fence.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        """Open the store, creating its table in the file if it is missing."""
        clock = clock or SystemClock()
        self._file = SqliteFile(path, durable=False, functions={"store_now": lambda: clock.now().timestamp()})
        # One connection serves the caller and the heartbeat; a transaction of one must not swallow the other's.
        self._turn = threading.Lock()
        exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'leases'"
        if self._file.connection.execute(exists).fetchone() is None:
            with self._file.write() as connection:
                connection.execute(_TABLE)

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """See `LeaseStore.try_acquire`."""
        # Who is refused only reads: many waiters do not stand in the way of the holder's renewal and release.
        held = self._held(key)
        if held is not None:
            return held
        with self._turn, self._file.write() as connection:
            values = {"key": key, "holder": holder, "ttl": ttl_seconds, "floor": floor}
            is_granted = connection.execute(_ACQUIRE, values).rowcount == 1
            record = _record(connection.execute(f"{_RECORD} WHERE key = ?", (key,)).fetchone())
            return replace(record, is_granted=is_granted)

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.renew`. A claim that ran out but was not taken is still ours to renew."""
        return self._touch(
            "UPDATE leases SET renewed_at = store_now() "
            "WHERE key = ? AND holder = ? AND token = ? AND released_at IS NULL",
            (key, holder, token),
        )

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.release`."""
        return self._touch(
            "UPDATE leases SET released_at = store_now() "
            "WHERE key = ? AND holder = ? AND token = ? AND released_at IS NULL",
            (key, holder, token),
        )

    def break_claim(self, key: str, *, token: int) -> bool:
        """See `LeaseStore.break_claim`."""
        return self._touch(
            "UPDATE leases SET released_at = store_now() WHERE key = ? AND token = ? AND released_at IS NULL",
            (key, token),
        )

    def records(self) -> list[LeaseRecord]:
        """See `LeaseStore.records`."""
        with self._turn, self._file.read() as connection:
            return [_record(row) for row in connection.execute(f"{_RECORD} ORDER BY key")]

    def close(self) -> None:
        """See `LeaseStore.close`."""
        self._file.close()

    def _held(self, key: str) -> LeaseRecord | None:
        with self._turn, self._file.read() as connection:
            row = connection.execute(f"{_RECORD} WHERE key = ?", (key,)).fetchone()
        record = None if row is None else _record(row)
        return record if record is not None and record.is_held else None

    def _touch(self, sql: str, values: tuple[object, ...]) -> bool:
        with self._turn, self._file.write() as connection:
            return connection.execute(sql, values).rowcount == 1


def _record(row: sqlite3.Row) -> LeaseRecord:
    key, holder, token, ttl, acquired, renewed, released, left, took_over = row
    return LeaseRecord(
        key=key,
        holder=holder,
        token=token,
        ttl_seconds=ttl,
        acquired_at=_instant(acquired),
        renewed_at=_instant(renewed),
        released_at=None if released is None else _instant(released),
        expires_in_seconds=left,
        took_over=bool(took_over),
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
