"""The checks of a whole book: its settings say which, over which dates, and by which thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gradeonce.alerts import announce
from gradeonce.checks.alerting import not_run, problems_of, scope_of
from gradeonce.checks.facts import Sources
from gradeonce.checks.history import MUST_BE_MENDED, unmended
from gradeonce.checks.registry import chosen_checks
from gradeonce.checks.results import CheckReport
from gradeonce.checks.run import run_checks
from gradeonce.checks.scope import CheckScope
from gradeonce.clock import Clock, league_today
from gradeonce.config import Settings
from gradeonce.errors import UsageError, WarehouseError
from gradeonce.schema import CHECK_RESULTS

if TYPE_CHECKING:
    from gradeonce.leases import LeaseStore
    from gradeonce.warehouses.base import Warehouse

DEFAULT_DAYS = 7
"""Dates that are looked at when none are named, up to yesterday: today's games are not over."""


def check_book(
    warehouse: Warehouse,
    settings: Settings,
    clock: Clock,
    leases: Callable[[], LeaseStore],
    *,
    first: date | None = None,
    last: date | None = None,
    only: Sequence[str] = (),
    alert: bool = False,
) -> CheckReport:
    """Run the checks of a book. See `Book.check`.

    Raises:
        UsageError: If a check is unknown or the range runs backwards.
        ConfigError: If a check of the user's cannot be read.
    """
    end = last or league_today(clock, settings.timezone) - timedelta(days=1)
    start = first or end - timedelta(days=DEFAULT_DAYS - 1)
    if end < start:
        raise UsageError(f"The range runs backwards: from {start} to {end}.")
    checks = chosen_checks(settings, only)
    scope = CheckScope(start, end, clock.now(), settings)
    try:
        looks_back_to = _looks_back_to(warehouse) if first is None and last is None else {}
        report = run_checks(checks, Sources(warehouse, leases), scope, clock, looks_back_to=looks_back_to)
        stored = warehouse.kept(CHECK_RESULTS).dicts() if alert else []
    except WarehouseError as error:
        if alert:
            announce(warehouse, settings, clock, [not_run(error, start, end)])
        raise
    if not alert:
        return report
    problems, examined = problems_of(report), scope_of(report, unmended(stored))
    announced = announce(warehouse, settings, clock, problems, scope=examined, examined_at=report.checked_at)
    return replace(report, alerts=announced)


def _looks_back_to(warehouse: Warehouse) -> dict[str, date]:
    """Return where checks failed whose findings do not go away by themselves, so that none is forgotten with time."""
    open_from = unmended(warehouse.kept(CHECK_RESULTS).dicts())
    return {name: first for name, first in open_from.items() if name in MUST_BE_MENDED}
