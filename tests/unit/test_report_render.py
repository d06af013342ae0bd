"""Reports on screen, as JSON and as CSV."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date

import pytest

from gradeonce.reports import report, report_csv, report_document, report_text
from gradeonce.schema import OUTCOMES
from small_book import SmallBook


@pytest.fixture
def book() -> Iterator[SmallBook]:
    book = SmallBook()
    yield book
    book.close()


def fill(book, systems=("alpha",)) -> None:
    for system in systems:
        for number, outcome in enumerate(OUTCOMES):
            actual = None if outcome in ("void", "ungradable", "pending") else 22
            book.add_grade(outcome, actual=actual, player_lookup=f"player{number}", system_id=system)


def test_counts_reconcile_on_screen(book) -> None:
    """Two systems with one of each outcome."""
    fill(book, ("alpha", "beta"))

    assert "14 predictions = 2 win + 2 loss + 2 push + 2 no bet + 2 void + 2 ungradable + 2 pending" in report_text(
        report(book)
    )


def test_large_counts_have_separators(book) -> None:
    """4,812 is read, 4812 is spelled."""
    book.add_grade("win", actual=25)
    book.engine.execute("INSERT INTO prediction_accuracy SELECT a.* FROM prediction_accuracy a, range(4811)")

    assert "4,812 predictions = 4,812 win" in report_text(report(book))


def test_the_text_says_dates_time_of_data_and_scope(book) -> None:
    """Which game dates, graded until when, what was left out by the question."""
    fill(book)

    title = report_text(report(book, systems=["alpha"], markets=["points"])).splitlines()[0]

    assert title == (
        "Report by system, game dates 2026-01-17 to 2026-01-17, system alpha, market points; "
        "graded up to 2026-01-18 07:00:00 UTC"
    )


@pytest.mark.parametrize(
    ("prices", "note"),
    [
        ((-115, 105), "all 2 at their real price"),
        ((None, None), "all 2 at an assumed price of -110"),
        ((-115, None), "1 at their real price, 1 at an assumed -110"),
    ],
)
def test_the_text_says_which_prices_were_assumed(book, prices, note) -> None:
    """Real, assumed, or some of each."""
    for number, price in enumerate(prices):
        book.add_grade("win", actual=25, player_lookup=f"player{number}", over_price=price)

    assert f"ROI of a stake of 1 on each pick that won or lost: {note}." in report_text(report(book))


def test_without_data_the_text_says_so_instead_of_zeros(book) -> None:
    """A group of voids only has neither rate nor error."""
    book.add_grade("void")

    text = report_text(report(book))

    assert "no data" in text
    assert "nan" not in text.lower()
    assert "ROI: no bet was decided." in text


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({}, "no graded predictions"),
        (
            {"start": date(2025, 1, 1), "end": date(2025, 1, 31)},
            "no graded predictions between 2025-01-01 and 2025-01-31",
        ),
        ({"start": date(2025, 1, 1), "end": date(2025, 1, 1)}, "no graded predictions on 2025-01-01"),
        ({"end": date(2025, 1, 1), "systems": ["a", "b"]}, "no graded predictions up to 2025-01-01, systems a, b"),
    ],
)
def test_no_predictions_are_one_sentence(book, asked, text) -> None:
    """Says what was asked for."""
    assert report_text(report(book, **asked)) == text


@pytest.mark.parametrize("width", [100, 120])
def test_the_tables_fit_a_terminal(book, width) -> None:
    """Long names are broken, so that no table runs over the width, and none is cut."""
    fill(book, ("alpha", "a_system_with_a_name_that_is_longer_than_anybody_would_like_it_to_be"))

    text = report_text(report(book), width=width)

    tables = text.split("\n\n")[1:-1]
    assert all(len(line) <= width for table in tables for line in table.splitlines())
    assert "…" not in text


def test_numbers_are_never_cut_on_a_narrow_terminal(book) -> None:
    """At 20 columns the table runs over, with all its digits."""
    fill(book)

    wide, narrow = (report_text(report(book), width=width) for width in (200, 20))

    for number in ("50.0 % (9.5-90.5)", "42.9 % (15.8-75.0)"):
        assert number in wide
        assert number in narrow


def test_more_groups_than_are_shown_are_counted(book) -> None:
    """The total stays that of all."""
    fill(book, [f"system{number}" for number in range(5)])

    text = report_text(report(book), limit=2)

    assert "2 of 5 groups are shown; the total is of all." in text
    assert "system1" in text
    assert "system2" not in text
    assert "35 predictions =" in text


def test_names_with_markup_are_shown_as_they_are(book) -> None:
    """Square brackets mean something to the table's maker, not to us."""
    book.add_grade("win", system_id="[bold]alpha[/bold]")

    assert "[bold]alpha[/bold]" in report_text(report(book))


def test_the_document_has_stable_names(book) -> None:
    """What people's scripts read."""
    fill(book)

    document = json.loads(json.dumps(report_document(report(book))))

    assert list(document) == [
        "schema_version", "by", "from", "to", "systems", "markets", "first_date", "last_date", "data_at", "level",
        "assumed_odds", "adopted", "groups", "total",
    ]  # fmt: skip
    assert list(document["total"]) == [
        "group", "label", "predictions", "win", "loss", "push", "no_bet", "void", "ungradable", "pending", "picks",
        "wins", "losses", "pushes", "win_rate", "win_rate_low", "win_rate_high", "win_rate_n", "mae", "mae_n", "rmse",
        "rmse_n", "bias", "bias_n", "within_3", "within_3_low", "within_3_high", "within_3_n", "within_5",
        "within_5_low", "within_5_high", "within_5_n", "brier_score", "brier_score_n", "roi", "roi_n", "profit_units",
        "bets_at_real_price", "bets_at_assumed_price", "coverage", "coverage_low", "coverage_high", "coverage_n",
    ]  # fmt: skip
    assert (document["schema_version"], document["data_at"]) == (1, "2026-01-18T07:00:00Z")


def test_figures_without_data_are_null_in_the_document(book) -> None:
    """With n = 0 beside them."""
    total = report_document(report(book))["total"]

    for name in ("win_rate", "mae", "rmse", "bias", "within_3", "within_5", "brier_score", "roi", "coverage"):
        assert total[name] is None
        assert total[f"{name}_n"] == 0
    assert total["profit_units"] is None


def test_csv_has_a_line_a_group_and_the_total_last(book) -> None:
    """A system named total is still told apart."""
    fill(book, ("alpha", "total"))

    rows = list(csv.DictReader(io.StringIO(report_csv(report(book)))))

    assert [(row["group"], row["is_total"], row["predictions"]) for row in rows] == [
        ("alpha", "false", "7"),
        ("total", "false", "7"),
        ("", "true", "14"),
    ]
    assert rows[0]["brier_score"] == ""


def test_reports_are_imported_without_the_table_maker() -> None:
    """`--json` must not pay for rich, nor for the engine."""
    code = "import sys, gradeonce.reports; print('rich' in sys.modules, 'duckdb' in sys.modules)"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "False False"
