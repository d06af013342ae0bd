"""Daily sums follow the grades through every kind of publish, on every warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import land_actuals, land_predictions, land_season, ledger_findings, new_book, open_book, sums_off
from gradeonce.book import Book
from gradeonce.grading import Grader
from gradeonce.model import Fence, Query
from gradeonce.publish import publish
from gradeonce.rules.derived import derived_from_grades
from gradeonce.schema import ACCURACY, DAILY_PERFORMANCE, PREDICTIONS, Table
from gradeonce.simulation import simulate_season
from postgres_book import postgres, schema

__all__ = ["postgres", "schema"]

DAY, NEXT_DAY = "2026-01-01", "2026-01-02"


@pytest.fixture(params=["embedded", "postgres"])
def open_it(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Book]:
    """Open one and the same book, as often as it is called."""
    if request.param == "embedded":
        return partial(open_book, new_book(tmp_path / "book"))
    server, name = request.getfixturevalue("postgres"), request.getfixturevalue("schema")
    return partial(gradeonce.open, server.url, schema=name, threads=1)


@pytest.fixture
def book(open_it: Callable[[], Book]) -> Iterator[Book]:
    """An empty book."""
    with open_it() as book:
        yield book


def sums(book: Book) -> list[tuple[Any, ...]]:
    """Return date, predictions, wins, sum of errors."""
    return book.sql(
        "SELECT CAST(game_date AS VARCHAR), predictions, wins, CAST(sum_signed_error AS INTEGER) "
        f"FROM {DAILY_PERFORMANCE.name} ORDER BY game_date, system_id, market"
    ).rows


def versions(book: Book) -> list[int]:
    """Return how often the sums of each date were published."""
    return [fence.seq for fence in book.warehouse.all_fences(DAILY_PERFORMANCE)]


def test_sums_follow_first_grading_correction_and_nothing_new(book: Book) -> None:
    """4 players predicted at 20 who made 11, then 12: errors 36, then 32; unchanged grades leave the sums alone."""
    land_season(book, 1, 4)
    book.grade(DAY)
    assert sums(book) == [(DAY, 4, 4, 36)]

    land_actuals(book, 1, 4, points=12, version=2)
    book.grade(DAY)
    assert sums(book) == [(DAY, 4, 4, 32)]
    assert versions(book) == [2]

    book.grade(DAY)
    assert versions(book) == [2]
    assert sums_off(book) == []
    assert ledger_findings(book.warehouse) == ()


def test_a_date_that_is_pending_has_no_sums_until_something_is_final(book: Book) -> None:
    """Held back without grades; then with them."""
    land_predictions(book, 1, 4)
    book.grade(DAY)
    assert sums(book) == []

    land_actuals(book, 1, 4, points=11)
    book.grade(DAY)
    assert sums(book) == [(DAY, 4, 4, 36)]
    assert sums_off(book) == []


def test_a_date_that_becomes_empty_has_no_sums(book: Book) -> None:
    """Nothing counts any more: no grade, no sum."""
    land_season(book, 2, 4)
    book.grade(all_dates=True)

    with_no_rows = Query(f"SELECT * FROM {ACCURACY.name} WHERE false", inputs={ACCURACY.name: (DAY,)})
    publish(book.warehouse, ACCURACY, with_no_rows, [DAY], run_id="emptied", derived=derived_from_grades())

    assert sums(book) == [(NEXT_DAY, 4, 4, 36)]
    assert sums_off(book) == []
    assert ledger_findings(book.warehouse) == ()


def test_sums_follow_a_season_with_corrections(book: Book, tmp_path: Path) -> None:
    """Every outcome, prices, confidences and moved lines: a backfill in several chunks, then stat corrections."""
    season = simulate_season(tmp_path / "files", seed=11, days=8, predictions=2500)
    for file in season.files:
        if not file.is_correction:
            book.load(file.kind, file.path)
    days = [date.fromisoformat(fence.partition) for fence in book.warehouse.all_fences(PREDICTIONS)]
    grader = Grader(book.warehouse, book.settings, None, book.clock)
    for chunk in (days[:3], days[3:]):
        grader.grade(chunk)
        assert sums_off(book) == []
    before = versions(book)

    for file in season.files:
        if file.is_correction:
            book.load(file.kind, file.path)
    report = book.grade(all_dates=True)

    assert sums_off(book) == []
    assert versions(book) != before
    graded = book.sql(f"SELECT sum(predictions), sum(win), sum(void) FROM {DAILY_PERFORMANCE.name}").rows[0]
    assert tuple(map(int, graded)) == tuple(report.totals[name] for name in ("predictions", "win", "void"))
    assert ledger_findings(book.warehouse) == ()


def grade_without_sums(before: pytest.MonkeyPatch, book: Book, end: str) -> None:
    """Grade as a gradeonce did that knew of no sums."""
    before.setattr("gradeonce.grading.derived_from_grades", tuple)
    before.setattr("gradeonce.backfill.add_missing_sums", lambda *_, **__: [])
    book.grade(start=DAY, end=end)


def test_a_book_graded_before_there_were_sums_catches_up(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grades of two dates without sums: the next grading, of another date, adds them; no grade is written again."""
    land_season(book, 3, 4)
    with monkeypatch.context() as before:
        grade_without_sums(before, book, NEXT_DAY)
    assert sums(book) == []
    runs = f"SELECT DISTINCT run_id FROM {ACCURACY.name} WHERE CAST(game_date AS VARCHAR) < '2026-01-03'"
    stamped = book.sql(runs).rows

    book.grade("2026-01-03")

    assert sums(book) == [(day, 4, 4, 36) for day in (DAY, NEXT_DAY, "2026-01-03")]
    assert sums_off(book) == []
    assert book.sql(runs).rows == stamped
    assert ledger_findings(book.warehouse) == ()
    assert book.add_missing_sums() == []


def test_whoever_is_graded_while_we_look_for_missing_sums_is_not_published_again(
    book: Book, open_it: Callable[[], Book], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our two reads of the fences a neighbour grades his date, sums and all: there is nothing to add."""
    land_season(book, 2, 4)
    book.grade(DAY)
    all_fences, asked = book.warehouse.all_fences, []

    def and_then_a_neighbour_grades(table: Table) -> list[Fence]:
        fences = all_fences(table)
        if not asked:
            asked.append(table.name)
            with open_it() as neighbour:
                neighbour.grade(NEXT_DAY)
        return fences

    monkeypatch.setattr(book.warehouse, "all_fences", and_then_a_neighbour_grades)

    assert book.add_missing_sums() == []
    assert asked != []
    assert [fence.seq for fence in all_fences(ACCURACY)] == [1, 1]


def test_sums_that_no_longer_follow_are_mended_by_the_next_grading(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another definition was in force: unchanged grades, and right sums."""
    land_season(book, 1, 4)
    with monkeypatch.context() as before:
        grade_without_sums(before, book, DAY)

    assert book.grade(DAY).runs[0].status == "unchanged"
    assert sums_off(book) == []
    assert sums(book) == [(DAY, 4, 4, 36)]
