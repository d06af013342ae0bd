"""The views with figures agree with the report, which computes them another way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from gradeonce.metrics import Score
from gradeonce.reports import calibration, report
from gradeonce.reports.report import Figures
from gradeonce.rules.derived import daily_sql, derived_from_grades
from gradeonce.schema import ACCURACY, DAILY_PERFORMANCE, OUTCOMES
from gradeonce.views import view_texts
from small_book import DAY, SmallBook


@pytest.fixture
def book() -> Iterator[SmallBook]:
    book = SmallBook()
    yield book
    book.close()


def figures(book: SmallBook, view: str, *order: str) -> list[dict[str, Any]]:
    """Fill the daily table from the grades, and return a view's rows."""
    columns = ", ".join(DAILY_PERFORMANCE.column_names)
    book.engine.execute(f"DELETE FROM {DAILY_PERFORMANCE.name}")
    daily = daily_sql(f"SELECT * FROM {ACCURACY.name}")
    book.engine.execute(f"INSERT INTO {DAILY_PERFORMANCE.name} ({columns}) SELECT {columns} FROM ({daily})")
    return book.query(f"SELECT * FROM ({view_texts()[view]}) ORDER BY {', '.join(order or ('1', '2'))}").dicts()


def random_season(book: SmallBook, seed: int) -> None:
    """Grades of three systems on twelve dates: every outcome, moved lines, prices real, odd and missing."""
    draw = random.Random(seed)
    for number in range(400):
        outcome = draw.choice([*OUTCOMES, "win", "loss", "win", "loss"])
        has_value = outcome not in ("ungradable", "pending") and (outcome != "void" or draw.random() < 0.5)
        confidence = draw.choice([None, "0", "1", str(draw.randrange(1000) / 1000)])
        book.add_grade(
            outcome,
            actual=draw.randrange(60) if has_value else None,
            predicted=str(draw.randrange(600000000) / 10000000),
            system_id=draw.choice(["alpha", "beta", "gamma"]),
            market=draw.choice(["points", "assists"]),
            game_date=DAY + timedelta(days=draw.randrange(12)),
            player_lookup=f"player{number % 40}",
            player_name=f"Player {number % 40}",
            game_id=f"game{number}",
            is_final_line=draw.random() < 0.7,
            recommendation=draw.choice(["OVER", "UNDER"]),
            over_price=draw.choice([None, -110, 150, -250, 0, 99]),
            under_price=draw.choice([None, -105, 120, -99]),
            confidence_score=confidence,
            confidence_decile=None if confidence is None else min(10, int(float(confidence) * 10) + 1),
            void_reason=draw.choice(["dnp_unknown", "game_moved"]) if outcome == "void" else None,
        )


def close(value: float | None, expected: float | None) -> bool:
    return value == (None if expected is None else pytest.approx(expected, rel=1e-12, abs=1e-12))


def same_rate(row: dict[str, Any], score: Score) -> bool:
    """Compare value and interval."""
    return (
        close(row["win_rate"], score.value)
        and close(row["win_rate_low"], score.low)
        and close(row["win_rate_high"], score.high)
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_summary_is_the_report(book: SmallBook, seed: int) -> None:
    """Every figure of every system, on a season drawn by lot: counts exactly, figures but for the last bits."""
    random_season(book, seed)
    expected = report(book).groups
    rows = figures(book, "system_summary")

    assert [row["system_id"] for row in rows] == [group.group for group in expected]
    for row, group in zip(rows, expected, strict=True):
        for name in ("predictions", *OUTCOMES, "picks", "wins", "losses", "pushes", "bets_at_real_price"):
            assert row[name] == getattr(group, name), name
        assert same_rate(row, group.win_rate)
        assert (row["bets"], row["errors"], row["confidences"]) == (group.roi.n, group.mae.n, group.brier_score.n)
        for name in ("coverage", "roi", "mae", "rmse", "bias", "brier_score"):
            assert close(row[name], getattr(group, name).value), name
        assert close(row["within_3_rate"], group.within_3.value)
        assert close(row["within_5_rate"], group.within_5.value)
        assert close(row["profit_units"], group.profit_units)


@pytest.mark.parametrize("seed", range(2))
def test_roi_is_the_reports_and_splits_by_price(book: SmallBook, seed: int) -> None:
    """Per system and market; bets at a real price and at the assumed one make up all of them."""
    random_season(book, seed)
    for row in figures(book, "system_roi"):
        group = report(book, systems=[row["system_id"]], markets=[row["market"]]).total
        assert (row["bets"], row["bets_at_real_price"]) == (group.roi.n, group.bets_at_real_price)
        assert row["bets_at_assumed_price"] == group.bets_at_assumed_price > 0
        assert close(row["roi"], group.roi.value)
        assert same_rate(row, group.win_rate)
        assert close(row["profit_at_real_price"] + row["profit_at_assumed_price"], group.profit_units)
        assert close(row["roi_at_assumed_price"] * row["bets_at_assumed_price"], row["profit_at_assumed_price"])


def test_calibration_is_the_reports(book: SmallBook) -> None:
    """Every bin, the one without a confidence too."""
    random_season(book, 5)
    bins = calibration(book).bins
    rows = figures(book, "system_calibration", "system_id", "confidence_decile NULLS LAST")

    assert [(row["system_id"], row["confidence_decile"], row["bets"]) for row in rows] == [
        (found.system, found.confidence_decile, found.hit_rate.n) for found in bins
    ]
    for row, found in zip(rows, bins, strict=True):
        assert same_rate(row, found.hit_rate)
        assert close(row["mean_confidence"], found.mean_confidence.value)


def test_players_are_the_reports(book: SmallBook) -> None:
    """Forty players of one system and market, as the report by player has them."""
    random_season(book, 6)
    groups: dict[str | None, Figures] = {
        group.group: group for group in report(book, by="player", systems=["beta"], markets=["assists"]).groups
    }
    rows = [
        row
        for row in figures(book, "player_performance")
        if (row["system_id"], row["market"]) == ("beta", "assists")
    ]  # fmt: skip

    assert {row["player_lookup"] for row in rows} == set(groups)
    for row in rows:
        group = groups[row["player_lookup"]]
        assert [row[name] for name in ("predictions", *OUTCOMES)] == [
            getattr(group, name) for name in ("predictions", *OUTCOMES)
        ]
        assert same_rate(row, group.win_rate)
        assert close(row["mae"], group.mae.value)
        assert close(row["bias"], group.bias.value)
        assert (row["bets"], row["errors"]) == (group.win_rate.n, group.mae.n)


def test_figures_of_nothing_are_null_and_their_n_is_0(book: SmallBook) -> None:
    """One pending pick: counted, and no rate of it is 0."""
    book.add_grade("pending")

    (row,) = figures(book, "system_summary")
    assert (row["predictions"], row["pending"], row["bets"], row["errors"], row["confidences"]) == (1, 1, 0, 0, 0)
    rates = ("win_rate", "win_rate_low", "win_rate_high", "roi", "mae", "rmse", "bias", "within_3_rate", "brier_score")
    assert [row[name] for name in rates] == [None] * len(rates)
    (row,) = figures(book, "system_roi")
    assert (row["bets"], row["roi"], row["roi_at_real_price"], row["profit_at_assumed_price"]) == (0, None, None, None)
    (row,) = figures(book, "player_performance")
    assert (row["bets"], row["win_rate"], row["mae"]) == (0, None, None)
    assert figures(book, "system_calibration") == []


def test_an_interval_ends_at_the_rate_itself(book: SmallBook) -> None:
    """2 of 2 and 0 of 2: the ends are 1 and 0, not a hair off."""
    for number, outcome in enumerate(["win", "win", "loss", "loss"]):
        book.add_grade(outcome, actual=25, system_id=outcome, player_lookup=f"player{number}")

    lost, won = figures(book, "system_summary")
    assert (lost["win_rate"], lost["win_rate_low"], lost["win_rate_high"]) == (
        0.0,
        0.0,
        pytest.approx(0.6576, abs=1e-4),
    )
    assert (won["win_rate"], won["win_rate_low"], won["win_rate_high"]) == (1.0, pytest.approx(0.3424, abs=1e-4), 1.0)


def test_sums_that_do_not_add_up_are_refused(book: SmallBook) -> None:
    """An outcome that is none of the seven would vanish from every figure (G6)."""
    book.add_grade("win", actual=25)
    book.add_grade("cancelled", system_id="beta")
    (derived,) = derived_from_grades()
    (rule,) = derived.validations

    daily = daily_sql(f"SELECT * FROM {ACCURACY.name}")
    broken = book.query(f"SELECT system_id FROM ({daily}) WHERE {rule.broken}").rows
    assert broken == [("beta",)]
