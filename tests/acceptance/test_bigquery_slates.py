"""Real slates and the golden table get the same grades in BigQuery as in a book in a folder, row for row.

A book in PostgreSQL is held against the same folder by the same slates, so all three agree.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from acceptance.command import Command
from acceptance.slate_checks import differences, graded_rows
from acceptance.slates import SLATES, Slate
from acceptance.test_golden_file import FILE, test_golden_grades_agree_in_every_row
from servers import BigQuery, only_with_all_bigquery

__all__ = ["test_golden_grades_agree_in_every_row"]

FENCES = "SELECT partition, rows, content_hash FROM publish_fences WHERE table_name = '{table}' ORDER BY partition"
ALWAYS = "injuries"
"""The slate that is small enough to be graded every time, with the box scores and lines of a week."""


def in_bigquery(bigquery: BigQuery, folder: Path, dataset: str) -> Command:
    """Return the command in a folder whose book is a dataset of the emulator."""
    return Command(
        folder,
        BIGQUERY_EMULATOR_HOST=bigquery.url,
        GRADEONCE_WAREHOUSE_BOOK=f"bigquery://demo/{dataset}",
        GRADEONCE_LOCK_STORE="off",
    )


@pytest.fixture
def book(bigquery: BigQuery, real_data: Path, tmp_path: Path) -> Command:
    """An empty book in BigQuery, if there is a golden table to put into it."""
    if not (real_data / FILE).is_file():
        pytest.skip(f"the golden table is not here: {real_data / FILE}")
    command = in_bigquery(bigquery, tmp_path, "golden_table")
    command("init")
    return command


def a_week_of(data: Path, folder: Path) -> Path:
    """Return the folder with the files of the data: box scores and lines cut down to the last week of January."""
    days = {"boxscores_official.csv.gz": "GAME_DATE", "lines_prizepicks_2025_26.csv.gz": "startTimeIso"}
    for path in data.glob("*.csv.gz"):
        if path.name not in days:
            (folder / path.name).symlink_to(path)
            continue
        whole = pl.read_csv(path, infer_schema=False)
        day = pl.col(days[path.name]).str.slice(0, 10)
        week = whole.filter(day.is_between(pl.lit("2026-01-24"), pl.lit("2026-01-28")))
        assert 0 < week.height < whole.height / 8
        (folder / path.name).write_bytes(gzip.compress(week.write_csv().encode(), compresslevel=1))
    return folder


def grade_in_both(here: Command, there: Command, slate: Slate, data: Path) -> None:
    """Load and grade a slate in both books, and hold rows and content hashes against each other."""
    for command in (here, there):
        slate.load(command, data)
        command("grade", "--from", slate.start, "--to", slate.end)

    assert differences(graded_rows(there, slate.start, slate.end), slate.expected(data)) == ""
    for table in ("player_prop_predictions", "player_game_actuals", "prediction_accuracy", "system_daily_performance"):
        fences = there.query(FENCES.format(table=table))
        assert fences == here.query(FENCES.format(table=table))
        assert sum(fence["rows"] for fence in fences) > 0


def make_both(bigquery: BigQuery, data: Path, folder: Path, dataset: str) -> tuple[Command, Command]:
    """Make a book in a folder and one in BigQuery, and load the official box scores."""
    here, there = Command(folder / "here"), in_bigquery(bigquery, folder / "there", dataset)
    for command in (here, there):
        command.folder.mkdir()
        command("init")
        command("load", "actuals", data / "boxscores_official.csv.gz", "--source", "nba_api.league_game_log")
    return here, there


@pytest.mark.usefixtures("all_bigquery")
def test_a_small_real_slate_is_graded_the_same(bigquery: BigQuery, real_data: Path, tmp_path: Path) -> None:
    """Three days of real lines, box scores and injury reports; an independent computation agrees, too."""
    (tmp_path / "data").mkdir()
    data = a_week_of(real_data, tmp_path / "data")
    here, there = make_both(bigquery, data, tmp_path, "small_slate")

    grade_in_both(here, there, SLATES[ALWAYS], data)


@pytest.fixture(scope="module")
def both(
    bigquery: BigQuery, real_data: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> tuple[Command, Command]:
    """Both books, with every official box score."""
    only_with_all_bigquery(pytestconfig)
    return make_both(bigquery, real_data, tmp_path_factory.mktemp("slates"), "real_slates")


@pytest.mark.parametrize("name", [name for name, slate in SLATES.items() if slate.shares_official])
def test_a_real_slate_is_graded_the_same(both: tuple[Command, Command], real_data: Path, name: str) -> None:
    """All of it: 26,000 grades of 160 dates."""
    grade_in_both(*both, SLATES[name], real_data)
