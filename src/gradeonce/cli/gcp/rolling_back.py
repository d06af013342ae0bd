"""`gradeonce gcp rollback`: an earlier revision, or none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.gcp.options import asked_for, deployment_options
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, say, say_nothing

if TYPE_CHECKING:
    from gradeonce.gcp.deploy import Removal, Return


@click.command(short_help="Go back, or remove what deploy made.")
@deployment_options
@click.option("--to", "revision", default="", metavar="REVISION", help="Go back to this revision.")
@click.option("--everything", is_flag=True, help="Remove all that deploy made, except what holds data.")
@click.option("--apply", is_flag=True, help="Do it; without this it only says what it would do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def rollback(ctx: click.Context, /, revision: str, everything: bool, apply: bool, as_json: bool, **options: Any) -> int:
    """Go back to the revision before, or remove all that was made. Data is never deleted.

    \b
    gradeonce gcp rollback --project my-project             # what it would do
    gradeonce gcp rollback --project my-project --apply
    gradeonce gcp rollback --project my-project --everything --apply

    Going back gives the messages to an earlier revision of the code; nothing is built, and the next deploy goes forward
    again. --everything removes schedule, function or service, subscriptions, topics, grants and accounts, the last
    first, if deploy made them. Dataset, Firestore database, secret and dead letters stay: how to delete them is
    printed.
    """
    from gradeonce.gcp.deploy import Gcloud, plan, remove_everything, return_to

    if everything and revision:
        raise click.UsageError("--to does not go with --everything")
    deployment = asked_for(ctx, options).deployment
    if everything:
        tell = say_nothing if as_json else _tell_removal
        removals = remove_everything(plan(deployment), Gcloud(), apply=apply, tell=tell)
        if as_json:
            emit_json({"schema_version": SCHEMA_VERSION, "applied": apply, "removals": _removals_document(removals)})
        elif not apply:
            say("nothing was changed; --apply does it")
        return ExitCode.DONE
    done = return_to(deployment, Gcloud(), revision=revision, apply=apply)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "applied": apply, **_return_document(done)})
    elif done.serving == done.to:
        click.echo(f"{done.to} gets the messages already")
    else:
        click.echo(
            f"{done.to} gets the messages that {done.serving} got"
            if apply
            else f"{done.to} would get the messages that {done.serving} gets"
        )
        click.echo(f"  {done.command}")
        if not apply:
            say("nothing was changed; --apply does it")
    return ExitCode.DONE


def _tell_removal(removal: Removal) -> None:
    click.echo(f"{removal.state.value:<16} {removal.name}" + (f": {removal.reason}" if removal.reason else ""))
    if removal.command:
        click.echo(f"{'':<16} {removal.command}")


def _removals_document(removals: tuple[Removal, ...]) -> list[dict[str, str]]:
    return [
        {"name": one.name, "state": one.state.value, "reason": one.reason, "command": one.command} for one in removals
    ]


def _return_document(done: Return) -> dict[str, str]:
    return {"serving": done.serving, "to": done.to, "command": done.command}
