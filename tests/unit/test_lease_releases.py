"""Leases that cannot be let go of run out; nobody is kept waiting for each of them."""

from __future__ import annotations

import logging

import pytest

from gradeonce.clock import FakeClock
from gradeonce.errors import TransientWarehouseError
from gradeonce.leases import MemoryLeases, acquire_all

LEASES = 40


class Unanswered(MemoryLeases):
    """Leases of which none can be let go of, which takes so long to notice."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__(clock=clock)
        self._time, self._seconds = clock, seconds
        self.asked = 0

    def release(self, key: str, *, holder: str, token: int) -> bool:
        self.asked += 1
        self._time.advance(self._seconds)
        raise TransientWarehouseError("no answer")


@pytest.mark.parametrize(("seconds", "asked"), [(2.0, 3), (0.0, LEASES)])
def test_a_store_that_does_not_answer_is_not_asked_for_every_lease(
    caplog: pytest.LogCaptureFixture, seconds: float, asked: int
) -> None:
    """Three answers that took two seconds each to stay out are enough; one that refuses at once is asked for all."""
    clock = FakeClock()
    store = Unanswered(clock, seconds)
    keys = [(f"key {number:02}", 0) for number in range(LEASES)]

    with caplog.at_level(logging.WARNING), acquire_all(store, keys, ttl_seconds=300, clock=clock):
        pass

    assert store.asked == asked
    given_up = [message for message in caplog.messages if "given_up" in message]
    assert given_up == ([f"lease_releases_given_up keys={LEASES - 3}"] if seconds else [])
