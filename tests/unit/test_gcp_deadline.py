"""How long a message may take, and what is bounded by it."""

from __future__ import annotations

import pytest

from builders import FakeClock
from gradeonce.config import Settings
from gradeonce.errors import ConfigError, TransientWarehouseError
from gradeonce.gcp.completion import Completion
from gradeonce.gcp.deadline import Deadline, LeasesUntil, platform_seconds
from gradeonce.leases import MemoryLeases


def test_the_setting_wins_over_what_the_platform_says() -> None:
    """Cloud Run's variable, then that of functions, else the shortest default of any."""
    said = {"CLOUD_RUN_TIMEOUT_SECONDS": "300", "FUNCTION_TIMEOUT_SEC": "540"}

    assert platform_seconds(Settings(timeout_seconds=120.0), said) == 120.0
    assert platform_seconds(Settings(), said) == 300.0
    assert platform_seconds(Settings(), {"FUNCTION_TIMEOUT_SEC": "540"}) == 540.0
    assert platform_seconds(Settings(), {"CLOUD_RUN_TIMEOUT_SECONDS": ""}) == 60.0
    with pytest.raises(ConfigError, match="CLOUD_RUN_TIMEOUT_SECONDS is 'long'"):
        platform_seconds(Settings(), {"CLOUD_RUN_TIMEOUT_SECONDS": "long"})


def test_waits_leave_time_to_grade_and_leases_are_no_longer_than_the_whole() -> None:
    """Of 100 s, half may be waited; of the 30 s that are left later, 15. Shorter settings stay as they are."""
    clock = FakeClock()
    deadline = Deadline.after(100.0, clock)
    long = Settings(ttl_seconds=600.0, wait_seconds=600.0)

    assert (deadline.bounded(long).ttl_seconds, deadline.bounded(long).wait_seconds) == (100.0, 50.0)
    clock.advance(70)
    assert (deadline.bounded(long).ttl_seconds, deadline.bounded(long).wait_seconds) == (100.0, 15.0)
    short = deadline.bounded(Settings(ttl_seconds=10.0, wait_seconds=5.0))
    assert (short.ttl_seconds, short.wait_seconds) == (10.0, 5.0)
    clock.advance(31)
    assert deadline.left_seconds == 0


def test_a_lease_is_renewed_until_the_deadline_and_can_be_released_after_it() -> None:
    """All verbs but renewing go on: nobody is kept waiting for a run that has ended."""
    clock = FakeClock()
    store = LeasesUntil(MemoryLeases(clock=clock), Deadline.after(100.0, clock))
    store.try_acquire("k", holder="h", ttl_seconds=60.0, floor=0)

    clock.advance(50)
    assert store.renew("k", holder="h", token=1)
    clock.advance(50)
    with pytest.raises(TransientWarehouseError, match="time that the platform gives is over"):
        store.renew("k", holder="h", token=1)

    assert [record.token for record in store.records()] == [1]
    assert store.release("k", holder="h", token=1)
    assert not store.break_claim("k", token=1)
    store.close()


def test_a_completion_of_another_version_can_be_read() -> None:
    """A key that came later has no value; one that has gone is passed over."""
    read = Completion.from_json('{"event_id": "e1", "target_date": "2026-01-01", "status": "published", "gone": 1}')

    assert (read.event_id, read.mae, read.other_dates) == ("e1", None, ())
