"""The floor under a lease's token."""

from __future__ import annotations

import pytest

from builders import FakeClock
from gradeonce.errors import TransientWarehouseError
from gradeonce.leases import LeaseEvent, MemoryLeases, acquire

KEY = "grading/2026-01-17"


def test_floor_is_asked_before_a_wait_and_once_after_it() -> None:
    """A question may cost money, so none is asked at each of the many tries in between."""
    clock = FakeClock()
    store = MemoryLeases(clock=clock)
    store.try_acquire(KEY, holder="rival", ttl_seconds=5, floor=0)
    asked: list[float] = []

    def floor() -> int:
        asked.append(clock.elapsed)
        return 0

    with acquire(store, KEY, ttl_seconds=5, wait_seconds=60, floor=floor, clock=clock, seed=1) as lease:
        assert lease.token == 2

    assert (len(asked), asked[0]) == (2, 0.0)
    assert asked[1] >= 5


def test_floor_that_rose_while_we_waited_is_below_our_token() -> None:
    """The store lost its memory meanwhile, and a rival published with a token far above all that it now hands out."""
    clock = FakeClock()
    store = MemoryLeases(clock=clock)
    store.try_acquire(KEY, holder="rival", ttl_seconds=5, floor=0)
    floors = iter([0, 40])
    told: list[LeaseEvent] = []

    with acquire(
        store, KEY, ttl_seconds=5, wait_seconds=60, floor=lambda: next(floors), clock=clock, observer=told.append
    ) as lease:
        assert lease.token == 41

    assert [(event.kind, event.token) for event in told] == [("acquired", 41), ("released", 41)]


def test_lease_is_let_go_when_the_floor_cannot_be_told() -> None:
    """The warehouse went out of reach while we waited: nobody has to wait until our claim runs out."""
    clock = FakeClock()
    store = MemoryLeases(clock=clock)
    store.try_acquire(KEY, holder="rival", ttl_seconds=5, floor=0)

    def floor() -> int:
        if clock.elapsed:
            raise TransientWarehouseError("BigQuery is out of reach.")
        return 0

    with (
        pytest.raises(TransientWarehouseError),
        acquire(store, KEY, ttl_seconds=5, wait_seconds=60, floor=floor, clock=clock),
    ):
        pytest.fail("the block ran without a lease")

    assert store.try_acquire(KEY, holder="next", ttl_seconds=5, floor=0).is_granted
