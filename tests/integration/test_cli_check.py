"""`gradeonce check`: exit codes, the document, the query that is typed again, streaks, alerts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from acceptance.command import Command
from builders import land_actuals, land_season, new_book
from gradeonce.alerts import AlertKind
from receiver import Receiver, receiver

__all__ = ["receiver"]

DAY = "2026-01-01"


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a book of two dates, graded."""
    folder = tmp_path_factory.mktemp("graded")
    new_book(folder / "book")
    land_season(folder / "book", 2, 3)
    Command(folder).inside("grade", "--all")
    return folder


@pytest.fixture
def command(graded: Path, tmp_path: Path) -> Command:
    """The command in a copy of that folder."""
    shutil.copytree(graded, tmp_path, dirs_exist_ok=True)
    return Command(tmp_path)


def test_exit_code_tells_the_worst_result(command: Command) -> None:
    """0: passed, also beside checks without data; 2: a warning; 1: a failure; 1: nothing was checked."""
    passed = command.inside("check", "--date", DAY, "--only", "duplicate_grades", "--only", "void_share")
    assert "1 passed, 1 without data" in passed.out

    land_actuals(command.folder / "book", 2, 3, points=12, version=2)
    warned = command.inside("check", "--date", DAY, "--only", "regrade_due", code=2)
    assert "1 warned" in warned.out

    (command.folder / "checks").mkdir()
    command.write("checks/all_bad.sql", "-- severity: fail\n-- about: x\n-- fix: y\nSELECT 1 AS one")
    command.write("gradeonce.toml", '[warehouse]\nbook = "book"\n[checks]\ncheck_folder = "checks"\n')
    assert "1 failed" in command.inside("check", "--date", DAY, "--only", "all_bad", code=1).out

    nothing = command.inside("check", "--date", "2031-01-01", "--only", "duplicate_grades", code=1)
    assert "nothing was checked: 1 without data" in nothing.out


def test_json_is_the_same_record(command: Command) -> None:
    """Every check, counts that add up, the evidence; nothing else on stdout."""
    land_actuals(command.folder / "book", 2, 3, points=12, version=2)
    document = command.inside("check", "--from", DAY, "--to", "2026-01-02", "--json", code=2).json()

    assert (document["from"], document["to"], document["status"]) == (DAY, "2026-01-02", "warned")
    assert len(document["checks"]) == sum(document["counts"].values()) == 15
    due = next(one for one in document["checks"] if one["name"] == "regrade_due")
    assert (due["found"], due["failing"], due["considered"], due["first_found"]) == (6, 0, 6, DAY)
    assert [key["box_score_value"] for key in due["keys"]] == [12] * 6
    assert due["failing_since"] == document["checked_at"]


def test_at_most_twenty_keys_are_kept(command: Command) -> None:
    """The count is of all; the query has all."""
    (command.folder / "checks").mkdir()
    text = "SELECT i AS number FROM generate_series(1, 50) AS t (i) ORDER BY 1"
    command.write("checks/many.sql", f"-- severity: warn\n-- about: x\n-- fix: y\n{text}")
    command.write("gradeonce.toml", '[warehouse]\nbook = "book"\n[checks]\ncheck_folder = "checks"\n')
    named = ("check", "--date", DAY, "--only", "many")

    (found,) = command.inside(*named, "--json", code=2).json()["checks"]
    assert (found["found"], [key["number"] for key in found["keys"]]) == (50, list(range(1, 21)))
    assert "5 of 50 are shown" in command.inside(*named, code=2).out
    query = command.write("query.sql", command.inside(*named, "--query", code=2).out)
    assert len(command.inside("sql", "--file", query, "--json").json()) == 50


def test_every_query_of_ours_can_be_typed_again(command: Command) -> None:
    """As it is printed, values and all."""
    for check in command.inside("check", "--from", DAY, "--to", "2026-01-02", "--json").json()["checks"]:
        query = command.write("query.sql", check["query"])
        assert len(command.inside("sql", "--file", query, "--json").json()) == check["found"]


def test_history_shows_the_streak(command: Command) -> None:
    """Before any check it says so; afterwards the days, and since when a check fails."""
    assert "no checks were run yet" in command.inside("check", "--history").out

    command.inside("check", "--date", DAY, "--only", "duplicate_grades")
    history = command.inside("check", "--history", "--json").json()

    assert (history["days_without_duplicate"], history["streak_last"]) == (1, DAY)
    assert [one["name"] for one in history["checks"]] == ["duplicate_grades"]
    assert f"days without a duplicate: 1 (goal 30), {DAY} to {DAY}" in command.inside("check", "--history").out


def test_wrong_usage_is_told(command: Command) -> None:
    """Two ranges, an unknown check, a query of many."""
    assert "exclude each other" in command.inside("check", "--date", DAY, "--last", "7d", code=64).err
    assert "no check 'dupes'" in command.inside("check", "--only", "dupes", code=64).err
    assert "name it with --only" in command.inside("check", "--query", code=64).err
    assert "runs backwards" in command.inside("check", "--from", "2026-01-02", "--to", DAY, code=64).err


def test_a_warning_is_told_once_and_its_end_too(command: Command, receiver: Receiver) -> None:
    """Opened, folded, and over when the dates it was found at are well; a pass elsewhere is no end."""
    land_actuals(command.folder / "book", 2, 3, points=12, version=2)
    named = ("check", "--only", "regrade_due", "--alert")
    command.environment["GRADEONCE_ALERTS_WEBHOOK"] = receiver.url

    assert "alert opened: Check regrade_due: 3 findings" in command.inside(*named, "--date", DAY, code=2).err
    again = command.inside(*named, "--date", DAY, "--json", code=2)
    assert (again.err, len(again.json()["alerts"]["folded"])) == ("", 1)
    assert len(receiver.requests) == 1
    told = json.loads(receiver.requests[0].body)
    assert AlertKind.CHECK_FAILED in json.dumps(told)
    assert "regrade_due" in json.dumps(told)

    command.inside("grade", "--all")
    assert command.inside(*named, "--date", "2026-01-02").err == ""
    assert "alert recovered: Check regrade_due" in command.inside(*named, "--date", DAY).err
    assert len(receiver.requests) == 2


def test_checks_that_cannot_be_run_are_told(command: Command, receiver: Receiver) -> None:
    """A damaged file: no check can look, which is an error (5) and an alert, and over when the file is whole again."""
    path = next((command.folder / "book" / "rows" / "prediction_accuracy").rglob("*.parquet"))
    whole = path.read_bytes()
    path.write_bytes(b"not a file of rows")
    command.environment["GRADEONCE_ALERTS_WEBHOOK"] = receiver.url
    named = ("check", "--date", DAY, "--only", "duplicate_grades", "--alert")

    assert "error: " in command.inside(*named, code=5).err
    assert "The checks could not be run" in json.dumps(receiver.documents)

    path.write_bytes(whole)
    assert "alert recovered: The checks could not be run" in command.inside(*named).err
