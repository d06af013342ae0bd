"""Grading many dates: chunks that are each all or nothing, so that a stopped backfill goes on where it stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING

from gradeonce.aggregates import add_missing_sums
from gradeonce.chunks import SMALLEST_SHARE, cut, cut_apart
from gradeonce.errors import GradeonceError, LeaseHeld, LeaseLost, PublishConflict, TransientWarehouseError
from gradeonce.grading import Grader, PartitionRun
from gradeonce.schema import OUTCOMES, PREDICTIONS
from gradeonce.side_by_side import Brake, BrakedClock, run_side_by_side

if TYPE_CHECKING:
    from gradeonce.alerts import Announced

_log = logging.getLogger(__name__)

_Outcome = list[PartitionRun] | GradeonceError
"""What became of a chunk: a run for each date, or why there is none."""


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
        ended_at: When each date was through, by date; a backfill goes on with others for long.
    """

    runs: tuple[PartitionRun, ...]
    errors: Mapping[str, GradeonceError]
    alerts: Announced | None = None
    ended_at: Mapping[str, datetime] = field(default_factory=dict)

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
    """Grade each of these dates once, in chunks sized by rows; where the warehouse can, several chunks at once.

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
    runs = {
        day.isoformat(): PartitionRun(day.isoformat(), "nothing_to_grade")
        for day in wanted
        if day.isoformat() not in rows
    }
    errors: dict[str, GradeonceError] = {}
    ended_at: dict[str, datetime] = {}
    total = sum(rows.get(day.isoformat(), 0) for day in wanted)
    rows_done = 0

    def take(chunk: Sequence[date], finished: Sequence[PartitionRun]) -> None:
        nonlocal rows_done
        runs.update({run.partition: run for run in finished})
        ended_at.update(dict.fromkeys((run.partition for run in finished), grader.clock.now()))
        rows_done += sum(rows[day.isoformat()] for day in chunk)
        if on_progress is not None:
            on_progress(Progress(min(len(runs), len(wanted)), len(wanted), rows_done, total), finished)

    def attempt(grader: Grader, chunk: Sequence[date]) -> _Outcome:
        try:
            return grader.preview(chunk) if dry_run else grader.grade(chunk, wait_seconds=wait_seconds)
        except GradeonceError as error:
            return error

    def finish(chunk: Sequence[date], outcome: _Outcome) -> None:
        if isinstance(outcome, GradeonceError):
            take(chunk, _one_by_one(grader, chunk, outcome, errors, dry_run=dry_run, wait_seconds=wait_seconds))
        else:
            take(chunk, outcome)

    chunks, at_once = _plan(grader, [day for day in wanted if day.isoformat() in rows], rows)
    if at_once > 1:
        _attempt_at_once(grader, attempt, chunks, at_once, finish)
    else:
        for chunk in chunks:
            finish(chunk, attempt(grader, chunk))
    if not dry_run:
        _add_missing_sums(grader)
    # A date that shares a game with those asked for is there too if it changed.
    return GradeReport(
        tuple(runs[partition] for partition in sorted(runs)), dict(sorted(errors.items())), ended_at=ended_at
    )


def _plan(grader: Grader, days: Sequence[date], rows: Mapping[str, int]) -> tuple[list[list[date]], int]:
    """Return the chunks, and how many of them are graded at once."""
    settings = grader.settings
    at_once = settings.chunks_at_once if grader.warehouse.capabilities.threads else 1
    # Twice as many chunks as threads: the threads end about together, and a person sees how far it is.
    share = -(-sum(rows[day.isoformat()] for day in days) // (2 * at_once))
    chunk_rows = min(settings.chunk_rows, max(share, SMALLEST_SHARE))
    if at_once > 1 and len(cut(days, rows, chunk_rows)) > 1:
        chunks = cut_apart(days, rows, chunk_rows, grader.linked)
        if chunks is not None and len(chunks) > 1:
            return chunks, min(at_once, len(chunks))
    return cut(days, rows, settings.chunk_rows), 1


def _attempt_at_once(
    grader: Grader,
    attempt: Callable[[Grader, Sequence[date]], _Outcome],
    chunks: Sequence[Sequence[date]],
    at_once: int,
    finish: Callable[[Sequence[date], _Outcome], None],
) -> None:
    """Grade chunks in threads. What failed is finished when they have ended: nobody of ours holds a lease then."""
    brake = Brake()

    def step(name: str) -> None:
        brake.check()
        grader.on_step(name)

    braked = replace(grader, clock=BrakedClock(grader.clock, brake), on_step=step)
    failed: list[tuple[Sequence[date], GradeonceError]] = []

    def done(place: int, outcome: _Outcome) -> None:
        if isinstance(outcome, GradeonceError):
            failed.append((chunks[place], outcome))
        else:
            finish(chunks[place], outcome)

    run_side_by_side(
        [partial(attempt, braked, chunk) for chunk in chunks],
        at_once=at_once,
        brake=brake,
        cancel=grader.warehouse.cancel,
        on_done=done,
    )
    for chunk, error in failed:
        finish(chunk, attempt(grader, chunk) if _may_do_alone(grader, error) else error)


def _may_do_alone(grader: Grader, error: GradeonceError) -> bool:
    """Say whether a chunk that failed beside others may be graded as a whole once it is alone."""
    if isinstance(error, LeaseHeld):
        # Where a game was moved between the dates of two chunks after they were cut, the other had a lease of this one.
        return error.holder == grader.holder
    # There may have been no connection, or memory, for one more of us or for its heartbeat. Date by date it would take
    # many times as long.
    return isinstance(error, TransientWarehouseError | LeaseLost) and not isinstance(error, PublishConflict)


def _one_by_one(
    grader: Grader,
    days: Sequence[date],
    error: GradeonceError,
    errors: dict[str, GradeonceError],
    *,
    dry_run: bool,
    wait_seconds: float | None,
) -> list[PartitionRun]:
    """Grade the dates of a chunk that failed as a whole, each for itself; its error stands if it is one date."""
    if len(days) == 1:
        partition = days[0].isoformat()
        errors[partition] = error
        if not dry_run:
            _leave_trace(grader, days[0], error)
        return [PartitionRun(partition, "failed", error=str(error))]
    _log.info("chunk_failed dates=%d error=%s going_on=date_by_date", len(days), error.message)
    if isinstance(error, LeaseHeld):
        # The whole chunk has waited already; now only the date that is held goes without.
        wait_seconds = 0.0
    runs = []
    for day in days:
        try:
            runs += grader.preview([day]) if dry_run else grader.grade([day], wait_seconds=wait_seconds)
        except GradeonceError as second:
            runs += _one_by_one(grader, [day], second, errors, dry_run=dry_run, wait_seconds=wait_seconds)
    return runs


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
