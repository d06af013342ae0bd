"""When a morning is due: a wall-clock time where the league plays, across both changes of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from gradeonce.errors import ConfigError
from gradeonce.schedule import crontab_text, last_due, next_after, systemd_units

NEW_YORK = "America/New_York"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "now", "due"),
    [
        # January: UTC-5. The night clocks go forward (March 8), and back (November 1): 06:00 on either side.
        ("06:00", "2026-01-15T12:00", "2026-01-16T11:00"),
        ("06:00", "2026-03-07T12:00", "2026-03-08T10:00"),
        ("06:00", "2026-03-08T10:00", "2026-03-09T10:00"),
        ("06:00", "2026-10-31T10:30", "2026-11-01T11:00"),
        ("06:00", "2026-11-01T11:00", "2026-11-02T11:00"),
        # 02:30 does not come on March 8: when clocks have gone forward, to 03:00.
        ("02:30", "2026-03-07T12:00", "2026-03-08T07:00"),
        # 01:30 comes twice on November 1: the first time only.
        ("01:30", "2026-10-31T12:00", "2026-11-01T05:30"),
        ("01:30", "2026-11-01T05:30", "2026-11-02T06:30"),
    ],
)  # fmt: skip
def test_the_next_morning(at: str, now: str, due: str) -> None:
    """One a date, never at the same instant twice."""
    assert next_after(at, NEW_YORK, utc(now)).due_at == utc(due)


@pytest.mark.parametrize(
    ("at", "now", "day"),
    [
        ("06:00", "2026-01-16T10:59", "2026-01-15"),
        ("06:00", "2026-01-16T11:00", "2026-01-16"),
        ("06:00", "2026-03-08T09:59", "2026-03-07"),
        ("06:00", "2026-03-08T10:00", "2026-03-08"),
        ("06:00", "2026-11-01T10:59", "2026-10-31"),
        ("06:00", "2026-11-01T11:00", "2026-11-01"),
        ("01:30", "2026-11-01T06:30", "2026-11-01"),
        ("23:59", "2026-01-16T05:00", "2026-01-15"),
    ],
)
def test_the_morning_that_is_due_last(at: str, now: str, day: str) -> None:
    """From its very instant on; what is graded is the date before."""
    slot = last_due(at, NEW_YORK, utc(now))

    assert slot.day == date.fromisoformat(day)
    assert slot.due_at <= utc(now)
    assert (slot.day - slot.game_date).days == 1


def test_a_year_has_one_morning_a_date() -> None:
    """365 dates, each once, also where clocks change at the very time."""
    for zone, at in [*((NEW_YORK, at) for at in ("00:30", "01:30", "02:30", "06:00")), ("Europe/London", "01:30")]:
        now, days = utc("2026-01-01T12:00"), []
        for _ in range(365):
            slot = next_after(at, zone, now)
            assert slot.due_at > now
            now = slot.due_at
            days.append(slot.day)
        assert days == [date(2026, 1, 2) + timedelta(days=number) for number in range(365)]


@pytest.mark.parametrize("at", ["6", "24:00", "06:60", "noon", ""])
def test_a_time_that_is_none_is_refused(at: str) -> None:
    """It says what was expected."""
    with pytest.raises(ConfigError, match=r"\[schedule\] at is .*; expected a time of day such as 06:00"):
        last_due(at, NEW_YORK, utc("2026-01-16T11:00"))


def test_units_keep_words_and_percent_signs_together() -> None:
    """What systemd and cron would take for their own is escaped."""
    command = ["/opt/my env/bin/python", "-m", "gradeonce", "--config", "/srv/50%/a$b.toml"]
    service = systemd_units(command, "/srv/50%", at="06:05", timezone=NEW_YORK)["gradeonce-morning.service"]

    assert 'ExecStart="/opt/my env/bin/python" -m gradeonce --config /srv/50%%/a$$b.toml\n' in service
    assert "WorkingDirectory=/srv/50%%\n" in service
    lines = crontab_text(command, "/srv/50%", at="06:05", timezone=NEW_YORK).splitlines()
    assert "CRON_TZ=America/New_York" in lines
    assert lines[2] == (
        "5 6 * * *  cd /srv/50\\% && '/opt/my env/bin/python' -m gradeonce --config '/srv/50\\%/a$b.toml'"
    )  # fmt: skip
