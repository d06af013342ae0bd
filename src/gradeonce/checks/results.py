"""What checks found: one result each, and the report of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gradeonce.alerts.problem import Severity

if TYPE_CHECKING:
    from gradeonce.alerts import Announced

SAMPLE_KEYS = 20
"""Findings kept with a result at most; its query shows them all."""


class CheckStatus(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    NO_DATA = "no_data"
    ERROR = "error"


FAILING = (CheckStatus.FAILED, CheckStatus.ERROR)
"""What counts as a failure: a query that broke has checked nothing."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: The check.
        number: Its place in the list of ours; 0 for one of the user's own.
        status: passed, warned, failed, no_data (there was nothing to look at, which is never a pass) or error.
        severity: The check's own: warn or fail.
        about: What must hold, one line.
        fix: What to do about findings, one line.
        considered: What there was to look at: rows, systems or partitions, by the check.
        found: Findings in all.
        failing: Of these, how many are failures rather than warnings.
        first_date: First game date it looked at; that of the run, or earlier where it failed and was not mended since.
        last_date: Last one.
        first_found: First game date with a finding; None where findings have no date.
        keys: Up to 20 findings: column and value. Any: the types are the query's own.
        notes: What could not be judged and why, e.g. too few picks; one sentence each.
        query: The SELECT of all findings, to be typed into `gradeonce sql`.
        error: Why the check broke; empty unless it did.
        failing_since: First check of the row of failures or warnings that this one ends; None when it is neither.
        seconds: How long it took.
    """

    name: str
    number: int
    status: CheckStatus
    severity: Severity
    about: str
    fix: str
    considered: int
    found: int
    failing: int
    first_date: date
    last_date: date
    first_found: date | None
    keys: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    query: str
    error: str = ""
    failing_since: datetime | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class CheckReport:
    """One run of the checks.

    Attributes:
        check_run: Identity of the run, also in `check_results`.
        checked_at: When, UTC.
        first_date: First game date asked for.
        last_date: Last one.
        results: One per check, ours first.
        alerts: What was announced; None unless it was asked for.
    """

    check_run: str
    checked_at: datetime
    first_date: date
    last_date: date
    results: tuple[CheckResult, ...]
    alerts: Announced | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many checks ended in each way; the five add up to all of them."""
        return {status.value: sum(result.status is status for result in self.results) for status in CheckStatus}

    @property
    def status(self) -> CheckStatus:
        """All of them together: failed if any failed or broke, no_data if none had data, warned if any warned."""
        ended = {result.status for result in self.results}
        if ended & set(FAILING):
            return CheckStatus.FAILED
        if ended <= {CheckStatus.NO_DATA}:
            return CheckStatus.NO_DATA
        return CheckStatus.WARNED if CheckStatus.WARNED in ended else CheckStatus.PASSED
