"""The same grades on PostgreSQL as in a book in a folder: golden cases and the golden table.

Real slates are held against the same slates in a folder in `test_real_slates`, where those stand graded.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.command import Command, on_server
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
