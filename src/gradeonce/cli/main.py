"""The `gradeonce` command. Each command lives in a file of its own, imported only when it is the one that runs."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradeonce._version import __version__
from gradeonce.cli.exit_codes import MEANINGS, ExitCode

if TYPE_CHECKING:
    from gradeonce.book import Book
    from gradeonce.config import Settings

# Name, module, and the line that --help shows: the module need not be imported for it.
COMMANDS = {
    "init": ("setup", "Make a book and a commented gradeonce.toml; run again, it changes nothing."),
    "config": ("setup", "Show every setting and where its value comes from."),
    "load": ("loading", "Load predictions, actuals, injuries or lines from files."),
    "stage": ("staging", "Let workers stage predictions side by side; merge all of a batch at once."),
    "sources": ("loading", "List the file layouts that can be loaded by name."),
    "grade": ("grading", "Grade a date, a range, or everything; each prediction exactly once."),
    "ready": ("scheduling", "Say whether a date can be graded, and what it lacks."),
    "schedule": ("scheduling", "Grade every morning; print the units for cron or systemd."),
    "report": ("reporting", "Show win rate, MAE, bias, ROI per system, market, date, ..."),
    "explain": ("reporting", "Show how the picks on a player were graded, and why."),
    "status": ("looking", "Show which dates are graded, pending, stale or not graded."),
    "check": ("checking", "Check for duplicates, gaps, stale data, drift; exit 0, 1 or 2."),
    "runs": ("looking", "Show past gradings from the ledger."),
    "revisions": ("looking", "Show grades that changed: old, new and why."),
    "sql": ("looking", "Query the book's tables, read-only."),
    "alerts": ("alerts", "Show what was told to which channel; try the channels out."),
    "locks": ("locks", "Show who holds which lease; release one that is stuck."),
    "run-locked": ("run_locked", "Run any command while a lease is held."),
    "adopt": ("adopting", "Bring in grades that somebody else made, as they stand."),
    "migrate": ("migrating", "Take over a table of grades that others kept, and say how its grades differ."),
    "dedupe": ("dedupe", "Find rows that stand more than once; remove the copies, or bring them back."),
    "gc": ("collecting", "Remove files that nobody reads any more: leftovers, and versions replaced long ago."),
    "ledger": ("ledger", "Verify the hash chain and the data under it; show its head."),
    "gcp": ("gcp", "Deploy to Google Cloud; see how it stands, what it costs; verify it there; go back."),
    "torture": ("torture", "Break everything on purpose, and see whether the guarantees hold."),
    "demo": ("demo", "Simulate a season, load it, grade it and show the report."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"gradeonce.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.__dict__[cmd_name.replace("-", "_")]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "GRADEONCE",
        "max_content_width": 110,
    },
)
@click.version_option(__version__, prog_name="gradeonce")
@click.option("--book", metavar="FOLDER|URL", help="The book; default: what gradeonce.toml says, else ./book.")
@click.option("--config", "config_file", metavar="FILE", help="Settings file; default: gradeonce.toml here or above.")
@click.option("--verbose", is_flag=True, help="Show each step on stderr, and tracebacks.")
@click.pass_context
def cli(ctx: click.Context, book: str | None, config_file: str | None, verbose: bool) -> None:
    """Grade every prediction exactly once, and be able to prove it.

    \b
    gradeonce init
    gradeonce load actuals box_scores.csv --source nba_api.league_game_log
    gradeonce load predictions picks.parquet
    gradeonce grade yesterday
    gradeonce report --last 30d

    Every option can also be given as an environment variable, e.g. GRADEONCE_BOOK or GRADEONCE_GRADE_WAIT.
    """
    ctx.obj = {"book": book, "config": config_file, "verbose": verbose}
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.DEBUG, format="%(levelname)s %(name)s %(message)s")


def open_from_context(ctx: click.Context) -> Book:
    """Open the book that the command line names."""
    from gradeonce.book import open_book

    return open_book(ctx.obj["book"], config=ctx.obj["config"])


def settings_from_context(ctx: click.Context) -> Settings:
    """Load the settings that the command line names; a folder is meant from here, as in `open_from_context`."""
    from gradeonce.config import load_settings, named_book

    book, config = ctx.obj["book"], ctx.obj["config"]
    return load_settings(Path(config) if config else None, flags={"book": named_book(book)} if book else {})


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the code of what happened."""
    try:
        code = run(arguments)
    except KeyboardInterrupt:
        # While it began, or told of an error.
        code = _tell_interrupt()
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    from gradeonce.errors import GradeonceError

    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = cli.main(args=given, prog_name="gradeonce", standalone_mode=False)
        return int(code or ExitCode.DONE)
    except GradeonceError as error:
        from gradeonce.cli.output import tell_error

        if "--verbose" in given:
            logging.getLogger(__name__).exception("failed")
        tell_error(error, as_json="--json" in given)
        return int(error.exit_code)
    except click.exceptions.Exit as error:
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return int(ExitCode.WRONG_USAGE)
    except (click.Abort, KeyboardInterrupt):
        return _tell_interrupt()
    except BrokenPipeError:
        # Whoever read our output has closed it (`gradeonce runs | head`); Python must not complain at exit.
        sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115
        return int(ExitCode.DONE)
    except Exception as error:
        if "--verbose" in given:
            raise
        click.echo(f"error: {type(error).__name__}: {error}", err=True)
        click.echo("       This is our bug; the book holds whole versions only. --verbose shows where.", err=True)
        return int(ExitCode.OUR_BUG)


def _tell_interrupt() -> int:
    click.echo("interrupted: what was published before stands, nothing is half-done; run it again to go on", err=True)
    return int(ExitCode.INTERRUPTED)
