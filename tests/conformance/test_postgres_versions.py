"""Publishing and a grading on every other PostgreSQL that this machine has, beside the one from the packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import gradeonce
from builders import land_actuals, land_season, ledger_findings
from conformance.test_publishing_postgres import TestPostgres as OnPackagedVersion
from postgres_book import schema
from servers import Postgres, require

__all__ = ["schema"]

OTHERS = sorted(path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture(scope="module", params=OTHERS or [None], ids=lambda path: path.parent.name if path else "none")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A server of another version."""
    require("psycopg")
    if request.param is None:
        pytest.skip("no other PostgreSQL is under /usr/lib/postgresql")
    with Postgres(request.param) as server:
        yield server


class TestOtherVersions(OnPackagedVersion):
    """The same suite."""


def test_a_date_is_graded_corrected_and_reported(postgres: Postgres, schema: str) -> None:
    """Load, grade, correct, grade again, report, verify: 11 points win on a line of 10.5, 9 lose."""
    with gradeonce.open(postgres.url, schema=schema, threads=1) as book:
        land_season(book, 2, 4, systems=2)
        assert book.grade(all_dates=True).worst_error is None
        assert book.report().total.win == 16
        land_actuals(book, 1, 1, points=9, version=2)
        assert sum(run.revised for run in book.grade(all_dates=True).runs) == 2
        assert (book.report().total.win, book.report().total.loss) == (14, 2)
        assert [status.state for status in book.status()] == ["graded", "graded"]
        assert book.explain("player0", "2026-01-01").is_found
        assert not book.explain("playerzero", "2026-01-01").is_found
        assert book.grade("2026-01-01", dry_run=True).worst_error is None
        assert [book.report(by=by).total.predictions for by in ("date", "player", "market")] == [16, 16, 16]
        assert book.compare("system0", "system1").shared_picks == 8
        assert [bin.hit_rate.n for bin in book.calibration().bins] == [8, 8]
        assert ledger_findings(book.warehouse) == ()
