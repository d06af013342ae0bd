"""What checks found as problems for the alerts: one for each check, one for all that find the same duplicates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from gradeonce.alerts.problem import AlertKind, Problem, Severity
from gradeonce.checks.history import DUPLICATE_CHECKS
from gradeonce.checks.results import CheckReport, CheckResult, CheckStatus
from gradeonce.errors import GradeonceError

_KINDS = {**dict.fromkeys(DUPLICATE_CHECKS, AlertKind.DUPLICATES_FOUND), "grading_coverage": AlertKind.COVERAGE_LOW}

_UNREACHABLE = "check/not_run"


def problems_of(report: CheckReport) -> list[Problem]:
    """Return what is to be told of a run."""
    return [_problem(one) for one in report.results if one.found] + [
        _broken(one) for one in report.results if one.error
    ]


def scope_of(report: CheckReport, unmended: Collection[str]) -> list[str]:
    """Return the identities that a run has examined: an open alert among them is over if it was not found again.

    Args:
        report: The run.
        unmended: Checks that failed at dates at which they were not seen to pass since: they are not over.
    """
    examined = {_UNREACHABLE}
    for result in report.results:
        if result.status is not CheckStatus.ERROR:
            examined.add(_broken_identity(result))
        if result.status is CheckStatus.PASSED and result.name not in unmended:
            examined.add(_identity(result))
        if result.found:
            examined.add(_identity(result))
    # The week alone does not say that the duplicates are gone.
    if "duplicate_grades" in unmended or not any(one.name == "duplicate_grades" for one in report.results):
        examined -= {_DUPLICATES}
    return sorted(examined)


def not_run(error: GradeonceError, first: date, last: date) -> Problem:
    """Return the problem that checks could not be run at all."""
    return Problem(
        kind=AlertKind.CHECK_FAILED,
        identity=_UNREACHABLE,
        severity=Severity.FAIL,
        title="The checks could not be run",
        what=f"{error.message} Nothing was checked.",
        place=f"game dates {first} to {last}",
        command=f"gradeonce check --from {first} --to {last}",
    )


_DUPLICATES = "check/duplicates"


def _identity(result: CheckResult) -> str:
    return _DUPLICATES if result.name in DUPLICATE_CHECKS else f"check/{result.name}"


def _broken_identity(result: CheckResult) -> str:
    return f"check/{result.name}/broken"


def _problem(result: CheckResult) -> Problem:
    word = "finding" if result.found == 1 else "findings"
    return Problem(
        kind=_KINDS.get(result.name, AlertKind.CHECK_FAILED),
        identity=_identity(result),
        severity=Severity.FAIL if result.status is CheckStatus.FAILED else Severity.WARN,
        title=f"Check {result.name}: {result.found:,} {word}",
        what=f"What must hold: {result.about} What to do: {result.fix}",
        place=_place(result),
        command=_command(result),
        since_at=result.failing_since,
        how_many=result.found,
        sample_keys=tuple(_shown(key) for key in result.keys),
    )


def _broken(result: CheckResult) -> Problem:
    return Problem(
        kind=AlertKind.CHECK_FAILED,
        identity=_broken_identity(result),
        severity=Severity.FAIL,
        title=f"Check {result.name} broke",
        what=f"{result.error} It has checked nothing.",
        place=_place(result),
        command=_command(result),
        since_at=result.failing_since,
    )


def _place(result: CheckResult) -> str:
    return f"game dates {result.first_date} to {result.last_date}"


def _command(result: CheckResult) -> str:
    return f"gradeonce check --from {result.first_date} --to {result.last_date} --only {result.name}"


def _shown(key: Mapping[str, Any]) -> str:
    # Any: the types are the query's own.
    return ", ".join(
        f"{name} {_word(value)}" for name, value in key.items() if value is not None and name != "severity"
    )


def _word(value: Any) -> str:
    # Any: see above.
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
