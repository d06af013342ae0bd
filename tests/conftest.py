"""What every folder of tests may ask for."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from servers import (
    ALL_BIGQUERY,
    NOT_TESTED,
    PLAIN_BIGQUERY,
    bigquery,
    firestore,
    only_with_all_bigquery,
    postgres,
    pubsub,
    secret_manager,
    valkey,
)

__all__ = ["bigquery", "firestore", "postgres", "pubsub", "real_data", "secret_manager", "valkey"]

LONGEST_FIRST = (
    "races/test_torture_bigquery.py",
    "acceptance/test_real_slates.py",
    "acceptance/test_gcp_function.py",
    "races/test_torture.py",
    "races/test_dedupe_killed.py",
    "races/test_staging.py",
    "races/test_killed.py",
    "races/test_overlapping_writers.py",
    "integration/test_checks.py",
    "acceptance/test_incident.py",
    "acceptance/test_bigquery_grades.py",
    "conformance/test_lease_stores_firestore.py",
    "races/test_postgres.py",
    "acceptance/test_postgres_grades.py",
    "races/test_dedupe_at_once.py",
    "integration/test_adopt.py",
    "conformance/test_lease_stores_servers.py",
    "integration/test_bigquery_edge.py",
    "races/test_bigquery.py",
    "conformance/test_publishing_bigquery.py",
    "integration/test_moved_games.py",
    "integration/test_schedule.py",
    "races/test_migrate_killed.py",
    "integration/test_postgres_book.py",
    "acceptance/test_cli_dedupe.py",
    "integration/test_bigquery_care.py",
    "integration/test_bigquery_statements.py",
    "acceptance/test_postgres_commands.py",
    "docs/test_reference.py",
)
"""Files that take half a minute or more, in the order in which several processes take them.

The shorter ones fill the gaps, and no process is left alone with a long one at the end. The two tortures are not
neighbours: each wants the processors for a minute.
"""

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real box scores, lines and predictions, which is not part of the repository."""
    if not (REAL_DATA / "boxscores_official.csv.gz").is_file():
        pytest.skip(f"the real data is not here: {REAL_DATA} holds no boxscores_official.csv.gz")
    return REAL_DATA


@pytest.fixture(scope="session")
def all_bigquery(pytestconfig: pytest.Config) -> None:
    """Skip a test that takes long on the BigQuery emulator, unless it was asked for."""
    only_with_all_bigquery(pytestconfig)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch for what takes too long to be tested every time."""
    parser.addoption(
        ALL_BIGQUERY, action="store_true", help="run the tests on the BigQuery emulator that take minutes, too"
    )
    parser.addoption(
        PLAIN_BIGQUERY, action="store_true", help="run the BigQuery emulator as it is published, at half the speed"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Bring the files that take longest to the front, if several processes share the tests."""
    if not hasattr(config, "workerinput"):
        return
    here = Path(__file__).parent
    rank = {here / name: number for number, name in enumerate(LONGEST_FIRST)}
    if gone := [path.name for path in rank if not path.exists()]:
        raise pytest.UsageError(f"LONGEST_FIRST in tests/conftest.py names {', '.join(gone)}, which are no more")
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Name at the very end what this machine could not test: it never counts as passed."""
    yield
    reasons: dict[str, int] = {}
    for report in terminalreporter.getreports("skipped"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else "")
        if NOT_TESTED in reason:
            text = reason[reason.index(NOT_TESTED) :]
            reasons[text] = reasons.get(text, 0) + 1
    for text, count in reasons.items():
        terminalreporter.write_line(f"{text} ({count} tests)", red=True, bold=True)
