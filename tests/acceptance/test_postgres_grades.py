"""The same grades on PostgreSQL as in a book in a folder: golden cases, the golden table, and real slates."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.command import Command
from acceptance.slate_checks import differences, graded_rows
from acceptance.slates import SLATES
from acceptance.test_golden_cases import (
    Graded,
    load_and_grade,
    test_case,
    test_grading_again_changes_nothing,
    test_missing_players_are_listed_with_the_nearest_names,
    test_outcomes_are_counted,
    test_what_does_not_count_is_counted_by_reason,
)
from acceptance.test_golden_file import test_golden_grades_agree_in_every_row
from postgres_book import postgres
from servers import Postgres

__all__ = [
    "postgres",
    "test_case",
    "test_golden_grades_agree_in_every_row",
    "test_grading_again_changes_nothing",
    "test_missing_players_are_listed_with_the_nearest_names",
    "test_outcomes_are_counted",
    "test_what_does_not_count_is_counted_by_reason",
]

FENCES = "SELECT partition, rows, content_hash FROM publish_fences WHERE table_name = $TABLE ORDER BY partition"


def on_server(postgres: Postgres, folder: Path, schema: str) -> Command:
    """Return the command in a folder whose book is a schema on the server."""
    return Command(folder, GRADEONCE_WAREHOUSE_BOOK=postgres.url, GRADEONCE_WAREHOUSE_SCHEMA=schema)


@pytest.fixture(scope="module")
def graded(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """All golden cases, loaded and graded on the server."""
    return load_and_grade(on_server(postgres, tmp_path_factory.mktemp("golden"), "golden_cases"))


@pytest.fixture
def book(postgres: Postgres, tmp_path: Path) -> Command:
    """An empty book on the server."""
    command = on_server(postgres, tmp_path, "golden_table")
    command("init")
    return command


@pytest.fixture(scope="module")
def both(postgres: Postgres, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Command, Command]:
    """A book in a folder and one on the server, with every official box score."""
    here = Command(tmp_path_factory.mktemp("here"))
    there = on_server(postgres, tmp_path_factory.mktemp("there"), "real_slates")
    for command in (here, there):
        command("init")
        command("load", "actuals", real_data / "boxscores_official.csv.gz", "--source", "nba_api.league_game_log")
    return here, there


@pytest.mark.parametrize("name", [name for name, slate in SLATES.items() if slate.shares_official])
def test_a_real_slate_is_graded_the_same(both: tuple[Command, Command], real_data: Path, name: str) -> None:
    """Rows agree with the independent computation, and content hashes with those of the book in a folder."""
    slate = SLATES[name]
    for command in both:
        slate.load(command, real_data)
        command("grade", "--from", slate.start, "--to", slate.end)

    here, there = both
    assert differences(graded_rows(there, slate.start, slate.end), slate.expected(real_data)) == ""
    for table in ("player_prop_predictions", "player_game_actuals", "prediction_accuracy", "system_daily_performance"):
        fences = FENCES.replace("$TABLE", f"'{table}'")
        assert there.query(fences) == here.query(fences)
