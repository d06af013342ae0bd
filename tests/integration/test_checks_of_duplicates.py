"""The incident, small: adopted duplicates are found, told once, not forgotten, and over when they were removed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

import gradeonce
from builders import FakeClock, new_book, open_book
from doubled import FIRST, SECOND, Grade, grades_sql
from gradeonce.adopt import AdoptOptions
from gradeonce.alerts import AlertKind
from gradeonce.book import Book
from gradeonce.checks import CheckStatus
from postgres_book import postgres, schema

__all__ = ["postgres", "schema"]

THEIRS = [
    Grade(FIRST, "ann", 8),
    Grade(FIRST, "ann", 9),
    Grade(FIRST, "bob", 8),
    Grade(SECOND, "bob", 8, line=None),
    Grade(SECOND, "bob", 9, line=None, outcome="loss"),
]
ABOUT_DUPLICATES = ("duplicate_grades", "recent_duplicates", "ledger_agreement")
DAY_SECONDS = 86_400


@pytest.fixture(params=["folder", "server"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    """A book that adopted somebody's grades, copies and all; it is the 18th of January."""
    clock = FakeClock()
    if request.param == "folder":
        opened = open_book(new_book(tmp_path / "book"), store="off", clock=clock)
    else:
        server = request.getfixturevalue("postgres")
        name = request.getfixturevalue("schema")
        opened = gradeonce.open(server.url, schema=name, threads=1, store="off", clock=clock)
    dump = tmp_path / "theirs.parquet"
    duckdb.connect().execute(f"COPY ({grades_sql(THEIRS)}) TO '{dump}'")
    with opened:
        opened.adopt(dump, AdoptOptions(timezone="UTC"))
        yield opened


def test_duplicates_are_found_told_once_and_over_when_they_are_gone(book: Book) -> None:
    """Both checks find them, one alert tells of them; looks at other dates forget nothing; removed, all is well."""
    clock = book.clock
    assert isinstance(clock, FakeClock)

    found = book.check(start=FIRST, end="2026-01-07", only=ABOUT_DUPLICATES, alert=True)
    grades, recent, ledger = found.results
    assert [(one.status, one.found) for one in found.results] == [
        (CheckStatus.FAILED, 2),
        (CheckStatus.FAILED, 2),
        (CheckStatus.PASSED, 0),
    ]
    assert [(key["player_lookup"], key["copies"], key["outcomes_differ"]) for key in grades.keys] == [
        ("ann", 2, False),
        ("bob", 2, True),
    ]
    assert [(key["game_date"], key["player_lookup"]) for key in recent.keys] == [
        (date(2026, 1, 1), "ann"),
        (date(2026, 1, 2), "bob"),
    ]
    assert ledger.considered >= 2
    assert found.alerts is not None
    assert [alert.kind for alert in found.alerts.opened] == [AlertKind.DUPLICATES_FOUND]

    clock.advance(DAY_SECONDS)
    elsewhere = book.check("2026-01-07", only=ABOUT_DUPLICATES, alert=True)
    assert {one.status for one in elsewhere.results} == {CheckStatus.FAILED, CheckStatus.NO_DATA}
    next_day = book.check(only=ABOUT_DUPLICATES, alert=True)
    assert (next_day.first_date, next_day.results[0].first_date) == (date(2026, 1, 12), date(2026, 1, 1))
    assert next_day.results[0].status is CheckStatus.FAILED
    assert next_day.alerts is not None
    assert (len(next_day.alerts.opened), len(next_day.alerts.recovered)) == (0, 0)
    assert book.check_history().days_without_duplicate == 0

    clock.advance(DAY_SECONDS)
    book.dedupe_apply(book.dedupe_plan().plan_id)
    well = book.check(only=ABOUT_DUPLICATES, alert=True)
    assert (well.results[0].status, well.results[0].first_date) == (CheckStatus.PASSED, date(2026, 1, 1))
    assert well.alerts is not None
    assert [alert.kind for alert in well.alerts.recovered] == [AlertKind.DUPLICATES_FOUND]

    clock.advance(DAY_SECONDS)
    after = book.check(only=ABOUT_DUPLICATES)
    assert after.results[0].first_date == after.first_date == date(2026, 1, 14)
    history = book.check_history()
    assert (history.days_without_duplicate, history.last_duplicate_on) == (1, date(2026, 1, 19))
