"""Rates, their Wilson intervals, and Student's quantile."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeonce.errors import InputError, UsageError
from gradeonce.metrics import Score, coverage, hit_rate, proportion, student_quantile, wilson_interval

counts = st.integers(min_value=0, max_value=100_000)
levels = st.floats(min_value=0.01, max_value=0.999)


def test_hit_rate_leaves_pushes_and_voids_out() -> None:
    """6 wins and 4 losses: 0.6 of 10, however many pushes there were."""
    score = hit_rate(6, 4)

    assert (score.value, score.n) == (0.6, 10)


def test_wilson_interval_by_hand() -> None:
    """1 of 2 with z = 1.959964: centre 0.5, reach z·sqrt(0.125 + z²/16)/(1 + z²/2) = 0.4055, so 0.0945 to 0.9055."""
    interval = wilson_interval(1, 2)

    assert interval == pytest.approx((0.0945312, 0.9054688), abs=1e-6)


def test_wilson_interval_of_none_of_ten() -> None:
    """0 of 10: from exactly 0 to z²/(10 + z²) = 3.8415/13.8415 = 0.27753."""
    low, high = wilson_interval(0, 10) or (None, None)

    assert low == 0.0
    assert high == pytest.approx(0.277532, abs=1e-6)


def test_a_higher_level_gives_a_wider_interval() -> None:
    """99 % reaches further than 90 % on both sides."""
    narrow, wide = proportion(6, 10, level=0.9), proportion(6, 10, level=0.99)

    assert wide.low < narrow.low < narrow.high < wide.high
    assert (narrow.level, wide.level) == (0.9, 0.99)


def test_no_picks_are_no_data() -> None:
    """Neither rate nor interval."""
    assert hit_rate(0, 0) == Score(None, 0)
    assert coverage(0, 0, 0, 0) == Score(None, 0)


def test_coverage_counts_wins_losses_and_pushes() -> None:
    """(5 + 3 + 1) of 12 came to a result."""
    score = coverage(5, 3, 1, 12)

    assert (score.value, score.n) == (0.75, 12)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95])
def test_a_level_outside_zero_and_one_is_refused(level) -> None:
    """95 for 95 % is the likely mistake."""
    with pytest.raises(UsageError, match="expected a number between 0 and 1"):
        hit_rate(1, 1, level=level)


def test_impossible_counts_are_refused() -> None:
    """More successes than trials, or fewer than none."""
    with pytest.raises(InputError, match="3 successes out of 2"):
        proportion(3, 2)
    with pytest.raises(InputError, match="losses is -1"):
        hit_rate(5, -1)


@given(counts, counts, levels)
def test_the_interval_contains_the_rate_and_stays_within_zero_and_one(wins, losses, level) -> None:
    """For every count and level."""
    score = hit_rate(wins, losses, level=level)
    if score.n:
        assert 0 <= score.low <= score.value <= score.high <= 1


@given(st.integers(min_value=0, max_value=500), st.integers(min_value=1, max_value=500))
def test_the_interval_of_losses_mirrors_that_of_wins(wins, losses) -> None:
    """Calling a win a loss turns the interval round."""
    one, other = hit_rate(wins, losses), hit_rate(losses, wins)

    assert one.low == pytest.approx(1 - other.high, abs=1e-12)
    assert one.high == pytest.approx(1 - other.low, abs=1e-12)


@given(st.integers(min_value=0, max_value=200), st.integers(min_value=1, max_value=200))
def test_ten_times_the_data_is_a_narrower_interval(wins, losses) -> None:
    """More of the same says more."""
    few, many = hit_rate(wins, losses), hit_rate(10 * wins, 10 * losses)

    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (10, 2.22814), (30, 2.04227), (120, 1.97993)],
)
def test_student_quantile_agrees_with_the_printed_tables(degrees, expected) -> None:
    """Two-sided 95 %."""
    assert student_quantile(0.95, degrees) == pytest.approx(expected, abs=1e-5)


def test_student_quantile_has_no_step_where_the_method_changes() -> None:
    """At 1,000 degrees the closed form ends and the expansion begins; both fall by the same amount there."""
    before = student_quantile(0.95, 999) - student_quantile(0.95, 1000)
    across = student_quantile(0.95, 1000) - student_quantile(0.95, 1001)

    assert math.isclose(before, across, rel_tol=0.01)


def test_student_quantile_needs_a_degree_of_freedom() -> None:
    """One observation has none."""
    with pytest.raises(InputError, match="0 degrees of freedom"):
        student_quantile(0.95, 0)
