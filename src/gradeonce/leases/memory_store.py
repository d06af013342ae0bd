"""Leases in memory: for the tests of people who use gradeonce, within one process."""

from __future__ import annotations

import threading
from dataclasses import replace

from gradeonce.clock import Clock, SystemClock
from gradeonce.leases.store import LeaseRecord


class MemoryLeases:
    """A lease store for one process; threads may share it. Nothing outlives the process."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._records: dict[str, LeaseRecord] = {}
        self._turn = threading.Lock()

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """See `LeaseStore.try_acquire`."""
        with self._turn:
            last = self._read(key)
            if last is not None and last.is_held:
                return last
            now = self._clock.now()
            token = max(last.token if last else 0, floor) + 1
            took_over = last is not None and last.released_at is None
            claim = LeaseRecord(key, holder, token, ttl_seconds, now, now, None, ttl_seconds, took_over)
            self._records[key] = claim
            return replace(claim, is_granted=True)

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.renew`."""
        with self._turn:
            mine = self._matching(key, token, holder)
            if mine is not None:
                self._records[key] = replace(mine, renewed_at=self._clock.now())
            return mine is not None

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.release`."""
        return self._end(key, token, holder)

    def break_claim(self, key: str, *, token: int) -> bool:
        """See `LeaseStore.break_claim`."""
        return self._end(key, token, None)

    def records(self) -> list[LeaseRecord]:
        """See `LeaseStore.records`."""
        with self._turn:
            found = (self._read(key) for key in sorted(self._records))
            return [record for record in found if record is not None]

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _end(self, key: str, token: int, holder: str | None) -> bool:
        with self._turn:
            claim = self._matching(key, token, holder)
            if claim is not None:
                self._records[key] = replace(claim, released_at=self._clock.now())
            return claim is not None

    def _matching(self, key: str, token: int, holder: str | None) -> LeaseRecord | None:
        record = self._records.get(key)
        if record is None or record.token != token or record.released_at is not None:
            return None
        return record if holder in (None, record.holder) else None

    def _read(self, key: str) -> LeaseRecord | None:
        record = self._records.get(key)
        if record is None:
            return None
        age = (self._clock.now() - record.renewed_at).total_seconds()
        return replace(record, expires_in_seconds=record.ttl_seconds - age)
