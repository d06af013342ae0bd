"""Figures on money: what a stake of 1 on every pick would have brought."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gradeonce.errors import InputError
from gradeonce.metrics.score import Score
from gradeonce.metrics.sums import mean_from_sum, same_length

ASSUMED_ODDS = -110
"""American odds of a pick without a price of its own, the usual price of a line; 52.38 % must win to get even."""


def profit(american_odds: int, *, won: bool) -> float:
    """Return the profit of a stake of 1 at American odds.

    Lost: -1. Won at +150: 1.5; won at -110: 100/110 = 0.909...

    Args:
        american_odds: At most -100 or at least 100.
        won: Whether the bet won. A push or void gives the stake back, and is no bet here.

    Returns:
        Units of the stake.

    Raises:
        InputError: If the odds lie between -100 and 100, where no American odds are.
    """
    return float(_profit(american_odds, won))


def roi(american_odds: Sequence[int | None], won: Sequence[bool]) -> Score:
    """Return the return on investment, sum of profits / sum of stakes, with a stake of 1 on every pick.

    Pushes and voids give the stake back and are left out, so that ROI and hit rate speak of the same bets.

    Args:
        american_odds: Price of each bet; None is taken as ASSUMED_ODDS. Shape (n,).
        won: Whether it won, paired by position. Shape (n,).

    Returns:
        Score with `value` >= -1 (0 breaks even, 0.05 is 5 % profit) and n, the number of bets; None when n is 0.

    Raises:
        InputError: If the lengths differ, or odds lie between -100 and 100.
    """
    same_length(american_odds, won, "american_odds and won")
    profits = [
        _profit(ASSUMED_ODDS if odds is None else odds, hit) for odds, hit in zip(american_odds, won, strict=True)
    ]
    return mean_from_sum(sum(profits, start=Fraction()), len(profits))


def _profit(odds: int, won: bool) -> Fraction:
    if abs(odds) < 100:
        raise InputError(f"American odds of {odds}; expected at most -100 or at least 100.", state="")
    if not won:
        return Fraction(-1)
    return Fraction(odds, 100) if odds > 0 else Fraction(100, -odds)
