"""What a lease store keeps, and the four verbs it must do in one step each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class LeaseRecord:
    """What the store knows of one key. The record is never deleted: its token counter must survive.

    Attributes:
        key: What is claimed, e.g. `grading/2026-01-17`.
        holder: Who claimed it last.
        token: Fencing token of that claim; rises by at least one with every acquisition, for ever.
        ttl_seconds: Length of the claim from its last renewal.
        acquired_at: When it was claimed, UTC, by the store's clock.
        renewed_at: When it was last renewed, UTC, by the store's clock.
        released_at: When it was released or broken; None while it is not.
        took_over: Whether this claim took the key from a holder that had let it run out.
        expires_in_seconds: Time left by the store's clock when the record was read; 0 or less: it has run out.
        is_granted: Whether the call that returned this record made the claim. The holder's name does not tell: two
            callers may have given themselves the same one.
    """

    key: str
    holder: str
    token: int
    ttl_seconds: float
    acquired_at: datetime
    renewed_at: datetime
    released_at: datetime | None
    expires_in_seconds: float
    took_over: bool = False
    is_granted: bool = False

    @property
    def is_held(self) -> bool:
        """Whether the claim stands: neither released nor run out."""
        return self.released_at is None and self.expires_in_seconds > 0


class LeaseStore(Protocol):
    """Where leases live. Every verb is one atomic step in the store; expiry is judged by the store's own clock.

    Threads may share it: a heartbeat renews while somebody acquires.
    """

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """Claim the key if it is free, released or expired, with token = max(last token, floor) + 1.

        Returns:
            The record as it then stands: ours if `is_granted`, else the rival's.
        """
        ...

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """Start the claim's time anew. False if holder or token no longer match, or it was released."""
        ...

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """Let the claim go. False if holder or token no longer match; never releases somebody else's."""
        ...

    def break_claim(self, key: str, *, token: int) -> bool:
        """Release whoever holds the key, provided the token is the one named. The operator's verb."""
        ...

    def records(self) -> list[LeaseRecord]:
        """Return every key ever claimed, the latest claim of each."""
        ...

    def close(self) -> None:
        """Let go of the connection; claims stay as they are."""
        ...
