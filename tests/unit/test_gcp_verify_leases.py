"""What `gcp verify` makes of a lock store: one that is slow is not one that lets two in."""

from __future__ import annotations

import pytest

from builders import FakeClock
from gradeonce.gcp.verify import leases
from gradeonce.gcp.verify.check import NotSo
from gradeonce.leases import LeaseRecord, MemoryLeases


class SlowLeases(MemoryLeases):
    """A store whose every answer takes its time."""

    def __init__(self, clock: FakeClock, answer_seconds: float) -> None:
        super().__init__(clock=clock)
        self._test_clock, self._answer_seconds = clock, answer_seconds

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        record = super().try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=floor)
        self._test_clock.advance(self._answer_seconds)
        return record


class OpenLeases(MemoryLeases):
    """A store that lets everybody in at once."""

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        for record in self.records():
            self.release(record.key, holder=record.holder, token=record.token)
        return super().try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=floor)


def verified(store: MemoryLeases, clock: FakeClock) -> str:
    (check,) = leases.checks(store, clock)
    return check.run()


def test_a_store_that_answers_at_once_is_seen_to_refuse_and_to_run_out() -> None:
    """A claim of 2 s, waited for with a margin; the lease is let go of at the end."""
    clock = FakeClock()
    store = MemoryLeases(clock=clock)

    assert verified(store, clock) == "token 1, refused the second, ran out, token 2"
    assert clock.slept == [3.0]
    assert not any(record.is_held for record in store.records())


def test_a_claim_that_ran_out_before_the_rival_was_heard_is_no_fault_of_the_store() -> None:
    """An answer takes 3 s: the claim of 2 s is over by then, and the rival may have it; one of 10 s is not."""
    clock = FakeClock()

    assert verified(SlowLeases(clock, 3.0), clock) == "token 3, refused the second, ran out, token 4"


def test_answers_that_take_for_ever_show_nothing() -> None:
    """No claim lasts so long."""
    clock = FakeClock()

    with pytest.raises(NotSo, match="took longer than 60 s"):
        verified(SlowLeases(clock, 100.0), clock)


def test_a_store_that_lets_two_in_is_found_out() -> None:
    """The rival has it within the first one's term."""
    clock = FakeClock()

    with pytest.raises(NotSo, match="two holders had the lease at once"):
        verified(OpenLeases(clock=clock), clock)


def test_the_claim_of_somebody_else_is_waited_for() -> None:
    """However long his is: he died at it."""
    clock = FakeClock()
    store = MemoryLeases(clock=clock)
    store.try_acquire(leases.KEY, holder="dead", ttl_seconds=60.0, floor=0)

    assert verified(store, clock) == "token 2, refused the second, ran out, token 3"
    assert clock.slept == [61.0, 3.0]
