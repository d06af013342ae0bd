"""A message is built once, as blocks that belong to no channel; each channel renders them its own way."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gradeonce.alerts.memory import Alert, Event
from gradeonce.alerts.problem import AlertKind, Severity

MOST_LISTED = 20
"""Alerts that a message about several of them names; the rest is a number."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Labels with short values."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Keys:
    """Keys, one a line, in type of one width."""

    label: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """What to type."""

    label: str
    command: str


@dataclass(frozen=True)
class Footer:
    """Small print."""

    text: str


Block = Text | Facts | Keys | Command | Footer


@dataclass(frozen=True)
class Message:
    """What one channel is sent at once.

    Attributes:
        event: What is announced.
        kind: Kind of the problem; recovery for one that is gone.
        severity: How bad it is; for a recovery, how bad it was.
        heading: One line, with a mark of its colour.
        blocks: The rest, in order.
        alerts: The alerts it tells of; more than one when many of a kind came at once.
        key: The same for the same steps of the same alerts, so that whoever gets it twice can know.
        built_at: When it was made.
        is_test: Whether nothing is behind it.
    """

    event: Event
    kind: AlertKind
    severity: Severity
    heading: str
    blocks: tuple[Block, ...]
    alerts: tuple[Alert, ...]
    key: str
    built_at: datetime
    is_test: bool = False


@dataclass(frozen=True)
class Told:
    """One step of one alert, to be told.

    Attributes:
        alert: The alert as it is now.
        step: What is announced of it.
        severity: The severity that the step tells.
    """

    alert: Alert
    step: str
    severity: Severity

    @property
    def event(self) -> Event:
        """The kind of step."""
        return Event(self.step.partition(" ")[0])


MOST_SINGLE = 3
"""Alerts of one kind at once that are told one by one; more than these share one message."""


def grouped(told: Sequence[Told]) -> list[list[Told]]:
    """Return what goes into one message each: alone, or with its like when there are many of them."""
    alike: dict[object, list[Told]] = {}
    for one in told:
        alike.setdefault((one.event, one.alert.kind, one.severity), []).append(one)
    groups: list[list[Told]] = []
    for group in alike.values():
        groups += [[one] for one in group] if len(group) <= MOST_SINGLE else [group]
    return groups


def build_message(told: Sequence[Told], *, book: str, now: datetime, is_test: bool = False) -> Message:
    """Return the message about these steps, which are all of one event, kind and severity.

    Args:
        told: One step, or several that came at once.
        book: The book, as it may be shown.
        now: When.
        is_test: Whether to say that nothing is behind it.
    """
    first = told[0]
    alerts = tuple(one.alert for one in told)
    if len(told) == 1:
        title, blocks = first.alert.title, _about_one(first)
    else:
        title, blocks = f"{len(told)} × {_words(first.alert.kind)}", _about_many(alerts)
    test = "Test: " if is_test else ""
    steps = " ".join(sorted(f"{one.alert.alert_id}/{one.step}" for one in told))
    return Message(
        event=first.event,
        kind=AlertKind.RECOVERY if first.event is Event.RECOVERED else first.alert.kind,
        severity=first.severity,
        heading=f"{_mark(first)} {test}{_LEADS[first.event]}{title}",
        blocks=(*blocks, Footer(_footer(alerts, book))),
        alerts=alerts,
        key=hashlib.sha256(f"{steps} {now.isoformat() if is_test else ''}".encode()).hexdigest()[:32],
        built_at=now,
        is_test=is_test,
    )


_LEADS = {
    Event.OPENED: "",
    Event.ESCALATED: "Worse: ",
    Event.REMINDER: "Still: ",
    Event.RECOVERED: "Recovered: ",
}


def _mark(one: Told) -> str:
    if one.event is Event.RECOVERED:
        return "🟢"
    return "🔴" if one.severity is Severity.FAIL else "🟡"


def _about_one(one: Told) -> list[Block]:
    alert = one.alert
    facts = [("What", _words(alert.kind)), ("Severity", one.severity.value), ("Where", alert.place)]
    facts.append(("Since", shown_instant(alert.since_at)))
    if one.event is Event.RECOVERED:
        facts.append(("Until", shown_instant(alert.recovered_at or alert.last_seen_at)))
    if alert.how_many is not None:
        facts.append(("How many", f"{alert.how_many:,}"))
    if alert.seen > 1:
        facts.append(("Seen", f"{alert.seen:,} times"))
    over = "It was found to be gone. What it was:\n" if one.event is Event.RECOVERED else ""
    blocks: list[Block] = [Text(over + alert.what), Facts(tuple(facts))]
    if one.event is not Event.RECOVERED:
        if alert.sample_keys:
            blocks.append(Keys("Sample keys", alert.sample_keys))
        blocks.append(Command("Look closer", alert.command))
    return blocks


def _about_many(alerts: Sequence[Alert]) -> list[Block]:
    lines = [alert.title for alert in alerts[:MOST_LISTED]]
    if len(alerts) > MOST_LISTED:
        lines.append(f"... and {len(alerts) - MOST_LISTED} more")
    since = min(alert.since_at for alert in alerts)
    facts = (("What", _words(alerts[0].kind)), ("Since", shown_instant(since)), ("How many", f"{len(alerts):,}"))
    return [Facts(facts), Keys("Which", tuple(lines)), Command("Look closer", "gradeonce alerts list")]


def _footer(alerts: Sequence[Alert], book: str) -> str:
    name = f"alert {alerts[0].alert_id}" if len(alerts) == 1 else f"{len(alerts)} alerts"
    return f"gradeonce · {book} · {name}"


def _words(kind: AlertKind) -> str:
    return kind.value.replace("_", " ")


def shown_instant(instant: datetime) -> str:
    """Return an instant as people read it."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"
