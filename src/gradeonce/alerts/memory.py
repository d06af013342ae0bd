"""What the book remembers of alerts: which are open, what was announced of them, and what each channel took.

Two small tables, written so that nobody needs a lock. A row of `alerts_seen` is one alert, from the first sight of its
problem to the recovery; if the problem comes back later, that is a new alert with the next episode number. A row of
`alerts_sent` is one step of an announcement on one channel, and is only ever added, or finished by whoever added it:
attempt 0 says that the channel is due, each later one is a claim to send, which runs out if its owner dies. Both are
inserted only if absent, so of several processes that see the same thing at once exactly one announces, and one sends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from gradeonce.alerts.problem import MOST_KEYS, AlertKind, Problem, Severity
from gradeonce.schema import ALERTS_SEEN, ALERTS_SENT
from gradeonce.warehouses.base import Warehouse

BOOK_CHANNEL = "book"
"""The channel that is always there: the announcement itself, as the book keeps it."""


class Event(StrEnum):
    """What is announced of an alert."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RECOVERED = "recovered"


_ORDER = {event: place for place, event in enumerate(Event)}
_PHASES = {Event.OPENED: 0, Event.ESCALATED: 1, Event.REMINDER: 1, Event.RECOVERED: 2}


class DeliveryStatus(StrEnum):
    """How far an announcement is on a channel."""

    RECORDED = "recorded"
    DUE = "due"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True)
class Delivery:
    """One announcement on one channel, as its last attempt left it.

    Attributes:
        channel: Name of the channel.
        status: due, sending (claimed), sent, failed (and tried again), or recorded (for the book itself).
        attempt: Claims to send it so far; 0: none yet.
        tries: How often the channel was asked within the last claim.
        sent_at: When the channel took it; None: it has not.
        error: What the channel said last, without secrets.
        claimed_until: When the claim runs out; None unless it is being sent.
        next_try_at: Not to be tried before; None: any time.
    """

    channel: str
    status: DeliveryStatus
    attempt: int = 0
    tries: int = 0
    sent_at: datetime | None = None
    error: str = ""
    claimed_until: datetime | None = None
    next_try_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Say whether anybody may send it now."""
        if self.status is DeliveryStatus.SENDING:
            return self.claimed_until is None or self.claimed_until <= now
        if self.status is DeliveryStatus.FAILED:
            return self.next_try_at is None or self.next_try_at <= now
        return self.status is DeliveryStatus.DUE


@dataclass(frozen=True)
class Announcement:
    """Something that was announced of an alert.

    Attributes:
        step: opened, escalated, `reminder 1`, ..., or recovered; of one alert each stands once.
        severity: The severity it told.
        announced_at: When.
        deliveries: How far it is on each channel.
    """

    step: str
    severity: Severity
    announced_at: datetime
    deliveries: tuple[Delivery, ...] = ()

    @property
    def event(self) -> Event:
        """The kind of step."""
        return Event(self.step.partition(" ")[0])


@dataclass(frozen=True)
class Alert:
    """One problem from its first sight to its recovery.

    Attributes:
        alert_id: Short name of it, for commands.
        identity: Identity of the problem.
        episode: 1 for the first time the problem was seen, 2 when it came back after a recovery, and so on.
        kind: What kind of problem.
        severity: How bad it was when it was last seen.
        title: What is wrong, in one line.
        what: What happened, and what state the data is in.
        place: Where.
        command: What to type to look closer.
        since_at: Since when it is so.
        how_many: How many rows, keys or dates; None where it is not a matter of number.
        sample_keys: Keys that show it.
        opened_at: When it was first seen.
        last_seen_at: When it was last seen.
        seen: How often.
        recovered_at: When it was found to be gone; None: it is open.
        announcements: What was announced of it, in order.
    """

    alert_id: str
    identity: str
    episode: int
    kind: AlertKind
    severity: Severity
    title: str
    what: str
    place: str
    command: str
    since_at: datetime
    how_many: int | None
    sample_keys: tuple[str, ...]
    opened_at: datetime
    last_seen_at: datetime
    seen: int = 1
    recovered_at: datetime | None = None
    announcements: tuple[Announcement, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether no recovery was announced. The row may be a moment behind; what was announced is not."""
        return not any(one.event is Event.RECOVERED for one in self.announcements)


def new_alert(problem: Problem, episode: int, now: datetime) -> Alert:
    """Return the alert that a problem opens."""
    name = hashlib.sha256(f"{episode} {problem.identity}".encode()).hexdigest()[:12]
    return Alert(
        alert_id=f"a{name}",
        identity=problem.identity,
        episode=episode,
        kind=problem.kind,
        severity=problem.severity,
        title=problem.title,
        what=problem.what,
        place=problem.place,
        command=problem.command,
        since_at=problem.since_at or now,
        how_many=problem.how_many,
        sample_keys=problem.sample_keys[:MOST_KEYS],
        opened_at=now,
        last_seen_at=now,
    )


def opened_again(alert: Alert, now: datetime) -> Alert:
    """Return the alert that the problem of one that is over opens, when it was seen after all."""
    problem = Problem(
        alert.kind,
        alert.identity,
        alert.severity,
        alert.title,
        alert.what,
        alert.place,
        alert.command,
        alert.since_at,
        alert.how_many,
        alert.sample_keys,
    )
    return new_alert(problem, alert.episode + 1, now)


class Memory:
    """Alerts as one book keeps them."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def alerts(self) -> list[Alert]:
        """Return every alert, oldest first; of those seen at the same instant, the worst first."""
        rows = self._warehouse.kept(ALERTS_SEEN).dicts()
        steps: dict[str, list[Mapping[str, Any]]] = {}
        # The steps last: an alert that somebody opens and ends in between would look as if it were open, without any.
        for row in self._warehouse.kept(ALERTS_SENT).dicts():
            steps.setdefault(row["alert_id"], []).append(row)
        found = [_alert(row, steps.get(row["alert_id"], ())) for row in rows]
        return sorted(found, key=lambda alert: (alert.opened_at, alert.severity.value, alert.identity))

    def open(self, alert: Alert) -> bool:
        """Keep a new alert. Return False if somebody else opened the same one just now."""
        return self._warehouse.keep(ALERTS_SEEN, [_row(alert)], replace=False) == 1

    def update(self, alerts: Sequence[Alert]) -> None:
        """Keep what was seen of alerts that are known."""
        if alerts:
            self._warehouse.keep(ALERTS_SEEN, [_row(alert) for alert in alerts])

    def announce(self, alert: Alert, step: str, channels: Sequence[str], now: datetime) -> bool:
        """Keep that a step is announced, and due on these channels. Return False if somebody else announced it."""
        rows = [_step(alert, step, BOOK_CHANNEL, 0, DeliveryStatus.RECORDED, now)]
        rows += [_step(alert, step, channel, 0, DeliveryStatus.DUE, now) for channel in channels]
        return self._warehouse.keep(ALERTS_SENT, rows, replace=False) > 0

    def claim(self, alert: Alert, step: str, last: Delivery, now: datetime, *, seconds: float) -> bool:
        """Claim the next attempt to send a step on a channel. Return False if somebody else did."""
        row = _step(alert, step, last.channel, last.attempt + 1, DeliveryStatus.SENDING, now)
        claimed = {**row, "claimed_until": now + timedelta(seconds=seconds)}
        return self._warehouse.keep(ALERTS_SENT, [claimed], replace=False) == 1

    def finish(self, sent: Sequence[tuple[Alert, str, Delivery]], now: datetime) -> None:
        """Keep what became of attempts that we had claimed."""
        self._warehouse.keep(
            ALERTS_SENT,
            [
                {
                    **_step(alert, step, delivery.channel, delivery.attempt, delivery.status, now),
                    "sent_at": delivery.sent_at,
                    "next_try_at": delivery.next_try_at,
                    "tries": delivery.tries,
                    "error": delivery.error or None,
                }
                for alert, step, delivery in sent
            ],
        )

    def forget(self, alerts: Sequence[Alert]) -> None:
        """Drop alerts and all that was announced of them."""
        attempts = [
            {"alert_id": alert.alert_id, "event": one.step, "channel": delivery.channel, "attempt": attempt}
            for alert in alerts
            for one in alert.announcements
            for delivery in one.deliveries
            for attempt in range(delivery.attempt + 1)
        ]
        # The steps last: an alert without its recovery would count as open again.
        self._warehouse.drop_kept(ALERTS_SEEN, [{"alert_id": alert.alert_id} for alert in alerts])
        self._warehouse.drop_kept(ALERTS_SENT, attempts)


def _row(alert: Alert) -> dict[str, Any]:
    values = asdict(replace(alert, announcements=()))
    del values["announcements"]
    return {
        **values,
        "kind": alert.kind.value,
        "severity": alert.severity.value,
        "sample_keys": json.dumps(alert.sample_keys, ensure_ascii=False),
    }


def _alert(row: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Alert:
    announcements = _announcements(steps)
    # Who saw it last may not have known of its end.
    ended_at = next((one.announced_at for one in announcements if one.event is Event.RECOVERED), None)
    return Alert(
        **{
            **row,
            "kind": AlertKind(row["kind"]),
            "severity": Severity(row["severity"]),
            "sample_keys": tuple(json.loads(row["sample_keys"])),
            **{name: _aware(row[name]) for name in ("since_at", "opened_at", "last_seen_at")},
            "recovered_at": _aware(row["recovered_at"]) or ended_at,
        },
        announcements=announcements,
    )


def _announcements(rows: Sequence[Mapping[str, Any]]) -> tuple[Announcement, ...]:
    by_step: dict[str, dict[str, Mapping[str, Any]]] = {}
    heads: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        # Rows come in the order of their key, so the last attempt on a channel is the one that stays.
        by_step.setdefault(row["event"], {})[row["channel"]] = row
        if row["channel"] == BOOK_CHANNEL:
            heads[row["event"]] = row
    found = [
        Announcement(
            step=step,
            severity=Severity(head["severity"]),
            announced_at=_required(head["written_at"]),
            deliveries=tuple(_delivery(row) for row in by_step[step].values()),
        )
        for step, head in heads.items()
    ]
    # The opening first and the recovery last, whatever the clocks of the machines said that announced them.
    return tuple(sorted(found, key=lambda one: (_PHASES[one.event], one.announced_at, _ORDER[one.event], one.step)))


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        channel=row["channel"],
        status=DeliveryStatus(row["status"]),
        attempt=row["attempt"],
        tries=row["tries"],
        sent_at=_aware(row["sent_at"]),
        error=row["error"] or "",
        claimed_until=_aware(row["claimed_until"]),
        next_try_at=_aware(row["next_try_at"]),
    )


def _step(alert: Alert, step: str, channel: str, attempt: int, status: DeliveryStatus, now: datetime) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "event": step,
        "channel": channel,
        "attempt": attempt,
        "status": status.value,
        "severity": alert.severity.value,
        "written_at": now,
        "tries": 0,
    }


def _aware(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC)


def _required(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)
