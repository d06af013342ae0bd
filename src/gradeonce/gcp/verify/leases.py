"""What only the real lock store shows: its own clock, its compare-and-set, and the rights of whoever asks."""

from __future__ import annotations

from gradeonce.clock import Clock
from gradeonce.gcp.verify.check import Check, NotSo, require
from gradeonce.leases.store import LeaseRecord, LeaseStore

KEY = "verify"
"""The lease that is taken. It is always the same one: a lease is never deleted."""

TERMS_SECONDS = (2.0, 10.0, 60.0)
"""How long it is taken for, to see it run out: the next one if the answers were so slow that it had by then."""

MARGIN_SECONDS = 1.0
"""Waited longer than until a claim runs out."""


def checks(store: LeaseStore, clock: Clock) -> tuple[Check, ...]:
    """Return the checks of a lock store.

    Args:
        store: Opened on a collection of its own.
        clock: Time, to wait and to tell how long an answer took.
    """
    return (
        Check(
            "leases",
            "Does a second holder wait until the first has let go or run out, and is his token higher?",
            "two gradings of a date would do the same work twice (the fence keeps that safe, not cheap)",
            lambda: _leases(store, clock),
        ),
    )


def _leases(store: LeaseStore, clock: Clock) -> str:
    first, term_seconds = _taken_from_a_rival(store, clock)
    clock.sleep(term_seconds + MARGIN_SECONDS)
    second = store.try_acquire(KEY, holder="second", ttl_seconds=term_seconds, floor=0)
    require(second.is_granted, f"it did not run out after {term_seconds:.0f} s by the store's clock")
    require(second.token > first.token, f"token {second.token} is not above {first.token}")
    late = store.renew(KEY, holder="first", token=first.token)
    require(not late, "the holder that was overtaken could renew")
    require(store.release(KEY, holder="second", token=second.token), "the holder could not let go")
    return f"token {first.token}, refused the second, ran out, token {second.token}"


def _taken_from_a_rival(store: LeaseStore, clock: Clock) -> tuple[LeaseRecord, float]:
    """Take the lease and see a rival refused; return the claim, and how long it lasts."""
    for term_seconds in TERMS_SECONDS:
        asked_at = clock.monotonic()
        first = store.try_acquire(KEY, holder="first", ttl_seconds=term_seconds, floor=0)
        if not first.is_granted:
            # Somebody else verifies at the same time, or has died at it: his claim runs out by itself.
            clock.sleep(max(0.0, first.expires_in_seconds) + MARGIN_SECONDS)
            asked_at = clock.monotonic()
            first = store.try_acquire(KEY, holder="first", ttl_seconds=term_seconds, floor=0)
        require(first.is_granted, f"the lease is held by {first.holder}")
        rival = store.try_acquire(KEY, holder="second", ttl_seconds=term_seconds, floor=0)
        if not rival.is_granted:
            return first, term_seconds
        # He may have it if the claim had run out before he came to be asked about.
        require(clock.monotonic() - asked_at >= term_seconds, "two holders had the lease at once")
        store.release(KEY, holder="second", token=rival.token)
    raise NotSo(f"two answers took longer than {TERMS_SECONDS[-1]:.0f} s")
