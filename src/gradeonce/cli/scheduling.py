"""`gradeonce schedule` and `gradeonce ready`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import open_from_context, settings_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json
from gradeonce.warehouses.interrupts import Terminated

if TYPE_CHECKING:
    from gradeonce.config import Settings
    from gradeonce.readiness import Readiness
    from gradeonce.schedule import Outcome, Slot


@click.command()
@click.argument("day", metavar="DATE|yesterday|today")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def ready(ctx: click.Context, day: str, as_json: bool) -> int:
    """Say whether a date can be graded: predictions there, box scores in, and do they meet.

    \b
    gradeonce ready yesterday && gradeonce grade yesterday

    Exit code 0: ready. 1: something is missing. 2: nothing at all is known of the date, most likely a day off. Nothing
    is written.
    """
    from gradeonce.readiness import ReadyState

    with open_from_context(ctx) as book:
        found = book.ready(day)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, **_readiness_document(found)})
    else:
        click.echo(_ready_line(found))
    codes = {ReadyState.READY: ExitCode.DONE, ReadyState.WAITING: ExitCode.FAILED, ReadyState.IDLE: ExitCode.WARNINGS}
    return codes[found.state]


def _ready_line(found: Readiness) -> str:
    if found.reason:
        return f"{found.game_date}  {found.state}: {found.reason}"
    return (
        f"{found.game_date}  ready: {found.predictions:,} predictions, {found.games_final} of {found.games} games final"
    )


def _readiness_document(found: Readiness) -> dict[str, Any]:
    return {
        "date": found.game_date,
        "state": found.state.value,
        "predictions": found.predictions,
        "games": found.games,
        "games_final": found.games_final,
        "pending": found.pending,
        "ungradable": found.ungradable,
        "missing": [what.value for what in found.missing],
        "reason": found.reason,
    }


@click.group()
def schedule() -> None:
    """Grade yesterday every morning, when it is ready.

    When, and what is called to fetch what is missing, is in `[schedule]` of the settings.
    """


@schedule.command()
@click.option("--once", is_flag=True, help="Do the morning that is due last, unless it was done, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one JSON object.")
@click.pass_context
def run(ctx: click.Context, once: bool, as_json: bool) -> int:
    """Stay, and grade yesterday every morning at `[schedule] at`, 06:00 where the league plays.

    \b
    gradeonce schedule run
    gradeonce schedule run --once        # from cron or systemd

    A date that is not ready waits: the hook is called to fetch what is missing, and it is looked at again, until the
    deadline. Then it is graded as far as it goes, and alerted. A morning that was missed is made up for, several that
    were missed at once. Whoever else runs the same does not disturb. SIGTERM ends it cleanly in the middle of anything;
    the next start goes on.
    """
    from gradeonce.schedule import Scheduler

    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    with open_from_context(ctx) as book:
        settings, clock = book.settings, book.clock
    stop = _Stop()
    say = (lambda line: click.echo(line, err=True)) if as_json else click.echo
    scheduler = Scheduler(settings, lambda: open_from_context(ctx), clock, wait=stop.wait, tell=say)
    before = signal.signal(signal.SIGTERM, stop)
    if not once and not ctx.obj["verbose"]:
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        with suppress(Terminated):
            if once:
                return _tell_once(scheduler.once(), scheduler.next_slot(), settings, as_json=as_json)
            click.echo(f"next morning: {_local(scheduler.next_slot(), settings)}")
            scheduler.run()
    finally:
        signal.signal(signal.SIGTERM, before)
    if stop.came:
        click.echo("stopped; what was published stands, the next start goes on", err=True)
    return ExitCode.DONE


class _Stop:
    """Handles SIGTERM: the schedule ends wherever it is.

    Python drops what is raised while it collects garbage; then it ends where it next waits.
    """

    def __init__(self) -> None:
        self.came = False
        self._never = threading.Event()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # A second signal must not cut the cleaning up short.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.came = True
        raise Terminated

    def wait(self, seconds: float) -> bool:
        """Wait so long; return whether to stop."""
        return self.came or self._never.wait(seconds)


def _tell_once(outcome: Outcome | None, following: Slot, settings: Settings, *, as_json: bool) -> int:
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, **_outcome_document(outcome), "next_due_at": following.due_at})
    elif outcome is None:
        click.echo(f"nothing is due before {_local(following, settings)}")
    if outcome is None:
        return ExitCode.DONE
    return _exit_code(outcome)


def _exit_code(outcome: Outcome) -> int:
    from gradeonce.checks import CheckStatus
    from gradeonce.cli.checking import exit_code
    from gradeonce.schedule import SlotState

    if outcome.error is not None:
        return int(outcome.error.exit_code)
    if outcome.state is SlotState.LATE:
        return ExitCode.FAILED
    return exit_code(CheckStatus(outcome.check_status)) if outcome.check_status else ExitCode.DONE


def _outcome_document(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {"state": "nothing_due", "morning": None}
    return {
        "state": outcome.state.value,
        "morning": outcome.slot.day,
        "due_at": outcome.slot.due_at,
        "readiness": _readiness_document(outcome.readiness) if outcome.readiness else None,
        "reason": outcome.reason,
        "attempts": outcome.attempts,
        "dates": [{"date": day, "status": status} for day, status in outcome.dates],
        "checks": outcome.check_status or None,
    }


def _local(slot: Slot, settings: Settings) -> str:
    from zoneinfo import ZoneInfo

    return f"{slot.due_at.astimezone(ZoneInfo(settings.timezone)):%Y-%m-%d %H:%M %Z}"


@schedule.command()
@click.pass_context
def cron(ctx: click.Context) -> None:
    """Print lines for a crontab: gradeonce schedule cron | crontab -

    That command replaces the crontab you have; to keep it, add the lines by `crontab -e`.
    """
    from gradeonce.schedule import crontab_text

    command, folder, settings = _command(ctx)
    click.echo(crontab_text(command, folder, at=settings.at, timezone=settings.timezone), nl=False)


@schedule.command()
@click.option("--output", "output", metavar="FOLDER", help="Write the units there instead of printing them.")
@click.pass_context
def systemd(ctx: click.Context, output: str | None) -> None:
    """Print a service and a timer for systemd, or write them.

    \b
    gradeonce schedule systemd --output ~/.config/systemd/user
    systemctl --user daemon-reload
    systemctl --user enable --now gradeonce-morning.timer
    """
    from gradeonce.schedule import systemd_units

    command, folder, settings = _command(ctx)
    units = systemd_units(command, folder, at=settings.at, timezone=settings.timezone)
    if output is None:
        click.echo("\n".join(f"# {name}\n{text}" for name, text in units.items()), nl=False)
        return
    where = Path(output).expanduser()
    where.mkdir(parents=True, exist_ok=True)
    for name, text in units.items():
        (where / name).write_text(text, encoding="utf-8")
        click.echo(f"wrote {where / name}")


def _command(ctx: click.Context) -> tuple[list[str], str, Settings]:
    """Return what to run every morning, where, and the settings it is to run with."""
    from gradeonce.config import find_config

    given = Path(ctx.obj["config"]) if ctx.obj["config"] else find_config(Path.cwd())
    settings = settings_from_context(ctx)
    command = [sys.executable, "-m", "gradeonce"]
    if given is not None:
        command += ["--config", str(given.resolve())]
    if ctx.obj["book"] and settings.book_is_url:
        raise click.UsageError("a URL may hold a password: write it to [warehouse] book or the environment, not here")
    if ctx.obj["book"]:
        command += ["--book", str(settings.book_path)]
    return [*command, "schedule", "run", "--once"], str(settings.base_folder), settings
