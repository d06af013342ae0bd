"""One morning: wait until the date is ready, let a hook fetch what is missing, grade, check, alert."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gradeonce.alerts.announce import announce_safely
from gradeonce.alerts.problem import AlertKind, Problem, Severity
from gradeonce.clock import Clock
from gradeonce.errors import GradeonceError, LeaseLost
from gradeonce.grading import PartitionRun
from gradeonce.readiness import Readiness, ReadyState, is_ready
from gradeonce.schedule.hook import HookResult, call_hook
from gradeonce.schedule.slots import Slot
from gradeonce.schema import SCHEDULE_RUNS
from gradeonce.status import DateState

if TYPE_CHECKING:
    from gradeonce.backfill import GradeReport
    from gradeonce.book import Book

_log = logging.getLogger(__name__)

_HOOK = "schedule/hook"

Wait = Callable[[float], bool]
"""Waits that many seconds, or until told to stop; returns whether it was told to stop."""


class SlotState(StrEnum):
    """What became of a morning: `late` is graded as far as it goes, `elsewhere` is done by another process."""

    WAITING = "waiting"
    DONE = "done"
    LATE = "late"
    FAILED = "failed"
    STOPPED = "stopped"
    ELSEWHERE = "elsewhere"


OVER = (SlotState.DONE, SlotState.LATE, SlotState.FAILED)
"""States in which a morning is not taken up again."""


@dataclass(frozen=True)
class Outcome:
    """What became of a morning.

    Attributes:
        slot: Which one.
        state: Where it stands.
        readiness: What was in for the date when it was last looked at; None if that failed.
        reason: Why it is not done.
        attempts: How often it was looked at.
        dates: What became of each date that was graded: date and status.
        check_status: What the checks came to; empty if none were run.
        error: What it failed of; None if it did not.
    """

    slot: Slot
    state: SlotState
    readiness: Readiness | None = None
    reason: str = ""
    attempts: int = 0
    dates: tuple[tuple[str, str], ...] = ()
    check_status: str = ""
    error: GradeonceError | None = None


@dataclass
class Morning:
    """Does one morning with one book, from the first look to the last alert.

    Attributes:
        book: The book.
        slot: The morning.
        holder: Who does it, for the record.
        wait: How to wait.
        guard: Raises if another process may have taken over.
        tell: Takes a line for people at every turn.
    """

    book: Book
    slot: Slot
    holder: str
    wait: Wait
    guard: Callable[[], None]
    tell: Callable[[str], None]
    attempts: int = 0
    _started_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Note when it began."""
        self._started_at = self._clock.now()

    @property
    def _clock(self) -> Clock:
        return self.book.clock

    def run(self) -> Outcome:
        """Do it. What can be tried again is, until the deadline; only a stop or a lost lease ends it before."""
        settings = self.book.settings
        deadline = self.slot.due_at + timedelta(hours=settings.deadline_hours)
        pause = settings.retry_minutes * 60
        while True:
            self.attempts += 1
            outcome = self._attempt(is_last=self._clock.now() >= deadline)
            if outcome.state is not SlotState.WAITING:
                self._record(outcome)
                return outcome
            # Whoever took the morning over may have done it by now: then his record stands.
            self.guard()
            self._record(outcome)
            left = (deadline - self._clock.now()).total_seconds()
            seconds = max(1.0, min(pause, settings.retry_limit_minutes * 60, left))
            self.tell(f"{self.slot.game_date} waits: {outcome.reason}; again in {_duration(seconds)}")
            if self.wait(seconds):
                return replace(outcome, state=SlotState.STOPPED)
            pause *= 2

    def _attempt(self, *, is_last: bool) -> Outcome:
        self.guard()
        try:
            readiness = self._look()
            if readiness.state is ReadyState.WAITING and not is_last:
                return self._outcome(SlotState.WAITING, readiness, reason=readiness.reason)
            return self._grade(readiness)
        except GradeonceError as error:
            # Whoever took over the lease of a date has published it, or is about to: worth another look.
            if (error.is_transient or isinstance(error, LeaseLost)) and not is_last:
                _log.warning("morning_again slot=%s attempt=%d error=%s", self.slot.day, self.attempts, error.message)
                return self._outcome(SlotState.WAITING, None, reason=error.message)
            _log.error("morning_failed slot=%s error=%s", self.slot.day, error.message)
            self._alert([self._failure(error)], [])
            return self._outcome(SlotState.FAILED, None, reason=error.message, error=error)

    def _look(self) -> Readiness:
        """Look what is in, and after the hook has fetched what is missing, look again."""
        readiness = self.book.ready(self.slot.game_date)
        if readiness.state is ReadyState.READY or not self.book.settings.hook:
            return readiness
        self.tell(f"{self.slot.game_date} lacks {', '.join(readiness.missing)}: calling the hook")
        called = call_hook(self.book.settings, readiness, attempt=self.attempts)
        self._alert([] if called.ok else [_hook_problem(called)], [_HOOK])
        if not called.ok:
            self.tell(f"the hook failed: {called.problem}")
        return self.book.ready(self.slot.game_date)

    def _grade(self, readiness: Readiness) -> Outcome:
        report = self.book.grade(self.slot.game_date, alert=True)
        if report.worst_error is not None:
            raise report.worst_error
        is_late = readiness.state is ReadyState.WAITING
        if is_late and is_ready(self._own_run(report), self.book.settings.coverage_fail):
            # What was missing came in between the look and the grading.
            is_late, readiness = False, replace(readiness, state=ReadyState.READY, missing=(), reason="")
        # What becomes of older dates is told by alerts of their own; this morning is about its own date.
        reports = [*(self.book.grade(day, alert=True) for day in self._open_dates()), report]
        late = [_late_problem(readiness)] if is_late else []
        self._alert(late, [f"schedule/{self.slot.game_date}", "schedule/run"])
        outcome = self._outcome(SlotState.LATE if is_late else SlotState.DONE, readiness, reason=readiness.reason)
        return replace(outcome, dates=_statuses(reports), check_status=self._check())

    def _own_run(self, report: GradeReport) -> PartitionRun:
        return next(run for run in report.runs if run.partition == self.slot.game_date.isoformat())

    def _open_dates(self) -> list[date]:
        last = self.slot.game_date - timedelta(days=1)
        days = self.book.settings.catch_up_days
        if not days:
            return []
        found = self.book.status(start=last - timedelta(days=days - 1), end=last)
        return [date.fromisoformat(one.partition) for one in found if one.state is not DateState.GRADED]

    def _check(self) -> str:
        if not self.book.settings.check_after:
            return ""
        return self.book.check(end=self.slot.game_date, alert=True).status.value

    def _alert(self, problems: Sequence[Problem], scope: Sequence[str]) -> None:
        announce_safely(self.book.announce, problems, scope=scope)

    def _failure(self, error: GradeonceError) -> Problem:
        return Problem(
            kind=AlertKind.RUN_FAILED,
            identity="schedule/run",
            severity=Severity.FAIL,
            title=f"{self.slot.game_date}: the morning run failed",
            what=str(error),
            place=self.slot.game_date.isoformat(),
            command=f"gradeonce grade {self.slot.game_date} --dry-run",
        )

    def _outcome(
        self, state: SlotState, readiness: Readiness | None, *, reason: str = "", error: GradeonceError | None = None
    ) -> Outcome:
        return Outcome(self.slot, state, readiness, reason=reason, attempts=self.attempts, error=error)

    def _record(self, outcome: Outcome) -> None:
        now = self._clock.now()
        row: dict[str, Any] = {
            "slot": self.slot.day.isoformat(),
            "due_at": self.slot.due_at,
            "state": outcome.state.value,
            "game_date": self.slot.game_date,
            "attempts": self.attempts,
            "reason": outcome.reason or None,
            "holder": self.holder,
            "started_at": self._started_at,
            "updated_at": now,
            "finished_at": now if outcome.state in OVER else None,
        }
        try:
            self.book.warehouse.keep(SCHEDULE_RUNS, [row])
        except GradeonceError as error:
            # Without the record a morning may be done twice, which changes nothing; lost would be worse.
            _log.error("morning_not_recorded slot=%s error=%s", self.slot.day, error.message)


def is_over(book: Book, slot: Slot) -> bool:
    """Say whether a morning was done, by whomever."""
    rows = book.warehouse.kept(SCHEDULE_RUNS).dicts()
    return any(row["slot"] == slot.day.isoformat() and row["state"] in OVER for row in rows)


def _hook_problem(called: HookResult) -> Problem:
    return Problem(
        kind=AlertKind.NOT_READY,
        identity=_HOOK,
        severity=Severity.WARN,
        title="The hook that fetches what is missing failed",
        what=f"{_sentence(called.problem)} Dates that lack something wait until the deadline.",
        place="[schedule] hook",
        command="gradeonce ready yesterday",
    )


def _late_problem(readiness: Readiness) -> Problem:
    day = readiness.game_date
    return Problem(
        kind=AlertKind.NOT_READY,
        identity=f"schedule/{day}",
        severity=Severity.FAIL,
        title=f"{day}: not ready to be graded",
        what=f"{_sentence(readiness.reason)} The deadline has passed; what could be graded was.",
        place=day.isoformat(),
        command=f"gradeonce ready {day}",
        how_many=readiness.pending or None,
    )


def _statuses(reports: Sequence[GradeReport]) -> tuple[tuple[str, str], ...]:
    return tuple((run.partition, run.status) for report in reports for run in report.runs)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
