"""The report: counts, the record of final lines, errors and money."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradeonce.errors import UsageError, ValidationFailed
from gradeonce.metrics import Score, bias, brier_score, hit_rate, mae, rmse, roi, share_within
from gradeonce.model import Query
from gradeonce.reports import GROUPINGS, report, ungraded_query
from gradeonce.rules import RuleSettings
from gradeonce.schema import OUTCOMES, PREDICTIONS
from small_book import DAY, NEXT_MORNING, SmallBook

NINTH_PLACE = 1e-9
"""To which a bet is paid, so that every warehouse pays the same."""


@pytest.fixture
def book() -> Iterator[SmallBook]:
    book = SmallBook()
    yield book
    book.close()


def test_every_outcome_is_counted_and_they_add_up(book) -> None:
    """One of each: seven predictions (G6)."""
    for number, outcome in enumerate(OUTCOMES):
        book.add_grade(outcome, player_lookup=f"player{number}")

    total = report(book).total

    assert total.predictions == 7
    assert total.outcomes == dict.fromkeys(OUTCOMES, 1)
    assert sum(total.outcomes.values()) == total.predictions


def test_an_unknown_outcome_is_an_error_and_names_its_group(book) -> None:
    """A row that no count holds must not vanish."""
    book.add_grade("win", actual=25)
    book.add_grade("cancelled", system_id="beta")

    with pytest.raises(ValidationFailed, match="do not add up") as caught:
        report(book)

    assert caught.value.failures == (
        "beta: 1 predictions, but the outcomes add up to 0",
        "all: 2 predictions, but the outcomes add up to 1",
    )


def test_a_moved_line_counts_a_pick_once(book) -> None:
    """Three lines of one pick, all won: three predictions, one pick, one win, one bet."""
    for line, is_final in (("20.5", False), ("21.5", False), ("22.5", True)):
        book.add_grade("win", actual=25, line_value=line, is_final_line=is_final)

    total = report(book).total

    assert (total.predictions, total.win, total.picks, total.wins) == (3, 3, 1, 1)
    assert (total.win_rate.n, total.roi.n, total.mae.n) == (1, 1, 3)


def test_win_rate_leaves_pushes_voids_and_no_bets_out(book) -> None:
    """6 won, 2 lost, 1 push, 1 void, 1 no bet: 6 of 8, with the interval that metrics give."""
    for number, outcome in enumerate(["win"] * 6 + ["loss"] * 2 + ["push", "void", "no_bet"]):
        book.add_grade(outcome, player_lookup=f"player{number}")

    total = report(book).total

    assert (total.picks, total.wins, total.losses, total.pushes) == (11, 6, 2, 1)
    assert total.win_rate == hit_rate(6, 2)
    assert total.coverage.value == 9 / 11


def test_errors_are_of_all_who_played_and_of_no_void(book) -> None:
    """Errors -3, 0, 6 and a void of 25 that does not count: MAE 3, bias 1, RMSE sqrt(15), 2/3 within 3 and within 5."""
    book.add_grade("win", predicted=22, actual=25, player_lookup="a")
    book.add_grade("no_bet", predicted=20, actual=20, player_lookup="b", line_value=None)
    book.add_grade("push", predicted=28, actual=22, player_lookup="c", is_final_line=False)
    book.add_grade("void", predicted=25, actual=0, player_lookup="d")
    book.add_grade("pending", player_lookup="e")

    total = report(book).total

    assert total.mae == Score(3.0, 3)
    assert total.bias == Score(1.0, 3)
    assert total.rmse == Score(15**0.5, 3)
    assert (total.within_3.value, total.within_3.n) == (2 / 3, 3)
    assert (total.within_5.value, total.within_5.n) == (2 / 3, 3)


def test_roi_takes_the_price_of_the_side_that_was_bet(book) -> None:
    """OVER won at +150 (not the under's -180): 1.5; UNDER lost; UNDER won without a price: 100/110."""
    book.add_grade("win", player_lookup="a", over_price=150, under_price=-180)
    book.add_grade("loss", player_lookup="b", recommendation="UNDER", over_price=100, under_price=-120)
    book.add_grade("win", player_lookup="c", recommendation="UNDER", over_price=130)

    total = report(book).total

    assert total.roi.n == 3
    assert total.roi.value == pytest.approx(roi([150, -120, None], [True, False, True]).value, abs=NINTH_PLACE)
    assert total.profit_units == pytest.approx(1.5 - 1 + 100 / 110, abs=NINTH_PLACE)
    assert (total.bets_at_real_price, total.bets_at_assumed_price) == (2, 1)


def test_a_price_that_is_no_american_odds_is_assumed_instead(book) -> None:
    """0 and 99 cannot be prices: both bets are taken at -110 and counted so."""
    book.add_grade("win", player_lookup="a", over_price=0)
    book.add_grade("loss", player_lookup="b", over_price=99)

    total = report(book).total

    assert (total.bets_at_real_price, total.bets_at_assumed_price) == (0, 2)
    assert total.roi.value == pytest.approx((100 / 110 - 1) / 2, abs=NINTH_PLACE)


def test_brier_score_is_over_decided_final_lines_with_a_confidence(book) -> None:
    """0.8 won and 0.6 lost: (0.04 + 0.36) / 2 = 0.2; a push, a moved line and a missing confidence do not count."""
    book.add_grade("win", player_lookup="a", confidence_score="0.8")
    book.add_grade("loss", player_lookup="b", confidence_score="0.6")
    book.add_grade("push", player_lookup="c", confidence_score="0.9")
    book.add_grade("win", player_lookup="d", confidence_score="0.1", is_final_line=False)
    book.add_grade("win", player_lookup="e")

    assert report(book).total.brier_score == Score(0.2, 2)


def test_no_predictions_are_a_report_without_data(book) -> None:
    """Zero counts, no value, no group, no error."""
    empty = report(book, start=date(2025, 1, 1), end=date(2025, 1, 31))

    assert (empty.groups, empty.total.predictions, empty.data_at) == ((), 0, None)
    for score in (empty.total.win_rate, empty.total.mae, empty.total.rmse, empty.total.roi, empty.total.coverage):
        assert score == Score(None, 0)
    assert empty.total.profit_units is None


def test_scope_limits_dates_systems_and_markets(book) -> None:
    """Both ends of a range belong to it."""
    for day in (16, 17, 18, 19):
        book.add_grade("win", game_date=date(2026, 1, day))
    book.add_grade("win", system_id="beta")
    book.add_grade("win", market="assists")

    assert report(book, start=date(2026, 1, 17), end=date(2026, 1, 18)).total.predictions == 4
    assert report(book, systems=["beta"]).total.predictions == 1
    assert report(book, markets=["assists", "rebounds"]).total.predictions == 1
    assert report(book, systems=["nobody"]).total.predictions == 0


@pytest.mark.parametrize("by", GROUPINGS)
def test_the_groups_add_up_to_the_total(book, by) -> None:
    """Whatever it is grouped by, rows with a null there included."""
    book.add_grade("win", actual=25, bookmaker="acme", confidence_decile=10)
    book.add_grade("void", system_id="beta", void_reason="dnp_unknown", confidence_decile=9)
    book.add_grade("loss", actual=20, market="assists", game_date=date(2026, 1, 18), player_lookup="bub")
    book.add_grade("pending", line_source="ESTIMATED")

    found = report(book, by=by)

    assert sum(group.predictions for group in found.groups) == found.total.predictions == 4
    assert sum(group.picks for group in found.groups) == found.total.picks


def test_a_null_group_stands_last_and_is_named(book) -> None:
    """Rows that were not void have no void reason."""
    book.add_grade("win", actual=25)
    book.add_grade("void", player_lookup="a", void_reason="dnp_unknown")

    groups = report(book, by="void_reason").groups

    assert [(group.group, group.label) for group in groups] == [("dnp_unknown", "dnp_unknown"), (None, "(none)")]


def test_deciles_are_in_order_of_their_number(book) -> None:
    """2 before 10, as text and all."""
    for decile in (10, 2, 1):
        book.add_grade("win", player_lookup=f"p{decile}", confidence_decile=decile)

    assert [group.group for group in report(book, by="confidence_decile").groups] == ["1", "2", "10"]


def test_players_carry_their_name_and_the_busiest_comes_first(book) -> None:
    """The group is the lookup, the label the name."""
    book.add_grade("win", player_lookup="bub", player_name=None)
    for market in ("points", "assists"):
        book.add_grade("win", market=market)

    groups = report(book, by="player").groups

    assert [(group.group, group.label) for group in groups] == [("lukadoncic", "Luka Dončić"), ("bub", "bub")]


def test_the_report_says_which_dates_and_which_time_its_data_has(book) -> None:
    """First and last game date, and the newest grade."""
    book.add_grade("win", game_date=date(2026, 1, 16), graded_at=datetime.fromisoformat("2026-01-17T07:00:00"))
    book.add_grade("win")

    found = report(book)

    assert (found.first_date, found.last_date, found.data_at) == (date(2026, 1, 16), DAY, NEXT_MORNING)


def test_what_is_not_graded_yet_is_pending(book) -> None:
    """None of it is in any rate."""
    book.add_grade("win", actual=25)
    ungraded = Query(
        "SELECT DATE '2026-01-18' AS game_date, 'alpha' AS system_id, 'bub' AS player_lookup, 'points' AS market, "
        "'ACTUAL_PROP' AS line_source, NULL AS bookmaker, NULL AS confidence_decile, NULL AS player_name, "
        "'pending' AS outcome, NULL AS confidence_score, $final AS is_final_line, NULL AS recommendation, "
        "NULL AS over_price, NULL AS under_price",
        {"final": True},
    )

    total = report(book, ungraded=ungraded).total

    assert (total.predictions, total.pending, total.picks, total.win_rate.n) == (2, 1, 2, 1)


def test_ungraded_is_what_counts_and_has_no_grade(book) -> None:
    """Of a graded line, a new line, an inactive one and another player's: the second and the last are pending."""
    book.add_grade("win", actual=25)
    book.add(PREDICTIONS)
    book.add(
        PREDICTIONS, prediction_id="p2", line_value="23.5", created_at=datetime.fromisoformat("2026-01-17T13:00:00")
    )
    book.add(PREDICTIONS, prediction_id="p3", line_value="24.5", is_active=False)
    book.add(PREDICTIONS, prediction_id="p4", player_lookup="bub", confidence_score=72)

    query = ungraded_query(RuleSettings(), [DAY])
    rows = {row["prediction_id"]: row for row in book.query(query.sql, query.params).dicts()}
    total = report(book, ungraded=query).total

    assert set(rows) == {"p2", "p4"}
    assert (rows["p4"]["confidence_score"], rows["p4"]["confidence_decile"]) == (Decimal("0.72"), 8)
    assert (total.predictions, total.win, total.pending) == (3, 1, 2)
    # The pick that moved to 23.5 keeps its graded final line until it is graded again: one pick, not two.
    assert total.picks == 2


def test_a_prediction_without_a_line_is_graded_once(book) -> None:
    """Null lines are compared null-safe: what is graded is not pending as well."""
    book.add_grade("no_bet", actual=25, line_value=None)
    book.add(PREDICTIONS, line_value=None)

    assert report(book, ungraded=ungraded_query(RuleSettings(), [DAY])).total.predictions == 1


def test_huge_errors_do_not_overflow(book) -> None:
    """1,000 errors of 900 million: a sum of squares of 8.1e20."""
    book.engine.execute("CREATE TABLE many AS SELECT range AS i FROM range(1000)")
    book.add_grade("win", predicted=900_000_000, actual=0)
    book.engine.execute("INSERT INTO prediction_accuracy SELECT a.* FROM prediction_accuracy a, many WHERE i > 0")

    assert report(book).total.rmse == Score(900_000_000.0, 1000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "team"}, "cannot be grouped by 'team'; expected one of system, market, date, player"),
        ({"start": date(2026, 2, 1), "end": date(2026, 1, 1)}, "starts on 2026-02-01 and ends before that"),
        ({"systems": "alpha"}, r"expected a list of names, e.g. \['alpha'\]"),
        ({"level": 95}, "expected a number between 0 and 1"),
    ],
)
def test_a_wrong_question_is_named(book, arguments, message) -> None:
    """The message says what was expected."""
    with pytest.raises(UsageError, match=message):
        report(book, **arguments)


def test_a_name_with_a_quote_is_a_name(book) -> None:
    """Values are bound, never put into the text."""
    book.add_grade("win", system_id="o'neal")

    assert report(book, systems=["o'neal"]).groups[0].group == "o'neal"


grades = st.lists(
    st.tuples(
        st.decimals(min_value=0, max_value=60, places=3),
        st.integers(min_value=0, max_value=60),
        st.sampled_from(["win", "loss"]),
        st.one_of(st.none(), st.sampled_from([-110, 120, -250, 400])),
        st.decimals(min_value=0, max_value=1, places=3),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grades)
def test_sums_of_the_engine_give_what_the_sequences_give(book, rows) -> None:
    """Two ways to the same figure: DECIMAL sums in SQL, and the metrics over the rows themselves."""
    book.engine.execute("DELETE FROM prediction_accuracy")
    for number, (predicted, actual, outcome, price, confidence) in enumerate(rows):
        book.add_grade(
            outcome,
            predicted=predicted,
            actual=actual,
            over_price=price,
            confidence_score=confidence,
            player_lookup=f"player{number}",
        )
    predicted, actual = [row[0] for row in rows], [row[1] for row in rows]
    won = [row[2] == "win" for row in rows]

    total = report(book).total

    assert total.mae == mae(predicted, actual)
    assert total.bias == bias(predicted, actual)
    assert total.rmse == rmse(predicted, actual)
    assert total.within_3 == share_within(predicted, actual, 3)
    assert total.win_rate == hit_rate(sum(won), len(won) - sum(won))
    assert total.brier_score == brier_score([row[4] for row in rows], won)
    assert total.roi.value == pytest.approx(roi([row[3] for row in rows], won).value, abs=NINTH_PLACE)
