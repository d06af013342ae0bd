"""Waiting for a lease whose holder lets go between the refusal and the look at who refused."""

from __future__ import annotations

from dataclasses import replace

from gradeonce.clock import FakeClock
from gradeonce.leases import LeaseRecord, MemoryLeases, acquire


class LetsGoMeanwhile(MemoryLeases):
    """Refuses once, and then shows a record that has been released."""

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        refused = super().try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=floor)
        if refused.is_granted:
            return refused
        self.release(key, holder=refused.holder, token=refused.token)
        return replace(refused, released_at=refused.renewed_at)


def test_ttl_of_a_claim_that_was_let_go_of_is_nobodys_mismatch() -> None:
    """The rival had another ttl and is gone: we wait for a moment and get the lease."""
    clock = FakeClock()
    store = LetsGoMeanwhile(clock=clock)
    store.try_acquire("nightly", holder="rival", ttl_seconds=300, floor=0)

    with acquire(store, "nightly", ttl_seconds=60, wait_seconds=1, clock=clock) as lease:
        assert lease.token == 2
