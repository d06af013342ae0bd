"""Figures on how far a predicted number lies from the actual one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gradeonce.metrics.rates import proportion
from gradeonce.metrics.score import Score
from gradeonce.metrics.sums import Number, exact, mean_from_sum, root_mean_from_sum, same_length


def mae(predicted: Sequence[Number], actual: Sequence[Number]) -> Score:
    """Return the mean absolute error, mean(|predicted - actual|).

    Args:
        predicted: Predicted values, e.g. in points. Shape (n,).
        actual: What happened, in the same unit, paired by position. Shape (n,). Voids already removed.

    Returns:
        Score with `value` >= 0 (0 is perfect) in that unit, and n; `value` is None when n is 0.

    Raises:
        InputError: If the lengths differ or a value is missing or not finite.

    Source: Willmott, C. J. and Matsuura, K. (2005), Climate Research 30, 79-82.
    """
    errors = _errors(predicted, actual)
    return mean_from_sum(sum(map(abs, errors), start=Fraction()), len(errors))


def bias(predicted: Sequence[Number], actual: Sequence[Number]) -> Score:
    """Return the bias, mean(predicted - actual): positive means that predictions are too high.

    Also called mean error, or additive bias. Some write it the other way round, actual minus predicted.

    Args:
        predicted: Predicted values, e.g. in points. Shape (n,).
        actual: What happened, in the same unit, paired by position. Shape (n,). Voids already removed.

    Returns:
        Score in that unit (0 is unbiased), and n; `value` is None when n is 0.

    Raises:
        InputError: If the lengths differ or a value is missing or not finite.

    Source: Jolliffe, I. T. and Stephenson, D. B. (2012), Forecast Verification, 2nd edition, chapter 5.
    """
    errors = _errors(predicted, actual)
    return mean_from_sum(sum(errors, start=Fraction()), len(errors))


def rmse(predicted: Sequence[Number], actual: Sequence[Number]) -> Score:
    """Return the root mean square error, sqrt(mean((predicted - actual)²)); large errors weigh more than in `mae`.

    Args:
        predicted: Predicted values, e.g. in points. Shape (n,).
        actual: What happened, in the same unit, paired by position. Shape (n,). Voids already removed.

    Returns:
        Score with `value` >= 0 (0 is perfect) in that unit, and n; `value` is None when n is 0.

    Raises:
        InputError: If the lengths differ or a value is missing or not finite.

    Source: Willmott, C. J. and Matsuura, K. (2005), Climate Research 30, 79-82.
    """
    errors = _errors(predicted, actual)
    return root_mean_from_sum(sum((error * error for error in errors), start=Fraction()), len(errors))


def share_within(
    predicted: Sequence[Number], actual: Sequence[Number], distance: Number, *, level: float = 0.95
) -> Score:
    """Return the share of predictions at most `distance` from the actual, count(|error| <= distance) / n.

    Args:
        predicted: Predicted values, e.g. in points. Shape (n,).
        actual: What happened, in the same unit, paired by position. Shape (n,). Voids already removed.
        distance: In that unit; an error of exactly this much is within.
        level: Level of the interval.

    Returns:
        Score with `value`, `low` and `high` (Wilson) in [0, 1], and n; all three are None when n is 0.

    Raises:
        InputError: If the lengths differ or a value is missing or not finite.
        UsageError: If the level is not strictly between 0 and 1.
    """
    errors = _errors(predicted, actual)
    reach = exact([distance], "distance")[0]
    return proportion(sum(abs(error) <= reach for error in errors), len(errors), level=level)


def _errors(predicted: Sequence[Number], actual: Sequence[Number]) -> list[Fraction]:
    same_length(predicted, actual, "predicted and actual")
    pairs = zip(exact(predicted, "predicted"), exact(actual, "actual"), strict=True)
    return [before - after for before, after in pairs]
