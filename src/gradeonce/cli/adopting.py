"""`gradeonce adopt`: grades that somebody else made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, number, say
from gradeonce.cli.waiting import waiting

if TYPE_CHECKING:
    from gradeonce.adopt import AdoptReport

SHOWN_DATES = 10


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="TABLE|FILE...")
@click.option("--select", type=click.Path(path_type=Path), help="A mapping of your own: one SELECT over {rows}.")
@click.option("--timezone", metavar="ZONE", help="Zone of instants without an offset, e.g. UTC.")
@click.option("--ignore-extra", is_flag=True, help="Leave unknown columns out instead of refusing the file.")
@click.option("--dry-run", is_flag=True, help="Only say what is there, and adopt nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def adopt(
    ctx: click.Context,
    what: tuple[str, ...],
    select: Path | None,
    timezone: str | None,
    ignore_extra: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring in grades that somebody else made, as they stand: copies, nulls and all.

    \b
    gradeonce adopt accuracy_dump.parquet --timezone UTC --dry-run
    gradeonce adopt accuracy_dump.parquet --timezone UTC
    gradeonce adopt prediction_accuracy       # on a server: rows that stand in the table already

    A file is copied into the book; a table is taken over where it stands. It says what it found (keys that stand more
    than once, nulls in keys, confidence on two scales), and changes none of it: `gradeonce dedupe plan` does. Adopted
    dates are marked as unverified in reports and status until gradeonce has graded them itself. Dates on which grades
    stand are never overwritten.
    """
    from gradeonce.adopt import AdoptOptions

    options = AdoptOptions(select=select, timezone=timezone, ignore_extra=ignore_extra, dry_run=dry_run)
    with open_from_context(ctx) as book, waiting(f"adopting {what[0]}"):
        report = book.adopt(what[0] if len(what) == 1 else list(what), options)
    if as_json:
        emit_json(adopt_document(report))
        return
    for line in _lines(report):
        click.echo(line)
    if report.status == "dry_run":
        say("dry run: nothing was adopted")
    if report.duplicates and report.status != "dry_run":
        say("clean it with: gradeonce dedupe plan")


def adopt_document(report: AdoptReport) -> dict[str, Any]:
    """Return the report as the JSON object that is printed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "status": report.status,
        "run_id": report.run_id or None,
        "source": report.source,
        "rows": report.rows,
        "partitions": list(report.partitions),
        "duplicated_keys": report.duplicated_keys,
        "duplicates": {
            partition: {str(copies): keys for copies, keys in by_copies.items()}
            for partition, by_copies in report.duplicates.items()
        },
        "null_keys": dict(report.null_keys),
        "two_scales": {system: list(rows) for system, rows in report.two_scales.items()},
        "outcomes": dict(report.outcomes),
        "lacking": list(report.lacking),
        "skipped": list(report.skipped),
    }


def _lines(report: AdoptReport) -> list[str]:
    if report.status == "already_adopted":
        if report.run_id:
            return [f"this content was adopted before ({report.run_id}); nothing was done now"]
        return [f"every date of {report.source} has a fence already; nothing to adopt"]
    verb = "would be adopted" if report.status == "dry_run" else "adopted, unverified"
    span = f", {report.partitions[0]} to {report.partitions[-1]}" if report.partitions else ""
    lines = [f"{number(report.rows)} rows on {number(len(report.partitions))} date(s){span}: {verb}"]
    if report.run_id:
        lines[0] += f" ({report.run_id})"
    lines += oddities(report)
    if report.lacking:
        lines.append(f"  columns that are not there: {', '.join(report.lacking)}")
    if report.skipped:
        lines.append(f"  {number(len(report.skipped))} date(s) have a fence already and were left as they are")
    return lines


def oddities(report: AdoptReport) -> list[str]:
    """Return what is odd about the grades, one line each."""
    lines = [f"  outcomes: {', '.join(f'{number(n)} {name}' for name, n in report.outcomes.items())}"]
    if report.duplicates:
        shown = [
            f"{partition} ({', '.join(f'{number(keys)} of {copies}' for copies, keys in by_copies.items())})"
            for partition, by_copies in report.duplicates.items()
        ]
        more = f" and {len(shown) - SHOWN_DATES} more" if len(shown) > SHOWN_DATES else ""
        lines.append(
            f"  {number(report.duplicated_keys)} keys stand more than once, on {', '.join(shown[:SHOWN_DATES])}{more}"
        )
    else:
        lines.append("  no key stands more than once")
    lines += [f"  {number(count)} rows have no {name}" for name, count in report.null_keys.items()]
    lines += [
        f"  {system}: confidence on two scales, {number(low)} rows up to 1 and {number(high)} above"
        for system, (low, high) in report.two_scales.items()
    ]
    return lines
