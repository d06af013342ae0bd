"""The report: what became of all predictions, per group and in all, as figures with their n and interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from gradeonce.errors import UsageError, ValidationFailed
from gradeonce.metrics import (
    Score,
    coverage,
    hit_rate,
    mean_from_sum,
    proportion,
    root_mean_from_sum,
)
from gradeonce.model import Query
from gradeonce.reports.scope import Scope
from gradeonce.rules.derived import paid_sql, sums_sql
from gradeonce.schema import OUTCOMES
from gradeonce.statements import statement
from gradeonce.warehouses.base import Reader

# The column that each grouping looks at.
_COLUMNS = {
    "system": "system_id",
    "market": "market",
    "date": "game_date",
    "player": "player_lookup",
    "line_source": "line_source",
    "bookmaker": "bookmaker",
    "confidence_decile": "confidence_decile",
    "void_reason": "void_reason",
}

GROUPINGS = tuple(_COLUMNS)
"""What a report can be grouped by."""


@dataclass(frozen=True)
class Figures:
    """One group of predictions, or all of them.

    Outcomes and errors are of every line that was graded. The record (picks, wins, losses, pushes, win rate, Brier
    score, ROI) is of final lines only, so that a line that moved never counts a pick twice.

    Attributes:
        group: The group's value as text (a date in ISO 8601); None where the column is null, and for the total.
        label: How to show it: a player's name, else the group.
        predictions: All lines; the seven outcomes below add up to it (G6).
        win: Lines that were right.
        loss: Lines that were wrong.
        push: Lines that the actual value equals.
        no_bet: Lines without a bet: no line, or a recommendation other than OVER and UNDER.
        void: Lines on somebody who did not play, or a game that moved.
        ungradable: Lines that our rules or data cannot decide.
        pending: Lines that wait for a final box score, or to be graded.
        picks: Final lines, whatever became of them: one a system, player, game and market.
        wins: Of these, right.
        losses: Of these, wrong.
        pushes: Of these, push.
        win_rate: wins / (wins + losses), Wilson interval.
        mae: Mean absolute error in the market's unit, over all lines of those who played.
        rmse: Root mean square error of the same.
        bias: Mean of predicted - actual of the same; positive: predictions are too high.
        within_3: Share of the same with an absolute error of at most 3, Wilson interval.
        within_5: Share of the same with an absolute error of at most 5, Wilson interval.
        brier_score: Of confidence against right or wrong, over wins and losses that have a confidence.
        roi: Profit per unit staked, a stake of 1 on every win and loss; a push gives its stake back and is no bet.
        profit_units: That profit in stakes; None without bets.
        bets_at_real_price: Of these bets, how many had a price of their own (the over or the under price).
        bets_at_assumed_price: How many were taken at ASSUMED_ODDS: no price, or one that is no American odds.
        coverage: (win + loss + push) / predictions, Wilson interval.
    """

    group: str | None
    label: str
    predictions: int
    win: int
    loss: int
    push: int
    no_bet: int
    void: int
    ungradable: int
    pending: int
    picks: int
    wins: int
    losses: int
    pushes: int
    win_rate: Score
    mae: Score
    rmse: Score
    bias: Score
    within_3: Score
    within_5: Score
    brier_score: Score
    roi: Score
    profit_units: float | None
    bets_at_real_price: int
    bets_at_assumed_price: int
    coverage: Score

    @property
    def outcomes(self) -> dict[str, int]:
        """The seven counts that add up to the predictions, by name."""
        return {name: getattr(self, name) for name in OUTCOMES}


@dataclass(frozen=True)
class Report:
    """Figures per group and in all.

    Attributes:
        by: What it is grouped by, one of GROUPINGS.
        scope: What was asked for.
        first_date: First game date with a prediction in scope; None without any.
        last_date: Last one.
        data_at: Instant (UTC, naive) of the newest grade in it: the time of the data; None without any.
        level: Level of the intervals.
        groups: In order of the group's value; players by number of predictions. A null group comes last.
        total: All of them.
        adopted: Dates in scope whose grades were adopted and not graded by us since: their figures are unverified.
    """

    by: str
    scope: Scope
    first_date: date | None
    last_date: date | None
    data_at: datetime | None
    level: float
    groups: tuple[Figures, ...]
    total: Figures
    adopted: tuple[str, ...] = ()


def report(
    reader: Reader,
    *,
    by: str = "system",
    systems: Sequence[str] = (),
    markets: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
    level: float = 0.95,
    ungraded: Query | None = None,
) -> Report:
    """Report on the grades that stand.

    Args:
        reader: A consistent view of the book.
        by: What to group by, one of GROUPINGS.
        systems: Only these; empty: all.
        markets: Only these; empty: all.
        start: First game date, inclusive; None: all.
        end: Last game date, inclusive; None: all.
        level: Level of the intervals.
        ungraded: A SELECT of predictions that count but have no grade yet, to be counted as pending: with the
            columns of the statement `ungraded`, outcome `pending`. None of its keys may be graded.

    Returns:
        The figures. No predictions in scope is a report whose total counts 0 and has no groups.

    Raises:
        UsageError: If `by` is unknown or the range is turned round.
        ValidationFailed: If outcomes do not add up to the predictions (G6), for any group.
    """
    if by not in _COLUMNS:
        raise UsageError(f"A report cannot be grouped by {by!r}; expected one of {', '.join(GROUPINGS)}.")
    scope = Scope.of(start, end, systems, markets)
    if ungraded is None:
        graded = statement(__package__, "report.sql", "graded")
    else:
        graded = statement(__package__, "report.sql", "graded_and_ungraded", ungraded=ungraded.sql)
    sql = statement(
        __package__,
        "report.sql",
        "figures",
        sums=sums_sql(),
        paid=paid_sql(
            graded,
            groups=f"{_COLUMNS[by]} AS group_value, game_date, player_name, graded_at",
            in_scope=scope.sql,
        ),
        order="predictions DESC, group_value" if by == "player" else "group_value NULLS LAST",
    )
    params = {**(ungraded.params if ungraded else {}), **scope.params}
    rows = reader.query(sql, params).dicts()
    _check_reconciled(rows)
    total = rows[-1]
    return Report(
        by=by,
        scope=scope,
        first_date=total["first_date"],
        last_date=total["last_date"],
        data_at=total["data_at"],
        level=level,
        groups=tuple(_figures(row, by, level) for row in rows[:-1]),
        total=_figures(total, by, level),
    )


def _check_reconciled(rows: Sequence[Mapping[str, Any]]) -> None:
    failures = []
    for row in rows:
        counted = sum(row[name] for name in OUTCOMES)
        if counted != row["predictions"]:
            who = "all" if row["is_total"] else row["group_name"]
            failures.append(f"{who}: {row['predictions']} predictions, but the outcomes add up to {counted}")
    if sum(row["predictions"] for row in rows[:-1]) != rows[-1]["predictions"]:
        failures.append("the groups do not add up to all predictions")
    if failures:
        raise ValidationFailed(
            f"The outcomes do not add up to the predictions: {failures[-1]}.",
            failures=failures,
            hint="Verify the book with `gradeonce ledger verify --deep`.",
        )


def _figures(row: Mapping[str, Any], by: str, level: float) -> Figures:
    wins, losses, errors = row["wins"], row["losses"], row["errors"]
    bets = wins + losses
    group = None if row["is_total"] else row["group_name"]
    profit = row["sum_profit"]
    return Figures(
        group=group,
        label="total" if row["is_total"] else (by == "player" and row["player_name"]) or group or "(none)",
        **{name: row[name] for name in ("predictions", *OUTCOMES, "picks", "wins", "losses", "pushes")},
        win_rate=hit_rate(wins, losses, level=level),
        mae=mean_from_sum(row["sum_absolute_error"], errors),
        rmse=root_mean_from_sum(row["sum_squared_error"], errors),
        bias=mean_from_sum(row["sum_signed_error"], errors),
        within_3=proportion(row["within_3"], errors, level=level),
        within_5=proportion(row["within_5"], errors, level=level),
        brier_score=mean_from_sum(row["sum_squared_confidence_error"], row["confidences"]),
        roi=mean_from_sum(profit, bets),
        profit_units=None if profit is None else float(profit),
        bets_at_real_price=row["bets_at_real_price"],
        bets_at_assumed_price=bets - row["bets_at_real_price"],
        coverage=coverage(row["win"], row["loss"], row["push"], row["predictions"], level=level),
    )
