"""What happens when a message comes: understood, not handled before, graded, alerted, remembered, told."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from gradeonce.alerts.announce import announce_safely
from gradeonce.alerts.of_grading import failed_grading, grading_problems
from gradeonce.alerts.problem import AlertKind, Problem, Severity
from gradeonce.backfill import GradeReport
from gradeonce.book import Book
from gradeonce.clock import Clock, SystemClock
from gradeonce.config import Settings
from gradeonce.errors import CompletionError, GradeonceError, LeaseLost, UsageError
from gradeonce.gcp.completion import Completion, completed
from gradeonce.gcp.deadline import Deadline, LeasesUntil, platform_seconds
from gradeonce.gcp.envelope import Envelope
from gradeonce.gcp.handled import Handled, HandledEvents
from gradeonce.gcp.message import GradeMessage, read_message
from gradeonce.gcp.topic import Publishes, topic_of
from gradeonce.leases.opening import leases_of
from gradeonce.publish import ignore_steps
from gradeonce.schema import ACCURACY
from gradeonce.statements import statement
from gradeonce.warehouses.base import OnStep

_log = logging.getLogger(__name__)

TELL_SECONDS = 15.0
"""How long the topic may take for a completion."""

ALERTED_ATTEMPT = 4
"""Delivery from which on a message that is to come again is alerted; the fifth may be the last."""

_COMPLETION = "completion"
"""Identity of a completion that was not taken: one problem, however many messages it concerns."""


class Outcome(StrEnum):
    """What became of a delivery that is acknowledged. One that is to come again raises instead."""

    DONE = "done"
    DONE_BEFORE = "done_before"
    FAILED = "failed"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Answer:
    """What a delivery is answered with.

    Attributes:
        outcome: What became of it.
        completion: What became of the event, now or when it was delivered before; None for a malformed one.
        reason: Why it is malformed; empty if it is not.
    """

    outcome: Outcome
    completion: Completion | None = None
    reason: str = ""


class Handler:
    """Handles deliveries of messages. Threads may share it: every delivery opens the book for itself.

    Guarantee: an event that was handled to the end is graded no more, whoever gets it again; one that was not is graded
    as if it came anew, which changes nothing where it was graded already. Events for one date at once are kept apart by
    the lease, and by the fence.
    Limit: a completion is told at least once: its taker may get it again, with the same event_id.
    What the caller must do: acknowledge whatever returns, and let whatever raises come again.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        topic: Publishes | None = None,
        clock: Clock | None = None,
        on_step: OnStep = ignore_steps,
    ) -> None:
        """Remember what to do; nothing is opened yet.

        Args:
            settings: The settings.
            topic: Tells completions; None takes the topic that the settings name, if they name one.
            clock: Time; None takes the machine's.
            on_step: Called with the name of each step; tests stop the process there.

        Raises:
            ConfigError: If the settings name no topic that can be, or no time.
        """
        self._settings, self._clock, self._on_step = settings, clock or SystemClock(), on_step
        self._topic = topic or topic_of(settings)
        self._seconds = platform_seconds(settings)

    def handle(self, envelope: Envelope) -> Answer:
        """Do what a delivery asks for.

        Returns:
            What became of it: it is to be acknowledged.

        Raises:
            GradeonceError: If it is to come again: somebody holds the lease, something is out of reach for a while, or
                the settings are wrong, which is not the message's fault. The book holds whole versions only.
        """
        deadline = Deadline.after(self._seconds, self._clock)
        try:
            message = read_message(envelope, now=self._clock.now(), timezone=self._settings.timezone)
        except UsageError as error:
            return malformed(error, event_id=envelope.event_id)
        try:
            return self._take(message, deadline)
        except GradeonceError as error:
            level = logging.WARNING if _is_worth_another_try(error) else logging.ERROR
            what = (message.event_id, message.target_date, type(error).__name__, error.message)
            _log.log(level, "event_again event_id=%s date=%s kind=%s error=%s", *what)
            raise

    def _take(self, message: GradeMessage, deadline: Deadline) -> Answer:
        settings = deadline.bounded(self._settings)
        leases = None if settings.store == "off" else LeasesUntil(leases_of(settings, self._clock), deadline)
        with Book(settings, clock=self._clock, leases=leases, on_step=self._on_step) as book:
            return _Turn(book, message, deadline, self._topic, self._on_step).take()

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self._settings


def malformed(error: UsageError, *, event_id: str = "") -> Answer:
    """Return the answer to what cannot be understood, and leave a line in the log: it will not get better."""
    _log.error("message_malformed event_id=%s reason=%s", event_id or "-", error.message)
    return Answer(Outcome.MALFORMED, reason=error.message)


@dataclass(frozen=True)
class _Turn:
    """One delivery, with the book open."""

    book: Book
    message: GradeMessage
    deadline: Deadline
    topic: Publishes | None
    on_step: OnStep

    def take(self) -> Answer:
        events = HandledEvents(self.book.warehouse)
        known = events.find(self.message.event_id)
        if known is not None:
            return self._answer_again(events, known)
        completion = self._grade()
        self.on_step("event.graded")
        if not events.keep(completion, self._now()):
            known = events.find(self.message.event_id)
            assert known is not None
            return self._answer_again(events, known)
        self.on_step("event.kept")
        self._tell(events, completion)
        self.on_step("event.told")
        events.forget_old(self._now())
        _log.info("event_done event_id=%s %s", completion.event_id, _figures(completion))
        return Answer(Outcome.FAILED if completion.error else Outcome.DONE, completion)

    def _answer_again(self, events: HandledEvents, known: Handled) -> Answer:
        if not known.is_published:
            self._tell(events, known.completion)
        _log.info("event_done_before event_id=%s %s", known.completion.event_id, _figures(known.completion))
        return Answer(Outcome.DONE_BEFORE, known.completion)

    def _grade(self) -> Completion:
        """Grade the date. Raise what is to be tried again; what never will succeed is a completion, too."""
        try:
            report = self.book.grade(self.message.target_date, alert=False)
        except Exception as error:
            self._tell_of_failure(error)
            raise
        failure = report.worst_error
        if failure is not None and _is_worth_another_try(failure):
            if self._is_tried_for_long():
                self._announce(*grading_problems(report, self.book.settings))
            raise failure
        if failure is not None:
            what = (self.message.event_id, self.message.target_date, type(failure).__name__, failure.message)
            _log.error("event_failed event_id=%s date=%s kind=%s error=%s", *what)
        duplicates = self._duplicates() if failure is None else None
        self._announce(*grading_problems(report, self.book.settings))
        return self._completed(report, duplicates)

    def _completed(self, report: GradeReport, duplicates: int | None) -> Completion:
        return completed(
            self.message,
            report,
            duplicates=duplicates,
            duration_seconds=self.deadline.seconds - (self.deadline.ends_at - self.book.clock.monotonic()),
            finished_at=self._now().isoformat().replace("+00:00", "Z"),
        )

    def _duplicates(self) -> int | None:
        day = self.message.target_date
        try:
            with self.book.warehouse.reader({ACCURACY.name: (day.isoformat(),)}) as reader:
                rows = reader.query(statement("gradeonce.gcp", "duplicates.sql", "duplicates"), {"day": day}).rows
        except GradeonceError as error:
            # The grades stand; that they could not be counted is no reason to keep the message.
            _log.warning("duplicates_not_counted date=%s error=%s", day, error.message)
            return None
        return int(rows[0][0])

    def _tell(self, events: HandledEvents, completion: Completion) -> None:
        """Tell the topic. A topic that is out of reach raises, so that the event comes again and only this is done."""
        if self.topic is None:
            return
        try:
            self.topic(completion, seconds=max(1.0, min(TELL_SECONDS, self.deadline.left_seconds)))
        except CompletionError as error:
            if error.is_transient and not self._is_tried_for_long():
                raise
            self._announce([_completion_problem(completion, error)], [_COMPLETION])
            if error.is_transient:
                raise
            _log.error("completion_not_taken event_id=%s error=%s", completion.event_id, error.message)
            return
        self.on_step("event.published")
        events.keep_published(completion, self._now())
        self._announce([], [_COMPLETION])

    def _tell_of_failure(self, error: Exception) -> None:
        if _is_worth_another_try(error) and not self._is_tried_for_long():
            return
        problem = failed_grading(error)
        if problem is not None:
            self._announce([problem], [])

    def _announce(self, problems: Sequence[Problem], scope: Sequence[str]) -> None:
        announce_safely(self.book.announce, problems, scope=scope)

    def _is_tried_for_long(self) -> bool:
        """Say whether somebody should know that the message is still not done."""
        age = self._now() - self.message.published_at
        is_old = age >= timedelta(seconds=self.book.settings.alert_after_seconds)
        return is_old or self.message.attempt >= ALERTED_ATTEMPT

    def _now(self) -> datetime:
        return self.book.clock.now().astimezone(UTC)


def _is_worth_another_try(error: Exception) -> bool:
    # Whoever took over our lease has published the date, or is about to: the next delivery starts from there.
    return isinstance(error, LeaseLost) or (isinstance(error, GradeonceError) and error.is_transient)


def _completion_problem(completion: Completion, error: CompletionError) -> Problem:
    return Problem(
        kind=AlertKind.COMPLETION_FAILED,
        identity=_COMPLETION,
        severity=Severity.WARN,
        title="Nobody was told that a grading is done",
        what=f"{completion.target_date} is {completion.status}. {error}",
        place="[function] completion_topic",
        command="gradeonce config show",
    )


def _figures(completion: Completion) -> str:
    return (
        f"date={completion.target_date} status={completion.status} run_id={completion.run_id or '-'} "
        f"predictions={completion.predictions} duplicates={completion.duplicates} "
        f"lock_wait_seconds={completion.lock_wait_seconds:g} duration_seconds={completion.duration_seconds:g} "
        f"correlation_id={completion.correlation_id}"
    )
