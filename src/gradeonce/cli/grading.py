"""`gradeonce grade`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.alerts import announced_document
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, figure, number, say, tell_announced
from gradeonce.errors import UsageError

if TYPE_CHECKING:
    from gradeonce.backfill import GradeReport, Progress
    from gradeonce.estimating import CostEstimate
    from gradeonce.grading import PartitionRun
    from gradeonce.staged_grades import OutcomeChange

PROGRESS_AFTER_SECONDS = 2.0


@click.command()
@click.argument("day", required=False, metavar="[DATE|yesterday|today]")
@click.option("--from", "start", metavar="DATE", help="First date of a range.")
@click.option("--to", "end", metavar="DATE", help="Last date of the range; default: yesterday.")
@click.option("--all", "all_dates", is_flag=True, help="Every date that has predictions.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--estimate", is_flag=True, help="Say what it would read and cost, where reading is billed; run nothing.")
@click.option(
    "--price",
    type=click.FloatRange(min=0),
    metavar="PER_TIB",
    help="What reading 1 TiB costs, for --estimate; default: [warehouse] price_per_tebibyte.",
)
@click.option("--wait", type=float, metavar="SECONDS", help="How long to wait for a lease that somebody holds.")
@click.option(
    "--alert/--no-alert",
    default=None,
    help="Tell the channels of [alerts] what failed and what is well again; default: [alerts] on_grade.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def grade(
    ctx: click.Context,
    day: str | None,
    start: str | None,
    end: str | None,
    all_dates: bool,
    dry_run: bool,
    estimate: bool,
    price: float | None,
    wait: float | None,
    alert: bool | None,
    as_json: bool,
) -> int:
    """Grade a date, a range, or everything that has predictions; each prediction exactly once.

    \b
    gradeonce grade 2026-01-17
    gradeonce grade yesterday
    gradeonce grade --from 2026-01-01 --to 2026-01-31
    gradeonce grade --all --dry-run
    gradeonce grade yesterday --alert
    gradeonce grade --all --estimate --price 6.25

    Two runs of the same date take turns; grading again what did not change writes nothing. Box scores that are not in
    yet are a result (pending), not an error.
    """
    if estimate and (dry_run or alert):
        raise UsageError("--estimate runs nothing, so it goes with neither --dry-run nor --alert.")
    with open_from_context(ctx) as book:
        if estimate:
            found = book.estimate(day, start=start, end=end, all_dates=all_dates, price_per_tebibyte=price)
            emit_json(estimate_document(found)) if as_json else click.echo(_estimate_line(found))
            return ExitCode.DONE
        bar = _ProgressBar(dry_run=dry_run)
        with bar:
            report = book.grade(
                day,
                start=start,
                end=end,
                all_dates=all_dates,
                dry_run=dry_run,
                wait_seconds=wait,
                alert=alert,
                on_progress=bar.update,
            )
    if as_json:
        emit_json(grade_document(report, dry_run=dry_run))
    else:
        print_report(report, dry_run=dry_run)
    tell_announced(report.alerts)
    error = report.worst_error
    return ExitCode.DONE if error is None else int(error.exit_code)


def estimate_document(found: CostEstimate) -> dict[str, Any]:
    """Return an estimate as the JSON object that is printed."""
    return {"schema_version": SCHEMA_VERSION, **asdict(found)}


def _estimate_line(found: CostEstimate) -> str:
    cost = "" if found.cost is None else f", which cost {found.cost:.6f} at {found.price_per_tebibyte:g} per TiB"
    return f"{number(found.dates)} date(s) with predictions: reads {number(found.bytes_read)} bytes{cost}"


def grade_document(report: GradeReport, *, dry_run: bool) -> dict[str, Any]:
    """Return the report as the JSON object that is printed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "dry_run": dry_run,
        "runs": [_run_document(run) for run in report.runs],
        "totals": report.totals,
        "alerts": announced_document(report.alerts),
    }


def _run_document(run: PartitionRun) -> dict[str, Any]:
    return {
        "partition": run.partition,
        "status": run.status,
        "run_id": run.run_id,
        "token": run.token,
        **run.counts,
        "revised": run.revised,
        "mae": run.mae,
        "bias": run.bias,
        "n": run.n,
        "lock_wait_seconds": run.lock_wait_seconds,
        "duration_seconds": run.duration_seconds,
        "excluded": dict(run.excluded),
        "notes": list(run.notes),
        "error": run.error or None,
        **({"changes": [_change_document(change) for change in run.changes]} if run.changes else {}),
    }


def _change_document(change: OutcomeChange) -> dict[str, Any]:
    return {
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
        "rows": change.rows,
        "examples": [json.loads(example) for example in change.examples],
    }


def print_report(report: GradeReport, *, dry_run: bool) -> None:
    """Print one line per date, its notes, and the totals."""
    quiet = [run for run in report.runs if run.status == "nothing_to_grade"]
    for run in report.runs:
        if run.status != "nothing_to_grade" or len(report.runs) == 1:
            click.echo(_line(run, dry_run=dry_run))
        for note in run.notes[:5]:
            click.echo(f"            {note}")
        if len(run.notes) > 5:
            click.echo(f"            ... and {len(run.notes) - 5} more; --json shows all")
        for change in run.changes:
            click.echo(f"            {_change_line(change)}")
    if len(report.runs) > 1:
        if quiet:
            click.echo(f"{len(quiet)} date(s) without predictions: nothing to grade")
        if len(report.runs) > len(quiet):
            totals = report.totals
            click.echo(f"total       {counts_text(totals)}{_errors(totals['mae'], totals['bias'])}")
    if dry_run:
        say("dry run: nothing was changed")


def _line(run: PartitionRun, *, dry_run: bool) -> str:
    status = run.status.replace("_", " ")
    if run.status == "failed":
        return f"{run.partition}  failed: {run.error}"
    if run.status == "nothing_to_grade":
        return f"{run.partition}  nothing to grade: no predictions that count"
    if run.status == "pending":
        status = "pending: no box score is final yet;"
    if dry_run:
        status = {"published": "would be published", "unchanged": "would stay unchanged"}.get(run.status, status)
    revised = f", {number(run.revised)} revised" if run.revised else ""
    return f"{run.partition}  {status}{revised}  {counts_text(run.counts)}{_errors(run.mae, run.bias)}"


def _change_line(change: OutcomeChange) -> str:
    step = f"{change.before or 'new'} -> {change.after or 'gone'}"
    return f"{number(change.rows):>6}  {step} ({change.reason.replace('_', ' ')}), e.g. {change.examples[0]}"


def counts_text(counts: Any) -> str:
    parts = [
        f"{number(counts[name])} {name.replace('_', ' ')}"
        for name in ("win", "loss", "push", "no_bet", "void", "ungradable", "pending")
        if counts[name]
    ]
    return f"{number(counts['predictions'])} predictions = {' + '.join(parts) or '0'}"


def _errors(mae: Any, bias: Any) -> str:
    return "" if mae is None else f"  MAE {figure(mae)}  bias {figure(bias, sign=True)}"


class _ProgressBar:
    """A bar on stderr once the work has taken two seconds; nothing when stderr is not a terminal."""

    def __init__(self, *, dry_run: bool) -> None:
        self._started = time.monotonic()
        self._text = "previewing" if dry_run else "grading"
        self._progress: Any = None

    def __enter__(self) -> _ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, progress: Progress, _: Sequence[PartitionRun]) -> None:
        if not sys.stderr.isatty() or time.monotonic() - self._started < PROGRESS_AFTER_SECONDS:
            return
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("predictions"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )
            self._task = self._progress.add_task(self._text, total=progress.rows)
            self._progress.start()
        self._progress.update(self._task, completed=progress.rows_done)
