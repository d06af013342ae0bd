"""`gradeonce gcp`: the nightly grading on Google Cloud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table, say

if TYPE_CHECKING:
    from gradeonce.gcp.deploy import Deployed, Deployment, Removal, Return, Standing, StepDone
    from gradeonce.gcp.verify import Finding, Verdict

DEFAULT_SOURCE = "gradeonce-cloud"
"""Where the code that is sent is written, unless it is said."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


@click.group()
def gcp() -> None:
    """Deploy the nightly grading to Google Cloud, and look after it there.

    \b
    gradeonce gcp deploy --project my-project --dry-run
    gradeonce gcp deploy --project my-project
    gradeonce gcp status --project my-project

    Names and places that are not given are taken from gradeonce.toml, if its book is in BigQuery. The commands run
    `gcloud` and `bq` of this machine, as whoever is logged in to them.
    """


def _names(function: _Function) -> _Function:
    """Add the options that say which deployment is meant."""
    options = (
        click.option("--project", metavar="ID", help="The project; default: that of the book in gradeonce.toml."),
        click.option("--region", metavar="REGION", help="Where the code runs; default: us-central1."),
        click.option(
            "--as",
            "shape",
            type=click.Choice(["function", "cloud-run"]),
            help="What runs the code: a function (2nd gen) with a Pub/Sub trigger, the default, or a Cloud Run "
            "service with a push subscription.",
        ),
        click.option("--name", metavar="NAME", help="Of the function or service; default: gradeonce."),
        click.option("--dataset", metavar="NAME", help="Of the book; default: that of gradeonce.toml, or gradeonce."),
        click.option("--dataset-location", metavar="PLACE", help="Where the dataset is; default: US."),
        click.option("--database", metavar="NAME", help="Firestore database of the leases; default: (default)."),
        click.option("--database-location", metavar="PLACE", help="Where it is made; default: the region."),
        click.option("--topic", metavar="NAME", help="Of messages that ask; default: nba-grading-trigger."),
        click.option("--completion-topic", metavar="NAME", help="Of announcements; default: nba-grading-complete."),
        click.option(
            "--dead-letter-topic", metavar="NAME", help="Of messages that failed; default: nba-grading-dead-letter."
        ),
        click.option("--secret", metavar="NAME", help="Of the Slack webhook; default: gradeonce-slack-webhook."),
        click.option("--service-account", metavar="ADDRESS", help="Who the code runs as; default: one of its own."),
        click.option("--memory", metavar="SIZE", help="Of one instance; default: 512Mi."),
        click.option("--timeout", "timeout_seconds", type=int, metavar="SECONDS", help="Of one message; default: 540."),
        click.option("--max-instances", type=int, metavar="NUMBER", help="At once; default: 3."),
        click.option("--schedule", metavar="CRON", help="When to grade yesterday; default: [schedule] at, 0 6 * * *."),
        click.option(
            "--skip-scheduler/--with-scheduler",
            default=None,
            help="Whether somebody else sends the nightly message; default: we do.",
        ),
        click.option(
            "--set",
            "variables",
            multiple=True,
            metavar="NAME=VALUE",
            help="A further environment variable of the code; no place for secrets. May be repeated.",
        ),
        click.option(
            "--wheel",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Install this wheel instead of the release of this version.",
        ),
        click.option(
            "--source", metavar="FOLDER", help="Where the code that is sent is written; default: gradeonce-cloud."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True)
class _Asked:
    """What a command is about: the deployment, the code that goes with it, and the options that said so."""

    deployment: Deployment
    files: dict[str, bytes]
    options: dict[str, Any]


def _asked(ctx: click.Context, options: dict[str, Any], *, is_new: bool = False) -> _Asked:
    """Return what a command is about.

    Args:
        ctx: Of the command.
        options: As click gives them; those that are not given are as they were in the last deploy. Any: click.
        is_new: Whether the code is about to be sent, and not that which was sent last.
    """
    from gradeonce.config import find_config, load_settings
    from gradeonce.gcp.deploy import source_files, with_fingerprint
    from gradeonce.gcp.deploy.asked import deployment_of
    from gradeonce.gcp.deploy.remembered import with_remembered
    from gradeonce.gcp.deploy.source import written_files

    config = Path(ctx.obj["config"]) if ctx.obj["config"] else find_config(Path.cwd())
    wheel = options.pop("wheel")
    together = with_remembered(Path(options["source"] or DEFAULT_SOURCE), options)
    deployment = deployment_of(load_settings(config), together)
    files = {} if is_new else written_files(Path(deployment.source))
    files = files or source_files(deployment.version, wheel=wheel, settings=config)
    if is_new and wheel is None and ".dev" in deployment.version:
        say(
            f"note: {deployment.version} is not released: build a wheel, and name it with --wheel, or Google finds none"
        )
    return _Asked(with_fingerprint(deployment, files), files, together)


@gcp.command(short_help="Make what the nightly grading needs.")
@_names
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

    asked = _asked(ctx, options, is_new=True)
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


def say_nothing(done: object) -> None:
    """Take note of nothing: with --json nothing else is printed."""


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


@gcp.command(short_help="Go back, or remove what deploy made.")
@_names
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
    deployment = _asked(ctx, options).deployment
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


@gcp.command(short_help="Show what stands, and what does not.")
@_names
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

    deployment = _asked(ctx, options).deployment
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


@gcp.command(short_help="Ask the real project what no emulator shows.")
@_names
@click.option("--only", multiple=True, metavar="CHECK", help="Make this check only. May be repeated.")
@click.option("--end-to-end", is_flag=True, help="Also send the nightly message and wait for what comes of it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(ctx: click.Context, /, only: tuple[str, ...], end_to_end: bool, as_json: bool, **options: Any) -> int:
    """Ask a real project what no emulator can show, and print a verdict.

    \b
    gradeonce gcp verify --project my-project
    gradeonce gcp verify --project my-project --end-to-end
    gradeonce gcp verify --project my-project --only conflict --only bytes_billed

    How BigQuery words a conflict, what it bills, whether a push carries its token and a stranger is turned away: each
    check says what it saw, and why it matters. It takes minutes, makes one small table that it drops, and takes one
    lease of its own; BigQuery bills some 10 MiB a query. --end-to-end grades yesterday, as every morning does.

    Exit code 0: all passed. 1: something failed. 2: nothing failed, but something was not tried.
    """
    from gradeonce.clock import SystemClock
    from gradeonce.gcp.deploy import Gcloud
    from gradeonce.gcp.verify import Result
    from gradeonce.gcp.verify import verify as find_out

    deployment = _asked(ctx, options).deployment
    tell = say_nothing if as_json else _tell_finding
    verdict = find_out(deployment, Gcloud(), SystemClock(), only=only, end_to_end=end_to_end, tell=tell)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, **_verdict_document(verdict)})
    else:
        counts = ", ".join(f"{verdict.count(result)} {result.value}" for result in Result)
        click.echo(f"{counts}; BigQuery billed {verdict.bytes_billed / 1024**2:.0f} MiB")
    if verdict.count(Result.FAILED):
        return ExitCode.FAILED
    return ExitCode.WARNINGS if verdict.count(Result.NOT_TRIED) else ExitCode.DONE


def _tell_finding(finding: Finding) -> None:
    click.echo(f"{finding.result.value:<9} {finding.name}: {finding.question}")
    click.echo(f"{'':<9} {finding.seen}")
    click.echo(f"{'':<9} otherwise: {finding.why}")
    if finding.hint and finding.result.value == "failed":
        click.echo(f"{'':<9} next: {finding.hint}")


def _verdict_document(verdict: Verdict) -> dict[str, Any]:
    return {
        "bytes_billed": verdict.bytes_billed,
        "checks": [
            {
                "name": one.name,
                "question": one.question,
                "why": one.why,
                "result": one.result.value,
                "seen": one.seen,
                "hint": one.hint,
            }
            for one in verdict.findings
        ],
    }


@gcp.command(short_help="Write the folder of code that is sent.")
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


@gcp.command(short_help="Work out what a month costs.")
@click.option("--runs-per-day", type=float, default=1, show_default=True, help="Gradings a day.")
@click.option("--seconds-per-run", type=float, default=60, show_default=True, help="How long one takes.")
@click.option(
    "--gigabytes-per-run",
    type=float,
    default=1,
    show_default=True,
    help="GiB that BigQuery bills for one. An assumption: your own figure is in the ledger.",
)
@click.option("--stored-gigabytes", type=float, default=1, show_default=True, help="GiB of the book.")
@click.option("--image-gigabytes", type=float, default=1, show_default=True, help="GiB of images that deploys left.")
@click.option("--memory", default="512Mi", show_default=True, metavar="SIZE", help="Of one instance.")
@click.option("--without-free-tier", is_flag=True, help="As if others used up what is free every month.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def costs(without_free_tier: bool, as_json: bool, memory: str, **numbers: float) -> int:
    """Work out what a month costs, from a dated table of prices. Nothing is asked of Google.

    \b
    gradeonce gcp costs
    gradeonce gcp costs --runs-per-day 24 --gigabytes-per-run 2 --without-free-tier

    The prices are in the package and may be out of date: the date is shown, and the page of Google that has the price
    of today is named in the documentation. Nothing is known of discounts, taxes, other places, and of what else the
    project does.
    """
    from decimal import Decimal

    from gradeonce.gcp.costs import DAYS, FORMULA, Habits, monthly_costs

    habits = Habits(memory=memory, **{name: Decimal(str(value)) for name, value in numbers.items()})
    month = monthly_costs(habits, has_free_tier=not without_free_tier)
    table = month.table
    if as_json:
        emit_json(
            {
                "schema_version": SCHEMA_VERSION,
                "as_of": table.as_of,
                "currency": table.currency,
                "place": table.place,
                "total": month.total,
                "lines": [
                    {
                        "name": line.price.name,
                        "unit": line.price.unit,
                        "usage": line.usage,
                        "free": Decimal(0) if without_free_tier else line.price.free_per_month,
                        "price": line.price.price,
                        "cost": line.cost,
                    }
                    for line in month.lines
                ],
            }
        )
        return ExitCode.DONE
    emit_table(
        ["what", "usage a month", "unit", "free", "price", "cost"],
        [
            (
                line.price.shown,
                _short(line.usage),
                line.price.unit,
                "" if without_free_tier else _short(line.price.free_per_month),
                f"{line.price.price.normalize():f}",
                f"{line.cost:.2f}",
            )
            for line in month.lines
        ],
        right=["usage a month", "free", "price", "cost"],
    )
    click.echo(f"total: {month.total:.2f} {table.currency} for {DAYS} days")
    click.echo(f"{FORMULA}; prices of {table.as_of}, {table.place}: check them before you rely on them")
    return ExitCode.DONE


def _short(value: Any) -> str:
    # Any: a Decimal, which is imported only when it is needed.
    return f"{value:,.3f}".rstrip("0").rstrip(".") if value >= 1 or not value else f"{value:.2g}"
