"""What every lease store must do: one body, inherited by the tests of each store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gradeonce.clock import Clock, FakeClock, SystemClock
from gradeonce.errors import LeaseHeld, LeaseLost, LeaseSettingsMismatch, TransientWarehouseError, UsageError
from gradeonce.leases import LeaseEvent, LeaseStore, LossReason, acquire, acquire_all

KEY = "grading/2026-01-17"
TTL = 60.0

LONGEST_SECONDS = 120.0
"""How long somebody may wait who must be served: for many, one at a time, on a machine with much else to do."""


class Unreachable:
    """A store whose chosen verbs fail, as if the network were cut.

    Attributes:
        cut: Names of the verbs that fail at present.
    """

    def __init__(self, store: LeaseStore, *verbs: str) -> None:
        self._store, self.cut = store, set(verbs)

    # Any: it stands for a LeaseStore, whose verbs it hands through.
    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if name not in self.cut:
            return verb

        def fail(*args: object, **options: object) -> object:
            raise TransientWarehouseError("The lock store does not answer.")

        return fail


class LeaseStoreConformance:
    """What a lease store must do, as tests: inherit it, name the class `Test...`, and say how to open the store.

    Most tests run on a `FakeClock`, so the store must judge expiry by the clock it is given. A server that has a clock
    of its own must be told the time before every verb.
    """

    def open_store(self, folder: Path, clock: Clock) -> LeaseStore:
        """Open one client of a store that is empty for each test. Clients opened in one test see the same records.

        Args:
            folder: An empty folder of the test.
            clock: What the store must judge expiry by: a FakeClock, or the machine's.
        """
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The store's clock and the holders' own."""
        return FakeClock()

    @pytest.fixture
    def open_client(self, tmp_path: Path) -> Iterator[Callable[[Clock], LeaseStore]]:
        """Open clients that are closed at the end."""
        with ExitStack() as stack:

            def open_one(clock: Clock) -> LeaseStore:
                store = self.open_store(tmp_path, clock)
                stack.callback(store.close)
                return store

            yield open_one

    @pytest.fixture
    def store(self, open_client: Callable[[Clock], LeaseStore], clock: FakeClock) -> LeaseStore:
        """One client, on the clock of the test."""
        return open_client(clock)

    def test_first_claim_is_granted_with_token_one(self, store: LeaseStore) -> None:
        """A key nobody ever claimed is free; its first token is 1."""
        record = store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        assert (record.key, record.holder, record.token, record.is_granted) == (KEY, "ann", 1, True)
        assert (record.ttl_seconds, record.released_at, record.took_over) == (TTL, None, False)
        assert record.acquired_at == record.renewed_at
        assert record.is_held

    def test_held_key_is_refused_to_a_rival(self, store: LeaseStore) -> None:
        """The rival is shown the holder's record, unchanged."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        record = store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=99)

        assert (record.holder, record.token, record.is_granted) == ("ann", 1, False)

    def test_two_holders_of_one_name_exclude_each_other(self, store: LeaseStore, clock: FakeClock) -> None:
        """A name given twice does not let two callers in."""
        with acquire(store, KEY, ttl_seconds=TTL, holder="nightly", clock=clock):
            assert not store.try_acquire(KEY, holder="nightly", ttl_seconds=TTL, floor=0).is_granted
            with pytest.raises(LeaseHeld), acquire(store, KEY, ttl_seconds=TTL, holder="nightly", clock=clock):
                pytest.fail("the block ran beside another holder of the same name")

    def test_keys_are_independent(self, store: LeaseStore) -> None:
        """A claim on one key says nothing about another."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        assert store.try_acquire("grading/2026-01-18", holder="bob", ttl_seconds=TTL, floor=0).is_granted

    def test_tokens_rise_with_every_claim(self, store: LeaseStore, clock: FakeClock) -> None:
        """Across release, expiry and break the token never repeats: 1, 2, 3, 4."""
        tokens = [store.try_acquire(KEY, holder="a", ttl_seconds=TTL, floor=0).token]
        store.release(KEY, holder="a", token=1)
        tokens.append(store.try_acquire(KEY, holder="b", ttl_seconds=TTL, floor=0).token)
        clock.advance(TTL)
        tokens.append(store.try_acquire(KEY, holder="c", ttl_seconds=TTL, floor=0).token)
        store.break_claim(KEY, token=3)
        tokens.append(store.try_acquire(KEY, holder="d", ttl_seconds=TTL, floor=0).token)

        assert tokens == [1, 2, 3, 4]

    def test_token_is_above_the_floor(self, store: LeaseStore) -> None:
        """A store that lost its memory cannot hand out a token the fence has seen; a low floor lowers nothing."""
        assert store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=41).token == 42
        store.release(KEY, holder="ann", token=42)
        assert store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=7).token == 43
        store.release(KEY, holder="ann", token=43)
        assert store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=100).token == 101

    def test_expired_claim_can_be_taken_over(self, store: LeaseStore, clock: FakeClock) -> None:
        """Not a moment before the ttl has passed; the record says that it was a takeover."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        clock.advance(TTL - 0.001)
        assert not store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).is_granted

        clock.advance(0.001)
        record = store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0)

        assert (record.holder, record.token, record.is_granted, record.took_over) == ("bob", 2, True, True)

    def test_claim_after_a_release_is_no_takeover(self, store: LeaseStore) -> None:
        """Who was let in properly took over from nobody."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        store.release(KEY, holder="ann", token=1)

        assert not store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).took_over

    def test_renewal_starts_the_time_anew(self, store: LeaseStore, clock: FakeClock) -> None:
        """Renewed at 40 s of 60, the claim stands until 100 s."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        clock.advance(40)
        assert store.renew(KEY, holder="ann", token=1)

        clock.advance(59)
        assert not store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).is_granted
        clock.advance(1)
        assert store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).is_granted

    def test_renewal_needs_holder_and_token(self, store: LeaseStore) -> None:
        """A stranger, an old token and an unknown key renew nothing."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        assert not store.renew(KEY, holder="bob", token=1)
        assert not store.renew(KEY, holder="ann", token=2)
        assert not store.renew("grading/never", holder="ann", token=1)

    def test_renewal_after_a_takeover_is_refused(self, store: LeaseStore, clock: FakeClock) -> None:
        """Who was taken over cannot come back, nor shorten or lengthen the successor's time."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        clock.advance(TTL)
        store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0)

        assert not store.renew(KEY, holder="ann", token=1)
        assert store.renew(KEY, holder="bob", token=2)

    def test_renewal_of_a_released_claim_is_refused(self, store: LeaseStore) -> None:
        """What was let go stays let go."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        store.release(KEY, holder="ann", token=1)

        assert not store.renew(KEY, holder="ann", token=1)

    def test_release_lets_the_next_one_in(self, store: LeaseStore) -> None:
        """A released key is free at once; a second release does nothing."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        assert store.release(KEY, holder="ann", token=1)
        assert not store.release(KEY, holder="ann", token=1)
        assert store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).is_granted

    def test_release_by_a_stranger_is_refused(self, store: LeaseStore, clock: FakeClock) -> None:
        """Neither another holder nor an earlier claim of the same holder can release the lease."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        assert not store.release(KEY, holder="bob", token=1)

        clock.advance(TTL)
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        assert not store.release(KEY, holder="ann", token=1)
        assert not store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).is_granted

    def test_break_needs_the_token_it_breaks(self, store: LeaseStore) -> None:
        """The operator breaks the claim he has seen, never the one that came after it."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        assert not store.break_claim(KEY, token=2)
        assert not store.break_claim("grading/never", token=1)
        assert store.break_claim(KEY, token=1)
        assert not store.renew(KEY, holder="ann", token=1)
        assert store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).token == 2

    def test_records_tell_the_latest_claim_of_every_key(self, store: LeaseStore, clock: FakeClock) -> None:
        """Released and expired claims stay on record, with the time left by the store's clock."""
        store.try_acquire("b", holder="bob", ttl_seconds=TTL, floor=0)
        store.release("b", holder="bob", token=1)
        store.try_acquire("a", holder="ann", ttl_seconds=TTL, floor=0)
        clock.advance(45)

        first, second = store.records()

        assert (first.key, first.holder, first.token, first.is_held) == ("a", "ann", 1, True)
        assert first.expires_in_seconds == pytest.approx(15, abs=0.001)
        assert (second.key, second.is_held) == ("b", False)
        assert second.released_at is not None
        assert abs(second.released_at - second.acquired_at) < timedelta(seconds=1)

    def test_records_outlive_the_client(self, open_client: Callable[[Clock], LeaseStore], clock: FakeClock) -> None:
        """Another client sees the claim, and can be refused by it."""
        open_client(clock).try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        other = open_client(clock)

        assert [record.holder for record in other.records()] == ["ann"]
        assert not other.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).is_granted

    def test_acquire_releases_at_the_end_and_after_an_error(self, store: LeaseStore, clock: FakeClock) -> None:
        """The block's own error comes out, and the lease is free again."""
        with acquire(store, KEY, ttl_seconds=TTL, clock=clock) as lease:
            assert (lease.token, lease.lost) == (1, None)
        assert lease.lost is not None
        assert lease.lost.reason is LossReason.RELEASED

        with pytest.raises(ZeroDivisionError), acquire(store, KEY, ttl_seconds=TTL, clock=clock):
            raise ZeroDivisionError

        assert not store.records()[0].is_held

    def test_an_error_at_release_does_not_replace_the_first_one(self, store: LeaseStore, clock: FakeClock) -> None:
        """The store goes away during the work, which fails too: the work's error is the one to tell."""
        with (
            pytest.raises(ZeroDivisionError),
            acquire(Unreachable(store, "release"), KEY, ttl_seconds=TTL, clock=clock),
        ):
            raise ZeroDivisionError

    def test_wait_is_bounded_and_the_message_says_who(self, store: LeaseStore, clock: FakeClock) -> None:
        """After 8 s of waits of at most 0.25 s each: who holds it, since when, for how long, and what to type."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)

        with (
            pytest.raises(LeaseHeld) as held,
            acquire(store, KEY, ttl_seconds=TTL, wait_seconds=8, clock=clock, seed=7),
        ):
            pytest.fail("the block ran without the lease")

        assert str(held.value) == (
            "The lease grading/2026-01-17 is held by ann since 2026-01-18T12:00:00Z (token 1); it runs for another "
            "52.0 s unless renewed. Waited 8.0 s. Nothing was changed. Run again later, wait longer with --wait, or "
            "see `gradeonce locks list`. If ann is certainly dead: "
            "`gradeonce locks release grading/2026-01-17 --token 1`."
        )
        assert (held.value.holder, held.value.token, held.value.exit_code, held.value.is_transient) == (
            "ann", 1, 3, True,
        )  # fmt: skip
        assert sum(clock.slept) == pytest.approx(8)
        assert max(clock.slept) <= 0.25

    def test_waits_back_off_with_full_jitter(self, store: LeaseStore, clock: FakeClock) -> None:
        """The n-th wait lies between 0 and 10 ms times 2^n, at most 0.25 s; two seeds wait differently."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        rhythms = []
        for seed in (1, 2):
            clock.slept.clear()
            with (
                pytest.raises(LeaseHeld),
                acquire(store, KEY, ttl_seconds=TTL, wait_seconds=5, clock=clock, seed=seed),
            ):
                pytest.fail("the block ran without the lease")
            rhythms.append(list(clock.slept))
            for number, slept in enumerate(clock.slept):
                assert 0 <= slept <= min(0.25, 0.01 * 2**number)

        assert rhythms[0] != rhythms[1]

    def test_waiter_is_let_in_when_the_holder_lets_go(
        self, store: LeaseStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The holder releases during the third wait; the waiter gets in, and says how long it waited."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        sleep = clock.sleep

        def sleep_and_release(seconds: float) -> None:
            sleep(seconds)
            if len(clock.slept) == 3:
                store.release(KEY, holder="ann", token=1)

        monkeypatch.setattr(clock, "sleep", sleep_and_release)
        events: list[LeaseEvent] = []
        with acquire(store, KEY, ttl_seconds=TTL, wait_seconds=30, clock=clock, observer=events.append) as lease:
            assert lease.token == 2

        assert [event.kind for event in events] == ["acquired", "released"]
        assert events[0].seconds == pytest.approx(sum(clock.slept))
        assert len(clock.slept) == 3

    def test_refusal_and_takeover_are_told_to_the_observer(self, store: LeaseStore, clock: FakeClock) -> None:
        """Whoever counts leases hears of refusals, takeovers and losses."""
        events: list[LeaseEvent] = []
        store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0)
        with (
            pytest.raises(LeaseHeld),
            acquire(store, KEY, ttl_seconds=TTL, clock=clock, observer=events.append),
        ):
            pytest.fail("the block ran without the lease")
        clock.advance(TTL)
        with acquire(store, KEY, ttl_seconds=TTL, clock=clock, observer=events.append):
            clock.advance(TTL)

        assert [(event.kind, event.token, event.took_over) for event in events] == [
            ("refused", 0, False),
            ("acquired", 2, True),
            ("lost", 2, False),
            ("released", 2, False),
        ]

    def test_holders_who_disagree_on_the_ttl_are_told(self, store: LeaseStore, clock: FakeClock) -> None:
        """Neither could judge the other's expiry; the error names both lengths, exit code 78."""
        store.try_acquire(KEY, holder="ann", ttl_seconds=60, floor=0)

        with (
            pytest.raises(LeaseSettingsMismatch, match=r"held by ann with a ttl of 60 s, but here it is 30 s") as told,
            acquire(store, KEY, ttl_seconds=30, wait_seconds=10, clock=clock),
        ):
            pytest.fail("the block ran without the lease")

        assert told.value.exit_code == 78
        assert clock.slept == []

    def test_a_lease_needs_a_length(self, store: LeaseStore, clock: FakeClock) -> None:
        """A ttl of nothing, less than nothing or no number is refused before anything is claimed."""
        for ttl in (0.0, -1.0, float("nan")):
            with pytest.raises(UsageError), acquire(store, KEY, ttl_seconds=ttl, clock=clock):
                pytest.fail("the block ran without the lease")
        assert store.records() == []

    def test_holder_knows_of_its_loss_before_a_rival_can_take_over(self, store: LeaseStore, clock: FakeClock) -> None:
        """At 54 of 60 s the holder must stop; until 60 s nobody else gets in."""
        with acquire(store, KEY, ttl_seconds=TTL, clock=clock) as lease:
            clock.advance(53.9)
            lease.check()
            assert lease.remaining_seconds == pytest.approx(0.1)

            clock.advance(0.1)
            assert not store.try_acquire(KEY, holder="bob", ttl_seconds=TTL, floor=0).is_granted
            with pytest.raises(LeaseLost, match=r"The lease grading/2026-01-17 \(token 1\) was lost: expired\."):
                lease.check()
            assert (lease.remaining_seconds, lease.renew()) == (0.0, False)

    def test_loss_by_takeover_is_a_value(self, store: LeaseStore, clock: FakeClock) -> None:
        """The operator breaks the claim; the next renewal tells the holder, once and for all."""
        with acquire(store, KEY, ttl_seconds=TTL, clock=clock) as lease:
            store.break_claim(KEY, token=1)
            clock.advance(20)
            lease.check()

            assert not lease.renew()

            assert lease.lost is not None
            assert (lease.lost.reason, lease.lost.token, lease.lost.at) == (LossReason.TAKEN_OVER, 1, 20)
            with pytest.raises(LeaseLost, match="taken over") as lost:
                lease.check()
            assert lost.value.exit_code == 4

    def test_renewal_counts_from_before_it_was_asked_for(
        self, store: LeaseStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request that takes 10 s to be answered leaves the holder 44 s, not 54."""
        slow = Unreachable(store)
        with acquire(slow, KEY, ttl_seconds=TTL, clock=clock) as lease:
            renew = store.renew

            def renew_slowly(key: str, *, holder: str, token: int) -> bool:
                renewed = renew(key, holder=holder, token=token)
                clock.advance(10)
                return renewed

            monkeypatch.setattr(slow, "renew", renew_slowly)
            assert lease.renew()
            assert lease.remaining_seconds == pytest.approx(44)

    def test_a_failed_renewal_is_not_yet_a_loss(self, store: LeaseStore, clock: FakeClock) -> None:
        """The store is out of reach: the holder works on until its safe deadline, then the error says why."""
        flaky = Unreachable(store, "renew")
        with acquire(flaky, KEY, ttl_seconds=TTL, clock=clock) as lease:
            clock.advance(20)
            assert lease.renew()
            assert lease.lost is None

            flaky.cut.clear()
            clock.advance(20)
            assert lease.renew()
            assert lease.remaining_seconds == pytest.approx(54)

            flaky.cut.add("renew")
            clock.advance(53)
            assert lease.renew()
            clock.advance(1)
            with pytest.raises(LeaseLost, match=r"expired\. The lock store was out of reach: The lock store does not"):
                lease.check()

    def test_heartbeat_keeps_a_busy_holders_lease(self, open_client: Callable[[Clock], LeaseStore]) -> None:
        """A holder busy for longer than its ttl is renewed from another thread, and no rival gets in meanwhile.

        A machine that stands still for most of the ttl may cost the holder its lease, but then it knows of it before a
        rival gets in; and a longer lease outlasts that.
        """
        store, rival = open_client(SystemClock()), open_client(SystemClock())
        for ttl in (0.9, 2.7, 8.1):
            with acquire(store, KEY, ttl_seconds=ttl) as lease:
                claimed = lease.token
                while lease.lost is None:
                    record = rival.try_acquire(KEY, holder="rival", ttl_seconds=ttl, floor=0)
                    assert not (record.is_granted and lease.lost is None)
                    if record.renewed_at - record.acquired_at > timedelta(seconds=ttl):
                        assert (record.holder, record.token) == (lease.holder, claimed)
                        return
                    time.sleep(0.02)
                rival.release(KEY, holder="rival", token=claimed + 1)
        pytest.fail("no lease was kept, however long it was")

    def test_heartbeat_tells_of_a_takeover_within_a_beat(
        self, open_client: Callable[[Clock], LeaseStore], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The claim is broken: the holder is told by the next renewal, a third of the ttl later, without asking.

        By its own clock no time passes, so that it is not told by the end of its term.
        """
        told_apart = Unreachable(open_client(SystemClock()))
        renew, is_broken, renewals = told_apart.renew, threading.Event(), list[bool]()

        def renew_and_note(key: str, *, holder: str, token: int) -> bool:
            begins_after = is_broken.is_set()
            renewed: bool = renew(key, holder=holder, token=token)
            if begins_after:
                renewals.append(renewed)
            return renewed

        monkeypatch.setattr(told_apart, "renew", renew_and_note)
        with acquire(told_apart, KEY, ttl_seconds=0.9, clock=FakeClock()) as lease:
            open_client(SystemClock()).break_claim(KEY, token=1)
            is_broken.set()
            gives_up_at = time.monotonic() + 60
            while lease.lost is None:
                assert time.monotonic() < gives_up_at, "nobody told the holder"
                time.sleep(0.01)

            assert lease.lost.reason is LossReason.TAKEN_OVER
            # Broken while a renewal was on its way: that one may have told it.
            assert renewals in ([], [False])

    def test_ttl_may_be_a_timedelta(self, store: LeaseStore, clock: FakeClock) -> None:
        """`ttl=` takes a timedelta or seconds, in place of ttl_seconds; both or neither is refused."""
        for given in (timedelta(minutes=1), 60):
            with acquire(store, KEY, holder="ann", ttl=given, clock=clock) as lease:
                assert (lease.holder, lease.ttl_seconds) == ("ann", 60.0)
        for seconds, ttl in ((None, None), (60.0, timedelta(minutes=1))):
            with (
                pytest.raises(UsageError, match="exactly one"),
                acquire(store, KEY, ttl_seconds=seconds, ttl=ttl, clock=clock),
            ):
                pytest.fail("the block ran without the lease")

    def test_several_leases_are_taken_in_order_and_all_or_none(self, store: LeaseStore, clock: FakeClock) -> None:
        """Asked for b and a, a comes first; if b cannot be had, a is released again."""
        with acquire_all(store, [("b", 5), ("a", 0)], ttl_seconds=TTL, clock=clock) as leases:
            assert [(lease.key, lease.token) for lease in leases] == [("a", 1), ("b", 6)]

        store.try_acquire("b", holder="ann", ttl_seconds=TTL, floor=0)
        with (
            pytest.raises(LeaseHeld, match="The lease b is held by ann"),
            acquire_all(store, [("b", 0), ("a", 0)], ttl_seconds=TTL, clock=clock),
        ):
            pytest.fail("the block ran without the lease")

        assert [(record.key, record.is_held) for record in store.records()] == [("a", False), ("b", True)]

    def test_two_who_want_the_same_leases_in_opposite_order_both_finish(
        self, open_client: Callable[[Clock], LeaseStore]
    ) -> None:
        """Each takes both leases ten times, asking in its own order: no deadlock."""
        start = threading.Barrier(2)

        def work(store: LeaseStore, keys: list[tuple[str, int]]) -> None:
            start.wait(LONGEST_SECONDS)
            for _ in range(10):
                with acquire_all(store, keys, ttl_seconds=30, wait_seconds=LONGEST_SECONDS):
                    pass

        together(
            lambda: work(open_client(SystemClock()), [("a", 0), ("b", 0)]),
            lambda: work(open_client(SystemClock()), [("b", 0), ("a", 0)]),
        )

    def test_fifty_waiters_are_all_served_one_at_a_time(self, open_client: Callable[[Clock], LeaseStore]) -> None:
        """50 threads with a client each want one key twice: nobody starves, never two together, tokens 1 to 100."""
        waiters, turns, inside, tokens = 50, 2, threading.Lock(), []
        start = threading.Barrier(waiters)
        clients = [open_client(SystemClock()) for _ in range(waiters)]

        def work(store: LeaseStore) -> None:
            start.wait(LONGEST_SECONDS)
            for _ in range(turns):
                with acquire(store, KEY, ttl_seconds=30, wait_seconds=LONGEST_SECONDS) as lease:
                    assert inside.acquire(blocking=False), "two holders at once"
                    tokens.append(lease.token)
                    inside.release()

        together(*[partial(work, store) for store in clients])

        assert tokens == list(range(1, waiters * turns + 1))

    def test_threads_share_a_client(self, open_client: Callable[[Clock], LeaseStore]) -> None:
        """Four threads with one client, as in a backfill: each takes a lease of its own, and one in turn, ten times."""
        threads, turns = 4, 10
        store = open_client(SystemClock())
        start = threading.Barrier(threads)

        def work(own: str) -> None:
            start.wait(LONGEST_SECONDS)
            for turn in range(1, turns + 1):
                keys = [(own, 0), ("shared", 0)]
                with acquire_all(
                    store, keys, ttl_seconds=30, holder="one and the same", wait_seconds=LONGEST_SECONDS
                ) as leases:
                    assert leases[0].token == turn
                    assert all(lease.renew() for lease in leases)

        together(*[partial(work, f"own {number}") for number in range(threads)])

        found = {record.key: (record.token, record.is_held) for record in store.records()}
        assert found == {
            "shared": (threads * turns, False),
            **{f"own {number}": (turns, False) for number in range(threads)},
        }

    def test_token_counter_survives_release_and_every_client(
        self, open_client: Callable[[Clock], LeaseStore], clock: FakeClock
    ) -> None:
        """A claim let go of, and its client closed: a client opened later goes on counting."""
        for token in (1, 2, 3):
            store = open_client(clock)
            assert store.try_acquire(KEY, holder="ann", ttl_seconds=TTL, floor=0).token == token
            assert store.release(KEY, holder="ann", token=token)
            store.close()


def together(*tasks: Callable[[], None]) -> None:
    """Run the tasks in threads of their own; raise the first error of any."""
    errors: list[BaseException] = []

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001  (it is raised again below, in the test's own thread)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * LONGEST_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    if errors:
        raise errors[0]
