"""`gradeonce gcp deploy`, `status` and `source`: what is made, what stands of it, and the code that is sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.gcp.options import DEFAULT_SOURCE, asked_for, deployment_options
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table, say, say_nothing

if TYPE_CHECKING:
    from gradeonce.gcp.deploy import Deployed, Deployment, Standing, StepDone


@click.command(short_help="Make what the nightly grading needs.")
@deployment_options
@click.option("--dry-run", is_flag=True, help="Print the commands as a shell script; ask Google nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def deploy(ctx: click.Context, /, dry_run: bool, as_json: bool, **options: Any) -> int:
    """Make what the nightly grading needs: whatever stands is left, whatever is missing is made.

    \b
    gradeonce gcp deploy --project my-project --dry-run > deploy.sh
    gradeonce gcp deploy --project my-project
    gradeonce gcp deploy --project my-project --as cloud-run --region europe-west1 --memory 1Gi

    APIs, service accounts with the least that works, topics, dataset, Firestore database, an empty secret, the function
    or service, and the job that asks for yesterday every morning. Each step says how to undo it. Run it as often as you
    like: it looks first, and takes options that are not given as they were the last time, from deployment.json in the
    folder of the code. If it stops in the middle, the same again goes on from there. No secret is asked for: how to
    put the webhook of Slack in is printed at the end.
    """
    from gradeonce.clock import SystemClock
    from gradeonce.gcp.deploy import Gcloud, plan, script, write_source
    from gradeonce.gcp.deploy import deploy as carry_out
    from gradeonce.gcp.deploy.remembered import remember

    asked = asked_for(ctx, options, is_new=True)
    deployment, files = asked.deployment, asked.files
    steps = plan(deployment)
    if dry_run:
        if as_json:
            emit_json({"schema_version": SCHEMA_VERSION, "dry_run": True, "steps": _plan_document(steps)})
        else:
            click.echo(script(steps, deployment.source, files), nl=False)
        return ExitCode.DONE
    write_source(Path(deployment.source), files)
    remember(Path(deployment.source), asked.options)
    tell = say_nothing if as_json else _tell_step
    deployed = carry_out(steps, Gcloud(), SystemClock(), begin=lambda step: say(f"... {step.name}"), tell=tell)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "dry_run": False, "steps": _steps_document(deployed.steps)})
    else:
        _tell_deployed(deployment, deployed)
    return ExitCode.DONE


def _tell_step(done: StepDone) -> None:
    from gradeonce.gcp.deploy import StepState

    click.echo(f"{done.state.value:<8} {done.name}")
    for difference in done.differences:
        click.echo(f"         was {difference}")
    if done.state is StepState.MADE:
        click.echo(f"         undo: {done.undo or 'none; it stays when the rest is removed'}")


def _tell_deployed(deployment: Deployment, deployed: Deployed) -> None:
    from gradeonce.gcp.deploy import StepState

    counts = (
        f"{deployed.count(state)} {state.value}" for state in (StepState.STANDS, StepState.MADE, StepState.CHANGED)
    )
    click.echo(", ".join(counts))
    click.echo("next:")
    for text, command in _next_commands(deployment):
        click.echo(f"  {text}:\n    {command}")


def _next_commands(deployment: Deployment) -> list[tuple[str, str]]:
    here = f"--project={deployment.project}"
    book = f"GRADEONCE_WAREHOUSE_BOOK='{deployment.book}' GRADEONCE_LOCK_STORE='{deployment.lock_store}'"
    return [
        ("make the tables of the book", f"{book} gradeonce init"),
        (
            "put the webhook in: paste its URL, then Ctrl-D, so that it stands in no history",
            f"gcloud secrets versions add {deployment.secret} {here} --data-file=-",
        ),
        ("see that all of it works", f"gradeonce gcp verify {here.replace('=', ' ')}"),
        ("go back", f"gradeonce gcp rollback {here.replace('=', ' ')}"),
    ]


def _plan_document(steps: Any) -> list[dict[str, Any]]:
    # Any: JSON.
    return [
        {
            "name": step.name,
            "why": step.why,
            "look": list(step.look.command),
            "create": list(step.create or ()),
            "update": list(step.update or ()),
            "undo": list(step.undo or ()),
            "keeps_data": step.keeps_data,
        }
        for step in steps.steps
    ]


def _steps_document(steps: tuple[StepDone, ...]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "state": one.state.value, "differences": list(one.differences), "undo": one.undo}
        for one in steps
    ]


@click.command(short_help="Show what stands, and what does not.")
@deployment_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status(ctx: click.Context, /, as_json: bool, **options: Any) -> int:
    """Show what of a deployment stands, what is missing, and what differs.

    \b
    gradeonce gcp status --project my-project

    Exit code 0: all stands. 1: something is missing or differs. 2: all stands, but something needs a look: no webhook
    in the secret, an earlier revision serves, the schedule is paused or failed.
    """
    from gradeonce.gcp.deploy import Gcloud, look_around, plan

    deployment = asked_for(ctx, options).deployment
    standing = look_around(deployment, plan(deployment), Gcloud())
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, **_standing_document(standing)})
    else:
        emit_table(
            ["state", "what", "differences"],
            [(step.state.value, step.name, "; ".join(step.differences)) for step in standing.steps],
        )
        click.echo()
        for fact in standing.facts:
            click.echo(f"{fact.name}: {fact.value}" + ("" if fact.is_fine else f"\n  next: {fact.hint}"))
        if not standing.is_whole:
            click.echo("next: gradeonce gcp deploy makes what is missing and changes what differs")
    if not standing.is_whole:
        return ExitCode.FAILED
    return ExitCode.DONE if standing.is_fine else ExitCode.WARNINGS


def _standing_document(standing: Standing) -> dict[str, Any]:
    return {
        "whole": standing.is_whole,
        "steps": _steps_document(standing.steps),
        "facts": [
            {"name": fact.name, "value": fact.value, "fine": fact.is_fine, "hint": "" if fact.is_fine else fact.hint}
            for fact in standing.facts
        ],
    }


@click.command(short_help="Write the folder of code that is sent.")
@click.option("--source", default=DEFAULT_SOURCE, show_default=True, metavar="FOLDER", help="Where it is written.")
@click.option(
    "--wheel",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Install this wheel instead of the release of this version.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def source(ctx: click.Context, source: str, wheel: Path | None, as_json: bool) -> int:
    """Write the folder of code that deploy sends, for those who send it themselves, as Terraform does.

    \b
    gradeonce gcp source --source gradeonce-cloud

    A few lines that import gradeonce, the version to install, and gradeonce.toml, if there is one. Asks Google nothing.
    """
    from gradeonce._version import __version__
    from gradeonce.config import find_config
    from gradeonce.gcp.deploy import source_files, write_source

    config = Path(ctx.obj["config"]) if ctx.obj["config"] else find_config(Path.cwd())
    files = source_files(__version__, wheel=wheel, settings=config)
    write_source(Path(source), files)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "folder": source, "files": sorted(files)})
    else:
        click.echo(f"wrote {source}: {', '.join(sorted(files))}")
    return ExitCode.DONE
