"""`gradeonce gcp verify`: what only the real project can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.gcp.options import asked_for, deployment_options
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, say_nothing

if TYPE_CHECKING:
    from gradeonce.gcp.verify import Finding, Verdict


@click.command(short_help="Ask the real project what no emulator shows.")
@deployment_options
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

    deployment = asked_for(ctx, options).deployment
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
