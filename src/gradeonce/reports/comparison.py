"""Head to head: two systems on the same picks only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gradeonce.errors import UsageError
from gradeonce.metrics import Score, hit_rate, mcnemar, mean_from_sum, paired_mean_difference_from_sums
from gradeonce.reports.scope import Scope
from gradeonce.statements import statement
from gradeonce.warehouses.base import Reader


@dataclass(frozen=True)
class Comparison:
    """Two systems, a and b, on the picks they share.

    A pick is shared when both have a final line on the same player, game and market, and it is the same line. Whoever
    had an easier line would else seem to be the better system.

    Attributes:
        system_a: The first system.
        system_b: The second.
        scope: What was asked for.
        first_date: First game date with a pick of either; None without any.
        last_date: Last one.
        data_at: Instant (UTC, naive) of the newest grade in it.
        level: Level of the intervals.
        picks_a: Final lines of a.
        picks_b: Final lines of b.
        shared_picks: Picks they share.
        other_line: Picks both have, but on different lines: left out.
        decided: Shared picks that both won or lost; the next four add up to it.
        both_right: Both won.
        only_a_right: Only a won.
        only_b_right: Only b won.
        both_wrong: Neither won.
        win_rate_a: Win rate of a on the decided picks, Wilson interval.
        win_rate_b: The same of b.
        p_value: McNemar's exact test on the picks where one won and the other lost; None when there are none.
        mae_a: Mean absolute error of a on shared picks of those who played.
        mae_b: The same of b.
        mae_difference: Mean of a's absolute error minus b's on the same picks, paired t interval; below 0: a is nearer.
    """

    system_a: str
    system_b: str
    scope: Scope
    first_date: date | None
    last_date: date | None
    data_at: datetime | None
    level: float
    picks_a: int
    picks_b: int
    shared_picks: int
    other_line: int
    decided: int
    both_right: int
    only_a_right: int
    only_b_right: int
    both_wrong: int
    win_rate_a: Score
    win_rate_b: Score
    p_value: Score
    mae_a: Score
    mae_b: Score
    mae_difference: Score


def compare(
    reader: Reader,
    system_a: str,
    system_b: str,
    *,
    markets: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare two systems on the picks they share.

    Args:
        reader: A consistent view of the book.
        system_a: The first system.
        system_b: The second.
        markets: Only these; empty: all.
        start: First game date, inclusive; None: all.
        end: Last game date, inclusive; None: all.
        level: Level of the intervals.

    Returns:
        The comparison. No shared picks is a result with n = 0, and so is a system that nobody knows.

    Raises:
        UsageError: If both are the same system, or the range is turned round.
    """
    if system_a == system_b:
        raise UsageError(f"{system_a!r} cannot be compared with itself; name two systems.")
    scope = Scope.of(start, end, (system_a, system_b), markets)
    sql = statement(__package__, "report.sql", "comparison", in_scope=scope.sql)
    row = reader.query(sql, {**scope.params, "system_a": system_a, "system_b": system_b}).dicts()[0]
    decided, errors = row["decided"], row["errors"]
    wins_a, wins_b = row["both_right"] + row["only_a_right"], row["both_right"] + row["only_b_right"]
    counts = ("picks_a", "picks_b", "shared_picks", "other_line", "decided", "both_right", "both_wrong")
    return Comparison(
        system_a=system_a,
        system_b=system_b,
        scope=scope,
        first_date=row["first_date"],
        last_date=row["last_date"],
        data_at=row["data_at"],
        level=level,
        **{name: row[name] for name in (*counts, "only_a_right", "only_b_right")},
        win_rate_a=hit_rate(wins_a, decided - wins_a, level=level),
        win_rate_b=hit_rate(wins_b, decided - wins_b, level=level),
        p_value=mcnemar(row["only_a_right"], row["only_b_right"]),
        mae_a=mean_from_sum(row["sum_error_a"], errors),
        mae_b=mean_from_sum(row["sum_error_b"], errors),
        mae_difference=paired_mean_difference_from_sums(
            row["sum_difference"], row["sum_squared_difference"], errors, level=level
        ),
    )
