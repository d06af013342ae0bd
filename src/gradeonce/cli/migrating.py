"""`gradeonce migrate`: a table of grades that others kept, taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, cell_text, emit_json, emit_table, number, say, tell_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gradeonce.migrate import MigrationReport

SHOWN_DATES = 10


@click.group()
def migrate() -> None:
    """Take over a table of grades that others kept.

    \b
    gradeonce migrate gcp --table my-project.nba.prediction_accuracy
    gradeonce migrate gcp --table my-project.nba.prediction_accuracy --apply
    """


@migrate.command()
@click.option("--table", metavar="TABLE", required=True, help="Theirs, as PROJECT.DATASET.TABLE; it is only read.")
@click.option("--column", "columns", multiple=True, metavar="OURS=THEIRS", help="Their name of a column of ours.")
@click.option(
    "--keep", type=click.Choice(["earliest", "latest"]), default="earliest", help="Which copy of a key stays."
)
@click.option("--samples", type=click.IntRange(0, 100), default=5, help="Rows of each kind that are shown.")
@click.option("--apply", "really", is_flag=True, help="Do it; without it, only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def gcp(
    ctx: click.Context,
    table: str,
    columns: tuple[str, ...],
    keep: str,
    samples: int,
    really: bool,
    as_json: bool,
) -> int:
    """Take over a prediction_accuracy table with its copies, into a book in BigQuery.

    \b
    gradeonce migrate gcp --table my-project.nba.prediction_accuracy
    gradeonce migrate gcp --table my-project.nba.prediction_accuracy --column line_value=prop_line --json
    gradeonce migrate gcp --table my-project.nba.prediction_accuracy --apply

    Without --apply nothing is changed. It says what the table holds (copies of a key, nulls in keys, confidence on two
    scales, lines that moved, rows without a date), and how its grades differ from what our rules say, by rule, on the
    dates of which predictions and box scores are loaded. With --apply the grades are adopted, the copies removed after
    a backup, and those dates graded again. The table itself is only ever read. Killed on the way, run the same again.
    """
    from gradeonce.migrate import MigrateOptions

    named = dict(_pair(text) for text in columns)
    options = MigrateOptions(columns=named, keep=keep, samples=samples, apply=really)
    with open_from_context(ctx) as book:
        report = book.migrate(table, options, on_told=say)
    if as_json:
        emit_json(migration_document(report))
    else:
        _tell(report)
    error = report.graded.worst_error if report.graded else None
    if error is not None:
        tell_error(error, as_json=False)
        return int(error.exit_code)
    return ExitCode.DONE


def _pair(text: str) -> tuple[str, str]:
    ours, mark, theirs = text.partition("=")
    if not (mark and ours.strip() and theirs.strip()):
        raise click.BadParameter(f"{text!r}: expected OURS=THEIRS, e.g. line_value=prop_line", param_hint="--column")
    return ours.strip(), theirs.strip()


def migration_document(report: MigrationReport) -> dict[str, Any]:
    """Return the report as the JSON object that is printed."""
    from gradeonce.cli.adopting import adopt_document

    found, compared = report.findings, report.comparison
    grades = adopt_document(found.grades)
    return {
        "schema_version": SCHEMA_VERSION,
        "status": report.status,
        "source": report.source,
        "columns": {ours: theirs for theirs, ours in report.mapped.columns.items()},
        "left_out": list(report.mapped.left_out),
        "lacking": list(report.mapped.lacking),
        **{name: grades[name] for name in ("rows", "partitions", "duplicated_keys", "duplicates")},
        **{name: grades[name] for name in ("null_keys", "two_scales", "outcomes")},
        "undated": found.undated,
        "unread": dict(found.unread),
        "moved_picks": found.moved_picks,
        "moved_rows": found.moved_rows,
        "moved": [vars(one) for one in found.moved],
        "to_adopt": list(report.to_adopt),
        "to_grade": list(report.to_grade),
        "held": dict(compared.held),
        "compared": list(compared.dates),
        "stood": compared.stood,
        "same": compared.same,
        "differences": [
            {
                "rule": one.rule,
                "meaning": one.meaning,
                "rows": one.rows,
                "samples": [
                    {**vars(sample), "was": dict(sample.was), "now": dict(sample.now)} for sample in one.samples
                ],
            }
            for one in compared.differences
        ],
        "rows_adopted": report.adopted.rows if report.adopted else 0,
        "plan": report.removed.plan.plan_id if report.removed else None,
        "rows_removed": report.removed.rows_deleted if report.removed else 0,
        "backup": report.removed.backup if report.removed else None,
        "graded": [run.partition for run in report.graded.runs if not run.error] if report.graded else [],
        "errors": {day: error.message for day, error in report.graded.errors.items()} if report.graded else {},
    }


def _tell(report: MigrationReport) -> None:
    from gradeonce.cli.adopting import oddities

    found, mapped, compared = report.findings, report.mapped, report.comparison
    dates = found.grades.partitions
    span = f", {dates[0]} to {dates[-1]}" if dates else ""
    click.echo(f"{report.source}: {number(found.grades.rows)} rows on {number(len(dates))} date(s){span}")
    renamed = [f"{theirs} is {ours}" for theirs, ours in mapped.columns.items() if theirs.lower() != ours]
    if renamed:
        click.echo(f"  columns: {', '.join(renamed)}")
    if mapped.left_out:
        click.echo(f"  columns that are not taken: {', '.join(mapped.left_out)}")
    for line in oddities(found.grades):
        click.echo(line)
    if found.moved_picks:
        first = found.moved[0] if found.moved else None
        shown = f", e.g. {first.player_lookup} on {first.game_date}" if first else ""
        picks, rows = number(found.moved_picks), number(found.moved_rows)
        click.echo(f"  {picks} picks stand under more than one line, in {rows} rows{shown}")
    if found.undated:
        click.echo(f"  {number(found.undated)} rows have no date: they belong nowhere, and are not taken")
    for name, count in found.unread.items():
        click.echo(f"  {number(count)} rows hold a {mapped_name(report, name)} that cannot be read as {name}")
    _tell_differences(report)
    _tell_held(compared.held)
    _tell_done(report)


def mapped_name(report: MigrationReport, ours: str) -> str:
    """Return their name of a column."""
    return next(theirs for theirs, name in report.mapped.columns.items() if name == ours)


def _tell_differences(report: MigrationReport) -> None:
    compared = report.comparison
    if not compared.dates:
        click.echo("no date can be compared: load predictions and box scores first")
        return
    click.echo(
        f"held against our rules on {number(len(compared.dates))} date(s): {number(compared.stood)} keys stood, "
        f"{number(compared.same)} are the same"
    )
    if compared.differences:
        rows = [(one.rule, number(one.rows), one.meaning) for one in compared.differences]
        emit_table(["rule", "rows", "what differs"], rows, right=["rows"])
    samples = [(one.rule, sample) for one in compared.differences for sample in one.samples]
    if samples:
        click.echo("e.g.")
        shown = [
            (rule, s.game_date, s.system_id, s.player_lookup, s.market, _changes(s.was, s.now)) for rule, s in samples
        ]
        emit_table(["rule", "date", "system", "player", "market", "was -> is"], shown)


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    pairs = [f"{name} {_shown(was[name])} -> {_shown(now[name])}" for name in was]
    return ", ".join(pairs) or "other columns"


def _shown(value: Any) -> str:
    return "-" if value is None else cell_text(value)


def _tell_held(held: Mapping[str, str]) -> None:
    reasons: dict[str, list[str]] = {}
    for day, why in held.items():
        reasons.setdefault(why, []).append(day)
    for why, days in reasons.items():
        click.echo(f"{number(len(days))} date(s) are not graded ({why}): {_listed(days)}")


def _tell_done(report: MigrationReport) -> None:
    if report.status == "plan":
        copies = sum((c - 1) * keys for by in report.findings.grades.duplicates.values() for c, keys in by.items())
        click.echo(
            f"would be done: {number(len(report.to_adopt))} date(s) adopted, {number(copies)} copies removed after a "
            f"backup, {number(len(report.to_grade))} date(s) graded"
        )
        say("nothing was changed; do it with --apply")
        return
    if report.status == "already_migrated":
        click.echo("everything was taken over before; nothing was done now")
    if report.adopted:
        click.echo(f"{number(report.adopted.rows)} rows adopted ({report.adopted.run_id})")
    if report.removed:
        click.echo(
            f"{number(report.removed.rows_deleted)} copies removed; the rows as they stood: {report.removed.backup}"
        )
    if report.graded:
        done = len(report.graded.runs) - len(report.graded.errors)
        click.echo(f"{number(done)} date(s) graded; what changed: gradeonce revisions")
    say("figures: gradeonce report; every morning: gradeonce check")


def _listed(days: Sequence[str]) -> str:
    more = f" and {len(days) - SHOWN_DATES} more" if len(days) > SHOWN_DATES else ""
    return ", ".join(days[:SHOWN_DATES]) + more
