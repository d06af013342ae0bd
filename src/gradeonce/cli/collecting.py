"""`gradeonce gc`."""

from __future__ import annotations

from dataclasses import asdict

import click

from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table, number


@click.command()
@click.option("--apply", "is_applied", is_flag=True, help="Remove them; without it nothing is changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def gc(ctx: click.Context, is_applied: bool, as_json: bool) -> None:
    """Remove files of the book that nobody reads any more; show what would go until --apply.

    \b
    gradeonce gc                    # which files, and how many bytes
    gradeonce gc --apply

    Two kinds go: what runs left that died ([warehouse] leftover_hours), and rows that others have replaced
    ([warehouse] version_days). What stands is never touched, and the ledger keeps every entry. `load` and `grade` do
    the same by themselves ([warehouse] collect_hours). A book on a server has no such files.
    """
    with open_from_context(ctx) as book:
        report = book.gc(apply=is_applied)
    if as_json:
        files = [asdict(file) for file in report.files]
        emit_json({"schema_version": SCHEMA_VERSION, "applied": report.applied, "bytes": report.bytes, "files": files})
        return
    if not report.files:
        click.echo("nothing to remove")
        return
    if not report.applied:
        emit_table(
            ["file", "what", "bytes", "since (UTC)"],
            [(file.name, file.kind, number(file.bytes), f"{file.made_at:%Y-%m-%d %H:%M}") for file in report.files],
            right=["bytes"],
        )
    what = f"{number(len(report.files))} file(s), {number(report.bytes)} bytes"
    click.echo(f"removed {what}" if report.applied else f"dry run: {what} would be removed; --apply removes them")
