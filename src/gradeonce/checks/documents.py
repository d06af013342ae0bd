"""Results of checks as plain JSON values."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from gradeonce.checks.history import CheckHistory
from gradeonce.checks.results import CheckReport, CheckResult

SCHEMA_VERSION = 1

Document = dict[str, Any]
"""What `json.dumps` takes, dates and decimals included. Any: the values of a JSON object."""


def check_document(report: CheckReport) -> Document:
    """Return a run of the checks as plain values; the evidence of each is its query and up to 20 keys."""
    return {
        "schema_version": SCHEMA_VERSION,
        "check_run": report.check_run,
        "checked_at": _instant(report.checked_at),
        "from": _day(report.first_date),
        "to": _day(report.last_date),
        "status": report.status.value,
        "counts": report.counts,
        "checks": [_result(result) for result in report.results],
    }


def history_document(history: CheckHistory) -> Document:
    """Return the streaks as plain values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "days_without_duplicate": history.days_without_duplicate,
        "goal_days": history.goal_days,
        "streak_first": _day(history.streak_first),
        "streak_last": _day(history.streak_last),
        "last_duplicate_on": _day(history.last_duplicate_on),
        "checks": [
            {
                "name": one.name,
                "status": one.status.value,
                "checked_at": _instant(one.checked_at),
                "found": one.found,
                "since": _instant(one.since),
                "runs": one.runs,
                "failures": one.failures,
            }
            for one in history.checks
        ],
    }


def _result(result: CheckResult) -> Document:
    return {
        "number": result.number,
        "name": result.name,
        "status": result.status.value,
        "severity": result.severity.value,
        "about": result.about,
        "considered": result.considered,
        "found": result.found,
        "failing": result.failing,
        "first_date": _day(result.first_date),
        "last_date": _day(result.last_date),
        "first_found": _day(result.first_found),
        "failing_since": _instant(result.failing_since),
        "notes": list(result.notes),
        "fix": result.fix,
        "error": result.error or None,
        "query": result.query,
        "keys": [dict(key) for key in result.keys],
        "seconds": result.seconds,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
