"""`gradeonce check`: the daily data-quality checks."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from gradeonce.cli.alerts import announced_document
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import emit_json, tell_announced
from gradeonce.cli.waiting import waiting

if TYPE_CHECKING:
    from datetime import date

    from gradeonce.checks import CheckStatus

PIPED_WIDTH = 200


@click.command()
@click.option("--date", "day", metavar="DATE", help="Only this game date.")
@click.option("--last", metavar="SPAN", help="The last days or weeks up to yesterday, e.g. 7d or 4w.  [default: 7d]")
@click.option("--from", "start", metavar="DATE", help="First date.")
@click.option("--to", "end", metavar="DATE", help="Last date; default: yesterday.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this check; may be given again.")
@click.option("--alert", is_flag=True, help="Tell the channels of [alerts] what is new and what is over.")
@click.option("--query", "show_query", is_flag=True, help="Print the SELECT of the findings instead; with one --only.")
@click.option("--history", "show_history", is_flag=True, help="Show streaks over the stored results; nothing is run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(
    ctx: click.Context,
    day: str | None,
    last: str | None,
    start: str | None,
    end: str | None,
    only: tuple[str, ...],
    alert: bool,
    show_query: bool,
    show_history: bool,
    as_json: bool,
) -> int:
    """Check the book: duplicates, gaps, stale data, lock health, drift, and whether the ledger agrees.

    \b
    gradeonce check
    gradeonce check --date 2026-01-17 --only duplicate_grades --only freshness
    gradeonce check --only duplicate_grades --query | gradeonce sql --file /dev/stdin
    gradeonce check --alert
    gradeonce check --history

    Exit 0: no check failed or warned; 1: a check failed or broke, or none of them had any data; 2: warnings only. "No
    data" is a result of its own, never a pass. Every result is stored in `check_results`. Checks of your own are `.sql`
    files in `[checks] check_folder`.
    """
    from datetime import timedelta

    from gradeonce import checks
    from gradeonce.dates import parse_span
    from gradeonce.errors import UsageError

    if sum((day is not None, last is not None, start is not None or end is not None)) > 1:
        raise UsageError("--date, --last and --from/--to exclude each other.")
    if show_query and len(only) != 1:
        raise UsageError("--query shows the query of one check: name it with --only.")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH
    with open_from_context(ctx) as book:
        if show_history:
            history = book.check_history()
            emit_json(checks.history_document(history)) if as_json else click.echo(
                checks.history_text(history, width=width)
            )
            return ExitCode.DONE
        dates: tuple[date | str | None, date | str | None] = (start, end)
        if last is not None:
            first, today = parse_span(last, clock=book.clock, timezone=book.settings.timezone)
            # Counted back from yesterday: today's games are not over.
            dates = (first - timedelta(days=1), today - timedelta(days=1))
        with waiting("running the checks"):
            report = book.check(day, start=dates[0], end=dates[1], only=only, alert=alert)
    if show_query:
        click.echo(report.results[0].query)
    elif as_json:
        emit_json({**checks.check_document(report), "alerts": announced_document(report.alerts)})
    else:
        click.echo(checks.check_text(report, width=width))
    tell_announced(report.alerts)
    return exit_code(report.status)


def exit_code(status: CheckStatus) -> ExitCode:
    """Return the exit code for a run of checks: one that had nothing to look at has not passed."""
    codes = {"passed": ExitCode.DONE, "warned": ExitCode.WARNINGS}
    return codes.get(status.value, ExitCode.FAILED)
