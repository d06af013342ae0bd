"""`gradeonce report` and `gradeonce explain`."""

from __future__ import annotations

import shutil
import sys

import click

from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import emit_json

GROUPINGS = ("system", "market", "date", "player", "line_source", "bookmaker", "confidence_decile", "void_reason")
PIPED_WIDTH = 200


@click.command()
@click.option("--by", type=click.Choice(GROUPINGS), default="system", show_default=True, help="One row for each.")
@click.option("--system", "systems", multiple=True, help="Only this system; may be given again.")
@click.option("--market", "markets", multiple=True, help="Only this market; may be given again.")
@click.option("--last", metavar="SPAN", help="The last days or weeks, e.g. 30d or 4w.")
@click.option("--from", "start", metavar="DATE", help="First date.")
@click.option("--to", "end", metavar="DATE", help="Last date.")
@click.option("--calibration", is_flag=True, help="Confidence against what became of it, bin by bin.")
@click.option("--compare", nargs=2, metavar="SYSTEM SYSTEM", help="Two systems on the very same picks.")
@click.option("--rows", type=click.IntRange(1), default=50, show_default=True, help="Groups shown at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.pass_context
def report(
    ctx: click.Context,
    by: str,
    systems: tuple[str, ...],
    markets: tuple[str, ...],
    last: str | None,
    start: str | None,
    end: str | None,
    calibration: bool,
    compare: tuple[str, str] | None,
    rows: int,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show how good the predictions were: win rate with its interval, MAE, bias, Brier score, ROI.

    \b
    gradeonce report --last 30d
    gradeonce report --by market --system xgboost_v1
    gradeonce report --compare xgboost_v1 ensemble_v1
    gradeonce report --calibration --json

    Outcome counts cover every graded line and add up to the predictions. Win rate, ROI and Brier score count only the
    final line of each pick, so a line that moved counts no pick twice.
    """
    from gradeonce import reports
    from gradeonce.dates import parse_span
    from gradeonce.errors import UsageError

    if last is not None and (start is not None or end is not None):
        raise UsageError("--last and --from/--to exclude each other.")
    if as_csv and (as_json or calibration or compare):
        raise UsageError("--csv is for the plain report; --calibration and --compare have --json.")
    if calibration and compare:
        raise UsageError("--calibration and --compare exclude each other.")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH
    with open_from_context(ctx) as book:
        first, final = parse_span(last, clock=book.clock, timezone=book.settings.timezone) if last else (start, end)
        if calibration:
            bins = book.calibration(systems=systems, markets=markets, start=first, end=final)
            emit_json(reports.calibration_document(bins)) if as_json else click.echo(
                reports.calibration_text(bins, width=width)
            )
        elif compare:
            both = book.compare(*compare, markets=markets, start=first, end=final)
            emit_json(reports.comparison_document(both)) if as_json else click.echo(
                reports.comparison_text(both, width=width)
            )
        else:
            figures = book.report(by=by, systems=systems, markets=markets, start=first, end=final)
            if as_json:
                emit_json(reports.report_document(figures))
            elif as_csv:
                click.echo(reports.report_csv(figures), nl=False)
            else:
                click.echo(reports.report_text(figures, width=width, limit=rows))


@click.command()
@click.argument("player", required=False)
@click.argument("day", required=False, metavar="[DATE]")
@click.option("--id", "prediction_id", metavar="PREDICTION_ID", help="One prediction, by its id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def explain(ctx: click.Context, player: str | None, day: str | None, prediction_id: str | None, as_json: bool) -> None:
    """Show how the picks on PLAYER were graded on DATE, and why.

    \b
    gradeonce explain "Luka Doncic" 2026-01-17
    gradeonce explain --id p_3f0c9d12a4

    The prediction that counted, its rivals that did not and why, the box score used, the rule that decided, the lines,
    and the revisions.
    """
    from gradeonce import reports
    from gradeonce.errors import UsageError

    if (prediction_id is None) == (player is None or day is None):
        raise UsageError("Name a player and a date, or one prediction with --id.")
    with open_from_context(ctx) as book:
        found = book.explain(player, day, prediction_id=prediction_id)
    if as_json:
        emit_json(reports.explanation_document(found))
    else:
        click.echo(reports.explanation_text(found))
