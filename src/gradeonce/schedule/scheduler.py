"""The loop: one morning after the other, each done once, whatever was missed and whoever else runs one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from gradeonce.alerts.announce import announce_safely
from gradeonce.alerts.problem import AlertKind, Problem, Severity
from gradeonce.config import Settings
from gradeonce.errors import GradeonceError, LeaseHeld, LeaseLost, RefusedForSafety, WarehouseError
from gradeonce.leases import acquire, new_holder
from gradeonce.schedule.morning import OVER, Morning, Outcome, SlotState, Wait, is_over
from gradeonce.schedule.slots import Slot, last_due, next_after

if TYPE_CHECKING:
    from gradeonce.book import Book
    from gradeonce.clock import Clock

_log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""Longest sleep: a machine that was asleep itself, or whose clock was set, is noticed within this."""

_turn = threading.Lock()


class Scheduler:
    """Grades every morning.

    Guarantee: a morning is done once, by one scheduler at a time, across threads, processes and machines; one that was
    missed is done as soon as somebody runs again, and several that were missed are one. If it is done twice after all
    (its record could not be written), the second time changes nothing.
    Limit: somebody must be running, or run `schedule run --once` from cron or systemd.
    """

    def __init__(
        self,
        settings: Settings,
        open_book: Callable[[], Book],
        clock: Clock,
        *,
        wait: Wait,
        tell: Callable[[str], None] = _log.info,
    ) -> None:
        """Remember what to do; nothing is opened yet.

        Args:
            settings: When, and how long.
            open_book: Opens the book for one morning; it is closed at its end.
            clock: Time.
            wait: Waits some seconds; returns True when told to stop.
            tell: Takes a line for people.
        """
        self.settings, self._open_book, self._clock = settings, open_book, clock
        self._wait, self._tell = wait, tell
        self._holder = new_holder("schedule")
        self._over: Slot | None = None
        self._alerted: Slot | None = None

    def run(self) -> None:
        """Do mornings until told to stop.

        Raises:
            RefusedForSafety: If a scheduler runs in this process already.
        """
        with self._alone():
            while True:
                outcome = self._once_quietly()
                if outcome is not None and outcome.state is SlotState.STOPPED:
                    return
                if self._wait(self._pause()):
                    return

    def once(self) -> Outcome | None:
        """Do the morning that is due last, unless it was done. Return what became of it; None: it was done before."""
        with self._alone():
            return self._once()

    def next_slot(self) -> Slot:
        """Return the next morning that is not due yet."""
        return next_after(self.settings.at, self.settings.timezone, self._clock.now())

    def _once(self) -> Outcome | None:
        slot = last_due(self.settings.at, self.settings.timezone, self._clock.now())
        if slot == self._over:
            return None
        with self._open_book() as book:
            try:
                if is_over(book, slot):
                    self._over = slot
                    return None
            except GradeonceError as error:
                self._alert_once(book, slot, error)
                raise
            try:
                with self._lease(book, slot) as guard:
                    # Asked again: another process may have done it just before we got the lease.
                    if is_over(book, slot):
                        return None
                    outcome = Morning(book, slot, self._holder, self._wait, guard, self._tell).run()
            except (LeaseHeld, LeaseLost) as error:
                return Outcome(slot, SlotState.ELSEWHERE, reason=error.message, error=error)
        if outcome.state in OVER:
            # Also when that could not be recorded: who is told once a minute stops listening.
            self._over = slot
        self._tell(_line(outcome))
        return outcome

    def _alert_once(self, book: Book, slot: Slot, error: GradeonceError) -> None:
        if self._alerted == slot:
            return
        self._alerted = slot
        problem = Problem(
            kind=AlertKind.RUN_FAILED,
            identity="schedule/run",
            severity=Severity.FAIL,
            title=f"{slot.game_date}: the morning run could not begin",
            what=str(error),
            place=slot.game_date.isoformat(),
            command=f"gradeonce ready {slot.game_date}",
        )
        announce_safely(book.announce, [problem])

    def _once_quietly(self) -> Outcome | None:
        try:
            return self._once()
        except GradeonceError as error:
            # A book out of reach will be in reach again; a mistake in the settings is for people.
            if not error.is_transient:
                raise
            _log.error("schedule_again error=%s", error.message)
            self._tell(f"not now: {error.message}")
            return None

    def _pause(self) -> float:
        due = self.next_slot().due_at - self._clock.now()
        return min(LOOK_SECONDS, max(0.0, due.total_seconds()))

    @contextmanager
    def _lease(self, book: Book, slot: Slot) -> Iterator[Callable[[], None]]:
        """Hold the lease of a morning; without one, two who do it at once publish it once all the same."""
        with ExitStack() as stack:
            yield self._acquired(stack, book, slot)

    def _acquired(self, stack: ExitStack, book: Book, slot: Slot) -> Callable[[], None]:
        if self.settings.store == "off":
            return _unguarded
        try:
            lease = stack.enter_context(
                acquire(
                    book.leases,
                    f"schedule/{slot.day}",
                    ttl_seconds=self.settings.ttl_seconds,
                    holder=self._holder,
                    clock=self._clock,
                )
            )
        except LeaseHeld:
            raise
        except WarehouseError as error:
            if self.settings.on_unavailable == "fail":
                raise
            _log.warning("lock_store_unavailable going_on=fence error=%s", error.message)
            return _unguarded
        return lease.check

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not _turn.acquire(blocking=False):
            raise RefusedForSafety(
                "A scheduler runs in this process already.", hint="Stop that one first; one is enough."
            )
        try:
            yield
        finally:
            _turn.release()


def _unguarded() -> None:
    """Stand in for the look at a lease that nobody holds."""


def _line(outcome: Outcome) -> str:
    day = outcome.slot.game_date
    dates = ", ".join(f"{one} {status}" for one, status in outcome.dates)
    checks = f"; checks: {outcome.check_status}" if outcome.check_status else ""
    if outcome.state is SlotState.DONE:
        return f"{day} done: {dates}{checks}"
    if outcome.state is SlotState.LATE:
        return f"{day} late, graded as far as it goes ({outcome.reason}): {dates}{checks}"
    return f"{day} {outcome.state}: {outcome.reason}"
