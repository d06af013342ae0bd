"""Running checks: all over one consistent view of the book, each by its own query, and every result stored."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from gradeonce.alerts.problem import Severity
from gradeonce.checks.check import Check
from gradeonce.checks.facts import Sources, facts_of
from gradeonce.checks.history import failing_since
from gradeonce.checks.results import SAMPLE_KEYS, CheckReport, CheckResult, CheckStatus
from gradeonce.checks.scope import CheckScope, with_values
from gradeonce.clock import Clock, league_day
from gradeonce.errors import GradeonceError
from gradeonce.run_id import new_run_id
from gradeonce.schema import CHECK_RESULTS

if TYPE_CHECKING:
    from gradeonce.warehouses.base import Reader

_log = logging.getLogger(__name__)


def run_checks(
    checks: Sequence[Check], sources: Sources, scope: CheckScope, clock: Clock, *, looks_back_to: Mapping[str, date]
) -> CheckReport:
    """Run the checks, store their results, and return them.

    One that breaks is a result of its own, `error`, and does not keep back the others.

    Args:
        checks: What to run.
        sources: Whom to ask.
        scope: Range, instant and settings.
        clock: Time for durations.
        looks_back_to: Per check, an earlier date that it starts from.

    Raises:
        WarehouseError: If the book cannot be opened, or the results cannot be stored.
    """
    with sources.warehouse.steady(), sources.warehouse.reader() as reader:
        results = [
            _run_check(check, reader, sources, scope.since(looks_back_to.get(check.name)), clock) for check in checks
        ]
    report = CheckReport(
        check_run=new_run_id("c", scope.now),
        checked_at=scope.now,
        first_date=scope.first,
        last_date=scope.last,
        results=tuple(results),
    )
    sources.warehouse.keep(CHECK_RESULTS, [_row(report, result, scope) for result in results])
    since = failing_since(sources.warehouse.kept(CHECK_RESULTS).dicts())
    return replace(report, results=tuple(replace(one, failing_since=since.get(one.name)) for one in results))


def _run_check(check: Check, reader: Reader, sources: Sources, scope: CheckScope, clock: Clock) -> CheckResult:
    started = clock.monotonic()
    values: Mapping[str, Any] = scope.values()
    try:
        values = {**values, **facts_of(check.name, sources, scope)}
        result = _result(check, reader, scope, values)
    except GradeonceError as error:
        _log.error("check_broke name=%s error=%s", check.name, error.message)
        query = with_values(check.findings, values)
        result = _ended(check, scope, CheckStatus.ERROR, query=query, error=error.message)
    return replace(result, seconds=round(clock.monotonic() - started, 6))


def _result(check: Check, reader: Reader, scope: CheckScope, values: Mapping[str, Any]) -> CheckResult:
    used = {name: value for name, value in values.items() if name in check.values}
    considered = int(reader.query(check.considered, used).rows[0][0] or 0)
    notes = tuple(str(row[0]) for row in reader.query(check.notes, used).rows) if check.notes else ()
    ended = _ended(check, scope, CheckStatus.NO_DATA, considered, notes, with_values(check.findings, used))
    if not considered:
        return ended
    counted = f"SELECT found.*, count(*) OVER () AS {_IN_ALL} FROM ({check.findings}) AS found LIMIT {SAMPLE_KEYS}"
    rows = reader.query(counted, used).dicts()
    if not rows:
        return replace(ended, status=CheckStatus.PASSED)
    found = rows[0][_IN_ALL]
    rows = [{name: value for name, value in row.items() if name != _IN_ALL} for row in rows]
    if found <= len(rows):
        failing = sum(_is_failure(check, row) for row in rows)
        dates = [row["game_date"] for row in rows if row.get("game_date") is not None]
        first_found = min(dates, default=None)
    else:
        first = "min(game_date)" if "game_date" in rows[0] else "NULL"
        counts = f"SELECT {_failing(check, rows[0])}, {first} FROM ({check.findings}) AS found"
        failing, first_found = reader.query(counts, used).rows[0]
    return replace(
        ended,
        status=CheckStatus.FAILED if failing else CheckStatus.WARNED,
        found=found,
        failing=failing,
        first_found=first_found if isinstance(first_found, date) else None,
        keys=tuple(rows),
    )


_IN_ALL = "found_in_all"
"""Column beside those of the findings: how many there are. One question less, where each has its price."""


def _is_failure(check: Check, row: Mapping[str, Any]) -> bool:
    """Say whether a finding is a failure. Any: whatever a finding holds."""
    return bool(row["severity"] == "fail" if "severity" in row else check.severity is Severity.FAIL)


def _failing(check: Check, columns: Mapping[str, Any]) -> str:
    """Return the SQL that counts which findings are failures."""
    if "severity" in columns:
        return "count(*) FILTER (WHERE severity = 'fail')"
    return "count(*)" if check.severity is Severity.FAIL else "0"


def _ended(
    check: Check,
    scope: CheckScope,
    status: CheckStatus,
    considered: int = 0,
    notes: tuple[str, ...] = (),
    query: str = "",
    error: str = "",
) -> CheckResult:
    return CheckResult(
        name=check.name,
        number=check.number,
        status=status,
        severity=check.severity,
        about=check.about,
        fix=check.fix,
        considered=considered,
        found=0,
        failing=0,
        first_date=scope.first,
        last_date=scope.last,
        first_found=None,
        keys=(),
        notes=notes,
        query=query,
        error=error,
    )


def _row(report: CheckReport, result: CheckResult, scope: CheckScope) -> dict[str, Any]:
    """Return a result as a row of `check_results`. Any: its columns differ in type."""
    return {
        "check_run": report.check_run,
        "check_name": result.name,
        "checked_at": report.checked_at,
        "checked_on": league_day(report.checked_at, scope.settings.timezone),
        "status": result.status.value,
        "severity": result.severity.value,
        "first_date": result.first_date,
        "last_date": result.last_date,
        "considered": result.considered,
        "found": result.found,
        "failing": result.failing,
        "first_found": result.first_found,
        "keys_json": json.dumps(result.keys, default=str, ensure_ascii=False) if result.keys else None,
        "error": result.error or None,
    }
