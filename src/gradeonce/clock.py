"""The clock that everything which waits, expires or stamps is given."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Two hands: a wall clock for stamps, a monotonic one for durations."""

    def now(self) -> datetime:
        """Return the current instant, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards; only differences mean anything."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block for that many seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class FakeClock:
    """A clock for tests: it moves only when told to, or when somebody sleeps on it.

    Attributes:
        elapsed: Seconds since it was made.
        slept: Every sleep, in seconds, in order.
    """

    def __init__(self, at: datetime = datetime(2026, 1, 18, 12, tzinfo=UTC)) -> None:
        self._start = at
        self.elapsed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.elapsed += seconds

    def advance(self, seconds: float) -> None:
        """Let that much time pass."""
        self.elapsed += seconds


def league_day(instant: datetime, timezone: str) -> date:
    """Return the date of an instant (timezone-aware) where the league plays."""
    from zoneinfo import ZoneInfo

    return instant.astimezone(ZoneInfo(timezone)).date()


def league_today(clock: Clock, timezone: str) -> date:
    """Return today's date where the league plays: a game that ends after midnight UTC is still today's."""
    return league_day(clock.now(), timezone)
