"""The floor under a lease's token."""

from __future__ import annotations

from builders import FakeClock
from gradeonce.leases import MemoryLeases, acquire


def test_floor_is_asked_again_at_every_try() -> None:
    """The resource may accept higher tokens while we wait; ours must be above those, whatever the store remembers."""
    clock = FakeClock()
    store = MemoryLeases(clock=clock)
    store.try_acquire("grading/2026-01-17", holder="rival", ttl_seconds=5, floor=0)
    asked: list[float] = []

    def floor() -> int:
        asked.append(clock.elapsed)
        return 40 + len(asked)

    with acquire(
        store, "grading/2026-01-17", ttl_seconds=5, wait_seconds=60, floor=floor, clock=clock, seed=1
    ) as lease:
        token = lease.token

    assert len(asked) > 1
    assert token == 40 + len(asked) + 1
