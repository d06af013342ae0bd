"""When a morning is due: once a day at a wall-clock time where the league plays, across every change of clocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from gradeonce.errors import ConfigError


@dataclass(frozen=True)
class Slot:
    """One morning.

    Attributes:
        day: Its date where the league plays; yesterday of it is graded.
        due_at: When it is due, UTC.
    """

    day: date
    due_at: datetime

    @property
    def game_date(self) -> date:
        """The date to grade."""
        return self.day - timedelta(days=1)


def parse_at(at: str) -> tuple[int, int]:
    """Return hour and minute.

    Raises:
        ConfigError: If it is not HH:MM.
    """
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if match is None:
        raise ConfigError(f"[schedule] at is {at!r}; expected a time of day such as 06:00.")
    return int(match[1]), int(match[2])


def last_due(at: str, timezone: str, now: datetime) -> Slot:
    """Return the latest morning that is due by now."""
    slots = _slots(at, timezone, now - timedelta(days=3))
    found = next(slots)
    while (following := next(slots)).due_at <= now:
        found = following
    return found


def next_after(at: str, timezone: str, now: datetime) -> Slot:
    """Return the next morning that is not due yet."""
    return next(slot for slot in _slots(at, timezone, now - timedelta(days=1)) if slot.due_at > now)


def _slots(at: str, timezone: str, start: datetime) -> Iterator[Slot]:
    """Yield the mornings after an instant.

    One a date: a time that comes twice when clocks go back is due the first time, one that does not come when they go
    forward is due when they have. (Tried and left: APScheduler 3.11.3, whose cron trigger leaves out 00:30 of the date
    after clocks went forward, and whose calendar trigger leaves out 02:30 of that date.)
    """
    from cronsim import CronSim

    hour, minute = parse_at(at)
    zone = ZoneInfo(timezone)
    for due in CronSim(f"{minute} {hour} * * *", start.astimezone(zone)):
        yield Slot(due.date(), due.astimezone(UTC))
