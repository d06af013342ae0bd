"""Two systems on the same picks."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeonce.errors import InputError, UsageError
from gradeonce.metrics import Score, mcnemar, paired_mean_difference, paired_mean_difference_from_sums

values = st.lists(st.decimals(min_value=-50, max_value=50, places=2), min_size=2, max_size=30)


def test_mcnemar_by_hand() -> None:
    """1 against 5: 2·(C(6,0) + C(6,1))/2⁶ = 14/64 = 0.21875."""
    score = mcnemar(1, 5)

    assert score.value == pytest.approx(0.21875, rel=1e-12)
    assert score.n == 6


def test_an_even_split_is_no_evidence() -> None:
    """3 against 3: p = 1."""
    assert mcnemar(3, 3) == Score(1.0, 6)


def test_systems_that_never_disagree_cannot_be_compared() -> None:
    """No discordant picks: no data, not p = 1."""
    assert mcnemar(0, 0) == Score(None, 0)


def test_mcnemar_agrees_with_whole_binomial_coefficients() -> None:
    """Every split of up to 60 disagreements, against the sum written out."""
    for n in range(1, 61):
        for one in range(n + 1):
            exact = min(1.0, 2 * sum(math.comb(n, k) for k in range(min(one, n - one) + 1)) / 2**n)
            assert mcnemar(one, n - one).value == pytest.approx(exact, rel=1e-10)


def test_mcnemar_stands_a_season_of_picks() -> None:
    """250,000 disagreements, a difference of four standard errors (500 each): p near 2·(1 - Φ(4)) = 6.3e-5."""
    assert mcnemar(124_000, 126_000).value == pytest.approx(6.3e-5, rel=0.02)


def test_a_negative_count_is_refused() -> None:
    """It cannot be."""
    with pytest.raises(InputError, match="only_second is -1"):
        mcnemar(2, -1)


def test_paired_mean_difference_by_hand() -> None:
    """Differences -1, -2, -3: mean -2, s = 1, t(2) = 4.30265, reach 4.30265/sqrt(3) = 2.48414."""
    score = paired_mean_difference([1, 2, 3], [2, 4, 6])

    assert (score.value, score.n, score.level) == (-2.0, 3, 0.95)
    assert (score.low, score.high) == pytest.approx((-4.48414, 0.48414), abs=1e-5)


def test_one_pick_has_a_difference_but_no_interval() -> None:
    """Nothing is known about how it varies."""
    assert paired_mean_difference([3], [1]) == Score(2.0, 1)


def test_no_shared_picks_are_no_data() -> None:
    """n = 0 gives None."""
    assert paired_mean_difference([], []) == Score(None, 0)


def test_equal_differences_have_an_interval_of_no_width() -> None:
    """Even where the engine rounded the squares: 3 times (1/3)², each cut after 12 places."""
    third = Decimal("0.333333333")
    rounded = (third * third).quantize(Decimal("1e-12")) * 3

    score = paired_mean_difference_from_sums(third * 3, rounded, 3)

    assert score.low == pytest.approx(float(third), abs=1e-5)
    assert score.high == pytest.approx(float(third), abs=1e-5)


def test_sums_that_exclude_each_other_are_refused() -> None:
    """Two differences that add up to 10 have squares of at least 50."""
    with pytest.raises(InputError, match="exclude each other"):
        paired_mean_difference_from_sums(10, 4, 2)


def test_a_level_of_95_is_refused() -> None:
    """Also where there is nothing to compare."""
    with pytest.raises(UsageError, match="between 0 and 1"):
        paired_mean_difference([], [], level=95)


@given(values)
def test_swapping_the_systems_turns_the_sign(first) -> None:
    """And the interval round."""
    second = first[::-1]
    one, other = paired_mean_difference(first, second), paired_mean_difference(second, first)

    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)


@given(values)
def test_the_interval_contains_the_mean(first) -> None:
    """Low <= value <= high."""
    score = paired_mean_difference(first, [0] * len(first))
    assert score.low <= score.value <= score.high


@given(st.integers(min_value=0, max_value=3000), st.integers(min_value=0, max_value=3000))
def test_the_p_value_is_a_probability_and_does_not_care_who_comes_first(one, other) -> None:
    """Within [0, 1], the same both ways round."""
    score = mcnemar(one, other)
    assert score == mcnemar(other, one)
    assert score.value is None or 0 <= score.value <= 1
