"""Calibration of confidence, and two systems head to head."""

from collections.abc import Iterator
from datetime import date

import pytest

from gradeonce.errors import UsageError
from gradeonce.metrics import Score, hit_rate, mcnemar, paired_mean_difference
from gradeonce.reports import (
    calibration,
    calibration_document,
    calibration_text,
    compare,
    comparison_document,
    comparison_text,
)
from small_book import SmallBook


@pytest.fixture
def book() -> Iterator[SmallBook]:
    book = SmallBook()
    yield book
    book.close()


def test_bins_hold_decided_final_lines_by_system_and_decile(book) -> None:
    """Alpha: 0.72 won, 0.78 lost; a push, a moved line and a void are in no bin."""
    book.add_grade("win", player_lookup="a", confidence_score="0.72", confidence_decile=8)
    book.add_grade("loss", player_lookup="b", confidence_score="0.78", confidence_decile=8)
    book.add_grade("win", player_lookup="c", confidence_score="0.72", confidence_decile=8, is_final_line=False)
    book.add_grade("push", player_lookup="d", confidence_score="0.72", confidence_decile=8)
    book.add_grade("void", player_lookup="e", confidence_score="0.72", confidence_decile=8)
    book.add_grade("win", system_id="beta", confidence_score="0.55", confidence_decile=6)

    alpha, beta = calibration(book).bins

    assert (alpha.system, alpha.confidence_decile) == ("alpha", 8)
    assert alpha.mean_confidence == Score(0.75, 2)
    assert alpha.hit_rate == hit_rate(1, 1)
    assert (beta.system, beta.hit_rate.n) == ("beta", 1)


def test_picks_without_a_confidence_have_a_bin_of_their_own(book) -> None:
    """So that bins add up to the wins and losses of the report."""
    book.add_grade("win")

    (only,) = calibration(book).bins

    assert (only.confidence_decile, only.mean_confidence, only.hit_rate.n) == (None, Score(None, 0), 1)
    assert "none" in calibration_text(calibration(book))


def test_the_table_says_which_way_a_bin_errs(book) -> None:
    """Said 95 %, right in 2 of 20: too sure. Said 5 %, right in 18 of 20: not sure enough."""
    for number in range(20):
        book.add_grade(
            "win" if number < 2 else "loss", player_lookup=f"a{number}", confidence_score="0.95", confidence_decile=10
        )
        book.add_grade(
            "win" if number < 18 else "loss", player_lookup=f"b{number}", confidence_score="0.05", confidence_decile=1
        )

    text = calibration_text(calibration(book))

    assert [line.split("  ")[-1] for line in text.splitlines() if line.startswith("alpha")] == [
        "not sure enough",
        "too sure",
    ]


def test_calibration_of_nothing_says_so(book) -> None:
    """A result, not an error."""
    empty = calibration(book, start=date(2026, 1, 1), systems=["alpha"])

    assert calibration_text(empty) == "no graded predictions since 2026-01-01, system alpha"
    assert calibration_document(empty)["bins"] == []


def test_only_picks_on_the_same_final_line_are_compared(book) -> None:
    """One shared; one on another line; one that only alpha has; one moved line that does not count."""
    for system in ("alpha", "beta"):
        book.add_grade("win", actual=25, system_id=system)
        book.add_grade(
            "win", actual=9, system_id=system, market="assists", line_value="7.5" if system == "alpha" else "8.5"
        )
    book.add_grade("loss", actual=20, player_lookup="bub")
    book.add_grade("loss", actual=25, system_id="beta", line_value="26.5", is_final_line=False)

    found = compare(book, "alpha", "beta")

    assert (found.picks_a, found.picks_b, found.shared_picks, found.other_line) == (3, 2, 1, 1)
    assert (found.decided, found.both_right) == (1, 1)


def test_a_game_that_moved_is_a_pick_for_each_date(book) -> None:
    """Same game id on two dates: two shared picks, not four pairs."""
    for system in ("alpha", "beta"):
        for day in (17, 29):
            book.add_grade("win", actual=25, system_id=system, game_date=date(2026, 1, day))

    assert compare(book, "alpha", "beta").shared_picks == 2


def test_picks_without_a_line_share_no_bet_but_an_error(book) -> None:
    """Null lines are the same line; nothing is decided."""
    for system, predicted in (("alpha", 24), ("beta", 28)):
        book.add_grade("no_bet", actual=25, predicted=predicted, system_id=system, line_value=None)

    found = compare(book, "alpha", "beta")

    assert (found.shared_picks, found.decided) == (1, 0)
    assert (found.mae_a, found.mae_b, found.mae_difference) == (Score(1.0, 1), Score(3.0, 1), Score(-2.0, 1))


def test_figures_are_those_of_the_metrics(book) -> None:
    """Four shared picks: both right, only alpha twice, both wrong; errors 1, 2, 3, 4 against 2, 2, 5, 4."""
    outcomes = [("win", "win"), ("win", "loss"), ("win", "loss"), ("loss", "loss")]
    errors = [(1, 2), (2, 2), (3, 5), (4, 4)]
    for number, (pair, error) in enumerate(zip(outcomes, errors, strict=True)):
        for system, outcome, off in zip(("alpha", "beta"), pair, error, strict=True):
            book.add_grade(outcome, actual=20, predicted=20 + off, system_id=system, player_lookup=f"p{number}")

    found = compare(book, "alpha", "beta")

    assert (found.both_right, found.only_a_right, found.only_b_right, found.both_wrong) == (1, 2, 0, 1)
    assert (found.win_rate_a, found.win_rate_b) == (hit_rate(3, 1), hit_rate(1, 3))
    assert found.p_value == mcnemar(2, 0)
    assert found.mae_difference == paired_mean_difference([1, 2, 3, 4], [2, 2, 5, 4])
    assert "4 decided = 1 both right + 2 only alpha + 0 only beta + 1 both wrong" in comparison_text(found)


def test_a_shared_void_has_no_error(book) -> None:
    """Voids are in no figure, though they are shared."""
    for system in ("alpha", "beta"):
        book.add_grade("void", actual=0, system_id=system)

    found = compare(book, "alpha", "beta")

    assert (found.shared_picks, found.decided, found.mae_difference) == (1, 0, Score(None, 0))
    assert "there is nothing to test" in comparison_text(found)


def test_no_shared_pick_is_a_result(book) -> None:
    """Also with a system that nobody knows."""
    book.add_grade("win", actual=25)

    found = compare(book, "alpha", "nobody")

    assert comparison_text(found) == "no pick is shared by alpha (1 picks) and nobody (0 picks)"
    document = comparison_document(found)
    assert (document["p_value"], document["p_value_n"], document["win_rate_a"]) == (None, 0, None)


def test_a_system_is_not_compared_with_itself(book) -> None:
    """It would always be a draw."""
    with pytest.raises(UsageError, match="cannot be compared with itself"):
        compare(book, "alpha", "alpha")
