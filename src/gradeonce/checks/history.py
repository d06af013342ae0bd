"""Streaks over stored results: days without a duplicate, and since when a check fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gradeonce.checks.results import CheckStatus

DUPLICATE_CHECKS = ("duplicate_grades", "recent_duplicates")
"""The checks whose passing makes a day without a duplicate."""

STREAK_GOAL = 30
"""Days without a duplicate that are worth showing to others."""

MUST_BE_MENDED = ("duplicate_grades", "ledger_agreement")
"""Checks whose findings do not go away by themselves: they look back to where they failed until it is well."""

_BAD = (CheckStatus.WARNED, CheckStatus.FAILED, CheckStatus.ERROR)


@dataclass(frozen=True)
class CheckStanding:
    """Where one check stands.

    Attributes:
        name: The check.
        status: How it ended last.
        checked_at: When that was, UTC.
        found: Findings then.
        since: First check of the unbroken row that ended like this: passing, or not; UTC.
        runs: How often it was run.
        failures: How often it failed or broke.
    """

    name: str
    status: CheckStatus
    checked_at: datetime
    found: int
    since: datetime
    runs: int
    failures: int


@dataclass(frozen=True)
class CheckHistory:
    """What the stored results say.

    Attributes:
        days_without_duplicate: Days in a row, up to the last check for duplicates, that were checked and had none.
        goal_days: The goal for them.
        streak_first: First day of that row; None when there is none.
        streak_last: Last day of it.
        last_duplicate_on: Latest day on which a check found duplicates; None: never.
        checks: One per check that was ever run, by name.
    """

    days_without_duplicate: int
    goal_days: int
    streak_first: date | None
    streak_last: date | None
    last_duplicate_on: date | None
    checks: tuple[CheckStanding, ...]


def check_history(rows: Iterable[Mapping[str, Any]]) -> CheckHistory:
    """Return the streaks.

    A day counts when a check for duplicates passed on it, or a later one that passed looked back over it. A day on
    which duplicates were found ends the streak, and so does one that nobody checked. "No data" and a check that broke
    say nothing.

    Args:
        rows: Rows of `check_results`. Any: its columns differ in type.
    """
    stored = sorted(rows, key=lambda row: (row["checked_at"], row["check_run"]))
    about_duplicates = [row for row in stored if row["check_name"] in DUPLICATE_CHECKS]
    dirty = {row["checked_on"] for row in about_duplicates if row["status"] == CheckStatus.FAILED}
    spans = [_span(row) for row in about_duplicates if row["status"] == CheckStatus.PASSED]
    first, last = _streak(spans, dirty) if "duplicate_grades" not in unmended(stored) else (None, None)
    return CheckHistory(
        days_without_duplicate=(last - first).days + 1 if first and last else 0,
        goal_days=STREAK_GOAL,
        streak_first=first,
        streak_last=last,
        last_duplicate_on=max(dirty, default=None),
        checks=tuple(_standing(name, stored) for name in sorted({row["check_name"] for row in stored})),
    )


def _span(row: Mapping[str, Any]) -> tuple[date, date]:
    """Return the days of which a check that passed tells: its range and, if that ended yesterday or later, its day."""
    is_current = row["last_date"] >= row["checked_on"] - timedelta(days=1)
    return row["first_date"], max(row["last_date"], row["checked_on"]) if is_current else row["last_date"]


def _streak(spans: Sequence[tuple[date, date]], dirty: set[date]) -> tuple[date | None, date | None]:
    last = max((day for _, day in spans), default=None)
    if last is None or any(day >= last for day in dirty):
        return None, None
    first = last
    while (day := first - timedelta(days=1)) not in dirty and any(start <= day <= end for start, end in spans):
        first = day
    return first, last


def unmended(rows: Iterable[Mapping[str, Any]]) -> dict[str, date]:
    """Return, for each check that failed and was not seen to be well there since, the first date it failed at.

    A later check that passed over other dates only has seen nothing. Any: see `check_history`.
    """
    open_from: dict[str, date] = {}
    for row in sorted(rows, key=lambda row: (row["checked_at"], row["check_run"])):
        name = row["check_name"]
        known = open_from.get(name)
        if row["status"] in (CheckStatus.FAILED, CheckStatus.WARNED):
            found = row["first_found"] or (row["first_date"] if name in MUST_BE_MENDED else None)
            if found is not None:
                open_from[name] = min(found, known or found)
        elif row["status"] == CheckStatus.PASSED and known and row["first_date"] <= known <= row["last_date"]:
            del open_from[name]
    return open_from


def failing_since(rows: Iterable[Mapping[str, Any]]) -> dict[str, datetime]:
    """Return, for each check that did not pass last time, since when it has not. Any: see `check_history`."""
    stored = sorted(rows, key=lambda row: (row["checked_at"], row["check_run"]))
    standings = (_standing(name, stored) for name in {row["check_name"] for row in stored})
    return {standing.name: standing.since for standing in standings if standing.status in _BAD}


def _standing(name: str, stored: Sequence[Mapping[str, Any]]) -> CheckStanding:
    mine = [row for row in stored if row["check_name"] == name]
    latest = mine[-1]
    is_bad = latest["status"] in _BAD
    since = latest["checked_at"]
    for row in reversed(mine):
        # No data breaks no row of failures: what failed before has not been seen to be well.
        if (row["status"] in _BAD) != is_bad and not (is_bad and row["status"] == CheckStatus.NO_DATA):
            break
        if row["status"] != CheckStatus.NO_DATA or not is_bad:
            since = row["checked_at"]
    return CheckStanding(
        name=name,
        status=CheckStatus(latest["status"]),
        checked_at=_utc(latest["checked_at"]),
        found=latest["found"],
        since=_utc(since),
        runs=len(mine),
        failures=sum(row["status"] in (CheckStatus.FAILED, CheckStatus.ERROR) for row in mine),
    )


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC)
