"""A holder counts its time from before it asked: the store may have granted the term that early."""

from __future__ import annotations

import pytest

from builders import FakeClock
from gradeonce.errors import LeaseLost
from gradeonce.leases import LeaseRecord, MemoryLeases, acquire
from gradeonce.leases.lease import SAFETY_SHARE

TTL = 100.0
SLOW = 20.0
"""How long the store takes for an answer."""


class SlowLeases(MemoryLeases):
    """A store that grants at once, and whose answers take their time."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self._slow_clock = clock

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        record = super().try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=floor)
        self._slow_clock.advance(SLOW)
        return record

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        renewed = super().renew(key, holder=holder, token=token)
        self._slow_clock.advance(SLOW)
        return renewed


def test_the_time_an_acquisition_took_is_not_ours() -> None:
    """Granted for 100 s, told 20 s later: 70 s are left, of which the last ten are never used."""
    clock = FakeClock()

    with acquire(SlowLeases(clock), "key", ttl_seconds=TTL, clock=clock) as lease:
        assert lease.remaining_seconds == pytest.approx(TTL * (1 - SAFETY_SHARE) - SLOW)


def test_the_time_a_renewal_took_is_not_ours() -> None:
    """Renewed for 100 s, told 20 s later; and who renews too slowly for the ttl has lost the lease."""
    clock = FakeClock()

    with acquire(SlowLeases(clock), "key", ttl_seconds=TTL, clock=clock) as lease:
        clock.advance(30.0)
        assert lease.renew()
        assert lease.remaining_seconds == pytest.approx(TTL * (1 - SAFETY_SHARE) - SLOW)
        clock.advance(lease.remaining_seconds)
        with pytest.raises(LeaseLost):
            lease.check()
