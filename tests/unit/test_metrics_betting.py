"""Profit and return on investment at American odds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeonce.errors import InputError
from gradeonce.metrics import Score, hit_rate, profit, roi

odds = st.one_of(st.integers(min_value=100, max_value=100_000), st.integers(min_value=-100_000, max_value=-100))


@pytest.mark.parametrize(
    ("american_odds", "won", "expected"),
    [(150, True, 1.5), (100, True, 1.0), (-100, True, 1.0), (-200, True, 0.5), (-110, True, 100 / 110)],
)
def test_profit_of_a_win_follows_the_price(american_odds, won, expected) -> None:
    """Positive odds say what 100 wins; negative ones what must be staked to win 100."""
    assert profit(american_odds, won=won) == expected


@given(odds)
def test_a_lost_bet_loses_the_stake_whatever_the_price(price) -> None:
    """No more, no less."""
    assert profit(price, won=False) == -1.0


def test_roi_by_hand() -> None:
    """Won at +150 (1.5), lost at -110 (-1), won at -200 (0.5): 1.0 on three bets."""
    assert roi([150, -110, -200], [True, False, True]) == Score(1 / 3, 3)


def test_a_missing_price_is_taken_as_minus_110() -> None:
    """One won: 100/110."""
    assert roi([None], [True]) == Score(100 / 110, 1)


def test_no_bets_are_no_data() -> None:
    """n = 0 gives None."""
    assert roi([], []) == Score(None, 0)


@pytest.mark.parametrize("american_odds", [0, 99, -99])
def test_odds_between_minus_100_and_100_are_refused(american_odds) -> None:
    """They may be decimal odds in the wrong column."""
    with pytest.raises(InputError, match="expected at most -100 or at least 100"):
        roi([american_odds], [False])


def test_bets_and_prices_must_pair() -> None:
    """One price, no result."""
    with pytest.raises(InputError, match="differ in length"):
        roi([-110], [])


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_at_one_price_roi_and_hit_rate_tell_the_same(won) -> None:
    """At -110: roi = hit_rate · 210/110 - 1, because both leave pushes out."""
    rate = hit_rate(sum(won), len(won) - sum(won))
    assert roi([-110] * len(won), won).value == pytest.approx(rate.value * 210 / 110 - 1, abs=1e-12)


@given(st.lists(st.tuples(odds, st.booleans()), min_size=1, max_size=30))
def test_nobody_loses_more_than_the_stakes(bets) -> None:
    """ROI is at least -1."""
    assert roi([price for price, _ in bets], [hit for _, hit in bets]).value >= -1
