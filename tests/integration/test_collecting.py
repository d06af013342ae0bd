"""Removing files that nobody reads: never one that somebody reads or is about to publish, and all others in time."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import (
    FakeClock,
    catalog_of,
    files_of,
    graded,
    land_actuals,
    land_season,
    ledger_findings,
    live_files,
    new_book,
    open_book,
)
from gradeonce.book import Book
from gradeonce.errors import TransientWarehouseError, WarehouseError
from gradeonce.grading import Grader
from gradeonce.schema import ACCURACY
from gradeonce.warehouses.base import Leftover, OnStep

DAY, NEXT_DAY = "2026-01-01", "2026-01-02"
HOUR, A_DAY = 3600.0, 86_400.0
MANUAL: dict[str, Any] = {"collect_hours": 0}
"""The tests collect themselves, unless they are about who does."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two dates, graded together."""
    folder = new_book(tmp_path / "book")
    land_season(folder, 2, 4)
    return folder


@pytest.fixture
def clock() -> FakeClock:
    """Starts now, as files are as old as the disk says."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def book(folder: Path, clock: FakeClock) -> Iterator[Book]:
    with open_book(folder, clock=clock, **MANUAL) as book:
        book.grade(start=DAY, end=NEXT_DAY)
        yield book


def correct(book: Book, days: int, version: int) -> None:
    """Land a correction for the first of the dates, and grade them again, each for itself."""
    land_actuals(book, days, 4, points=10 + version, version=version)
    for day in (DAY, NEXT_DAY)[:days]:
        assert book.grade(day).runs[0].status == "published"


def age(folder: Path, clock: FakeClock, hours: float) -> None:
    """Make every file that nobody points at look as if it had been written that long ago."""
    instant = clock.now().timestamp() - hours * HOUR
    for path in [*(folder / "staging").iterdir(), *(folder / name for name in files_of(folder) - live_files(folder))]:
        os.utime(path, (instant, instant))


def test_a_version_that_was_replaced_goes_when_its_days_are_over(book: Book, folder: Path, clock: FakeClock) -> None:
    """Both dates replaced: their grades and sums are kept for 30 days, and not a minute longer; what stands stays."""
    correct(book, 2, 2)
    correct(book, 2, 3)
    replaced = {name for name in files_of(folder) if "/prediction_accuracy/" in name or "/system_daily_" in name}
    assert len(replaced) == 2 * (1 + 2 + 2)
    stood = graded(book)

    clock.advance(30 * A_DAY - 60)
    assert book.gc(apply=True).files == ()
    clock.advance(120)
    report = book.gc(apply=True)

    # The first version of both dates shared a file of each table; the second had a file for each date.
    assert {(file.kind, Path(file.name).parent.name) for file in report.files} == {
        ("file of rows that were replaced", "prediction_accuracy"),
        ("file of rows that were replaced", "system_daily_performance"),
    }
    assert len(report.files) == 2 * (1 + 2)
    assert files_of(folder) == live_files(folder)
    assert files_of(folder).isdisjoint({file.name for file in report.files})
    assert report.bytes == sum(file.bytes for file in report.files) > 0
    assert graded(book) == stood
    assert ledger_findings(book.warehouse) == ()
    assert book.sql("SELECT status, details ->> '$.removed_files' FROM ledger WHERE kind = 'gc'").rows == [
        ("collected", "6")
    ]
    assert book.gc(apply=True).files == ()
    assert book.sql("SELECT count(*) FROM ledger WHERE kind = 'gc'").rows == [(1,)]


def test_a_file_stays_while_one_of_its_dates_is_read(book: Book, folder: Path, clock: FakeClock) -> None:
    """Two dates were graded together, and one of them was graded again since: the other still stands in their file."""
    correct(book, 1, 2)
    clock.advance(1000 * A_DAY)

    assert book.gc(apply=True).files == ()
    assert [row[-1] for row in graded(book)] == [12] * 4 + [11] * 4
    assert ledger_findings(book.warehouse) == ()


def test_the_days_count_from_the_last_date_that_was_replaced(book: Book, clock: FakeClock) -> None:
    """One date of a file is replaced today, the other in 20 days: it goes 30 days after that."""
    correct(book, 1, 2)
    clock.advance(20 * A_DAY)
    land_actuals(book, 2, 4, points=13, version=3)
    book.grade(NEXT_DAY)

    clock.advance(29 * A_DAY)
    assert book.gc().files == ()
    clock.advance(2 * A_DAY)
    assert len(book.gc().files) == 2


def test_replaced_rows_outlive_whoever_may_still_be_reading_them(folder: Path, clock: FakeClock) -> None:
    """Even where old versions are not to be kept at all, they stay as long as leftovers do."""
    with open_book(folder, clock=clock, version_days=0, **MANUAL) as book:
        book.grade(start=DAY, end=NEXT_DAY)
        correct(book, 2, 2)
        clock.advance(23 * HOUR)
        assert book.gc().files == ()
        clock.advance(2 * HOUR)
        assert len(book.gc().files) == 2


def test_what_the_ledger_does_not_know_to_be_replaced_stays(book: Book, folder: Path, clock: FakeClock) -> None:
    """Both dates of a file were replaced, and somebody took one of the entries that say so out of the ledger."""
    correct(book, 2, 2)
    clock.advance(31 * A_DAY)
    assert len(book.gc().files) == 2

    catalog = catalog_of(folder)
    catalog.execute("DELETE FROM ledger WHERE partition = ? AND seq = 2", (DAY,))
    catalog.close()

    assert book.gc().files == ()


def test_rows_that_were_taken_out_of_staging_go_too(book: Book, tmp_path: Path, clock: FakeClock) -> None:
    """A staged batch that was merged leaves a file without readers; the ledger lists its partition among others."""
    picks = tmp_path / "picks.csv"
    picks.write_text(
        "system_id,player_lookup,game_id,game_date,predicted_value\nnew,player0,game0,2026-01-01,21\n", encoding="utf-8"
    )
    book.stage_write(picks, batch="b", worker="w")
    book.stage_consolidate("b")

    clock.advance(31 * A_DAY)
    assert [Path(file.name).parent.name for file in book.gc(apply=True).files] == ["staged_predictions"]
    assert ledger_findings(book.warehouse) == ()


def test_a_look_changes_nothing_and_says_what_would_go(book: Book, folder: Path, clock: FakeClock) -> None:
    """Without `apply` the report is the one of the removal, and every file is there, and no entry."""
    correct(book, 2, 2)
    (folder / "staging" / "dead.parquet").write_bytes(b"rows")
    clock.advance(31 * A_DAY)
    before, entries = files_of(folder), len(list(book.warehouse.entries()))

    looked = book.gc()

    assert not looked.applied
    assert files_of(folder) == before
    assert len(list(book.warehouse.entries())) == entries
    done = book.gc(apply=True)
    assert done.applied
    assert done.files == looked.files


def test_leftovers_go_when_their_hours_are_over(book: Book, folder: Path, clock: FakeClock) -> None:
    """A staged file, one under a final name, and what the engine spilled: kept for 24 hours. No entry: no row went."""
    names = ["rows/prediction_accuracy/dead.parquet", "staging/dead.parquet", "staging/duckdb_temp_storage-0.tmp"]
    for name in names:
        (folder / name).write_bytes(b"rows")
    age(folder, clock, 23.9)
    assert book.gc(apply=True).files == ()
    age(folder, clock, 24.1)

    assert [file.name for file in book.gc(apply=True).files] == names
    assert not any((folder / name).exists() for name in names)
    assert book.sql("SELECT count(*) FROM ledger WHERE kind = 'gc'").rows == [(0,)]
    assert ledger_findings(book.warehouse) == ()


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book in which two dates are graded, and a correction waits."""
    folder = new_book(tmp_path_factory.mktemp("waiting") / "book")
    land_season(folder, 2, 4)
    with open_book(folder, **MANUAL) as book:
        book.grade(start=DAY, end=NEXT_DAY)
        land_actuals(book, 2, 4, points=12, version=2)
    return folder


def grade_again(book: Book, on_step: OnStep) -> None:
    """Grade what waits. It starts again by itself."""
    Grader(book.warehouse, book.settings, None, book.clock, on_step).grade([date.fromisoformat(DAY)])


def land_again(book: Book, on_step: OnStep) -> None:
    """Land more box scores. Whoever is told that nothing was changed runs it again, as he is told."""
    try:
        land_actuals(book, 2, 2, points=99, version=9, first_player=50, on_step=on_step)
    except TransientWarehouseError:
        land_actuals(book, 2, 2, points=99, version=9, first_player=50, on_step=on_step)


@pytest.mark.parametrize("work", [grade_again, land_again])
def test_a_run_that_slept_too_long_starts_again(
    waiting: Path, tmp_path: Path, work: Callable[[Book, OnStep], None]
) -> None:
    """At every step before its commit all its files are taken for leftovers: it ends well, and every file is there."""
    steps: list[str] = []
    with open_book(copy_of(waiting, tmp_path / "undisturbed"), **MANUAL) as book:
        work(book, steps.append)
    steps = steps[: steps.index("commit.begun")]
    assert steps[-1].startswith("seal.")
    removed = {}
    for step in steps:
        folder = copy_of(waiting, tmp_path / step)
        removed[step] = collecting_at(folder, work, step)
        with open_book(folder) as book:
            assert ledger_findings(book.warehouse, deep=False) == (), step
            if work is grade_again:
                assert {row[-1] for row in graded(book) if row[0] == DAY} == {12}, step
            else:
                assert book.sql("SELECT count(*) FROM player_game_actuals WHERE actual_value = 99").rows == [(4,)]
        assert live_files(folder) <= files_of(folder), step
    assert removed[steps[-1]] > 0


def copy_of(book: Path, folder: Path) -> Path:
    return Path(shutil.copytree(book, folder))


def collecting_at(folder: Path, work: Callable[[Book, OnStep], None], step: str) -> int:
    """Do the work, and at the step collect as if a week had gone by. Return how many files went."""
    removed: list[Leftover] = []
    week = FakeClock(datetime.now(UTC) + timedelta(days=7))

    def collect(name: str) -> None:
        if name == step and not removed:
            with open_book(folder, clock=week, **MANUAL) as other:
                removed.extend(other.gc(apply=True).files)

    with open_book(folder, **MANUAL) as book:
        work(book, collect)
    return len(removed)


def test_load_and_grade_collect_once_a_day(folder: Path, clock: FakeClock) -> None:
    """By themselves, and again when 24 hours are over; a dry run does not."""
    dead = folder / "staging" / "dead.parquet"

    def is_collected(book: Book, *, dry_run: bool = False) -> bool:
        dead.write_bytes(b"rows")
        age(folder, clock, 25)
        book.grade(DAY, dry_run=dry_run)
        return not dead.exists()

    with open_book(folder, clock=clock) as book:
        assert not is_collected(book, dry_run=True)
        assert is_collected(book)
        clock.advance(23.9 * HOUR)
        assert not is_collected(book)
        clock.advance(0.2 * HOUR)
        assert is_collected(book)
        clock.advance(-10 * HOUR)
        # The mark lies in the future: the clock was set back, and must not keep it from being done for long.
        assert is_collected(book)
        clock.advance(25 * HOUR)
        dead.write_bytes(b"rows")
        age(folder, clock, 25)
        scores = folder.parent / "scores.csv"
        scores.write_text("player_lookup,game_id,game_date,points\nnobody,game9,2026-01-05,3\n", encoding="utf-8")
        book.load("actuals", scores)
        assert not dead.exists()
    with open_book(folder, clock=clock, **MANUAL) as book:
        clock.advance(100 * HOUR)
        assert not is_collected(book)


def test_what_cannot_be_collected_fails_no_grading(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A grading that is done is told as done; that files could not be removed goes to the log, and `gc` says it."""

    def refuse(self: Path, missing_ok: bool = False) -> None:
        if self.name == "dead.parquet":
            raise PermissionError(13, "Permission denied")
        unlink(self, missing_ok)

    unlink = Path.unlink
    dead = folder / "staging" / "dead.parquet"
    dead.write_bytes(b"rows")
    os.utime(dead, (0, 0))
    monkeypatch.setattr(Path, "unlink", refuse)
    with open_book(folder) as book, caplog.at_level(logging.WARNING):
        assert book.grade(DAY).runs[0].status == "published"
        assert "not_collected" in caplog.text
        with pytest.raises(WarehouseError, match=r"dead\.parquet could not be removed: Permission denied"):
            book.gc(apply=True)
        assert book.warehouse.all_fences(ACCURACY)[0].rows == 4
