"""Exact sums, and the two means that are made of them.

Sequences are added up as fractions: no rounding before the last division, so the order of rows cannot change a figure,
and the same rows added up as DECIMAL by an engine give the same figure to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from gradeonce.errors import InputError
from gradeonce.metrics.score import Score

Number = int | float | Decimal | Fraction
"""What a figure can be made of."""


def exact(values: Sequence[Number | None], what: str) -> list[Fraction]:
    """Return the values as fractions.

    Raises:
        InputError: If one of them is missing or not finite; it names the first.
    """
    fractions = []
    for position, value in enumerate(values):
        if value is None:
            raise InputError(f"{what}[{position}] is missing; leave out pairs that are not complete.", state="")
        try:
            fractions.append(Fraction(value))
        except (ValueError, OverflowError) as error:
            raise InputError(f"{what}[{position}] is {value}; expected a finite number.", state="") from error
    return fractions


def same_length(first: Sequence[object], second: Sequence[object], what: str) -> None:
    """Raise InputError unless two sequences can be paired by position."""
    if len(first) != len(second):
        raise InputError(f"{what} differ in length: {len(first)} and {len(second)}.", state="")


def mean_from_sum(total: Number | None, n: int) -> Score:
    """Return the mean, total / n.

    Args:
        total: Sum over n observations; None, as SQL sums up no rows, only when n is 0.
        n: How many were summed.

    Returns:
        Score in the unit of the total; `value` is None when n is 0. No interval.

    Raises:
        InputError: If n is negative, or the total is missing or not finite although n is positive.
    """
    checked_count(n, "n")
    if n == 0:
        return Score(None, 0)
    return Score(float(exact([total], "total")[0] / n), n)


def root_mean_from_sum(total_of_squares: Number | None, n: int) -> Score:
    """Return the root of the mean square, sqrt(total / n).

    Args:
        total_of_squares: Sum of the squares of n observations; None only when n is 0.
        n: How many were summed.

    Returns:
        Score in the unit of the observations; `value` is None when n is 0. No interval.

    Raises:
        InputError: As `mean_from_sum`, and if the total is negative.
    """
    mean = mean_from_sum(total_of_squares, n)
    if mean.value is None:
        return mean
    if mean.value < 0:
        raise InputError(f"A sum of squares is {total_of_squares}; expected one that is not negative.", state="")
    return Score(math.sqrt(mean.value), n)


def checked_count(count: int, what: str) -> int:
    """Return the count; raise InputError when it is negative."""
    if count < 0:
        raise InputError(f"{what} is {count}; a count is not negative.", state="")
    return count
