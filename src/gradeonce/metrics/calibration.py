"""Calibration: of all that was said to be 70 % sure, did 70 % happen?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from gradeonce.errors import UsageError
from gradeonce.metrics.probability import paired_probabilities
from gradeonce.metrics.rates import proportion
from gradeonce.metrics.score import Score
from gradeonce.metrics.sums import Number, mean_from_sum


@dataclass(frozen=True)
class CalibrationBin:
    """Forecasts of about the same probability, and how often the event then happened.

    Attributes:
        low: Lower edge; the bin holds probabilities from here,
        high: up to but not including this one (the last bin includes 1).
        mean_probability: Mean forecast in the bin.
        hit_rate: Share of them that happened, with its Wilson interval. Well calibrated: the interval holds the mean.
    """

    low: float
    high: float
    mean_probability: Score
    hit_rate: Score


def calibration(
    probability: Sequence[Number], occurred: Sequence[bool], *, bins: int = 10, level: float = 0.95
) -> tuple[CalibrationBin, ...]:
    """Return the bins of a reliability diagram: [0, 1] in equal parts, each with its count.

    Args:
        probability: Forecast probability of the event, each in [0, 1]. Shape (n,).
        occurred: Whether the event happened, paired by position. Shape (n,). Voids and pushes already removed.
        bins: How many equal parts.
        level: Level of the intervals.

    Returns:
        All bins in order, empty ones too (their scores have n = 0 and no value). Counts add up to n.

    Raises:
        InputError: If the lengths differ or a probability is outside [0, 1] or missing.
        UsageError: If bins is below 1, or the level is not strictly between 0 and 1.

    Source: Murphy, A. H. and Winkler, R. L. (1977), Applied Statistics 26(1), 41-47.
    """
    if bins < 1:
        raise UsageError(f"{bins} bins; expected at least 1.")
    totals, hits, counts = [Fraction()] * bins, [0] * bins, [0] * bins
    for chance, hit in paired_probabilities(probability, occurred):
        place = min(int(chance * bins), bins - 1)
        totals[place] += chance
        hits[place] += hit
        counts[place] += 1
    return tuple(
        CalibrationBin(
            low=place / bins,
            high=(place + 1) / bins,
            mean_probability=mean_from_sum(totals[place], counts[place]),
            hit_rate=proportion(hits[place], counts[place], level=level),
        )
        for place in range(bins)
    )
