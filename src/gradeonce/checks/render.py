"""Results of checks as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from gradeonce.checks.history import CheckHistory
from gradeonce.checks.results import CheckReport, CheckResult, CheckStatus
from gradeonce.reports.tables import grid

SHOWN_KEYS = 5
"""Findings shown of each check; `--json` has up to 20, its query all."""

_WORDS = {CheckStatus.NO_DATA: "no data", CheckStatus.ERROR: "BROKE", CheckStatus.FAILED: "FAILED"}


def check_text(report: CheckReport, *, width: int = 110) -> str:
    """Return a run of the checks: one line each, then what was found, then what it comes to."""
    rows = [
        (
            str(result.number or ""),
            result.name,
            _WORDS.get(result.status, result.status.value),
            f"{result.found:,}" if result.status is not CheckStatus.NO_DATA else "",
            f"{result.considered:,}" if result.status is not CheckStatus.ERROR else "",
            _since(result),
        )
        for result in report.results
    ]
    head = ("", "check", "result", "found", "looked at", "since (UTC)")
    parts = [
        f"Checks of game dates {report.first_date} to {report.last_date}",
        grid(head, rows, width=width, left=(1, 2, 5)),
        *(_details(result, width) for result in report.results if _has_details(result)),
        summary(report),
    ]
    return "\n\n".join(parts)


def summary(report: CheckReport) -> str:
    """Return what a run comes to, in one sentence."""
    counts = report.counts
    words = [f"{counts[name]} {word}" for name, word in _SUMMARY.items() if counts[name]]
    text = ", ".join(words) or "no check was run"
    if report.status is CheckStatus.NO_DATA:
        return f"nothing was checked: {text}"
    return text


_SUMMARY = {"failed": "failed", "error": "broke", "warned": "warned", "passed": "passed", "no_data": "without data"}


def history_text(history: CheckHistory, *, width: int = 110) -> str:
    """Return the streaks."""
    if not history.checks:
        return "no checks were run yet; run `gradeonce check`"
    days, goal = history.days_without_duplicate, history.goal_days
    streak = f"days without a duplicate: {days} (goal {goal})"
    if history.streak_first is not None:
        streak += f", {history.streak_first} to {history.streak_last}"
    if history.last_duplicate_on is not None:
        streak += f"; last found on {history.last_duplicate_on}"
    rows = [
        (
            one.name,
            _WORDS.get(one.status, one.status.value),
            f"{one.since:%Y-%m-%d %H:%M}",
            f"{one.checked_at:%Y-%m-%d %H:%M}",
            f"{one.found:,}",
            f"{one.runs:,}",
            f"{one.failures:,}",
        )
        for one in history.checks
    ]
    head = ("check", "result", "since (UTC)", "last run (UTC)", "found", "runs", "failures")
    return f"{streak}\n\n{grid(head, rows, width=width, left=(0, 1, 2, 3))}"


def _since(result: CheckResult) -> str:
    return f"{result.failing_since:%Y-%m-%d %H:%M}" if result.failing_since else ""


def _has_details(result: CheckResult) -> bool:
    return bool(result.found or result.error or result.notes)


def _details(result: CheckResult, width: int) -> str:
    lines = [f"{result.name}: {result.about}"]
    lines += [f"  the check broke: {result.error}"] if result.error else []
    lines += [f"  {note}" for note in result.notes[:SHOWN_KEYS]]
    if len(result.notes) > SHOWN_KEYS:
        lines.append(f"  and {len(result.notes) - SHOWN_KEYS} more such notes")
    if result.keys:
        shown = result.keys[:SHOWN_KEYS]
        columns = [name for name in shown[0] if any(key[name] is not None for key in shown)]
        rows = [tuple(_cell(key, name) for name in columns) for key in shown]
        table = grid([name.replace("_", " ") for name in columns], rows, width=width - 2, left=range(len(columns)))
        lines += [f"  {line}" for line in table.splitlines()]
        if result.found > len(shown):
            lines.append(
                f"  {len(shown)} of {result.found:,} are shown; all: gradeonce check --only {result.name} --query"
            )
    if result.found or result.error:
        lines.append(f"  fix: {result.fix}")
    return "\n".join(lines)


def _cell(key: Mapping[str, Any], name: str) -> str:
    # Any: the types are the query's own.
    value = key[name]
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return value.isoformat() if isinstance(value, date) else str(value)
