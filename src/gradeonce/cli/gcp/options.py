"""Which deployment a command is about: the options that say so, and what was said the last time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gradeonce.cli.output import say

if TYPE_CHECKING:
    from gradeonce.gcp.deploy import Deployment

DEFAULT_SOURCE = "gradeonce-cloud"
"""Where the code that is sent is written, unless it is said."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def deployment_options(function: _Function) -> _Function:
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
class Asked:
    """What a command is about: the deployment, the code that goes with it, and the options that said so."""

    deployment: Deployment
    files: dict[str, bytes]
    options: dict[str, Any]


def asked_for(ctx: click.Context, options: dict[str, Any], *, is_new: bool = False) -> Asked:
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
    return Asked(with_fingerprint(deployment, files), files, together)
