"""The same grades in BigQuery as in a book in a folder: the golden cases, by content hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.command import Command
from acceptance.test_golden_cases import load_and_grade
from servers import BigQuery

STANDS = (
    "SELECT table_name, partition, rows, content_hash FROM publish_fences "
    "WHERE table_name IN ('prediction_accuracy', 'system_daily_performance') AND rows > 0 ORDER BY 1, 2"
)


def test_golden_cases_get_the_same_grades(bigquery: BigQuery, tmp_path: Path) -> None:
    """Every value of every grade and of every daily sum; the ledger holds; grading again changes nothing."""
    books = {
        "here": Command(tmp_path / "here"),
        "there": Command(
            tmp_path / "there",
            BIGQUERY_EMULATOR_HOST=bigquery.url,
            GRADEONCE_WAREHOUSE_BOOK="bigquery://demo/golden_cases",
            GRADEONCE_LOCK_STORE="off",
        ),
    }
    for command in books.values():
        command.folder.mkdir()
        load_and_grade(command)

    here, there = (command("sql", STANDS, "--csv").rows() for command in books.values())
    assert len(here) == 2
    assert there == here

    there = books["there"]
    assert there("grade", "2026-01-17", "--json").json()["runs"][0]["status"] == "unchanged"
    there("ledger", "verify", "--deep")
    there("init", "--check")


def test_leases_need_a_place_of_their_own(bigquery: BigQuery, tmp_path: Path) -> None:
    """With no lock store named, the message says where leases may live."""
    command = Command(
        tmp_path, BIGQUERY_EMULATOR_HOST=bigquery.url, GRADEONCE_WAREHOUSE_BOOK="bigquery://demo/no_leases"
    )

    failed = command("grade", "2026-01-17", code=78)

    assert "[lock] store" in failed.err


@pytest.mark.parametrize("url", ["bigquery://demo", "bigquery:///book", "bigquery://demo/a/b"])
def test_a_book_needs_a_project_and_a_dataset(tmp_path: Path, url: str) -> None:
    """Anything else is a mistake in the configuration."""
    failed = Command(tmp_path, GRADEONCE_WAREHOUSE_BOOK=url)("init", code=78)

    assert "bigquery://PROJECT/DATASET" in failed.err
