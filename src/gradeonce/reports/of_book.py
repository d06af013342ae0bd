"""Reports and explanations of a whole book: its settings, its rules, and what it has not graded yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from gradeonce.adopted import adopted_partitions
from gradeonce.config import Settings
from gradeonce.model import Query
from gradeonce.players import player_aliases
from gradeonce.reports.explain import explain
from gradeonce.reports.explanation import Explanation
from gradeonce.reports.report import Report, report
from gradeonce.rules import RuleSettings, counted_sql, select_params
from gradeonce.schema import PREDICTIONS
from gradeonce.statements import statement
from gradeonce.status import ungraded_dates
from gradeonce.warehouses.base import Warehouse


def graded_report(
    warehouse: Warehouse,
    settings: Settings,
    *,
    by: str = "system",
    systems: Sequence[str] = (),
    markets: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
    level: float = 0.95,
) -> Report:
    """Report on the book; predictions that count and are not graded yet are pending. See `report`."""
    # As of one instant: what is loaded or adopted between two looks would be in one of them and not in the other.
    with warehouse.steady():
        dates = [
            day for day in ungraded_dates(warehouse) if (start is None or day >= start) and (end is None or day <= end)
        ]
        adopted = tuple(
            day
            for day in adopted_partitions(warehouse)
            if (start is None or day >= start.isoformat()) and (end is None or day <= end.isoformat())
        )
        with warehouse.reader() as reader:
            found = report(
                reader,
                by=by,
                systems=systems,
                markets=markets,
                start=start,
                end=end,
                level=level,
                ungraded=ungraded_query(RuleSettings.of(settings), dates) if dates else None,
            )
    return replace(found, adopted=adopted)


def ungraded_query(rules: RuleSettings, dates: Sequence[date]) -> Query:
    """Return the SELECT of the predictions of these dates that count and whose key has no grade."""
    return Query(
        sql=statement(__package__, "report.sql", "ungraded", selected=counted_sql(PREDICTIONS.name)),
        params=select_params(rules, list(dates)),
    )


def explained(
    warehouse: Warehouse,
    settings: Settings,
    *,
    player: str | None = None,
    day: date | None = None,
    prediction_id: str | None = None,
) -> Explanation:
    """Explain picks of the book under its settings. See `explain`."""
    with warehouse.reader() as reader:
        return explain(
            reader,
            player=player,
            day=day,
            prediction_id=prediction_id,
            rules=RuleSettings.of(settings),
            aliases=player_aliases(settings.aliases_path),
        )
