"""`gradeonce status`, `runs`, `revisions` and `sql`: looking, without changing anything."""

from __future__ import annotations

from pathlib import Path

import click

from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_csv, emit_json, emit_table, number, say


@click.command()
@click.option("--from", "start", metavar="DATE", help="First date.")
@click.option("--to", "end", metavar="DATE", help="Last date.")
@click.option("--todo", is_flag=True, help="Only dates that are not simply graded.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status(ctx: click.Context, start: str | None, end: str | None, todo: bool, as_json: bool) -> None:
    """Show which dates are graded, pending, stale (inputs moved since), ungraded, failed or adopted.

    \b
    gradeonce status --todo
    gradeonce status --from 2026-01-01 --to 2026-01-31
    """
    with open_from_context(ctx) as book:
        found = book.status(start=start, end=end)
    rows = [row for row in found if not todo or row.state != "graded"]
    states = {state: sum(row.state == state for row in found) for state in sorted({row.state for row in found})}
    if as_json:
        emit_json(
            {
                "schema_version": SCHEMA_VERSION,
                "dates": [
                    {
                        "partition": row.partition,
                        "state": row.state,
                        "prediction_rows": row.prediction_rows,
                        "graded_rows": row.graded_rows,
                        "pending": row.pending,
                        "graded_at": row.graded_at or None,
                        "reasons": list(row.reasons),
                    }
                    for row in rows
                ],
                "states": {str(state): count for state, count in states.items()},
            }
        )
        return
    if rows:
        emit_table(
            ["date", "state", "loaded", "graded", "pending", "graded at (UTC)", "why"],
            [
                (
                    row.partition,
                    row.state,
                    number(row.prediction_rows),
                    number(row.graded_rows),
                    number(row.pending),
                    row.graded_at[:19].replace("T", " "),
                    "; ".join(row.reasons),
                )
                for row in rows
            ],
            right=["loaded", "graded", "pending"],
        )
    click.echo(", ".join(f"{count} {state}" for state, count in states.items()) or "no dates: nothing was loaded yet")


@click.command()
@click.argument("day", required=False, metavar="[DATE]")
@click.option("--last", "limit", type=click.IntRange(1), default=20, show_default=True, help="How many runs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def runs(ctx: click.Context, day: str | None, limit: int, as_json: bool) -> None:
    """Show past gradings, newest first; of one date or of all.

    \b
    gradeonce runs 2026-01-17
    gradeonce runs --last 10
    """
    with open_from_context(ctx) as book:
        found = book.sql(
            "SELECT * FROM grading_runs WHERE $day IS NULL OR partition = $day ORDER BY entry DESC LIMIT $limit",
            {"day": day, "limit": limit},
        )
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "runs": found.dicts()})
        return
    if not found.rows:
        click.echo("no runs yet: nothing was graded")
        return
    shown = ["graded_at", "partition", "status", "token", "predictions", "win", "loss", "push", "no_bet", "void"]
    shown += ["ungradable", "pending", "revised", "run_id"]
    emit_table(
        [name.replace("_", " ") for name in shown],
        [[str(row[name])[:19] if name == "graded_at" else row[name] for name in shown] for row in found.dicts()],
        right=[name.replace("_", " ") for name in shown[3:-1]],
    )


@click.command()
@click.argument("day", required=False, metavar="[DATE]")
@click.option("--player", metavar="LOOKUP", help="Only this player's.")
@click.option("--last", "limit", type=click.IntRange(1), default=20, show_default=True, help="How many revisions.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def revisions(ctx: click.Context, day: str | None, player: str | None, limit: int, as_json: bool) -> None:
    """Show grades that changed after they were published: old, new and why, newest first.

    \b
    gradeonce revisions 2026-01-17
    """
    with open_from_context(ctx) as book:
        found = book.sql(
            "SELECT partition, table_name, change, reason, key_json, old_json, new_json, run_id, revised_at "
            "FROM grade_revisions WHERE ($day IS NULL OR partition = $day) "
            "AND ($player IS NULL OR CAST(key_json AS JSON) ->> 'player_lookup' = $player) "
            "ORDER BY revised_at DESC, key_json LIMIT $limit",
            {"day": day, "player": player, "limit": limit},
        )
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "revisions": found.dicts()})
        return
    if not found.rows:
        click.echo("no revisions: no published grade has changed")
        return
    emit_table(
        ["revised at (UTC)", "date", "change", "why", "key", "what"],
        [
            (
                f"{row['revised_at']:%Y-%m-%d %H:%M:%S}",
                row["partition"],
                row["change"],
                row["reason"].replace("_", " "),
                row["key_json"],
                changed_fields(row["old_json"], row["new_json"]),
            )
            for row in found.dicts()
        ],
    )


def changed_fields(old_json: str | None, new_json: str | None) -> str:
    """Return the fields that differ between two versions of a row, as `name old -> new`."""
    import json

    old, new = json.loads(old_json or "{}"), json.loads(new_json or "{}")
    if not old or not new:
        return ""
    return ", ".join(f"{name} {old[name]} -> {new[name]}" for name in new if old.get(name) != new[name])


@click.command()
@click.argument("query", required=False)
@click.option("--file", "file", type=click.Path(exists=True, dir_okay=False), help="Read the query from a file.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Rows shown in the table.")
@click.pass_context
def sql(ctx: click.Context, query: str | None, file: str | None, as_json: bool, as_csv: bool, limit: int) -> None:
    """Run a SELECT over the book's tables, read-only.

    \b
    gradeonce sql "SELECT system_id, count(*) FROM prediction_accuracy GROUP BY 1"
    gradeonce sql "SELECT * FROM grading_runs ORDER BY entry DESC LIMIT 5" --json

    Tables: player_prop_predictions, player_game_actuals, injury_reports, player_prop_lines, prediction_accuracy,
    grade_revisions, quarantined_rows, grading_runs, loads, ledger, publish_fences, leases, alerts_seen, alerts_sent,
    check_results; all of them: docs/reference/tables.md.
    """
    from gradeonce.errors import UsageError

    if (query is None) == (file is None):
        raise UsageError("Give one query, as an argument or with --file.")
    text = query if query is not None else Path(str(file)).read_text(encoding="utf-8")
    with open_from_context(ctx) as book:
        found = book.sql(text)
    if as_json:
        emit_json(found.dicts())
    elif as_csv:
        emit_csv(found.columns, found.rows)
    else:
        emit_table(found.columns, found.rows[:limit])
        if len(found.rows) > limit:
            say(f"{number(len(found.rows))} rows, {number(limit)} shown; --limit, --csv or --json shows more")
