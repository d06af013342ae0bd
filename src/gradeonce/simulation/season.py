"""Simulate a season: the files that `gradeonce load` reads, and how many of each trap they hold.

Everything is simulated: the players are invented, the results are drawn by lot, only the abbreviations of the teams are
those of a real league. No figure here says anything about a real player, game, bookmaker or forecaster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce.errors import RefusedForSafety, UsageError
from gradeonce.simulation.truth import Truth
from gradeonce.statements import fill, quote_literal, statements
from gradeonce.warehouses.engine import open_engine, run
from gradeonce.warehouses.interrupts import interruptible

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SYSTEMS = 5
"""How many systems there are to choose from."""

MOST_PREDICTIONS_A_DAY = 10_000
"""More than this would be the same few picks, issued again dozens of times."""

_PACKAGE = "gradeonce.simulation"
_README = "README.txt"
_TITLE = "A SIMULATED SEASON"


@dataclass(frozen=True)
class SeasonFile:
    """One file of a simulated season.

    Attributes:
        path: Where it is.
        kind: What it is to `gradeonce load`: predictions, actuals, injuries or lines.
        rows: How many rows it holds.
        description: One line for people.
        is_correction: Whether it is to be loaded after the first grading.
    """

    path: Path
    kind: str
    rows: int
    description: str
    is_correction: bool = False


@dataclass(frozen=True)
class Season:
    """A simulated season.

    Attributes:
        folder: Where its files are, README.txt among them.
        seed: What it was drawn from: the same arguments give the same files.
        start: First date of the season.
        days: Length of the season in days; not every one has games.
        files: What to load, in a sensible order; the correction comes last.
        truth: What the files hold, counted while they were made.
    """

    folder: Path
    seed: int
    start: date
    days: int
    files: tuple[SeasonFile, ...]
    truth: Truth


def simulate_season(
    folder: Path,
    *,
    seed: int = 7,
    days: int = 180,
    predictions: int = 400_000,
    systems: int = SYSTEMS,
    start: date = date(2025, 10, 21),
    engine: DuckDBPyConnection | None = None,
) -> Season:
    """Write the files of a simulated season into a folder. Invented players, no real results.

    The same arguments give the same rows on every machine, whatever the threads and the version of the engine.

    Args:
        folder: Made when missing. Files of an earlier simulation in it are replaced.
        seed: Any integer; another one gives another season.
        days: Length of the season, 1 to 366 days; 180 days hold 1,230 games.
        predictions: Rows in the prediction files, copies included; at least 100, at most 10,000 a day.
        systems: How many systems predict, 1 to 5.
        start: First date of the season.
        engine: Engine to work in, on a connection of its own; None opens one.

    Raises:
        UsageError: If a number is out of its range.
        RefusedForSafety: If the folder holds files that are not a simulated season's.
    """
    _check(days=days, predictions=predictions, systems=systems)
    _make_room(folder)
    values = {"days": days, "predictions": predictions, "systems": systems, "start": start}
    with _work(engine) as work:
        run(work, "SET VARIABLE season_seed = $seed", {"seed": seed})
        for script in ("draws", "league", "outcomes", "picks", "box_scores"):
            for text in _sql(script).values():
                run(work, text, values)
        run(work, _sql("truth")["grades"])
        counted = run(work, _sql("truth")["truth"])
        names = [column[0] for column in counted.description or ()]
        truth = Truth(**dict(zip(names, counted.fetchall()[0], strict=True)))
        files = tuple(_write(work, folder))
    season = Season(folder, seed, start, days, files, truth)
    (folder / _README).write_text(_readme(season), encoding="utf-8")
    return season


@contextmanager
def _work(engine: DuckDBPyConnection | None) -> Iterator[DuckDBPyConnection]:
    """A connection whose temporary tables and variables vanish with it."""
    if engine is None:
        with open_engine() as own:
            yield own
        return
    work = engine.cursor()
    try:
        with interruptible(work):
            yield work
    finally:
        work.close()


def _sql(script: str) -> dict[str, str]:
    return statements(_PACKAGE, f"{script}.sql")


def _check(*, days: int, predictions: int, systems: int) -> None:
    for name, value, least, most in (
        ("days", days, 1, 366),
        ("systems", systems, 1, SYSTEMS),
        ("predictions", predictions, 100, MOST_PREDICTIONS_A_DAY * days),
    ):
        if not least <= value <= most:
            raise UsageError(f"A simulated season needs {name} from {least:,} to {most:,}, not {value:,}.")


def _make_room(folder: Path) -> None:
    """Take away an earlier season's files, so that none of them mixes with the new ones; refuse to touch any others."""
    folder.mkdir(parents=True, exist_ok=True)
    readme = folder / _README
    if readme.exists() and readme.read_text(encoding="utf-8", errors="replace").startswith(_TITLE):
        ours = [*folder.glob("predictions_*.parquet"), *(folder / name for name in _CSV_FILES), readme]
        for path in ours:
            path.unlink(missing_ok=True)
    if found := sorted(path.name for path in folder.iterdir()):
        raise RefusedForSafety(
            f"The folder {folder} already holds {found[0]!r}{f' and {len(found) - 1} more' if len(found) > 1 else ''}.",
            hint="Name an empty folder, or one that a simulation wrote.",
        )
    # Claims the folder first: a simulation that was cut off must not lock out the next.
    readme.write_text(f"{_TITLE}\n\nNot finished.\n", encoding="utf-8")


_CSV_FILES = {
    "box_scores.csv": ("actuals", "Box scores as first published: one row a player and game, wide."),
    "injuries.csv": ("injuries", "Injury reports before the games; some change during the day."),
    "lines.csv": ("lines", "Points lines of three bookmakers: how each opened, and each move."),
    "stat_correction.csv": ("actuals", "Corrected box-score rows, published a day and a half later."),
}


def _write(work: DuckDBPyConnection, folder: Path) -> Iterator[SeasonFile]:
    texts = _sql("files")
    for (first_day,) in run(work, texts["months"]).fetchall():
        month = first_day[:7]
        path = folder / f"predictions_{month}.parquet"
        rows = _copy(work, texts["predictions"], path=path, month=first_day)
        yield SeasonFile(path, "predictions", rows, f"Predictions for the games of {month}, every issue of each.")
    for name, (kind, description) in _CSV_FILES.items():
        path = folder / name
        rows = _copy(work, texts[path.stem], path=path)
        yield SeasonFile(path, kind, rows, description, is_correction=path.stem == "stat_correction")


def _copy(work: DuckDBPyConnection, text: str, *, path: Path, **slots: str) -> int:
    quoted = {name: quote_literal(value) for name, value in slots.items()}
    copied: tuple[Any, ...] = run(work, fill(text, path=quote_literal(str(path)), **quoted)).fetchall()[0]
    return int(copied[0])


def _readme(season: Season) -> str:
    truth = season.truth
    listing = "\n".join(f"  {file.path.name:<28}{file.rows:>9,} rows  {file.description}" for file in season.files)
    return f"""{_TITLE}

All of it is simulated: the players are invented, the games were never played, the bookmakers and the systems do not
exist. Only the abbreviations of the teams are those of a real league. The same seed gives the same rows.

Seed {season.seed}, {season.days} days from {season.start}, {truth.games:,} games on {truth.game_dates} dates.

{listing}

What is hidden in it, for a grader to find:

  {truth.duplicate_rows:>7,}  prediction rows that repeat another to the letter
  {truth.superseded:>7,}  predictions issued again later at the same line
  {truth.line_moves:>7,}  predictions issued again at a line that had moved
  {truth.inactive + truth.invalidated:>7,}  predictions withdrawn (inactive or invalidated)
  {truth.after_tipoff:>7,}  predictions made after tip-off
  {truth.pushes:>7,}  pushes: the actual value is the line
  {truth.dnp_reported:>7,}  player-games not played, reported OUT or DOUBTFUL before
  {truth.late_scratches:>7,}  late scratches: QUESTIONABLE or PROBABLE, then not played
  {truth.dnp_unreported:>7,}  player-games not played, without any report
  {truth.dnp_unflagged:>7,}  player-games not played, shown as 0 minutes and 0 points without a flag
  {truth.played_zero_minutes:>7,}  player-games that did play, shown as 0 minutes
  {truth.players_missing:>7,}  players who played and are missing from the box score
  {truth.postponed_games:>7,}  game played {truth.postponed_days} days later than predicted for
  {truth.corrections:>7,}  late stat corrections (stat_correction.csv), which change {truth.corrected_grades:,} grades
"""
