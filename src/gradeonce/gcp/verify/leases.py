"""What only the real lock store shows: its own clock, its compare-and-set, and the rights of whoever asks."""

from __future__ import annotations

from collections.abc import Callable

from gradeonce.gcp.verify.check import Check, require
from gradeonce.leases.store import LeaseStore

KEY = "verify"
"""The lease that is taken. It is always the same one: a lease is never deleted."""

SHORT_SECONDS = 2.0
"""How long it is taken for, to see it run out."""


def checks(store: LeaseStore, sleep: Callable[[float], None]) -> tuple[Check, ...]:
    """Return the checks of a lock store.

    Args:
        store: Opened on a collection of its own.
        sleep: Waits, in seconds.
    """
    return (
        Check(
            "leases",
            "Does a second holder wait until the first has let go or run out, and is his token higher?",
            "two gradings of a date would do the same work twice (the fence keeps that safe, not cheap)",
            lambda: _leases(store, sleep),
        ),
    )


def _leases(store: LeaseStore, sleep: Callable[[float], None]) -> str:
    first = store.try_acquire(KEY, holder="first", ttl_seconds=SHORT_SECONDS, floor=0)
    if not first.is_granted:
        # Somebody else verifies at the same time, or has died at it: his claim runs out by itself.
        sleep(SHORT_SECONDS + 1)
        first = store.try_acquire(KEY, holder="first", ttl_seconds=SHORT_SECONDS, floor=0)
    require(first.is_granted, f"the lease is held by {first.holder}")
    rival = store.try_acquire(KEY, holder="second", ttl_seconds=SHORT_SECONDS, floor=0)
    require(not rival.is_granted, "two holders had the lease at once")
    sleep(SHORT_SECONDS + 1)
    second = store.try_acquire(KEY, holder="second", ttl_seconds=SHORT_SECONDS, floor=0)
    require(second.is_granted, f"it did not run out after {SHORT_SECONDS:.0f} s by the store's clock")
    require(second.token > first.token, f"token {second.token} is not above {first.token}")
    late = store.renew(KEY, holder="first", token=first.token)
    require(not late, "the holder that was overtaken could renew")
    require(store.release(KEY, holder="second", token=second.token), "the holder could not let go")
    return f"token {first.token}, refused the second, ran out, token {second.token}"
