"""Dates as people type them: a day, yesterday, a range. League dates, right across midnight UTC and across DST."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from gradeonce.clock import Clock, league_day, league_today
from gradeonce.errors import UsageError


def parse_day(text: str, *, clock: Clock, timezone: str) -> date:
    """Return the date for `2026-01-17`, `today` or `yesterday` (in the league's time zone).

    Raises:
        UsageError: If it is none of these.
    """
    return day_at(clock.now(), text, timezone=timezone)


def day_at(instant: datetime, text: str, *, timezone: str) -> date:
    """Return the date that a text means to whoever wrote it at that instant (timezone-aware); see `parse_day`.

    Raises:
        UsageError: If it means none.
    """
    if text in ("today", "yesterday"):
        today = league_day(instant, timezone)
        return today if text == "today" else today - timedelta(days=1)
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date; expected YYYY-MM-DD, today or yesterday.") from error


def parse_span(text: str, *, clock: Clock, timezone: str) -> tuple[date, date]:
    """Return first and last date of `30d` or `4w`, counted back from today in the league's time zone, today included.

    Raises:
        UsageError: If it is not of this form.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})([dw])", text)
    if match is None:
        raise UsageError(f"{text!r} is not a span; expected days or weeks such as 30d or 4w.")
    days = int(match[1]) * (7 if match[2] == "w" else 1)
    last = league_today(clock, timezone)
    return last - timedelta(days=days - 1), last


def days_between(first: date, last: date) -> list[date]:
    """Return every date from first to last, both included.

    Raises:
        UsageError: If the range runs backwards.
    """
    if last < first:
        raise UsageError(f"The range runs backwards: from {first} to {last}.")
    return [first + timedelta(days=days) for days in range((last - first).days + 1)]
