"""Our own golden table: every rule of DESIGN section 7, one case a row, worked out by hand and told in its `why`.

`golden/cases.csv` holds the prediction and, under `expect_`, what must come of it; `excluded` says why a row does not
count, and `strict_` what changes under stricter settings. Box scores and injury reports stand in files beside it.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from acceptance.command import Command

GOLDEN = Path(__file__).with_name("golden")
DAY = "2026-01-17"
STRICT = {
    "GRADEONCE_GRADING_MISSING_PLAYER": "void",
    "GRADEONCE_GRADING_EXCLUDED_LINES": "20.0",
    "GRADEONCE_GRADING_LINE_SOURCES": "ACTUAL_PROP",
}
Row = dict[str, str]


def read_cases() -> list[Row]:
    with (GOLDEN / "cases.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


CASES = read_cases()
EXPECTED = [name.removeprefix("expect_") for name in CASES[0] if name.startswith("expect_")]
GIVEN = [name for name in CASES[0] if not name.startswith(("expect_", "strict_")) and name not in ("why", "excluded")]


@dataclass(frozen=True)
class Graded:
    """The cases after their grading."""

    gradeonce: Command
    run: dict[str, Any]
    rows: dict[str, Row]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """All cases, loaded and graded through the command."""
    return load_and_grade(Command(tmp_path_factory.mktemp("golden")))


def load_and_grade(gradeonce: Command) -> Graded:
    """Make a book, load all cases and grade them."""
    gradeonce("init")
    with (gradeonce.folder / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, GIVEN, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(CASES)
    gradeonce("load", "predictions", "predictions.csv")
    gradeonce("load", "actuals", GOLDEN / "box_scores.csv")
    gradeonce("load", "actuals", GOLDEN / "box_scores_later.csv")
    gradeonce("load", "injuries", GOLDEN / "injuries.csv")
    (run,) = gradeonce("grade", DAY, "--json").json()["runs"]
    return Graded(gradeonce, run, grades(gradeonce))


def grades(gradeonce: Command) -> dict[str, Row]:
    """Return the grades that stand, by prediction id, as texts."""
    return {row["prediction_id"]: row for row in gradeonce("sql", "SELECT * FROM prediction_accuracy", "--csv").rows()}


def same(found: str, expected: str) -> bool:
    """Compare two texts of one value: 2 is 2.000, True is true."""
    if found == expected or found.lower() == expected.lower():
        return True
    try:
        return Decimal(found) == Decimal(expected)
    except ArithmeticError:
        return False


@pytest.mark.parametrize("case", CASES, ids=[f"{case['prediction_id']}: {case['why']}" for case in CASES])
def test_case(graded: Graded, case: Row) -> None:
    """Every column of the grade, or no grade at all."""
    row = graded.rows.get(case["prediction_id"])

    if case["excluded"]:
        assert row is None
        return
    assert row is not None
    wrong = {
        name: f"found {row[name]!r}, expected {case[f'expect_{name}']!r}"
        for name in EXPECTED
        if not same(row[name], case[f"expect_{name}"])
    }
    assert not wrong


def test_what_does_not_count_is_counted_by_reason(graded: Graded) -> None:
    """Excluded rows are told beside the outcomes, and the two make up the whole file."""
    assert graded.run["excluded"] == Counter(case["excluded"] for case in CASES if case["excluded"])
    assert graded.run["predictions"] + sum(graded.run["excluded"].values()) == len(CASES)


def test_outcomes_are_counted(graded: Graded) -> None:
    """The run's counts are those of the table (G6), and MAE and bias leave voids out."""
    counted = [case for case in CASES if not case["excluded"]]
    outcomes = Counter(case["expect_outcome"] for case in counted)
    errors = [
        Decimal(case["expect_signed_error"])
        for case in counted
        if case["expect_signed_error"] and case["expect_outcome"] != "void"
    ]

    assert {name: graded.run[name] for name in outcomes} == outcomes
    assert graded.run["n"] == len(errors)
    assert graded.run["mae"] == pytest.approx(float(sum(map(abs, errors)) / len(errors)), abs=1e-12)
    assert graded.run["bias"] == pytest.approx(float(sum(errors) / len(errors)), abs=1e-12)


def test_missing_players_are_listed_with_the_nearest_names(graded: Graded) -> None:
    """Unmatched names are never dropped in silence."""
    missing = {case["player_name"] for case in CASES if case["expect_ungradable_reason"] == "player_not_in_box_score"}
    notes = " ".join(graded.run["notes"])

    assert missing
    for name in missing:
        assert name.replace(" ", "").lower() in notes


def test_stricter_settings_change_only_what_they_name(graded: Graded) -> None:
    """Missing players void, placeholder lines and other line sources left out; and back again, all as before."""
    (run,) = graded.gradeonce("grade", DAY, "--json", **STRICT).json()["runs"]
    strict = grades(graded.gradeonce)
    back = graded.gradeonce("grade", DAY, "--json").json()["runs"][0]

    assert run["status"] == back["status"] == "published"
    changed = 0
    for case in CASES:
        row, before = strict.get(case["prediction_id"]), graded.rows.get(case["prediction_id"])
        if case["strict_excluded"]:
            assert row is None
            changed += 1
        elif case["strict_outcome"]:
            assert row is not None
            assert (row["outcome"], row["void_reason"]) == (case["strict_outcome"], case["strict_void_reason"])
            changed += 1
        else:
            assert row == before, case["why"]
    assert run["revised"] == back["revised"] == changed
    assert _contents(grades(graded.gradeonce)) == _contents(graded.rows)


def test_grading_again_changes_nothing(graded: Graded) -> None:
    """The same cases once more: unchanged, stamps and all."""
    before = grades(graded.gradeonce)

    (again,) = graded.gradeonce("grade", DAY, "--json").json()["runs"]

    assert (again["status"], again["revised"]) == ("unchanged", 0)
    assert grades(graded.gradeonce) == before


def _contents(rows: dict[str, Row]) -> dict[str, Row]:
    return {key: {n: v for n, v in row.items() if n not in ("run_id", "graded_at")} for key, row in rows.items()}
