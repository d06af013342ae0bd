"""The floor under a lease's token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gradeonce.leases import MemoryLeases, acquire


class SteppedClock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 17, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.1)


def test_floor_is_asked_again_at_every_try() -> None:
    """The resource may accept higher tokens while we wait; ours must be above those, whatever the store remembers."""
    clock = SteppedClock()
    store = MemoryLeases(clock=clock)
    store.try_acquire("grading/2026-01-17", holder="rival", ttl_seconds=5, floor=0)
    asked: list[float] = []

    def floor() -> int:
        asked.append(clock.seconds)
        return 40 + len(asked)

    with acquire(
        store, "grading/2026-01-17", ttl_seconds=5, wait_seconds=60, floor=floor, clock=clock, seed=1
    ) as lease:
        token = lease.token

    assert len(asked) > 1
    assert token == 40 + len(asked) + 1
