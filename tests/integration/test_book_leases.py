"""Grading under leases: who waits, who is refused, and what happens when the lock store is out of reach."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from builders import FakeClock, graded, land_actuals, land_season, ledger_findings, new_book, open_book
from gradeonce.book import Book
from gradeonce.errors import LeaseHeld, LeaseLost, RefusedForSafety, TransientWarehouseError
from gradeonce.leases import LeaseRecord, MemoryLeases
from gradeonce.schema import ACCURACY

DAY = "2026-01-01"
KEY = f"grading/{DAY}"


class CutOff(MemoryLeases):
    """A lease store that cannot be reached by the verbs that are cut."""

    def __init__(self, *, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.cut: set[str] = set()

    def _ask(self, verb: str) -> None:
        if verb in self.cut:
            raise TransientWarehouseError("The lock store does not answer.")

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        self._ask("try_acquire")
        return super().try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=floor)

    def release(self, key: str, *, holder: str, token: int) -> bool:
        self._ask("release")
        return super().release(key, holder=holder, token=token)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def leases(clock: FakeClock) -> CutOff:
    return CutOff(clock=clock)


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock, leases: CutOff) -> Iterator[Book]:
    """Two days of three picks, none graded yet."""
    folder = new_book(tmp_path / "book")
    land_season(folder, 2, 3)
    with open_book(folder, clock=clock, leases=leases) as book:
        yield book


def reopened(book: Book, **settings: object) -> Book:
    """Open the same book with other settings."""
    return open_book(book.settings.book_path, **{"clock": book.clock, "leases": book.leases, **settings})


def test_a_grading_takes_a_lease_and_lets_it_go(book: Book) -> None:
    """Token 1, released afterwards; the next grading has token 2, in the run, the fence and the ledger."""
    assert book.grade(DAY).runs[0].token == 1
    assert [(record.key, record.is_held) for record in book.leases.records()] == [(KEY, False)]

    assert book.grade(DAY).runs[0].token == 2
    assert book.warehouse.fences(ACCURACY, [DAY])[DAY].token == 2
    assert list(book.warehouse.entries())[-1].draft.token == 2


def test_tokens_start_above_the_fence(book: Book, clock: FakeClock) -> None:
    """The lock store lost its memory: its next token is still above what the fence has accepted."""
    for _ in range(3):
        book.grade(DAY)

    with reopened(book, leases=CutOff(clock=clock)) as forgetful:
        assert forgetful.grade(DAY).runs[0].token == 4


def test_tokens_start_above_what_the_fence_accepted_while_we_waited(
    book: Book, clock: FakeClock, leases: CutOff, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ann holds the lease; by the time that it is ours, somebody with tokens of another store has graded the date."""
    leases.try_acquire(KEY, holder="ann", ttl_seconds=60, floor=0)
    elsewhere = MemoryLeases(clock=clock)
    elsewhere.try_acquire(KEY, holder="bob", ttl_seconds=60, floor=39)
    elsewhere.release(KEY, holder="bob", token=40)
    slept = clock.sleep

    def grade_meanwhile(seconds: float) -> None:
        monkeypatch.setattr(clock, "sleep", slept)
        with reopened(book, leases=elsewhere) as rival:
            assert rival.grade(DAY).runs[0].token == 41
        clock.sleep(seconds)

    monkeypatch.setattr(clock, "sleep", grade_meanwhile)

    (run,) = book.grade(DAY, wait_seconds=300).runs

    assert (run.status, run.token, run.error) == ("unchanged", 42, "")


def test_a_date_that_somebody_grades_is_refused_after_the_wait(book: Book, clock: FakeClock) -> None:
    """Exit code 3; the wait is bounded, the failure is in the ledger, and nothing is graded."""
    book.leases.try_acquire(KEY, holder="ann", ttl_seconds=60, floor=0)

    report = book.grade(DAY, wait_seconds=5)

    assert isinstance(report.worst_error, LeaseHeld)
    assert (report.worst_error.holder, report.worst_error.exit_code) == ("ann", 3)
    assert report.runs[0].status == "failed"
    assert sum(clock.slept) == pytest.approx(5)
    assert graded(book) == []
    failed = list(book.warehouse.entries())[-1].draft
    assert (failed.kind, failed.status, failed.partition) == ("grade", "failed", DAY)
    assert ledger_findings(book.warehouse) == ()


def test_one_date_in_other_hands_does_not_keep_back_its_neighbours(book: Book) -> None:
    """A backfill over two dates, one of them held: the other is graded."""
    book.leases.try_acquire(KEY, holder="ann", ttl_seconds=60, floor=0)

    report = book.grade(all_dates=True, wait_seconds=0)

    assert [(run.partition, run.status) for run in report.runs] == [(DAY, "failed"), ("2026-01-02", "published")]
    assert set(report.errors) == {DAY}


def test_a_dead_holders_date_is_taken_over(book: Book, clock: FakeClock) -> None:
    """Nobody renewed for 60 s: the next grading has the next token."""
    book.leases.try_acquire(KEY, holder="dead", ttl_seconds=60, floor=0)
    clock.advance(60)

    assert book.grade(DAY, wait_seconds=0).runs[0].token == 2


def test_an_unreachable_store_leaves_it_to_the_fence(
    book: Book, leases: CutOff, caplog: pytest.LogCaptureFixture
) -> None:
    """The default: a warning, and the grading goes on with the fence's own token."""
    book.grade(DAY)
    land_actuals(book, 1, 3, points=12, version=2)
    leases.cut.add("try_acquire")

    with caplog.at_level(logging.WARNING, logger="gradeonce.grading"):
        run = book.grade(DAY).runs[0]

    assert (run.status, run.token, run.counts["win"]) == ("published", 1, 3)
    assert "lock_store_unavailable going_on=fence" in caplog.text
    assert ledger_findings(book.warehouse) == ()


def test_an_unreachable_store_can_be_made_to_stop_the_run(book: Book, leases: CutOff) -> None:
    """on_unavailable = fail: exit code 5, nothing graded."""
    leases.cut.add("try_acquire")

    with reopened(book, on_unavailable="fail") as strict:
        report = strict.grade(DAY)

    assert report.worst_error is not None
    assert report.worst_error.exit_code == 5
    assert graded(book) == []


def test_what_was_published_stands_if_the_release_fails(book: Book, leases: CutOff) -> None:
    """The store goes away at the end: the grading succeeded all the same, and the lease runs out."""
    leases.cut.add("release")

    assert book.grade(DAY).runs[0].status == "published"
    assert leases.records()[0].is_held


def test_a_lease_that_ran_out_on_the_way_publishes_nothing(book: Book, clock: FakeClock) -> None:
    """The grading took longer than its lease and nobody renewed it: exit code 4 before anything is written."""

    def take_too_long(step: str) -> None:
        if step == "publish.compared":
            clock.advance(54)

    with reopened(book, on_step=take_too_long) as slow:
        report = slow.grade(DAY)

    assert isinstance(report.worst_error, LeaseLost)
    assert (report.worst_error.reason, report.worst_error.exit_code) == ("expired", 4)
    assert graded(book) == []


def test_leases_that_are_off_leave_no_record(book: Book) -> None:
    """store = off: the fence alone, with its own tokens."""
    with open_book(book.settings.book_path, store="off") as unlocked:
        run = unlocked.grade(DAY).runs[0]

        assert (run.status, run.token) == ("published", 0)
        assert ledger_findings(unlocked.warehouse) == ()
    assert book.leases.records() == []


def test_a_backfill_takes_its_leases_in_the_order_of_dates(book: Book, leases: CutOff) -> None:
    """So that two of them cannot wait for each other."""
    taken: list[str] = []
    ask = leases._ask
    leases._ask = lambda verb: (taken.append(verb), ask(verb))[1]

    book.grade(start=date(2026, 1, 1), end=date(2026, 1, 2))

    assert taken == ["try_acquire", "try_acquire", "release", "release"]
    assert [record.key for record in leases.records()] == [KEY, "grading/2026-01-02"]


def test_breaking_a_lease_needs_its_token_and_leaves_a_trace(book: Book) -> None:
    """The wrong token, and a lease nobody holds, are refused: exit code 6."""
    book.leases.try_acquire(KEY, holder="stuck", ttl_seconds=60, floor=4)

    with pytest.raises(RefusedForSafety, match=r"grading/2026-01-01 was not released: .* token 5, not token 4"):
        book.break_lease(KEY, token=4)
    assert book.break_lease(KEY, token=5, reason="its machine is gone") == "stuck"
    with pytest.raises(RefusedForSafety, match="it is not held"):
        book.break_lease(KEY, token=5)

    (trace,) = (entry.draft for entry in book.warehouse.entries() if entry.draft.kind == "lease_broken")
    assert (trace.token, trace.holder, trace.details["reason"]) == (5, "stuck", "its machine is gone")
    assert book.grade(DAY).runs[0].token == 6
    assert ledger_findings(book.warehouse) == ()


def test_a_lease_that_changes_hands_while_it_is_broken_is_told_as_it_stands(tmp_path: Path) -> None:
    """The holder lets go, and another comes, between our look and the break: his token is named."""

    class Restless(MemoryLeases):
        def break_claim(self, key: str, *, token: int) -> bool:
            self.release(key, holder="slow", token=1)
            self.try_acquire(key, holder="next", ttl_seconds=60.0, floor=0)
            return super().break_claim(key, token=token)

    leases = Restless()
    leases.try_acquire(KEY, holder="slow", ttl_seconds=60.0, floor=0)
    refused = pytest.raises(RefusedForSafety, match="it now carries token 2, not token 1")
    with open_book(new_book(tmp_path / "book"), leases=leases) as book, refused:
        book.break_lease(KEY, token=1)
