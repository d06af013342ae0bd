"""The lock that most teams write over Firestore, kept here only to be seen to fail."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gradeonce.clock import Clock
from gradeonce.leases.firestore_store import FirestoreLeases
from gradeonce.leases.store import LeaseRecord

if TYPE_CHECKING:
    from google.cloud.firestore import Client

EXPIRES_AFTER = 3.0
"""Length of such a lock, in lengths of a lease: most publishes are done by then."""


class TeamLocks(FirestoreLeases):
    """A document with a fixed expiry, deleted on release.

    What it leaves out, compared with a lease, are five things:

    - the token: nothing tells a warehouse which holder is the later one;
    - the renewal: the lock runs out at an instant that was fixed when it was taken, however long the work takes;
    - the look at it before the commit: whoever took it once believes in it;
    - the server's clock: two machines compare an instant with clocks of their own;
    - the look at the holder on release: the document is deleted, whoever has put it there since.

    Taking it is the one step that is right: of two that find it free, one gets it.
    """

    def __init__(self, url: str, *, clock: Clock) -> None:
        super().__init__(url)
        self._clock = clock

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """Take the lock if there is none, or if it has run out by our own clock."""

        def step(client: Client, timeout: float) -> LeaseRecord:
            document, seen = self._find(client, key, timeout)
            now, found = self._clock.now(), seen.fields
            if found is not None and found["expires_at"] > now and found["holder_id"] != holder:
                left = (found["expires_at"] - now).total_seconds()
                return _record(key, found["holder_id"], ttl_seconds, now, left, is_granted=False)
            expires_at = now + timedelta(seconds=EXPIRES_AFTER * ttl_seconds)
            self._write(client, document, seen, {"holder_id": holder, "expires_at": expires_at}, timeout)
            return _record(key, holder, ttl_seconds, now, ttl_seconds, is_granted=True)

        return self._run(step)

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """Do nothing: its end was fixed when it was taken."""
        return True

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """Delete the document, whoever holds the lock by now."""

        def step(client: Client, timeout: float) -> bool:
            document, _ = self._find(client, key, timeout)
            document.delete(retry=None, timeout=timeout)
            return True

        return self._run(step)


def _record(
    key: str, holder: str, ttl_seconds: float, at: datetime, left_seconds: float, *, is_granted: bool
) -> LeaseRecord:
    return LeaseRecord(key, holder, 0, ttl_seconds, at, at, None, left_seconds, is_granted=is_granted)
