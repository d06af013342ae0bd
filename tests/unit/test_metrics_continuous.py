"""Figures on numbers: mae, bias, rmse, share within."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeonce.errors import InputError
from gradeonce.metrics import Score, bias, mae, mean_from_sum, rmse, root_mean_from_sum, share_within

# Errors: +2.5, -3, 0, +5.5
PREDICTED = [Decimal("24.5"), Decimal(17), Decimal(10), Decimal("30.5")]
ACTUAL = [Decimal(22), Decimal(20), Decimal(10), Decimal(25)]

numbers = st.decimals(min_value=-1000, max_value=1000, places=3)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30)


def test_mae_is_the_mean_of_absolute_errors() -> None:
    """(2.5 + 3 + 0 + 5.5) / 4 = 2.75."""
    assert mae(PREDICTED, ACTUAL) == Score(2.75, 4)


def test_bias_is_positive_when_predictions_are_too_high() -> None:
    """(2.5 - 3 + 0 + 5.5) / 4 = 1.25."""
    assert bias(PREDICTED, ACTUAL) == Score(1.25, 4)
    assert bias(ACTUAL, PREDICTED) == Score(-1.25, 4)


def test_rmse_is_the_root_of_the_mean_square() -> None:
    """Errors 3 and -4: sqrt((9 + 16) / 2) = sqrt(12.5)."""
    assert rmse([13, 16], [10, 20]) == Score(12.5**0.5, 2)


def test_an_error_of_exactly_the_distance_is_within() -> None:
    """2.5, 3 and 0 of four lie within 3."""
    score = share_within(PREDICTED, ACTUAL, 3)

    assert (score.value, score.n, score.level) == (0.75, 4, 0.95)
    assert score.low is not None
    assert score.high is not None
    assert 0 < score.low < 0.75 < score.high < 1


def test_decimals_do_not_pass_through_doubles() -> None:
    """0.3 - 0.1 is 0.2 in decimals, and within 0.2; in doubles it is 0.19999999999999998 and 0.7 - 0.5 lies beyond."""
    score = share_within([Decimal("0.3"), Decimal("0.7")], [Decimal("0.1"), Decimal("0.5")], Decimal("0.2"))

    assert score.value == 1.0


@pytest.mark.parametrize("metric", [mae, bias, rmse, lambda p, a: share_within(p, a, 3)])
def test_no_pairs_are_no_data(metric) -> None:
    """n = 0 gives None, neither 0 nor NaN."""
    assert metric([], []) == Score(None, 0)


@pytest.mark.parametrize(
    ("predicted", "actual", "message"),
    [
        ([1, 2], [1], "differ in length: 2 and 1"),
        ([1, float("nan")], [1, 2], r"predicted\[1\] is nan; expected a finite number"),
        ([1, 2], [Decimal("Infinity"), 2], r"actual\[0\] is Infinity"),
        ([1, None], [1, 2], r"predicted\[1\] is missing"),
    ],
)
def test_broken_input_is_named(predicted, actual, message) -> None:
    """The message says which value is at fault."""
    with pytest.raises(InputError, match=message):
        mae(predicted, actual)


def test_a_sum_that_is_null_needs_n_to_be_zero() -> None:
    """SQL sums no rows to null; a null sum of some rows is a mistake."""
    assert mean_from_sum(None, 0) == Score(None, 0)
    with pytest.raises(InputError, match="total"):
        mean_from_sum(None, 3)


def test_impossible_sums_are_refused() -> None:
    """Negative counts and negative sums of squares cannot be."""
    with pytest.raises(InputError, match="a count is not negative"):
        mean_from_sum(1, -1)
    with pytest.raises(InputError, match="sum of squares"):
        root_mean_from_sum(Decimal(-1), 2)


@given(pairs)
def test_the_order_of_rows_does_not_matter(rows) -> None:
    """To the last bit."""
    predicted, actual = [p for p, _ in rows], [a for _, a in rows]
    for metric in (mae, bias, rmse):
        assert metric(predicted, actual) == metric(predicted[::-1], actual[::-1])


@given(pairs)
def test_bias_is_never_larger_than_mae_nor_mae_than_rmse(rows) -> None:
    """|bias| <= mae <= rmse."""
    predicted, actual = [p for p, _ in rows], [a for _, a in rows]
    absolute, root = mae(predicted, actual).value, rmse(predicted, actual).value
    signed = bias(predicted, actual).value
    assert absolute is not None
    assert root is not None
    assert signed is not None
    assert abs(signed) <= absolute <= root * (1 + 1e-12)


@given(pairs)
def test_sequences_and_sums_give_the_same_figure(rows) -> None:
    """A warehouse that adds up DECIMALs gets what the sequences get, bit for bit."""
    errors = [p - a for p, a in rows]

    assert mae([p for p, _ in rows], [a for _, a in rows]) == mean_from_sum(sum(abs(e) for e in errors), len(rows))


def test_fractions_and_integers_are_numbers_too() -> None:
    """1/3 - 1/3 is 0."""
    assert mae([Fraction(1, 3), 2], [Fraction(1, 3), 1]) == Score(0.5, 2)
