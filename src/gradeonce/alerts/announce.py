"""One problem is one alert: repeats are folded, a turn for the worse, a reminder and the recovery are announced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gradeonce.alerts.channels import Channel, channels_of
from gradeonce.alerts.deliver import Sent, deliver, send_once
from gradeonce.alerts.memory import Alert, DeliveryStatus, Event, Memory, new_alert, opened_again
from gradeonce.alerts.message import Told, build_message, grouped
from gradeonce.alerts.problem import MOST_KEYS, Problem, Severity, is_within
from gradeonce.clock import Clock
from gradeonce.errors import WarehouseError
from gradeonce.publish import ignore_steps
from gradeonce.warehouses.base import OnStep, Warehouse

if TYPE_CHECKING:
    from gradeonce.config import Settings

_log = logging.getLogger(__name__)

KEPT_DAYS = 365
"""How long an alert is kept after its recovery."""


@dataclass(frozen=True)
class Announced:
    """What one call of `announce` did.

    Attributes:
        opened: Alerts of problems that are new.
        escalated: Alerts that turned from warn to fail.
        reminded: Alerts that were told again because they stand for long.
        folded: Alerts whose problem was seen again, and that nobody was told of.
        recovered: Alerts whose problem is gone.
        messages: What became of each message sent, older ones included that were still due.
        is_recorded: False when the book was out of reach: everything was told, and nothing could be remembered.
    """

    opened: tuple[Alert, ...] = ()
    escalated: tuple[Alert, ...] = ()
    reminded: tuple[Alert, ...] = ()
    folded: tuple[Alert, ...] = ()
    recovered: tuple[Alert, ...] = ()
    messages: tuple[Sent, ...] = ()
    is_recorded: bool = True

    @property
    def failed(self) -> tuple[Sent, ...]:
        """Messages that a channel did not take; they are sent again next time."""
        return tuple(message for message in self.messages if message.status is not DeliveryStatus.SENT)


def announce(
    warehouse: Warehouse,
    settings: Settings,
    clock: Clock,
    problems: Sequence[Problem],
    *,
    scope: Sequence[str] = (),
    examined_at: datetime | Mapping[str, datetime] | None = None,
    on_step: OnStep = ignore_steps,
) -> Announced:
    """Tell the channels what is new about these problems, and what is over.

    A channel that fails is recorded and never raises. If the book is out of reach, the problems are sent all the same,
    without a memory of it: an alert too many is better than none.

    Args:
        warehouse: The book, which remembers.
        settings: Names the channels.
        clock: Time.
        problems: What was found. Of several with one identity the worst counts.
        scope: Identities that were examined, found to be a problem or not; one that ends with `/` stands for all below
            it. An open alert within the scope whose problem was not found is over; any other is left alone.
        examined_at: When they were examined; an alert that was seen later is not over. By name, where some of the scope
            were examined earlier than the rest, which then was just now; None: all just now.
        on_step: Called as each step is reached.

    Returns:
        What was announced, and what the channels made of it.
    """
    found = _worst_of_each(problems)
    channels = channels_of(settings)
    memory = Memory(warehouse)
    try:
        done = _Judge(memory, settings, clock, [channel.name for channel in channels], on_step).judge(
            found, _instants(scope, examined_at, clock.now())
        )
        messages = deliver(memory, channels, settings, clock, on_step=on_step)
    except WarehouseError as error:
        _log.error("alerts_not_recorded problems=%d error=%s", len(found), error.message)
        return _tell_without_memory(found, channels, settings, clock)
    return replace(done, messages=tuple(messages))


def _instants(
    scope: Sequence[str], examined_at: datetime | Mapping[str, datetime] | None, now: datetime
) -> dict[str, datetime]:
    """Return when each part of the scope was examined."""
    if isinstance(examined_at, Mapping):
        return {part: examined_at.get(part, now) for part in scope}
    return dict.fromkeys(scope, examined_at or now)


def announce_safely(
    announce: Callable[..., Announced],
    problems: Sequence[Problem],
    *,
    scope: Sequence[str] = (),
    examined_at: Mapping[str, datetime] | None = None,
) -> Announced | None:
    """Announce beside a job that has its own outcome: a fault in here is logged and hides neither result nor error.

    Args:
        announce: `Book.announce`.
        problems: See `announce`.
        scope: See `announce`.
        examined_at: See `announce`.

    Returns:
        What was announced; None if that broke.
    """
    try:
        return announce(problems, scope=scope, examined_at=examined_at)
    except Exception:  # noqa: BLE001
        # What is done is done, and what failed has its own error: the caller goes on with that.
        _log.exception("alerting_failed problems=%d", len(problems))
        return None


def retry(warehouse: Warehouse, settings: Settings, clock: Clock, *, on_step: OnStep = ignore_steps) -> Announced:
    """Send what is still due, and announce nothing new.

    Raises:
        WarehouseError: If the book is out of reach.
    """
    return Announced(
        messages=tuple(deliver(Memory(warehouse), channels_of(settings), settings, clock, on_step=on_step))
    )


def _latest(alerts: Sequence[Alert]) -> dict[str, Alert]:
    """Return the last alert of each identity."""
    return {alert.identity: alert for alert in sorted(alerts, key=lambda alert: alert.episode)}


def _worst_of_each(problems: Sequence[Problem]) -> list[Problem]:
    worst: dict[str, Problem] = {}
    for problem in problems:
        known = worst.get(problem.identity)
        if known is None or problem.severity.is_worse_than(known.severity):
            worst[problem.identity] = problem
    return list(worst.values())


@dataclass
class _Judge:
    """Holds problems against what the book remembers, one announcement at a time."""

    memory: Memory
    settings: Settings
    clock: Clock
    channels: Sequence[str]
    on_step: OnStep
    by_event: dict[Event, list[Alert]] = field(default_factory=lambda: {event: [] for event in Event})
    folded: list[Alert] = field(default_factory=list)

    def judge(self, problems: Sequence[Problem], scope: Mapping[str, datetime]) -> Announced:
        alerts = self.memory.alerts()
        latest = _latest(alerts)
        seen = [self._see(problem, latest.get(problem.identity)) for problem in problems]
        for alert in self._keep_seen(problems, seen):
            self._announce_what_is_new(alert)
        found = {problem.identity for problem in problems}
        over = [
            (alert, max(at for part, at in scope.items() if is_within(alert.identity, (part,))))
            for alert in latest.values()
            if alert.is_open and alert.identity not in found and is_within(alert.identity, tuple(scope))
        ]
        recovered = [(alert, examined_at) for alert, examined_at in over if self._recover(alert, examined_at)]
        if recovered:
            self._look_back(recovered)
        self._forget(alerts)
        return Announced(
            opened=tuple(self.by_event[Event.OPENED]),
            escalated=tuple(self.by_event[Event.ESCALATED]),
            reminded=tuple(self.by_event[Event.REMINDER]),
            recovered=tuple(self.by_event[Event.RECOVERED]),
            folded=tuple(self.folded),
        )

    def _see(self, problem: Problem, known: Alert | None) -> Alert:
        now = self.clock.now()
        if known is None or not known.is_open:
            alert = new_alert(problem, 1 if known is None else known.episode + 1, now)
            if self.memory.open(alert):
                self.on_step("alert.opened")
            return alert
        return replace(
            known,
            kind=problem.kind,
            severity=problem.severity,
            title=problem.title,
            what=problem.what,
            place=problem.place,
            command=problem.command,
            since_at=min(problem.since_at or known.since_at, known.since_at),
            how_many=problem.how_many,
            sample_keys=problem.sample_keys[:MOST_KEYS],
            last_seen_at=now,
            seen=known.seen + 1,
        )

    def _keep_seen(self, problems: Sequence[Problem], seen: Sequence[Alert]) -> list[Alert]:
        """Keep what was seen of alerts that were known; return all, those that were over by then as new alerts.

        Whoever tells that a problem is over does so first and looks afterwards who has seen it since; we do the two the
        other way round. So of two who do this at once, one at least sees what the other did.
        """
        known = [alert for alert in seen if alert.seen > 1]
        if not known:
            return list(seen)
        self.memory.update(known)
        latest = _latest(self.memory.alerts())
        return [
            alert if alert.seen == 1 or latest[alert.identity].is_open else self._see(problem, latest[alert.identity])
            for problem, alert in zip(problems, seen, strict=True)
        ]

    def _announce_what_is_new(self, alert: Alert) -> None:
        told = {one.severity for one in alert.announcements}
        if not told:
            # Also when whoever opened the alert died before he announced it.
            step = Event.OPENED.value
        elif alert.severity is Severity.FAIL and Severity.FAIL not in told:
            step = Event.ESCALATED.value
        elif self._is_reminder_due(alert):
            reminders = sum(one.event is Event.REMINDER for one in alert.announcements)
            step = f"{Event.REMINDER.value} {reminders + 1}"
        else:
            self.folded.append(alert)
            return
        self._announce(alert, step)

    def _is_reminder_due(self, alert: Alert) -> bool:
        last = alert.announcements[-1].announced_at
        return self.clock.now() - last >= timedelta(hours=self.settings.remind_hours)

    def _recover(self, alert: Alert, examined_at: datetime) -> bool:
        if alert.last_seen_at > examined_at:
            return False
        self._announce(replace(alert, recovered_at=self.clock.now()), Event.RECOVERED.value)
        return True

    def _look_back(self, recovered: Sequence[tuple[Alert, datetime]]) -> None:
        """Open alerts anew that somebody saw since they were examined; see `_keep_seen`."""
        latest = _latest(self.memory.alerts())
        over = []
        for alert, examined_at in recovered:
            known = latest[alert.identity]
            if known.alert_id != alert.alert_id:
                continue
            if known.last_seen_at <= examined_at:
                over.append(known)
                continue
            again = opened_again(known, self.clock.now())
            if self.memory.open(again):
                self.on_step("alert.opened")
            self._announce_what_is_new(again)
        self.memory.update(over)

    def _announce(self, alert: Alert, step: str) -> None:
        event = Event(step.partition(" ")[0])
        if self.memory.announce(alert, step, self.channels, self.clock.now()):
            self.by_event[event].append(alert)
            _log.info("alert event=%s kind=%s identity=%s", step, alert.kind, alert.identity)
            self.on_step("alert.announced")
        elif event is not Event.RECOVERED:
            self.folded.append(alert)

    def _forget(self, alerts: Sequence[Alert]) -> None:
        before = self.clock.now() - timedelta(days=KEPT_DAYS)
        newest = _latest(alerts)
        old = [
            alert
            for alert in alerts
            # The last of an identity stays: the number of the next one comes from it.
            if not alert.is_open and alert.last_seen_at < before and alert.episode < newest[alert.identity].episode
        ]
        if old:
            self.memory.forget(old)


def _tell_without_memory(
    problems: Sequence[Problem], channels: Sequence[Channel], settings: Settings, clock: Clock
) -> Announced:
    alerts = [new_alert(problem, 1, clock.now()) for problem in problems]
    groups = grouped([Told(alert, Event.OPENED.value, alert.severity) for alert in alerts])
    messages = []
    for channel in channels:
        for group in groups:
            message = build_message(group, book=settings.shown_book, now=clock.now())
            messages.append(send_once(channel, message, clock=clock, seconds=settings.send_seconds))
            if messages[-1].status is not DeliveryStatus.SENT:
                break
    return Announced(opened=tuple(alerts), messages=tuple(messages), is_recorded=False)
