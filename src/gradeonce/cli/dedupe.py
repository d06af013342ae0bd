"""`gradeonce dedupe`: copies of a key, looked at, removed, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table, number, say
from gradeonce.cli.waiting import waiting

if TYPE_CHECKING:
    from gradeonce.dedupe import Applied, Backup, Plan, RolledBack, Verified

SHOWN_PARTITIONS = 20


@click.group(invoke_without_command=True)
@click.pass_context
def dedupe(ctx: click.Context) -> None:
    """Find rows that stand more than once, remove the copies, and take it back if need be.

    \b
    gradeonce dedupe plan              # what stands more than once, and what would be done; changes nothing
    gradeonce dedupe apply PLAN        # backs the rows up and removes the copies, in one commit
    gradeonce dedupe verify PLAN
    gradeonce dedupe rollback PLAN     # what would come back; --apply brings it back
    gradeonce dedupe backups

    Without a subcommand it is `plan`.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(plan)


@dedupe.command()
@click.option("--table", metavar="TABLE", help="A table of the book or, on a server, any other; default: the grades.")
@click.option("--key", metavar="COLUMN,...", help="Columns that make rows copies; default: the table's key.")
@click.option("--keep", type=click.Choice(["earliest", "latest"]), help="Which copy stays; grades: earliest.")
@click.option("--by", metavar="COLUMN", help="Column that tells earliest from latest; grades: graded_at.")
@click.option(
    "--partition",
    "partitions",
    multiple=True,
    help="Only this partition (date) of a table of the book; may be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def plan(
    ctx: click.Context,
    table: str | None = None,
    key: str | None = None,
    keep: str | None = None,
    by: str | None = None,
    partitions: tuple[str, ...] = (),
    as_json: bool = False,
) -> None:
    """Show which keys stand more than once, and which row of each would stay. Nothing is changed.

    \b
    gradeonce dedupe plan
    gradeonce dedupe plan --partition 2026-01-17
    gradeonce dedupe plan --table shelf_counts --keep latest --by counted_at

    The plan gets a name; `gradeonce dedupe apply NAME` does exactly what it showed, or nothing if the rows have moved.
    """
    with open_from_context(ctx) as book, waiting("looking for copies"):
        found = book.dedupe_plan(
            table, key=_names(key), keep=keep, by=by, partitions=list(partitions) if partitions else None
        )
    if as_json:
        emit_json(plan_document(found))
    else:
        _tell_plan(found)


@dedupe.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--wait", type=float, metavar="SECONDS", help="How long to wait for a lease that somebody holds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def apply(ctx: click.Context, plan_id: str, wait: float | None, as_json: bool) -> None:
    """Do what PLAN showed: back the rows up and remove the copies, in one commit.

    \b
    gradeonce dedupe apply 20260118_093000_4f1c2a

    What would stand is held against the plan before the commit: rows removed, rows kept, no key more or less. If
    anything differs, or somebody published meanwhile, nothing happens. Run again, it says that it is done.
    """
    with open_from_context(ctx) as book, waiting("removing copies"):
        done = book.dedupe_apply(plan_id, wait_seconds=wait)
    if as_json:
        emit_json(applied_document(done))
        return
    if done.status == "already_applied":
        click.echo(f"{plan_id} is applied already; nothing was done now")
    else:
        click.echo(
            f"{number(done.rows_deleted)} rows removed from {done.plan.table_name}, "
            f"{number(done.table_rows)} stand; the rows as they stood are in {done.backup}"
        )
    say(f"check it: gradeonce dedupe verify {plan_id}; take it back: gradeonce dedupe rollback {plan_id}")


@dedupe.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(ctx: click.Context, plan_id: str, as_json: bool) -> int:
    """Check that PLAN left what it should have: no copies, the planned rows, a whole backup. Exit 1 if not.

    \b
    gradeonce dedupe verify 20260118_090000_a1b2c3
    """
    with open_from_context(ctx) as book:
        found = book.dedupe_verify(plan_id)
    if as_json:
        emit_json(verified_document(found))
    else:
        for finding in found.findings:
            click.echo(f"{'ok  ' if finding.passed else 'FAIL'}  {finding.name:<10}  {finding.text}")
        click.echo(f"{plan_id} is {found.history.state.value.replace('_', ' ')}")
    return ExitCode.DONE if found.passed else ExitCode.FAILED


@dedupe.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--apply", "really", is_flag=True, help="Bring the rows back; without it, only say what would happen.")
@click.option("--wait", type=float, metavar="SECONDS", help="How long to wait for a lease that somebody holds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def rollback(ctx: click.Context, plan_id: str, really: bool, wait: float | None, as_json: bool) -> None:
    """Bring the rows back exactly as they stood before PLAN was applied, copies and all.

    \b
    gradeonce dedupe rollback 20260118_093000_4f1c2a
    gradeonce dedupe rollback 20260118_093000_4f1c2a --apply

    It works after later gradings too: it says which it would undo. They can be run again.
    """
    with open_from_context(ctx) as book:
        done = book.dedupe_rollback(plan_id, dry_run=not really, wait_seconds=wait)
    if as_json:
        emit_json(rollback_document(done))
        return
    verb = "would come back" if done.is_dry_run else "came back"
    stand = "would stand" if done.is_dry_run else "stand"
    click.echo(
        f"{number(done.rows_restored)} rows {verb} from {done.backup}; {number(done.table_rows)} {stand} in "
        f"{done.plan.table_name}"
    )
    if done.rows_undone:
        click.echo(f"{number(done.rows_undone)} rows written since {'would go' if done.is_dry_run else 'went'}:")
    for change in done.later[:SHOWN_PARTITIONS]:
        click.echo(f"  {change.partition}  {change.kind} {change.run_id} at {change.happened_at[:19]} UTC")
    if done.is_dry_run:
        say(f"dry run: nothing was changed; do it with: gradeonce dedupe rollback {plan_id} --apply")


@dedupe.command()
@click.option("--drop-expired", is_flag=True, help="Drop those older than [dedupe] backup_days whose plan verifies.")
@click.option("--apply", "really", is_flag=True, help="Really drop them; without it, only say which.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def backups(ctx: click.Context, drop_expired: bool, really: bool, as_json: bool) -> int:
    """List the backups: size, age, rows, the plan that made each, and whether everything about it is as it should be.

    \b
    gradeonce dedupe backups
    gradeonce dedupe backups --drop-expired           # which would go
    gradeonce dedupe backups --drop-expired --apply

    Nothing else ever drops a backup. One whose plan does not verify stays, however old it is (exit 1).
    """
    from gradeonce.errors import UsageError

    if really and not drop_expired:
        raise UsageError("--apply belongs to --drop-expired.")
    with open_from_context(ctx) as book:
        dropped = book.dedupe_drop_expired(dry_run=not really) if drop_expired else None
        found = book.dedupe_backups()
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "backups": [_backup_document(backup) for backup in found],
    }
    if dropped is not None:
        document["dry_run"] = dropped.is_dry_run
        document["dropped"] = [_backup_document(backup) for backup in dropped.dropped]
    if as_json:
        emit_json(document)
    else:
        if dropped is not None:
            verb = "would be dropped" if dropped.is_dry_run else "dropped"
            for backup in dropped.dropped:
                click.echo(f"{backup.name} {verb}: {number(backup.rows)} rows, {backup.age_days:.0f} days old")
            for backup in dropped.kept:
                click.echo(f"{backup.name} stays, though {backup.age_days:.0f} days old: {backup.problem}")
            if dropped.is_dry_run:
                say("dry run: nothing was changed")
        _tell_backups(found)
    return ExitCode.FAILED if dropped is not None and dropped.kept else ExitCode.DONE


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else ()


def _tell_plan(found: Plan) -> None:
    name = found.table_name
    if not found.partitions:
        click.echo(f"no key stands more than once in {name}; nothing to do")
        return
    emit_table(
        ["partition", "rows", "keys doubled", "copies each", "rows to remove", "identical", "other stamps", "differ"],
        [
            (
                planned.partition or "(all)",
                number(planned.rows),
                number(sum(planned.keys.values())),
                ", ".join(f"{copies} ({number(keys)})" for copies, keys in sorted(planned.keys.items())),
                number(planned.rows_deleted),
                number(planned.identical),
                number(planned.same_content),
                number(planned.differing),
            )
            for planned in found.partitions[:SHOWN_PARTITIONS]
        ],
        right=["rows", "keys doubled", "rows to remove", "identical", "other stamps", "differ"],
    )
    if len(found.partitions) > SHOWN_PARTITIONS:
        click.echo(f"... and {len(found.partitions) - SHOWN_PARTITIONS} more; --json shows all")
    if found.differing_columns:
        differ = ", ".join(f"{column} ({number(keys)})" for column, keys in found.differing_columns.items())
        click.echo(f"copies differ in: {differ}")
    click.echo(f"of each key the {found.choice.keep.value} by {found.choice.by} stays, e.g.")
    for sample in found.samples:
        key = ", ".join("null" if value is None else value for value in sample.key.values())
        gone = ", ".join("null" if when is None else when for when in sample.removed_by)
        click.echo(f"  {sample.partition or '(all)'}  {key}: stays {sample.kept_by or 'null'}, goes {gone}")
    click.echo(
        f"plan {found.plan_id}: {number(found.rows_deleted)} rows would be removed from {name}, "
        f"after a backup in {found.backup}"
    )
    say(f"nothing was changed; do it with: gradeonce dedupe apply {found.plan_id}")


def _tell_backups(found: list[Backup]) -> None:
    if not found:
        click.echo("no backups")
        return
    emit_table(
        ["backup", "plan is", "rows", "KiB", "age (days)", "days left", "verifies"],
        [
            (
                backup.name,
                backup.state.value.replace("_", " "),
                number(backup.rows),
                number(-(-backup.bytes // 1024)),
                f"{backup.age_days:.1f}",
                f"{max(0.0, backup.expires_in_days):.1f}",
                "yes" if backup.verified else f"no: {backup.problem}",
            )
            for backup in found
        ],
        right=["rows", "KiB", "age (days)", "days left"],
    )


def plan_document(found: Plan) -> dict[str, Any]:
    """Return a plan as the JSON object that is printed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "plan_id": found.plan_id or None,
        "table": found.table_name,
        "key": list(found.choice.key),
        "keep": found.choice.keep.value,
        "by": found.choice.by,
        "made_at": found.made_at,
        "backup": found.backup or None,
        "keys": {str(copies): keys for copies, keys in found.keys.items()},
        "rows_deleted": found.rows_deleted,
        "partitions": [
            {
                "partition": planned.partition,
                "rows": planned.rows,
                "kept_rows": planned.kept_rows,
                "rows_deleted": planned.rows_deleted,
                "keys": {str(copies): keys for copies, keys in planned.keys.items()},
                "identical": planned.identical,
                "same_content": planned.same_content,
                "differing": planned.differing,
                "adopted": planned.is_adopted,
            }
            for planned in found.partitions
        ],
        "differing_columns": dict(found.differing_columns),
        "samples": [
            {
                "partition": sample.partition,
                "key": [sample.key[name] for name in found.choice.key],
                "kept_by": sample.kept_by,
                "removed_by": list(sample.removed_by),
            }
            for sample in found.samples
        ],
    }


def applied_document(done: Applied) -> dict[str, Any]:
    """Return what an apply did as the JSON object that is printed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "plan_id": done.plan.plan_id,
        "table": done.plan.table_name,
        "status": done.status.value,
        "run_id": done.run_id,
        "rows_deleted": done.rows_deleted,
        "rows_kept": done.rows_kept,
        "table_rows": done.table_rows,
        "backup": done.backup,
    }


def verified_document(found: Verified) -> dict[str, Any]:
    """Return what a verify found as the JSON object that is printed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "plan_id": found.plan.plan_id,
        "state": found.history.state.value,
        "passed": found.passed,
        "findings": [{"name": one.name, "passed": one.passed, "text": one.text} for one in found.findings],
    }


def rollback_document(done: RolledBack) -> dict[str, Any]:
    """Return what a rollback did as the JSON object that is printed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "plan_id": done.plan.plan_id,
        "table": done.plan.table_name,
        "dry_run": done.is_dry_run,
        "run_id": done.run_id or None,
        "rows_restored": done.rows_restored,
        "rows_undone": done.rows_undone,
        "later": [
            {
                "partition": change.partition,
                "kind": change.kind,
                "run_id": change.run_id,
                "happened_at": change.happened_at,
            }
            for change in done.later
        ],
        "table_rows": done.table_rows,
        "backup": done.backup,
    }


def _backup_document(backup: Backup) -> dict[str, Any]:
    return {
        "name": backup.name,
        "plan_id": backup.plan_id,
        "table": backup.table,
        "state": backup.state.value,
        "made_at": backup.made_at,
        "age_days": backup.age_days,
        "expires_in_days": backup.expires_in_days,
        "rows": backup.rows,
        "bytes": backup.bytes,
        "verified": backup.verified,
        "problem": backup.problem or None,
    }
