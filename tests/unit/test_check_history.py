"""Streaks over stored results, worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from gradeonce.checks import CheckHistory, CheckStatus, check_history
from gradeonce.checks.history import failing_since, unmended

NEW_YEAR = date(2026, 1, 1)


def result(day: int, status: str, name: str = "duplicate_grades", *, back: int = 7, ago: int = 1, **more: Any) -> Any:
    """Return a stored result of January's day: over `back` dates that end `ago` days before it. Any: a row's values."""
    on = NEW_YEAR + timedelta(days=day - 1)
    last = on - timedelta(days=ago)
    row = {
        "check_run": f"c{day:02}",
        "check_name": name,
        "checked_at": datetime(on.year, on.month, on.day, 12),
        "checked_on": on,
        "status": status,
        "severity": "fail",
        "first_date": last - timedelta(days=back - 1),
        "last_date": last,
        "considered": 10,
        "found": int(status in ("failed", "warned")),
        "failing": int(status == "failed"),
        "first_found": last if status == "failed" else None,
        "keys_json": None,
        "error": None,
    }
    return {**row, **more}


def streak(*rows: Any) -> int:
    return check_history(rows).days_without_duplicate


def test_no_check_is_no_streak() -> None:
    """Nothing is claimed of days that nobody looked at."""
    assert check_history([]) == CheckHistory(0, 30, None, None, None, ())
    assert streak(result(9, "no_data"), result(9, "error"), result(9, "passed", "freshness")) == 0


def test_a_passing_check_counts_the_days_it_looked_at_and_its_own() -> None:
    """On the 9th over the 2nd to the 8th: eight days. A look at one date counts two, an old date only itself."""
    assert streak(result(9, "passed")) == 8
    assert streak(result(9, "passed", back=1)) == 2
    assert streak(result(20, "passed", back=1, ago=10)) == 1


def test_days_between_checks_count_if_a_later_one_looked_back_over_them() -> None:
    """The 9th and the 15th meet; the 9th and the 20th do not: from the 10th to the 12th nobody looked."""
    assert streak(result(9, "passed"), result(15, "passed")) == 14
    assert streak(result(9, "passed"), result(20, "passed")) == 8


def test_a_day_with_duplicates_ends_the_streak() -> None:
    """Found on the 9th, gone on the 10th when looked at again: one day so far, whatever the range."""
    history = check_history([result(8, "passed"), result(9, "failed"), result(10, "passed")])

    assert (history.days_without_duplicate, history.streak_first) == (1, date(2026, 1, 10))
    assert history.last_duplicate_on == date(2026, 1, 9)
    assert streak(result(8, "passed"), result(9, "failed")) == 0
    assert streak(result(9, "failed"), result(10, "passed"), result(10, "failed", "recent_duplicates")) == 0


def test_duplicates_that_were_only_left_behind_are_no_streak() -> None:
    """Found at the 1st by the check of the 9th; later checks that begin after it pass and have seen nothing."""
    found = result(9, "failed", first_found=NEW_YEAR)
    later = [result(day, "passed") for day in (10, 11)]

    assert streak(found, *later) == 0
    assert unmended([found, *later]) == {"duplicate_grades": NEW_YEAR}
    assert streak(found, *later, result(12, "passed", back=20)) == 3


def test_failing_since_is_the_start_of_the_unbroken_row() -> None:
    """No data between neither heals nor begins anew; a pass does; a check that broke is a failure."""
    rows = [
        result(day, status) for day, status in enumerate(("failed", "passed", "error", "no_data", "failed"), start=1)
    ]

    assert failing_since(rows) == {"duplicate_grades": datetime(2026, 1, 3, 12, tzinfo=UTC)}
    assert failing_since([*rows, result(6, "passed")]) == {}
    (standing,) = check_history([*rows, result(6, "passed"), result(7, "passed")]).checks
    assert (standing.status, standing.since.day, standing.runs, standing.failures) == (CheckStatus.PASSED, 6, 7, 3)


def test_what_failed_is_mended_only_where_it_failed() -> None:
    """A pass elsewhere heals nothing; findings without a date heal with any pass; the ledger's lie in the range."""
    found = result(9, "failed", "grading_coverage", first_found=date(2026, 1, 8))
    elsewhere = result(10, "passed", "grading_coverage", back=1)
    there = result(10, "passed", "grading_coverage", back=2)

    assert unmended([found, elsewhere]) == {"grading_coverage": date(2026, 1, 8)}
    assert unmended([found, there]) == {}
    assert unmended([result(9, "warned", "freshness")]) == {}
    assert unmended([result(9, "failed", "ledger_agreement", first_found=None)]) == {
        "ledger_agreement": date(2026, 1, 2)
    }
