"""`gradeonce torture`: break everything on purpose, and see whether the guarantees hold."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import settings_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, say

if TYPE_CHECKING:
    from gradeonce.torture import Progress

FAULTS = "kill,pause,flush,cut,skew"


@click.command()
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, help="How long."
)
@click.option("--seed", type=int, help="The same seed makes the same plan of faults; default: a new one.")
@click.option("--workers", type=click.IntRange(1, 64), default=8, show_default=True, help="Processes that publish.")
@click.option(
    "--algorithm",
    type=click.Choice(["gradeonce", "lock-only", "naive"]),
    default="gradeonce",
    show_default=True,
    help="naive and lock-only are there to be seen to fail.",
)
@click.option("--faults", default=FAULTS, show_default=True, help="Which faults may strike, comma-separated; or none.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write the history here, as JSON lines.")
@click.option("--chart", type=click.Path(path_type=Path, dir_okay=False), help="Draw the history: .svg, .png or .html.")
@click.option(
    "--check",
    "history",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Torture nothing: judge a history that --save wrote.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def torture(
    ctx: click.Context,
    seconds: float,
    seed: int | None,
    workers: int,
    algorithm: str,
    faults: str,
    save: Path | None,
    chart: Path | None,
    history: Path | None,
    as_json: bool,
) -> int:
    """Let real processes publish the same partitions at once, break them on purpose, and check every guarantee.

    Workers are killed (SIGKILL), stopped past their lease (SIGSTOP) and cut off from the lock store; the store forgets
    its leases; clocks are set wrong; readers look all the time. Everything is recorded, and the record is checked
    against G1 to G5. It happens in a scratch book with your settings: beside yours, or in a schema or dataset of its
    own on your server. It is removed afterwards, and your own book is not touched.

    \b
    Example:
      gradeonce torture --seconds 300 --chart torture.svg
      gradeonce --book postgresql://user@host/database torture --algorithm naive

    Exit code 1 if a guarantee was broken, or if nothing was published and so nothing was shown.
    """
    from gradeonce.errors import UsageError
    from gradeonce.torture import TortureOptions, judge, read_history, run_torture, verdict_text, write_history

    if chart is not None and chart.suffix not in (".svg", ".png", ".html", ".htm"):
        raise UsageError(f"A chart is an .svg, a .png or an .html file, not {chart.name}.")
    if history is not None:
        events = read_history(history)
    else:
        given = [name.strip() for name in faults.split(",") if name.strip() not in ("", "none")]
        options = TortureOptions(
            seconds=seconds,
            seed=_new_seed() if seed is None else seed,
            workers=workers,
            algorithm=algorithm,
            faults=tuple(dict.fromkeys(given)),
        )
        settings = settings_from_context(ctx)
        show = sys.stderr.isatty()
        events = run_torture(settings, options, on_progress=_progress(seconds) if show else None)
        if show:
            click.echo("\r\033[K", nl=False, err=True)
    if save is not None:
        write_history(events, save)
    verdict = judge(events)
    if chart is not None:
        from gradeonce.torture.chart import write_chart

        write_chart(verdict, chart)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, **verdict.document()})
    else:
        click.echo(verdict_text(verdict))
    for what, path in (("history", save), ("chart", chart)):
        if path is not None:
            say(f"wrote the {what} to {path}")
    return ExitCode.DONE if verdict.holds else ExitCode.FAILED


def _new_seed() -> int:
    import secrets

    return secrets.randbelow(1_000_000)


def _progress(seconds: float) -> Callable[[Progress], None]:
    def show(progress: Progress) -> None:
        doing = "torturing" if progress.elapsed_seconds < seconds else "finishing"
        click.echo(
            f"\r\033[K{doing} {progress.elapsed_seconds:.0f} of {seconds:g} s: {progress.published} publishes, "
            f"{progress.faults} faults, {progress.looks} looks",
            nl=False,
            err=True,
        )

    return show
