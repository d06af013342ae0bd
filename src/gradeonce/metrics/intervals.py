"""Intervals: how far a figure may lie from the truth."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

from gradeonce.errors import InputError, UsageError

_SERIES_UP_TO = 1000


def normal_quantile(level: float) -> float:
    """Return z such that a standard normal lies within ±z with probability `level`; 1.95996... for 0.95.

    Raises:
        UsageError: If the level is not strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise UsageError(f"The level of an interval is {level}; expected a number between 0 and 1, e.g. 0.95.")
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> tuple[float, float] | None:
    """Return the Wilson score interval of a rate p = successes / n.

    (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n). Unlike p ± z·sqrt(p(1-p)/n) it never leaves [0, 1], never
    shrinks to nothing at 0 or 1, and holds what it promises for small n.

    Args:
        successes: How often it happened, 0 to n.
        n: How often it could have. Trials are taken as independent.
        level: Probability with which such an interval holds the true rate.

    Returns:
        (low, high), both in [0, 1], with p between them; None when n is 0.

    Raises:
        InputError: If successes is not within 0 to n.
        UsageError: If the level is not strictly between 0 and 1.

    Source: Wilson, E. B. (1927), Journal of the American Statistical Association 22(158), 209-212.
    """
    z = normal_quantile(level)
    if not 0 <= successes <= n:
        raise InputError(f"{successes} successes out of {n}; expected between 0 and n.", state="")
    if n == 0:
        return None
    rate = successes / n
    centre = rate + z * z / (2 * n)
    reach = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 of n and n of n one end is the rate itself, which rounding would miss by a hair.
    low, high = (centre - reach) / scale, (centre + reach) / scale
    return max(0.0, min(low, rate)), min(1.0, max(high, rate))


@cache
def student_quantile(level: float, degrees: int) -> float:
    """Return t such that Student's t with that many degrees of freedom lies within ±t with probability `level`.

    By the closed form for whole degrees of freedom, inverted by halving; above 1,000 by the expansion around the normal
    quantile, whose error is then below 1e-8.

    Raises:
        InputError: If degrees is below 1.
        UsageError: If the level is not strictly between 0 and 1.

    Source: Abramowitz, M. and Stegun, I. A. (1964), Handbook of Mathematical Functions, 26.7.3 to 26.7.5.
    """
    z = normal_quantile(level)
    if degrees < 1:
        raise InputError(f"{degrees} degrees of freedom; expected at least 1.", state="")
    if degrees > _SERIES_UP_TO:
        return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    below, above = 0.0, math.pi / 2
    for _ in range(60):
        angle = (below + above) / 2
        if _within(angle, degrees) < level:
            below = angle
        else:
            above = angle
    return math.sqrt(degrees) * math.tan((below + above) / 2)


def _within(angle: float, degrees: int) -> float:
    """Return the probability that |t| <= sqrt(degrees)·tan(angle)."""
    cosine, odd = math.cos(angle), degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= (k - 1) / k * cosine * cosine
        total += term
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
