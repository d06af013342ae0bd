"""League dates: right across midnight UTC and across the change of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from builders import FakeClock
from gradeonce.clock import SystemClock, league_today
from gradeonce.dates import days_between, parse_day, parse_span
from gradeonce.errors import UsageError

EASTERN = "America/New_York"


def at(text: str) -> FakeClock:
    """Return a clock that stands at an instant in UTC."""
    return FakeClock(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-01-18 04:59:59", date(2026, 1, 17)),
        ("2026-01-18 05:00:00", date(2026, 1, 18)),
        # Clocks go forward on 2026-03-08 and back on 2026-11-01, both at 2 in the morning.
        ("2026-03-08 04:59:59", date(2026, 3, 7)),
        ("2026-03-09 03:59:59", date(2026, 3, 8)),
        ("2026-03-09 04:00:00", date(2026, 3, 9)),
        ("2026-11-01 03:59:59", date(2026, 10, 31)),
        ("2026-11-02 04:59:59", date(2026, 11, 1)),
        ("2026-11-02 05:00:00", date(2026, 11, 2)),
    ],
)
def test_a_day_ends_at_midnight_where_the_league_plays(instant: str, day: date) -> None:
    """05:00 UTC in winter, 04:00 UTC in summer."""
    clock = at(instant)

    assert league_today(clock, EASTERN) == day
    assert parse_day("today", clock=clock, timezone=EASTERN) == day
    assert (day - parse_day("yesterday", clock=clock, timezone=EASTERN)).days == 1


def test_a_date_is_a_date(tmp_path: object) -> None:
    """Read as it stands, whatever the clock says."""
    assert parse_day("2024-02-29", clock=at("2026-01-18 12:00:00"), timezone=EASTERN) == date(2024, 2, 29)


@pytest.mark.parametrize("text", ["", "2026-1-7", "2026-02-30", "17.01.2026", "20226-01-17", "tomorrow", "2026-01-17 "])
def test_what_is_no_date_is_refused(text: str) -> None:
    """The message says what was typed and what was expected; exit code 64."""
    with pytest.raises(UsageError) as refused:
        parse_day(text, clock=at("2026-01-18 12:00:00"), timezone=EASTERN)

    assert refused.value.message == f"{text!r} is not a date; expected YYYY-MM-DD, today or yesterday."
    assert refused.value.exit_code == 64


@pytest.mark.parametrize(
    ("text", "first"), [("1d", date(2026, 1, 18)), ("30d", date(2025, 12, 20)), ("4w", date(2025, 12, 22))]
)
def test_a_span_counts_back_from_today(text: str, first: date) -> None:
    """Today included: 1d is today alone, 30d are 30 days, 4w are 28."""
    assert parse_span(text, clock=at("2026-01-18 12:00:00"), timezone=EASTERN) == (first, date(2026, 1, 18))


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-3d", "1.5d", "3m", "100000d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(UsageError, match="is not a span; expected days or weeks such as 30d or 4w"):
        parse_span(text, clock=at("2026-01-18 12:00:00"), timezone=EASTERN)


def test_the_longest_span_is_still_a_date() -> None:
    """99,999 weeks reach back to the second century, not out of the calendar."""
    first, _ = parse_span("99999w", clock=at("2026-01-18 12:00:00"), timezone=EASTERN)

    assert first.year < 200


def test_a_range_has_both_its_ends() -> None:
    """Across the end of a leap February; a single day is a range too."""
    assert days_between(date(2024, 2, 28), date(2024, 3, 1)) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert days_between(date(2024, 2, 28), date(2024, 2, 28)) == [date(2024, 2, 28)]


def test_a_range_that_runs_backwards_is_refused() -> None:
    """An empty range would grade nothing and look like success."""
    with pytest.raises(UsageError, match="The range runs backwards: from 2026-01-02 to 2026-01-01"):
        days_between(date(2026, 1, 2), date(2026, 1, 1))


def test_the_machines_clock_tells_utc() -> None:
    """Its instants carry their zone, and its monotonic hand does not run backwards."""
    clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
