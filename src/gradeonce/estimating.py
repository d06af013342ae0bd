"""What grading would read, where reading is paid for, before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from gradeonce.schema import PREDICTIONS

if TYPE_CHECKING:
    from gradeonce.grading import Grader

TEBIBYTE = 1024**4


@dataclass(frozen=True)
class CostEstimate:
    """What grading some dates would read.

    Attributes:
        dates: Dates that would be graded: those that have predictions.
        bytes_read: What the warehouse says that the statements which read the inputs would read. What is staged is
            small beside it and comes on top, and so does whatever the warehouse bills at least.
        price_per_tebibyte: What 1,099,511,627,776 bytes cost; None: nobody said.
        cost: The price of the bytes, in the currency of the price; None without a price.
    """

    dates: int
    bytes_read: int
    price_per_tebibyte: float | None
    cost: float | None


def estimate_dates(grader: Grader, days: Sequence[date], *, price_per_tebibyte: float) -> CostEstimate:
    """Return what grading these dates would read; no input is read and nothing is changed.

    Which of the dates have predictions is asked, and that is small, but not free.

    Args:
        grader: Of the book.
        days: The dates; those without predictions are not graded and cost nothing.
        price_per_tebibyte: In any currency; 0: not known.

    Raises:
        UsageError: If reading costs nothing where the book is.
    """
    estimator = grader.warehouse.estimator()
    held = {fence.partition for fence in grader.warehouse.all_fences(PREDICTIONS) if fence.rows}
    graded = sorted({day for day in days if day.isoformat() in held})
    bytes_read = grader.bytes_to_read(estimator, graded) if graded else 0
    cost = bytes_read / TEBIBYTE * price_per_tebibyte if price_per_tebibyte else None
    return CostEstimate(len(graded), bytes_read, price_per_tebibyte or None, cost)
