"""Files of checks: what a header must say, what is refused, and that what is shown can be typed again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gradeonce.alerts.problem import Severity
from gradeonce.checks import built_in_checks, chosen_checks
from gradeonce.checks.check import CONSIDERED, parse_check
from gradeonce.checks.scope import CheckScope, literal, with_values
from gradeonce.config import Settings
from gradeonce.errors import ConfigError, UsageError

HEADER = "-- check: mine\n-- severity: warn\n-- about: All is well.\n-- fix: Mend it.\n"


def test_a_file_with_one_select_is_a_check() -> None:
    """Comments and the closing semicolon do not count; what there is to look at is the grades in the range."""
    check = parse_check(f"{HEADER}-- and a remark\nSELECT 1;\n", "mine.sql", {})

    assert (check.name, check.severity, check.number) == ("mine", Severity.WARN, 0)
    assert (check.about, check.fix) == ("All is well.", "Mend it.")
    assert (check.findings, check.considered, check.notes) == ("SELECT 1", CONSIDERED, "")


def test_statements_may_name_each_other() -> None:
    """By braces, also one inside another."""
    text = (
        f"{HEADER}\n-- name: base\nfrom_here\n-- name: findings\nSELECT * FROM {{base}}\n-- name: considered\nSELECT 7"
    )
    check = parse_check(text, "mine.sql", {})

    assert (check.findings, check.considered) == ("SELECT * FROM from_here", "SELECT 7")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "severity"),
        (HEADER.replace("warn", "bad") + "SELECT 1", "expected warn or fail"),
        (HEADER.replace("-- fix: Mend it.\n", "") + "SELECT 1", "lacks `-- fix:`"),
        (HEADER.replace("mine", "Not mine") + "SELECT 1", "small letters"),
        (HEADER, "no SELECT"),
        (HEADER + "SELECT {nothing}", "{nothing} stands for nothing"),
        (HEADER + "-- name: findings\nSELECT {findings}", "{findings} stands for nothing"),
        (HEADER + "-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "stands twice"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(text: str, message: str) -> None:
    """With its name, before anything is run."""
    with pytest.raises(ConfigError, match=r"other\.sql.*") as caught:
        parse_check(text, "other.sql", {}, default_name="other")

    assert message in caught.value.message


def test_ours_are_fifteen_in_order() -> None:
    """Each with a name, a line of meaning and a hint; each value it binds is there."""
    checks = built_in_checks()
    values = set(CheckScope(date(2026, 1, 1), date(2026, 1, 7), datetime(2026, 1, 8, tzinfo=UTC), Settings()).values())
    facts = {"lease_count", "partitions_verified", "ledger_findings"}

    assert [check.number for check in checks] == list(range(1, 16))
    assert len({check.name for check in checks}) == 15
    for check in checks:
        assert {v for v in check.values - values - facts if not v.startswith(("lease", "leftover"))} == set(), (
            check.name
        )


def test_checks_are_chosen_by_name(tmp_path: Path) -> None:
    """All but the skipped ones; or those named, skipped or not; unknown names are refused."""
    (tmp_path / "mine.sql").write_text(f"{HEADER}SELECT 1")
    settings = Settings(check_folder=str(tmp_path), skipped_checks=("freshness", "mine"))
    names = [check.name for check in chosen_checks(settings)]

    assert len(names) == 14
    assert not {"freshness", "mine"} & set(names)
    assert [check.name for check in chosen_checks(settings, ["mine", "freshness"])] == ["freshness", "mine"]
    with pytest.raises(UsageError, match="no check 'nothing'"):
        chosen_checks(settings, ["nothing"])
    with pytest.raises(ConfigError, match="skipped_checks names 'nothing'"):
        chosen_checks(Settings(skipped_checks=("nothing",)))


def test_two_checks_of_one_name_are_refused(tmp_path: Path) -> None:
    """Also one of ours; and a folder that is none."""
    (tmp_path / "a.sql").write_text(f"{HEADER}SELECT 1")
    (tmp_path / "b.sql").write_text(f"{HEADER}SELECT 1")

    with pytest.raises(ConfigError, match=r"b\.sql is called mine, as is that in a\.sql"):
        chosen_checks(Settings(check_folder=str(tmp_path)))
    (tmp_path / "b.sql").write_text(HEADER.replace("mine", "freshness") + "SELECT 1")
    with pytest.raises(ConfigError, match="as is a built-in check"):
        chosen_checks(Settings(check_folder=str(tmp_path)))
    with pytest.raises(ConfigError, match="no folder"):
        chosen_checks(Settings(check_folder=str(tmp_path / "gone")))


def test_values_are_shown_as_sql() -> None:
    """Text with a quote, dates, instants, exact numbers, lists, an empty list; longer names are not cut short."""
    assert literal("it's") == "'it''s'"
    assert literal(date(2026, 1, 17)) == "DATE '2026-01-17'"
    assert literal(datetime(2026, 1, 17, 12, 0, 0, 5)) == "TIMESTAMP '2026-01-17 12:00:00.000005'"
    assert [literal(value) for value in (True, None, 3, 0.5, Decimal("20.50"))] == ["true", "NULL", "3", "0.5", "20.50"]
    assert literal([date(2026, 1, 17), None]) == "ARRAY[DATE '2026-01-17', NULL]"
    assert with_values("$a, $ab, $abc, $empty", {"a": 1, "ab": [2], "empty": []}) == (
        "1, ARRAY[2], $abc, CAST(ARRAY[] AS VARCHAR[])"
    )
