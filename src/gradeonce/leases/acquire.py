"""Taking leases: waiting in turn, keeping them alive, letting them go."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from gradeonce.clock import Clock, SystemClock
from gradeonce.errors import GradeonceError, LeaseHeld, LeaseSettingsMismatch, UsageError
from gradeonce.leases.heartbeat import Heartbeat
from gradeonce.leases.lease import Lease
from gradeonce.leases.store import LeaseRecord, LeaseStore

_log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.01
LONGEST_WAIT_SECONDS = 0.25
"""Longest pause between two tries. Who comes anew tries more often than who has waited; a long pause would keep the old
waiting for ever beside holders that take the lease again and again (measured: `benchmarks/locks.py`, equal shares)."""

RELEASE_SECONDS = 5.0
"""How long releases may fail, together, before the other leases are left to run out: of a store that does not answer
each takes seconds to say so, and a backfill has hundreds."""


@dataclass(frozen=True)
class LeaseEvent:
    """One thing that happened to a lease, for whoever counts and times them.

    Attributes:
        kind: acquired, released, lost or refused.
        key: The lease.
        token: Our token; 0 when we never had one.
        seconds: How long we waited for it.
        took_over: Whether the previous holder had let it run out.
    """

    kind: str
    key: str
    token: int
    seconds: float
    took_over: bool = False


Observer = Callable[[LeaseEvent], None]

Floor = int | Callable[[], int]
"""Highest token the protected resource has seen. As a function it is asked before the first try, and once more when the
lease was got after a wait: it may have risen meanwhile (a store that lost its memory would otherwise hand out a token
that is refused). It is not asked while we wait: a question to a warehouse may cost money."""


def new_holder(label: str = "") -> str:
    """Return a holder's name that nobody else has: who, where, which process, and a random part."""
    name = f"{os.uname().nodename}:{os.getpid()}:{os.urandom(3).hex()}"
    return f"{label}@{name}" if label else name


@contextmanager
def acquire(
    store: LeaseStore,
    key: str,
    *,
    ttl_seconds: float | None = None,
    ttl: timedelta | float | None = None,
    holder: str | None = None,
    wait_seconds: float = 0.0,
    floor: Floor = 0,
    clock: Clock | None = None,
    seed: int | None = None,
    observer: Observer | None = None,
) -> Iterator[Lease]:
    """Hold a lease while the block runs; a heartbeat keeps it alive, and it is released at the end.

    Args:
        store: Where the lease lives.
        key: What to claim, e.g. `consolidation/2026-01-17`.
        ttl_seconds: How long the claim lasts without a renewal.
        ttl: The same as a timedelta, or in seconds; give one of the two.
        holder: Your name in messages; None makes a unique one.
        wait_seconds: How long to wait while somebody else holds it; 0 tries once.
        floor: Highest token the protected resource has seen; ours will be above it. A function is asked before the
            first try, and again when the lease was got after a wait.
        clock: Time; None takes the machine's.
        seed: Seeds the jitter of the waits; None takes a random one.
        observer: Called with every LeaseEvent.

    Raises:
        LeaseHeld: If the wait ran out. The block did not run.
        LeaseSettingsMismatch: If the holder uses another ttl.
        UsageError: If the lease has no length, or two.
    """
    if (ttl_seconds is None) == (ttl is None):
        raise UsageError("Give exactly one of ttl_seconds and ttl.", hint="acquire(store, key, ttl_seconds=60)")
    with acquire_all(
        store,
        [(key, floor)],
        ttl_seconds=_seconds(ttl_seconds if ttl is None else ttl),
        holder=holder,
        wait_seconds=wait_seconds,
        clock=clock,
        seed=seed,
        observer=observer,
    ) as leases:
        yield leases[0]


@contextmanager
def acquire_all(
    store: LeaseStore,
    keys: Sequence[tuple[str, Floor]],
    *,
    ttl_seconds: float,
    holder: str | None = None,
    wait_seconds: float = 0.0,
    clock: Clock | None = None,
    seed: int | None = None,
    observer: Observer | None = None,
) -> Iterator[list[Lease]]:
    """Hold several leases at once, taken in the order of their keys, so that two callers cannot deadlock.

    Args:
        keys: Pairs of key and floor, see `acquire`.

    Those already taken are kept alive while the next is waited for, and released if it cannot be had.
    """
    if not ttl_seconds > 0:
        raise UsageError(f"A lease needs a length; ttl_seconds is {ttl_seconds}.")
    clock = clock or SystemClock()
    holder = holder or new_holder()
    jitter = random.Random(seed)
    held: list[Lease] = []
    try:
        with Heartbeat(ttl_seconds=ttl_seconds) as heartbeat:
            for key, floor in sorted(keys, key=lambda pair: pair[0]):
                lease = _wait_for(store, key, floor, ttl_seconds, holder, wait_seconds, clock, jitter, observer)
                held.append(lease)
                heartbeat.add(lease)
            yield held
    finally:
        _release_all(held, clock, observer)


def _seconds(ttl: timedelta | float | None) -> float:
    return ttl.total_seconds() if isinstance(ttl, timedelta) else float(ttl or 0)


def _wait_for(
    store: LeaseStore,
    key: str,
    floor: Floor,
    ttl_seconds: float,
    holder: str,
    wait_seconds: float,
    clock: Clock,
    jitter: random.Random,
    observer: Observer | None,
) -> Lease:
    started = clock.monotonic()
    pause = FIRST_WAIT_SECONDS
    lowest = floor() if callable(floor) else floor
    has_waited = False
    while True:
        asked_at = clock.monotonic()
        record = store.try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=lowest)
        waited = clock.monotonic() - started
        if record.is_granted:
            lease = Lease(
                store,
                key,
                holder=holder,
                token=record.token,
                ttl_seconds=ttl_seconds,
                asked_at=asked_at,
                clock=clock,
            )
            if has_waited and callable(floor):
                lowest, has_waited = max(lowest, _floor_now(floor, lease)), False
                if lease.token <= lowest:
                    # The store forgot its tokens while we waited: ours would be refused, so we take another one.
                    _release(lease, None)
                    continue
            _tell(observer, LeaseEvent("acquired", key, lease.token, waited, record.took_over))
            return lease
        has_waited = True
        # Some stores look who refused us in a second step: he may have let go since, and his ttl with it.
        if record.is_held and record.ttl_seconds != ttl_seconds:
            raise LeaseSettingsMismatch(
                f"The lease {key} is held by {record.holder} with a ttl of {record.ttl_seconds:g} s, "
                f"but here it is {ttl_seconds:g} s.",
                hint="Give both the same [lock] ttl_seconds.",
            )
        if waited >= wait_seconds:
            _tell(observer, LeaseEvent("refused", key, 0, waited))
            raise _held(record, waited)
        # Full jitter: waiters that came together do not come back together.
        clock.sleep(min(jitter.uniform(0, pause), wait_seconds - waited))
        pause = min(pause * 2, LONGEST_WAIT_SECONDS)


def _floor_now(floor: Callable[[], int], lease: Lease) -> int:
    try:
        return floor()
    except BaseException:
        _release(lease, None)
        raise


def _held(record: LeaseRecord, waited: float) -> LeaseHeld:
    return LeaseHeld(
        record.key,
        holder=record.holder,
        token=record.token,
        since=record.acquired_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        expires_in_seconds=max(0.0, record.expires_in_seconds),
        waited_seconds=waited,
    )


def _release_all(leases: Sequence[Lease], clock: Clock, observer: Observer | None) -> None:
    for lease in leases:
        _tell_of_loss(lease, observer)
    failing_seconds = 0.0
    for place, lease in enumerate(leases):
        started = clock.monotonic()
        if not _let_go(lease, observer):
            failing_seconds += clock.monotonic() - started
        if failing_seconds > RELEASE_SECONDS and place + 1 < len(leases):
            _log.warning("lease_releases_given_up keys=%d", len(leases) - place - 1)
            return


def _release(lease: Lease, observer: Observer | None) -> None:
    _tell_of_loss(lease, observer)
    _let_go(lease, observer)


def _tell_of_loss(lease: Lease, observer: Observer | None) -> None:
    lost = lease.lost
    if lost is not None:
        _log.warning("lease_lost key=%s token=%s reason=%s", lease.key, lease.token, lost.reason)
        _tell(observer, LeaseEvent("lost", lease.key, lease.token, 0.0))


def _let_go(lease: Lease, observer: Observer | None) -> bool:
    """Release a lease if it is still ours. Return whether the store could be asked."""
    try:
        released = lease.release()
    except GradeonceError as error:
        # The work is done or has failed with an error of its own, which this one must not replace. The lease runs out.
        _log.warning("lease_release_failed key=%s token=%s error=%s", lease.key, lease.token, error.message)
        return False
    if released:
        _tell(observer, LeaseEvent("released", lease.key, lease.token, 0.0))
    return True


def _tell(observer: Observer | None, event: LeaseEvent) -> None:
    _log.debug("lease_%s key=%s token=%s seconds=%.3f", event.kind, event.key, event.token, event.seconds)
    if observer is not None:
        observer(event)
