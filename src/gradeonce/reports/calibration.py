"""Calibration of confidence: of the picks that a system was 70 % sure of, how many were right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gradeonce.metrics import Score, hit_rate, mean_from_sum
from gradeonce.reports.scope import Scope
from gradeonce.statements import statement
from gradeonce.warehouses.base import Reader


@dataclass(frozen=True)
class ConfidenceBin:
    """Picks of one system with about the same confidence.

    Attributes:
        system: The system.
        confidence_decile: 1 (confidence below 0.1) to 10 (from 0.9); None: picks without a confidence, kept so that the
            bins add up to the system's wins and losses.
        mean_confidence: Mean confidence, 0 to 1.
        hit_rate: Share that was right, with its Wilson interval. Well calibrated: the interval holds the mean.
    """

    system: str
    confidence_decile: int | None
    mean_confidence: Score
    hit_rate: Score


@dataclass(frozen=True)
class Calibration:
    """All bins that hold a pick.

    Attributes:
        scope: What was asked for.
        first_date: First game date with a pick in it; None without any.
        last_date: Last one.
        data_at: Instant (UTC, naive) of the newest grade in it.
        level: Level of the intervals.
        bins: By system, then decile.
    """

    scope: Scope
    first_date: date | None
    last_date: date | None
    data_at: datetime | None
    level: float
    bins: tuple[ConfidenceBin, ...]


def calibration(
    reader: Reader,
    *,
    systems: Sequence[str] = (),
    markets: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
    level: float = 0.95,
) -> Calibration:
    """Return how often picks were right, by system and decile of confidence.

    Only final lines that won or lost, so a moved line counts no pick twice.

    Args:
        reader: A consistent view of the book.
        systems: Only these; empty: all.
        markets: Only these; empty: all.
        start: First game date, inclusive; None: all.
        end: Last game date, inclusive; None: all.
        level: Level of the intervals.

    Raises:
        UsageError: If the range is turned round.
    """
    scope = Scope.of(start, end, systems, markets)
    rows = reader.query(statement(__package__, "report.sql", "calibration", in_scope=scope.sql), scope.params).dicts()
    bins = tuple(
        ConfidenceBin(
            system=row["system_id"],
            confidence_decile=row["confidence_decile"],
            mean_confidence=mean_from_sum(
                row["sum_confidence"], 0 if row["confidence_decile"] is None else row["bets"]
            ),
            hit_rate=hit_rate(row["wins"], row["bets"] - row["wins"], level=level),
        )
        for row in rows
    )
    return Calibration(
        scope=scope,
        first_date=min((row["first_date"] for row in rows), default=None),
        last_date=max((row["last_date"] for row in rows), default=None),
        data_at=max((row["data_at"] for row in rows), default=None),
        level=level,
        bins=bins,
    )
