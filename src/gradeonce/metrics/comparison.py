"""Two systems on the same picks: is one better, or was it luck?

Both tests are paired: they look at the difference on each pick, so what made a night easy or hard for both cancels out.
Both take picks as independent of each other. Several picks on one player and game are not quite, and then the true
uncertainty is larger than what is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from gradeonce.errors import InputError
from gradeonce.metrics.intervals import normal_quantile, student_quantile
from gradeonce.metrics.score import Score
from gradeonce.metrics.sums import Number, checked_count, exact, mean_from_sum, same_length


def mcnemar(only_first: int, only_second: int) -> Score:
    """Return the p-value of McNemar's exact test: how often luck alone would split disagreements this unevenly.

    min(1, 2 · P(X <= min(only_first, only_second))) with X binomial, n = only_first + only_second, p = 1/2. Picks on
    which both were right or both wrong say nothing about which is better, and take no part.

    Args:
        only_first: Picks that only the first system had right.
        only_second: Picks that only the second had right.

    Returns:
        Score with `value` in [0, 1] (small: hardly luck) and n, the picks they disagreed on; None when n is 0.

    Raises:
        InputError: If a count is negative.

    Source: McNemar, Q. (1947), Psychometrika 12(2), 153-157; exact form: Fagerland, M. W., Lydersen, S. and Laake, P.
    (2013), BMC Medical Research Methodology 13:91.
    """
    fewer = min(checked_count(only_first, "only_first"), checked_count(only_second, "only_second"))
    n = only_first + only_second
    if n == 0:
        return Score(None, 0)
    if 2 * fewer == n:
        return Score(1.0, n)
    # Terms P(X = k) downwards from k = fewer, each relative to the first: they fall fast, and whole binomial
    # coefficients of a season's picks would have tens of thousands of digits.
    first = math.lgamma(n + 1) - math.lgamma(fewer + 1) - math.lgamma(n - fewer + 1) - n * math.log(2)
    term = total = 1.0
    for k in range(fewer, 0, -1):
        term *= k / (n - k + 1)
        total += term
        if term < 1e-18 * total:
            break
    return Score(min(1.0, 2 * math.exp(first) * total), n)


def paired_mean_difference(first: Sequence[Number], second: Sequence[Number], *, level: float = 0.95) -> Score:
    """Return mean(first - second) with its paired t interval; of absolute errors, negative means the first is better.

    Args:
        first: One value a pick, e.g. the absolute error of the first system, in points. Shape (n,).
        second: The same of the second, on the same picks, paired by position. Shape (n,).
        level: Level of the interval.

    Returns:
        Score in the unit of the values, and n; `value` is None when n is 0, the interval is missing when n is below 2.

    Raises:
        InputError: If the lengths differ or a value is missing or not finite.
        UsageError: If the level is not strictly between 0 and 1.

    Source: Student (1908), Biometrika 6(1), 1-25.
    """
    same_length(first, second, "first and second")
    pairs = zip(exact(first, "first"), exact(second, "second"), strict=True)
    differences = [one - other for one, other in pairs]
    return paired_mean_difference_from_sums(
        sum(differences, start=Fraction()),
        sum((d * d for d in differences), start=Fraction()),
        len(differences),
        level=level,
    )


def paired_mean_difference_from_sums(
    total: Number | None, total_of_squares: Number | None, n: int, *, level: float = 0.95
) -> Score:
    """Return the mean difference and its interval, mean ± t·s/sqrt(n), from the sums of differences and their squares.

    s² = (total_of_squares - total²/n) / (n - 1), in fractions, since the two nearly cancel.

    Args:
        total: Sum of the n differences; None only when n is 0.
        total_of_squares: Sum of their squares; None only when n is 0.
        n: How many picks both systems had.
        level: Level of the interval.

    Returns:
        As `paired_mean_difference`.

    Raises:
        InputError: If a sum is missing or not finite, or they cannot belong together.
        UsageError: If the level is not strictly between 0 and 1.
    """
    normal_quantile(level)
    mean = mean_from_sum(total, n)
    if mean.value is None or n < 2:
        return mean
    sum_, squares = exact([total, total_of_squares], "sums")
    variance = (squares - sum_ * sum_ / n) / (n - 1)
    if variance < 0:
        # An engine rounds each square to a few places; more than that is a mistake of the caller.
        if -variance > Fraction(1, 10**9) * (1 + squares):
            raise InputError(
                f"A sum of {total} and a sum of squares of {total_of_squares} exclude each other.", state=""
            )
        variance = Fraction()
    reach = student_quantile(level, n - 1) * math.sqrt(float(variance) / n)
    return Score(mean.value, n, mean.value - reach, mean.value + reach, level)
