"""The Brier score and calibration."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeonce.errors import InputError, UsageError
from gradeonce.metrics import Score, brier_score, calibration

forecasts = st.lists(st.tuples(st.decimals(min_value=0, max_value=1, places=4), st.booleans()), max_size=40)


def test_brier_score_by_hand() -> None:
    """(0.8-1)² + (0.6-0)² + (0.5-1)² = 0.04 + 0.36 + 0.25 = 0.65; a third of it."""
    score = brier_score([Decimal("0.8"), Decimal("0.6"), Decimal("0.5")], [True, False, True])

    assert score == Score(0.65 / 3, 3)


def test_certainty_scores_zero_when_right_and_one_when_wrong() -> None:
    """The two ends of the scale."""
    assert brier_score([1, 0], [True, False]) == Score(0.0, 2)
    assert brier_score([1, 0], [False, True]) == Score(1.0, 2)


@pytest.mark.parametrize("metric", [brier_score, lambda p, o: calibration(p, o, bins=1)[0].hit_rate])
def test_no_forecasts_are_no_data(metric) -> None:
    """n = 0 gives None."""
    assert metric([], []) == Score(None, 0)


@pytest.mark.parametrize(
    ("probability", "occurred", "message"),
    [
        ([0.5], [], "differ in length"),
        ([72], [True], r"probability\[0\] is 72.0; expected within 0 and 1"),
        ([None], [True], r"probability\[0\] is missing"),
        ([0.5], [None], r"occurred\[0\] is None; expected true or false"),
    ],
)
def test_broken_forecasts_are_named(probability, occurred, message) -> None:
    """A confidence in percent, a void that was left in."""
    with pytest.raises(InputError, match=message):
        brier_score(probability, occurred)


def test_calibration_bins_include_their_lower_edge_and_the_last_one_both() -> None:
    """Of 0.5, 0.55, 0.7 and 1.0 in two halves, all four are in the upper; 0.49 is in the lower."""
    low, high = calibration([0.5, 0.55, 0.7, 1.0, 0.49], [True, False, True, True, False], bins=2)

    assert (low.hit_rate.n, high.hit_rate.n) == (1, 4)
    assert high.hit_rate.value == 0.75
    assert high.mean_probability.value == pytest.approx(0.6875)
    assert (high.low, high.high) == (0.5, 1.0)


def test_an_empty_bin_stands_with_its_count_of_zero() -> None:
    """A gap in the diagram is shown as one."""
    bins = calibration([0.95], [True])

    assert [b.hit_rate.n for b in bins] == [0] * 9 + [1]
    assert bins[0].hit_rate.value is None


def test_calibration_needs_a_bin() -> None:
    """Zero bins hold nothing."""
    with pytest.raises(UsageError, match="0 bins"):
        calibration([], [], bins=0)


@given(forecasts)
def test_brier_score_lies_within_zero_and_one(rows) -> None:
    """Whatever is forecast."""
    score = brier_score([p for p, _ in rows], [o for _, o in rows])
    assert score.value is None or 0 <= score.value <= 1


@given(forecasts, st.integers(min_value=1, max_value=12))
def test_every_forecast_is_in_exactly_one_bin(rows, bins) -> None:
    """Counts add up, and each mean lies within its bin."""
    found = calibration([p for p, _ in rows], [o for _, o in rows], bins=bins)

    assert sum(b.hit_rate.n for b in found) == len(rows)
    for b in found:
        if b.mean_probability.value is not None:
            assert b.low - 1e-12 <= b.mean_probability.value <= b.high + 1e-12
