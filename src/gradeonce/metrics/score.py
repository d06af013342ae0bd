"""The one shape every figure has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """A figure, how many observations stand behind it, and how sure it is.

    Attributes:
        value: The figure; None when n is 0: no data is neither 0 nor NaN.
        n: Observations that went in.
        low: Lower end of the interval; None where the figure has no interval, or n is too small for one.
        high: Upper end of it.
        level: Probability with which such an interval holds the true value, e.g. 0.95; None without an interval.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    level: float | None = None
