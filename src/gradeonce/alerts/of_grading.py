"""What a grading gives reason to tell, and what its success shows to be over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from gradeonce.alerts.announce import Announced, announce_safely
from gradeonce.alerts.problem import AlertKind, Problem, Severity
from gradeonce.errors import ConfigError, GradeonceError, LeaseHeld, LeaseLost, UsageError

if TYPE_CHECKING:
    from gradeonce.backfill import GradeReport
    from gradeonce.config import Settings

WHOLE = "grading/every_date"
"""Identity of a grading that failed before it came to any date."""


_UNLOCKED = Problem(
    kind=AlertKind.LOCK_UNAVAILABLE,
    identity="lock_store",
    severity=Severity.WARN,
    title="The lock store is out of reach",
    what="Dates were graded without a lease. The fence kept it safe; runs that overlap do the same work twice.",
    place="[lock] store",
    command="gradeonce locks list",
)


def grade_and_tell(
    grade: Callable[[], GradeReport], announce: Callable[..., Announced], settings: Settings
) -> GradeReport:
    """Grade, and tell the channels what failed and what is well again. What becomes of the telling changes nothing.

    Args:
        grade: Does it.
        announce: `Book.announce`.
        settings: Say which coverage is low.
    """
    try:
        report = grade()
    except Exception as error:
        problem = failed_grading(error)
        if problem is not None:
            announce_safely(announce, [problem])
        raise
    problems, scope = grading_problems(report, settings)
    told = announce_safely(announce, problems, scope=scope, examined_at=_examined_at(report))
    return replace(report, alerts=told)


def _examined_at(report: GradeReport) -> dict[str, datetime]:
    # What somebody else saw of a date since we were through with it is not over because of us.
    return {
        part: ended_at
        for day, ended_at in report.ended_at.items()
        for part in (f"grading/{day}/", f"coverage/{day}", f"schedule/{day}")
    }


def grading_problems(report: GradeReport, settings: Settings) -> tuple[list[Problem], list[str]]:
    """Return the problems of a grading, and the scope in which it has shown that there are no others.

    A date that was graded, whatever the outcome, recovers from whatever had kept it from being graded. A date that
    failed says nothing of other problems of the same date: it may not have come that far.
    """
    problems: list[Problem] = []
    scope = [WHOLE]
    if any(run.is_unlocked for run in report.runs):
        problems.append(_UNLOCKED)
    elif any(run.token for run in report.runs):
        scope.append(_UNLOCKED.identity)
    for run in report.runs:
        error = report.errors.get(run.partition)
        if error is not None:
            problems.append(failed_date(run.partition, error))
            scope.append(problems[-1].identity)
            continue
        scope.append(f"grading/{run.partition}/")
        if run.status in ("published", "unchanged") and not run.counts["pending"]:
            scope += [f"coverage/{run.partition}", f"schedule/{run.partition}"]
            problems += _low_coverage(run.partition, run.counts, settings)
    return problems, scope


def failed_date(day: str, error: GradeonceError) -> Problem:
    """Return the problem of a date that could not be graded."""
    kind, severity, title, command = _about(day, error)
    return Problem(
        kind=kind,
        identity=f"grading/{day}/{kind.value}",
        severity=severity,
        title=title,
        what=str(error),
        place=day,
        command=command,
    )


def _about(day: str, error: GradeonceError) -> tuple[AlertKind, Severity, str, str]:
    if isinstance(error, LeaseHeld):
        # Most likely another run is grading the date right now.
        return (
            AlertKind.LEASE_NOT_ACQUIRED,
            Severity.WARN,
            f"{day}: the lease was not to be had",
            "gradeonce locks list",
        )
    if isinstance(error, LeaseLost):
        return AlertKind.LEASE_LOST, Severity.FAIL, f"{day}: the lease was lost during the run", f"gradeonce runs {day}"
    return AlertKind.RUN_FAILED, Severity.FAIL, f"{day}: grading failed", f"gradeonce grade {day} --dry-run"


def failed_grading(error: Exception) -> Problem | None:
    """Return the problem of a grading that failed before it came to any date; None for a mistake in the call."""
    if isinstance(error, UsageError | ConfigError):
        return None
    ours = isinstance(error, GradeonceError)
    return Problem(
        kind=AlertKind.RUN_FAILED,
        identity=WHOLE,
        severity=Severity.FAIL,
        title="Grading failed before any date",
        what=str(error) if ours else f"{type(error).__name__}. This is our bug; the book holds whole versions only.",
        place="every date asked for",
        command="gradeonce status --todo",
    )


def _low_coverage(day: str, counts: Mapping[str, int], settings: Settings) -> list[Problem]:
    predictions, lost = counts["predictions"], counts["ungradable"]
    decided = predictions - lost
    if not predictions or decided >= max(settings.coverage_warn, settings.coverage_fail) * predictions:
        return []
    is_bad = decided < settings.coverage_fail * predictions
    return [
        Problem(
            kind=AlertKind.COVERAGE_LOW,
            identity=f"coverage/{day}",
            severity=Severity.FAIL if is_bad else Severity.WARN,
            title=f"{day}: only {decided / predictions:.1%} of the predictions came to a result",
            what=f"{decided:,} of {predictions:,} predictions were decided; {lost:,} are ungradable. They are in the "
            "table with their reasons; most often names or game ids do not meet those of the box scores.",
            place=day,
            command=f"gradeonce grade {day} --dry-run",
            how_many=lost,
        )
    ]
