"""The thread that keeps leases alive while their holder works."""

from __future__ import annotations

import threading
from types import TracebackType

from gradeonce.leases.lease import Lease

BEATS_PER_TTL = 3
"""Renewals per ttl: two may fail before the lease is in danger."""


class Heartbeat:
    """Renews a set of leases every third of their ttl, from a thread of its own.

    Guarantee: a busy holder does not lose its lease for want of renewing.
    Limit: a process that is stopped as a whole beats no more; its leases then run out, as they should.
    """

    def __init__(self, *, ttl_seconds: float) -> None:
        self._leases: list[Lease] = []
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gradeonce-heartbeat", daemon=True)
        self._interval = ttl_seconds / BEATS_PER_TTL

    def add(self, lease: Lease) -> None:
        """Keep one more lease alive."""
        with self._turn:
            self._leases.append(lease)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            with self._turn:
                leases = list(self._leases)
            for lease in leases:
                if self._stop.is_set():
                    return
                lease.renew()
