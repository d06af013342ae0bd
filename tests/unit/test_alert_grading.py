"""What a grading gives reason to tell: a kind for each way to fail, and a scope no wider than what was seen."""

from __future__ import annotations

from typing import Any

import pytest

from gradeonce.alerts import AlertKind, Severity
from gradeonce.alerts.of_grading import WHOLE, failed_grading, grading_problems
from gradeonce.alerts.problem import Problem, is_within
from gradeonce.backfill import GradeReport
from gradeonce.config import Settings
from gradeonce.errors import (
    ConfigError,
    GradeonceError,
    LeaseHeld,
    LeaseLost,
    PublishConflict,
    TransientWarehouseError,
    UsageError,
    ValidationFailed,
)
from gradeonce.grading import PartitionRun

DAY, OTHER = "2026-01-17", "2026-01-18"
HELD = LeaseHeld(f"grading/{DAY}", holder="h", token=1, since="s", expires_in_seconds=1, waited_seconds=1)


def graded(day: str = DAY, status: str = "published", token: int = 1, **values: Any) -> PartitionRun:
    """Return a run of 100 predictions that are all wins unless told otherwise. Any: counts, or fields of the run."""
    counts = dict.fromkeys(("win", "loss", "push", "no_bet", "void", "ungradable", "pending"), 0)
    counts |= {name: values.pop(name) for name in list(values) if name in counts}
    counts["win"] = 100 - sum(counts.values())
    return PartitionRun(day, status, token=token, counts={"predictions": 100, **counts}, **values)


def judge(*runs: PartitionRun, errors: dict[str, GradeonceError] | None = None) -> tuple[list[Problem], list[str]]:
    """Return the problems and the scope of a report."""
    return grading_problems(GradeReport(runs, errors or {}), Settings())


def kinds(problems: list[Problem]) -> list[tuple[str, str]]:
    """Return kind and severity of each."""
    return [(one.kind.value, one.severity.value) for one in problems]


@pytest.mark.parametrize(
    ("error", "kind", "severity"),
    [
        (HELD, AlertKind.LEASE_NOT_ACQUIRED, Severity.WARN),
        (LeaseLost("k", token=1, reason="taken_over"), AlertKind.LEASE_LOST, Severity.FAIL),
        (ValidationFailed("v", failures=[]), AlertKind.RUN_FAILED, Severity.FAIL),
        (PublishConflict("p"), AlertKind.RUN_FAILED, Severity.FAIL),
    ],
    ids=["held", "lost", "validation", "conflict"],
)
def test_each_way_to_fail_has_its_kind(error: GradeonceError, kind: AlertKind, severity: Severity) -> None:
    """The identity holds date and kind; the scope holds nothing else of the date."""
    problems, scope = judge(PartitionRun(DAY, "failed"), errors={DAY: error})

    assert [(one.kind, one.severity, one.identity) for one in problems] == [
        (kind, severity, f"grading/{DAY}/{kind.value}")
    ]
    assert scope == [WHOLE, f"grading/{DAY}/{kind.value}"]


@pytest.mark.parametrize("status", ["published", "unchanged", "pending", "nothing_to_grade"])
def test_a_date_that_was_graded_recovers_from_every_failure(status: str) -> None:
    """Of this date, and of no other."""
    _, scope = judge(graded(status=status))

    for kind in ("run_failed", "lease_lost", "lease_not_acquired"):
        assert is_within(f"grading/{DAY}/{kind}", tuple(scope))
        assert not is_within(f"grading/{OTHER}/{kind}", tuple(scope))


@pytest.mark.parametrize(
    ("ungradable", "expected"),
    [
        (0, []),
        (10, []),
        (11, [("coverage_low", "warn")]),
        (50, [("coverage_low", "warn")]),
        (51, [("coverage_low", "fail")]),
    ],
)
def test_coverage_is_low_below_the_settings(ungradable: int, expected: list[tuple[str, str]]) -> None:
    """Of 100 predictions: below 0.9 warn, below 0.5 fail; at them it is well. Voids and no bets are results."""
    problems, scope = judge(graded(ungradable=ungradable, void=5, no_bet=5))

    assert kinds(problems) == expected
    assert f"coverage/{DAY}" in scope


@pytest.mark.parametrize("run", [graded(pending=1, ungradable=60), graded(status="pending"), graded(status="failed")])
def test_coverage_is_not_judged_before_the_slate_is_in(run: PartitionRun) -> None:
    """Neither low nor well again."""
    errors = {DAY: HELD} if run.status == "failed" else {}
    problems, scope = judge(run, errors=errors)

    assert "coverage_low" not in [one.kind for one in problems]
    assert f"coverage/{DAY}" not in scope


def test_a_date_without_predictions_has_no_coverage() -> None:
    """0 of 0 is no share."""
    empty = PartitionRun(DAY, "unchanged")

    assert judge(empty)[0] == []


def test_grading_without_a_lease_is_one_problem_of_the_store() -> None:
    """However many dates; over when a date was graded under one, and not for a look that took none."""
    problems, scope = judge(graded(is_unlocked=True), graded(OTHER, is_unlocked=True))
    _, well = judge(graded())
    _, idle = judge(graded(status="nothing_to_grade", token=0))

    assert [(one.kind.value, one.identity) for one in problems] == [("lock_unavailable", "lock_store")]
    assert ("lock_store" in scope, "lock_store" in well, "lock_store" in idle) == (False, True, False)


def test_a_grading_that_came_to_no_date_is_a_problem_of_its_own() -> None:
    """Also one of ours; a mistake in the call is for whoever made it."""
    down = failed_grading(TransientWarehouseError("The server is down."))
    bug = failed_grading(ZeroDivisionError("secret"))

    assert down is not None
    assert (down.identity, down.kind, down.severity) == (WHOLE, AlertKind.RUN_FAILED, Severity.FAIL)
    assert bug is not None
    assert bug.what.startswith("ZeroDivisionError. This is our bug")
    assert failed_grading(UsageError("u")) is None
    assert failed_grading(ConfigError("c")) is None
    assert WHOLE in judge(graded())[1]
