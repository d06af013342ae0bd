"""`gradeonce demo`: a simulated season, from files to report, in under a minute."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from gradeonce.cli.output import number

_MARKER = ".gradeonce-demo"


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo-season"),
    show_default=True,
    help="Where to put it; a folder that an earlier demo made is replaced.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another season.")
@click.option("--days", type=click.IntRange(3, 366), default=180, show_default=True, help="Length of the season.")
@click.option(
    "--predictions", type=click.IntRange(100, 5_000_000), default=400_000, show_default=True, help="Rows to predict."
)
def demo(folder: Path, seed: int, days: int, predictions: int) -> None:
    """Simulate a season, load it, grade it and show the report.

    \b
    gradeonce demo

    Players and results are invented; nothing is downloaded. The folder it makes holds the files that were loaded, the
    book, and a gradeonce.toml, so that every other command can be tried on it.
    """
    from gradeonce.book import create_book, open_book
    from gradeonce.cli.grading import print_report
    from gradeonce.cli.loading import load_lines
    from gradeonce.config import CONFIG_FILE
    from gradeonce.config_text import config_template
    from gradeonce.ledger import verify
    from gradeonce.reports import report_text
    from gradeonce.simulation import simulate_season

    _clear(folder)
    click.echo("This season is SIMULATED: invented players, invented results.\n")
    with _step("simulate the season"):
        season = simulate_season(folder / "files", seed=seed, days=days, predictions=predictions)
    (folder / CONFIG_FILE).write_text(config_template({"book": "book"}), encoding="utf-8")
    create_book(folder / "book")
    with open_book(config=folder / CONFIG_FILE) as book:
        for kind in ("predictions", "actuals", "injuries", "lines"):
            paths = [file.path for file in season.files if file.kind == kind and not file.is_correction]
            with _step(f"load {kind} from {paths[0].name}" + (f" and {len(paths) - 1} more" if paths[1:] else "")):
                report = book.load(kind, paths)
            click.echo("\n".join(load_lines(report)))
        with _step("grade every date"):
            first = book.grade(all_dates=True)
        click.echo(_total(first.totals))
        with _step("report"):
            figures = book.report()
        click.echo(report_text(figures))
        with _step("grade every date again"):
            second = book.grade(all_dates=True)
        unchanged = sum(run.status == "unchanged" for run in second.runs)
        click.echo(f"{unchanged} of {len(second.runs)} dates unchanged: a second grading writes no row")
        for file in season.files:
            if file.is_correction:
                with _step(f"a late stat correction: load {file.path.name}, grade those dates again"):
                    corrected = book.load(file.kind, file.path)
                    third = [book.grade(day) for day in corrected.partitions]
                for run in third:
                    print_report(run, dry_run=False)
        with _step("verify the ledger"):
            proof = verify(book.warehouse)
        click.echo(f"{number(proof.entries)} entries hold; head {proof.head}")
    last_week = season.start + timedelta(days=season.days - 7)
    click.echo(
        f"\nTry next:\n"
        f"  cd {folder}\n"
        f"  gradeonce report --by date --from {last_week}    # or --by player, --by confidence_decile, --csv\n"
        f"  gradeonce revisions                              # the stat corrections: old, new and why\n"
        f'  gradeonce sql "SELECT void_reason, count(*) FROM prediction_accuracy GROUP BY 1"'
    )


@contextmanager
def _step(text: str) -> Iterator[None]:
    started = time.monotonic()
    click.echo(f"\n== {text}")
    yield
    click.echo(f"   ({time.monotonic() - started:.1f} s)")


def _total(totals: dict[str, int | float | None]) -> str:
    from gradeonce.cli.grading import counts_text

    return counts_text(totals)


def _clear(folder: Path) -> None:
    """Make room; only a folder that an earlier demo made is removed."""
    from gradeonce.errors import RefusedForSafety

    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARKER).exists():
            raise RefusedForSafety(
                f"{folder} exists and was not made by the demo.", hint="Name another with --folder, or move it away."
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARKER).write_text("made by `gradeonce demo`; removed by its next run\n", encoding="utf-8")
