"""`gradeonce stage`: workers write predictions side by side, and one consolidation merges a batch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradeonce.cli.loading import named
from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table, number
from gradeonce.cli.reading_options import reading_options
from gradeonce.cli.waiting import waiting

if TYPE_CHECKING:
    from gradeonce.load import LoadOptions
    from gradeonce.staging import ConsolidationReport, StagedBatch, StageReport


@click.group()
def stage() -> None:
    """Let workers stage predictions side by side; merge all of a batch at once.

    \b
    gradeonce stage write part-1.csv --batch morning --worker w1     # each worker, at any time, in any order
    gradeonce stage write part-2.csv --batch morning --worker w2
    gradeonce stage consolidate --batch morning                      # once, when they are done
    """


@stage.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--batch", required=True, help="What the rows belong to; `stage consolidate` merges all of a batch.")
@click.option("--worker", required=True, help="Who writes: each worker has a staging of its own.")
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def write(
    ctx: click.Context, files: tuple[Path, ...], batch: str, worker: str, options: LoadOptions, as_json: bool
) -> None:
    """Check FILES of predictions and stage their rows: all of them or, if a row is bad, none.

    \b
    gradeonce stage write picks.parquet --batch 2026-01-17-morning --worker "$HOSTNAME"

    Files are read as `load predictions` reads them. Workers do not wait for each other, and nobody grades what is only
    staged. The same content twice is staged once.
    """
    with open_from_context(ctx) as book, waiting(f"staging {named(files)}"):
        report = book.stage_write(files, batch=batch, worker=worker, options=options)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, **asdict(report)})
        return
    for line in write_lines(report):
        click.echo(line)


@stage.command()
@click.option("--batch", required=True, help="The batch to merge.")
@click.option("--wait", "wait_seconds", type=float, help="Seconds to wait for a date's lease; default: the setting.")
@click.option("--alert", is_flag=True, help="Tell the channels of [alerts] if it fails, and if it is well again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def consolidate(ctx: click.Context, batch: str, wait_seconds: float | None, alert: bool, as_json: bool) -> None:
    """Merge all that is staged of a batch into the predictions: all of it or nothing, exactly once.

    \b
    gradeonce stage consolidate --batch 2026-01-17-morning
    gradeonce stage consolidate --batch 2026-01-17-morning --alert   # from cron: nobody reads its output

    Of each key (player, game, system, market, line) the prediction created last is merged. It can be run again at any
    time: what was merged is no longer staged. Rows staged meanwhile wait for the next run.
    """
    with open_from_context(ctx) as book:
        report = book.stage_consolidate(batch, wait_seconds=wait_seconds, alert=alert)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, **asdict(report)})
        return
    for line in consolidation_lines(report):
        click.echo(line)


@stage.command(name="list")
@click.option("--orphans", is_flag=True, help="Only batches that nobody consolidated for `[staging] orphan_hours`.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def list_staged(ctx: click.Context, orphans: bool, as_json: bool) -> None:
    """Show the batches with rows that nobody has merged yet.

    \b
    gradeonce stage list
    """
    with open_from_context(ctx) as book:
        batches = [batch for batch in book.staged() if batch.is_orphan or not orphans]
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "batches": [asdict(batch) for batch in batches]})
    elif batches:
        _emit_batches(batches)
    else:
        click.echo("nothing is staged" if not orphans else "no staged batch is orphaned")


@stage.command()
@click.option("--batch", help="Remove this batch, whatever its age; default: every orphaned batch.")
@click.option("--apply", "is_applied", is_flag=True, help="Remove them; without it nothing is changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def sweep(ctx: click.Context, batch: str | None, is_applied: bool, as_json: bool) -> None:
    """Remove what is staged of orphaned batches; show what would go until --apply.

    \b
    gradeonce stage sweep                    # which batches are orphans, and how many rows would go
    gradeonce stage sweep --apply

    The rows are removed, not merged; the ledger says which and how many. To merge them instead: `stage consolidate`.
    """
    with open_from_context(ctx) as book:
        report = book.stage_sweep(batch, apply=is_applied)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, **asdict(report)})
        return
    if not report.batches:
        click.echo("nothing to sweep")
        return
    _emit_batches(report.batches)
    rows = sum(one.rows for one in report.batches)
    if report.applied:
        click.echo(f"removed {number(rows)} staged rows ({report.run_id}); the ledger has a line for each batch")
    else:
        click.echo(f"dry run: {number(rows)} staged rows would be removed; --apply removes them")


def _emit_batches(batches: list[StagedBatch] | tuple[StagedBatch, ...]) -> None:
    emit_table(
        ["batch", "workers", "writes", "rows", "last staged (UTC)", "state"],
        [
            (
                batch.batch,
                len(batch.workers),
                batch.writes,
                number(batch.rows),
                batch.last_staged_at[:19].replace("T", " "),
                "orphaned" if batch.is_orphan else "waiting",
            )
            for batch in batches
        ],
        right=["workers", "writes", "rows"],
    )


def write_lines(report: StageReport) -> list[str]:
    """Return the report of a write as lines for a person."""
    where = f"{report.batch}/{report.worker}"
    if report.status == "already_staged":
        return [f"{where}: this content is staged already ({report.load_id}); nothing was written"]
    if report.status == "already_consolidated":
        return [f"{where}: this content was consolidated before ({report.load_id}); nothing was written"]
    if report.status == "empty":
        return [f"{where}: the files hold no row; nothing was staged"]
    dates = f" on {number(len(report.partitions))} date(s)"
    lines = [f"{where}: {number(report.rows)} rows staged{dates} ({report.load_id}); {number(report.rows_read)} read"]
    if report.repeated:
        lines.append(f"  {number(report.repeated)} repeat another row of the file")
    for reason, count in report.refused.items():
        lines.append(f"  {number(count)} set aside: {reason}")
    if report.quarantined:
        lines.append(f'  {number(report.quarantined)} bad rows in quarantine; gradeonce sql "FROM quarantined_rows"')
    return lines


def consolidation_lines(report: ConsolidationReport) -> list[str]:
    """Return the report of a consolidation as lines for a person."""
    if report.status == "already_consolidated":
        return [f"{report.batch}: nothing is waiting; it was consolidated before ({report.load_id})"]
    if report.status == "nothing_staged":
        return [f"{report.batch}: nothing is staged"]
    workers = f"{number(report.staged)} staged by {number(len(report.workers))} worker(s)"
    if report.status == "repeated":
        lines = [f"{report.batch}: nothing new; {workers} ({report.load_id})"]
    else:
        dates = f"on {number(len(report.partitions))} date(s), {report.partitions[0]} to {report.partitions[-1]}"
        lines = [f"{report.batch}: {number(report.rows)} rows merged {dates} ({report.load_id}); {workers}"]
    for count, what in (
        (report.outdone, "outdone by a later one of the same key"),
        (report.outdated, "older than what stands"),
        (report.known, "stood already, the very same"),
    ):
        if count:
            lines.append(f"  {number(count)} {what}")
    if report.waiting:
        lines.append(f"  {number(report.waiting)} came meanwhile and wait for the next consolidation")
    return lines
