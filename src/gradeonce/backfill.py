"""Grading many dates: chunks that are each all or nothing, so that a stopped backfill goes on where it stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from gradeonce.aggregates import add_missing_sums
from gradeonce.errors import GradeonceError, LeaseHeld
from gradeonce.grading import Grader, PartitionRun
from gradeonce.schema import OUTCOMES, PREDICTIONS

if TYPE_CHECKING:
    from gradeonce.alerts import Announced

_log = logging.getLogger(__name__)

LONGEST_CHUNK = 366
"""Dates per chunk at most: every date of a chunk holds a lease while the chunk is graded."""


@dataclass(frozen=True)
class Progress:
    """How far a backfill is.

    Attributes:
        dates_done: Dates finished, whatever came of them.
        dates: Dates in all.
        rows_done: Predictions of the dates finished.
        rows: Predictions in all.
    """

    dates_done: int
    dates: int
    rows_done: int
    rows: int


@dataclass(frozen=True)
class GradeReport:
    """What a grading did, date by date.

    Attributes:
        runs: One per date, in order.
        errors: The error of every date that failed, by date.
        alerts: What was told of it; None: nobody was to be told.
    """

    runs: tuple[PartitionRun, ...]
    errors: Mapping[str, GradeonceError]
    alerts: Announced | None = None

    @property
    def totals(self) -> dict[str, int | float | None]:
        """Return the sums over all dates, with mae and bias weighted by their n."""
        names = ("predictions", *OUTCOMES)
        sums: dict[str, int | float | None] = {name: sum(run.counts[name] for run in self.runs) for name in names}
        n = sum(run.n for run in self.runs)
        return {
            **sums,
            "revised": sum(run.revised for run in self.runs),
            "n": n,
            "mae": sum((run.mae or 0.0) * run.n for run in self.runs) / n if n else None,
            "bias": sum((run.bias or 0.0) * run.n for run in self.runs) / n if n else None,
        }

    @property
    def worst_error(self) -> GradeonceError | None:
        """The first error that is not transient, else the first one; None when every date is well."""
        errors = list(self.errors.values())
        return next((error for error in errors if not error.is_transient), errors[0] if errors else None)


def grade_dates(
    grader: Grader,
    days: Sequence[date],
    *,
    dry_run: bool = False,
    wait_seconds: float | None = None,
    on_progress: Callable[[Progress, Sequence[PartitionRun]], None] | None = None,
) -> GradeReport:
    """Grade each of these dates once, in chunks sized by rows.

    A chunk that fails as a whole is done again date by date, so that one bad date does not keep back its neighbours.

    Args:
        days: The dates; those without predictions are reported as nothing_to_grade.
        dry_run: Only say what would change.
        wait_seconds: How long to wait for a lease; None takes the setting.
        on_progress: Called after every chunk with the progress and the runs of the chunk.

    Returns:
        One run per date; a date that failed has status failed, and its error is in `errors`.
    """
    rows = {fence.partition: fence.rows for fence in grader.warehouse.all_fences(PREDICTIONS) if fence.rows}
    wanted = sorted(set(days))
    chunks = list(_chunks([day for day in wanted if day.isoformat() in rows], rows, grader.settings.chunk_rows))
    runs = {
        day.isoformat(): PartitionRun(day.isoformat(), "nothing_to_grade")
        for day in wanted
        if day.isoformat() not in rows
    }
    errors: dict[str, GradeonceError] = {}
    total = sum(rows.get(day.isoformat(), 0) for day in wanted)
    done = 0
    for chunk in chunks:
        finished = _grade_chunk(grader, chunk, errors, dry_run=dry_run, wait_seconds=wait_seconds)
        runs.update({run.partition: run for run in finished})
        done += sum(rows[day.isoformat()] for day in chunk)
        if on_progress is not None:
            on_progress(Progress(min(len(runs), len(wanted)), len(wanted), done, total), finished)
    if not dry_run:
        _add_missing_sums(grader)
    # A date that shares a game with those asked for is there too if it changed.
    return GradeReport(tuple(runs[partition] for partition in sorted(runs)), errors)


def _grade_chunk(
    grader: Grader,
    days: Sequence[date],
    errors: dict[str, GradeonceError],
    *,
    dry_run: bool,
    wait_seconds: float | None,
) -> list[PartitionRun]:
    try:
        return grader.preview(days) if dry_run else grader.grade(days, wait_seconds=wait_seconds)
    except GradeonceError as error:
        if len(days) > 1:
            _log.info("chunk_failed dates=%d error=%s going_on=date_by_date", len(days), error.message)
            if isinstance(error, LeaseHeld):
                # The whole chunk has waited already; now only the date that is held goes without.
                wait_seconds = 0.0
            return [
                run
                for day in days
                for run in _grade_chunk(grader, [day], errors, dry_run=dry_run, wait_seconds=wait_seconds)
            ]
        partition = days[0].isoformat()
        errors[partition] = error
        if not dry_run:
            _leave_trace(grader, days[0], error)
        return [PartitionRun(partition, "failed", error=str(error))]


def _add_missing_sums(grader: Grader) -> None:
    """Let a book that was graded before there were daily sums catch up, the first time that it is graded again."""
    try:
        add_missing_sums(grader.warehouse, clock=grader.clock, on_step=grader.on_step)
    except GradeonceError as error:
        # What was asked for is done; the next run comes by here again.
        _log.warning("sums_not_added error=%s", error.message)


def _leave_trace(grader: Grader, day: date, error: GradeonceError) -> None:
    try:
        grader.record_failure(day, error)
    except GradeonceError as second:
        # The first error is the one to tell; that it could not be recorded goes to the log.
        _log.warning("failure_not_recorded partition=%s error=%s", day, second.message)


def _chunks(days: Sequence[date], rows: Mapping[str, int], chunk_rows: int) -> Iterator[list[date]]:
    chunk: list[date] = []
    size = 0
    for day in days:
        more = rows[day.isoformat()]
        if chunk and (size + more > chunk_rows or len(chunk) >= LONGEST_CHUNK):
            yield chunk
            chunk, size = [], 0
        chunk.append(day)
        size += more
    if chunk:
        yield chunk
