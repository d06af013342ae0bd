"""Rates: counts of one kind out of counts of another, each with its Wilson interval."""

from __future__ import annotations

from gradeonce.metrics.intervals import wilson_interval
from gradeonce.metrics.score import Score
from gradeonce.metrics.sums import checked_count


def proportion(successes: int, n: int, *, level: float = 0.95) -> Score:
    """Return successes / n with its Wilson score interval.

    Args:
        successes: How often it happened, 0 to n.
        n: How often it could have.
        level: Level of the interval.

    Returns:
        Score with `value`, `low` and `high` in [0, 1]; all three are None when n is 0.

    Raises:
        InputError: If successes is not within 0 to n.
        UsageError: If the level is not strictly between 0 and 1.
    """
    interval = wilson_interval(successes, n, level=level)
    if interval is None:
        return Score(None, 0)
    low, high = interval
    return Score(successes / n, n, low, high, level)


def hit_rate(wins: int, losses: int, *, level: float = 0.95) -> Score:
    """Return the hit rate, wins / (wins + losses), with its Wilson score interval.

    Pushes, voids and no-bets are left out. In forecast verification "hit rate" also means probability of detection;
    this is not that. Betting calls it the win rate; at odds of -110 it takes 110/210 = 0.5238 to break even.

    Args:
        wins: Picks that were right.
        losses: Picks that were wrong.
        level: Level of the interval.

    Returns:
        Score with `value`, `low` and `high` in [0, 1] and n = wins + losses; all three are None when n is 0.

    Raises:
        InputError: If a count is negative.
        UsageError: If the level is not strictly between 0 and 1.

    Source: Wilson, E. B. (1927), Journal of the American Statistical Association 22(158), 209-212.
    """
    return proportion(checked_count(wins, "wins"), wins + checked_count(losses, "losses"), level=level)


def coverage(wins: int, losses: int, pushes: int, predictions: int, *, level: float = 0.95) -> Score:
    """Return the coverage, (wins + losses + pushes) / predictions: the share that came to a result.

    Args:
        wins: Predictions that were right.
        losses: Predictions that were wrong.
        pushes: Predictions whose outcome equals the line.
        predictions: All of them, whatever became of them.
        level: Level of the interval.

    Returns:
        Score with `value`, `low` and `high` in [0, 1] and n = predictions; all three are None when n is 0.

    Raises:
        InputError: If a count is negative, or results outnumber predictions.
        UsageError: If the level is not strictly between 0 and 1.
    """
    results = checked_count(wins, "wins") + checked_count(losses, "losses") + checked_count(pushes, "pushes")
    return proportion(results, predictions, level=level)
