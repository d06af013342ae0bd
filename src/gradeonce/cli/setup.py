"""`gradeonce init` and `gradeonce config`."""

from __future__ import annotations

from pathlib import Path

import click

from gradeonce.cli.exit_codes import ExitCode
from gradeonce.cli.main import settings_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table


@click.command()
@click.argument("folder", required=False)
@click.option("--check", is_flag=True, help="Change nothing; say what is missing, and exit 1 if anything is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def init(ctx: click.Context, folder: str | None, check: bool, as_json: bool) -> int:
    """Make a book in FOLDER (default: book) and a commented gradeonce.toml beside it.

    The book is a folder: a small SQLite catalog and Parquet files. Nothing else needs to be set up. Or it is the URL of
    a PostgreSQL database or of a BigQuery dataset, in which the tables are made or brought up to date. Run again, it
    changes nothing and says so; a book that an earlier version graded gets the daily sums that it lacks.

    \b
    gradeonce init
    gradeonce init bigquery://my-project/grades --check
    """
    from gradeonce.book import Book
    from gradeonce.config import CONFIG_FILE, load_settings, named_book
    from gradeonce.config_text import config_template
    from gradeonce.warehouses.opening import create_warehouse, missing_parts

    config = Path(ctx.obj["config"] or CONFIG_FILE)
    name = folder or ctx.obj["book"]
    wrote_config = not config.exists()
    flags = {"book": named_book(name)} if name else {}
    settings = load_settings(None if wrote_config else config, flags=flags, folder=config.resolve().parent)
    if check:
        return _tell_missing(settings.shown_book, missing_parts(settings), as_json=as_json)
    created = create_warehouse(settings)
    if wrote_config:
        # What came from the environment stays there: a URL may hold a password.
        _write(config, config_template({"book": name} if name else {}))
    with Book(settings) as book:
        summed = book.add_missing_sums()
    missing = missing_parts(settings)
    if as_json:
        emit_json(
            {
                "schema_version": SCHEMA_VERSION,
                "book": settings.shown_book,
                "created": created,
                "dates_summed": len(summed),
                "config": str(config.resolve()),
                "wrote_config": wrote_config,
                "missing": missing,
            }
        )
        return ExitCode.DONE
    click.echo(f"{'Made' if created else 'Already there, left as it is:'} the book {settings.shown_book}")
    click.echo(f"{'Wrote' if wrote_config else 'Already there, left as it is:'} {config.resolve()}")
    if summed:
        click.echo(f"Added the daily sums of {len(summed)} date(s), {summed[0]} to {summed[-1]}")
    for line in missing:
        click.echo(f"warning: {line}", err=True)
    if created:
        click.echo("Next: gradeonce load predictions FILE, gradeonce load actuals FILE, gradeonce grade yesterday")
    return ExitCode.DONE


def _write(config: Path, text: str) -> None:
    from gradeonce.errors import ConfigError

    try:
        config.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{config}: cannot be written ({error.strerror}).",
            state="The book is there; without a file of settings, it is found with --book.",
        ) from error


def _tell_missing(book: str, missing: list[str], *, as_json: bool) -> int:
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "book": book, "missing": missing})
    else:
        click.echo("\n".join([f"missing in {book}:", *missing]) if missing else f"nothing is missing in {book}")
    return ExitCode.FAILED if missing else ExitCode.DONE


@click.group()
def config() -> None:
    """Show every setting and where its value comes from."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Print each setting, its value (secrets masked) and where it came from.

    \b
    gradeonce config show
    gradeonce config show --json

    Flags win over environment variables (GRADEONCE_<SECTION>_<KEY>), which win over the file, which wins over the
    defaults.
    """
    from gradeonce.config_text import shown_settings

    shown = shown_settings(settings_from_context(ctx))
    if as_json:
        emit_json(
            {
                "schema_version": SCHEMA_VERSION,
                "settings": [
                    {"section": s.section, "key": s.key, "value": s.value, "origin": s.origin, "help": s.help}
                    for s in shown
                ],
            }
        )
        return
    emit_table(["setting", "value", "from"], [(f"[{s.section}] {s.key}", s.value, s.origin) for s in shown])
