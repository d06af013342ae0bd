"""Figures on probabilities: was it as likely as we said?"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gradeonce.errors import InputError
from gradeonce.metrics.score import Score
from gradeonce.metrics.sums import Number, exact, mean_from_sum, same_length


def brier_score(probability: Sequence[Number], occurred: Sequence[bool]) -> Score:
    """Return the Brier score, mean((probability - occurred)²).

    Always saying 0.5 scores 0.25. This is the half score for an event and its opposite, as most use it today; Brier's
    own sums over both and is twice as large.

    Args:
        probability: Forecast probability of the event, each in [0, 1]. Shape (n,).
        occurred: Whether the event happened, paired by position. Shape (n,). Voids and pushes already removed.

    Returns:
        Score with `value` in [0, 1] (0 is perfect) and n; `value` is None when n is 0.

    Raises:
        InputError: If the lengths differ or a probability is outside [0, 1] or missing.

    Source: Brier, G. W. (1950), Monthly Weather Review 78(1), 1-3.
    """
    pairs = paired_probabilities(probability, occurred)
    return mean_from_sum(sum(((chance - hit) ** 2 for chance, hit in pairs), start=Fraction()), len(pairs))


def paired_probabilities(probability: Sequence[Number], occurred: Sequence[bool]) -> list[tuple[Fraction, bool]]:
    """Return (probability, occurred) pairs.

    Raises:
        InputError: If the lengths differ or a probability is outside [0, 1] or missing.
    """
    same_length(probability, occurred, "probability and occurred")
    chances = exact(probability, "probability")
    for position, chance in enumerate(chances):
        if not 0 <= chance <= 1:
            raise InputError(f"probability[{position}] is {float(chance)}; expected within 0 and 1.", state="")
        if not isinstance(occurred[position], int) or occurred[position] not in (0, 1):
            raise InputError(f"occurred[{position}] is {occurred[position]!r}; expected true or false.", state="")
    return [(chance, bool(hit)) for chance, hit in zip(chances, occurred, strict=True)]
