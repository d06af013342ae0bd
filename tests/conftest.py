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
