"""A process killed between any two steps leaves the last published state; a rerun completes it (G4)."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from builders import (
    files_of,
    graded,
    land_actuals,
    land_season,
    ledger_findings,
    let_leases_run_out,
    live_files,
    new_book,
    open_book,
    sums_off,
)
from races.child import answer_of, child

DAY = "2026-01-01"
PLAYERS = 4
SETTINGS = {"wait_seconds": 0.0}

GRADE_STEPS = [
    "grade.leased",
    "publish.based",
    "publish.staged",
    "publish.validated",
    "publish.compared",
    "seal.written",
    "seal.prediction_accuracy",
    "seal.grade_revisions",
    "seal.system_daily_performance",
    "commit.begun",
    "commit.fenced",
    "commit.pointed",
    "commit.ledgered",
    "commit.done",
    "grade.released",
]
LAND_STEPS = [
    "land.staged",
    "seal.player_game_actuals",
    "commit.begun",
    "commit.fenced",
    "commit.pointed",
    "commit.ledgered",
    "commit.done",
]
COLLECT_STEPS = ["collect.swept", "collect.forgotten", "collect.done"]
COMMITTED = ("commit.done", "grade.released")
"""Steps past the commit: whoever dies there has published."""

LOAD = {"days": 1, "players": PLAYERS, "first_player": 100, "load_id": "late", "content_id": "late"}


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book in which 11 points are graded, and 12 points wait to be."""
    folder = new_book(tmp_path_factory.mktemp("killed") / "book")
    land_season(folder, 1, PLAYERS)
    with open_book(folder) as book:
        book.grade(DAY)
        land_actuals(book, 1, PLAYERS, points=12, version=2)
    return folder


@pytest.fixture
def folder(corrected: Path, tmp_path: Path) -> Path:
    """A copy of that book, to be killed in."""
    return Path(shutil.copytree(corrected, tmp_path / "book"))


def run_until(folder: Path, job: str, values: dict[str, Any], step: str = "", **settings: float) -> list[str]:
    """Run a job in a process of its own that kills itself at the step; return the steps if it lived."""
    with child(folder, job, values, step=step, signal_name="SIGKILL", settings={**SETTINGS, **settings}) as process:
        answer = answer_of(process)
        assert process.returncode == (-signal.SIGKILL if step else 0), answer
        steps: list[str] = answer.get("steps", [])
        return steps


def points(folder: Path) -> list[int]:
    """Return the actual value of every grade that stands; the daily sums must be those of these very grades."""
    with open_book(folder) as book:
        assert sums_off(book) == []
        return [row[-1] for row in graded(book)]


def test_these_are_all_steps(folder: Path) -> None:
    """A run that is not disturbed passes exactly the steps at which the tests below kill it."""
    assert run_until(folder, "grade", {"day": DAY}) == GRADE_STEPS
    assert run_until(folder, "land", LOAD) == LAND_STEPS


@pytest.mark.parametrize("step", GRADE_STEPS)
def test_grading_killed_at_a_step_is_whole_and_can_be_rerun(folder: Path, step: str) -> None:
    """Readers see four times 11 points, or four times 12 once committed; a rerun leaves four times 12."""
    run_until(folder, "grade", {"day": DAY}, step)

    assert points(folder) == [12 if step in COMMITTED else 11] * PLAYERS
    with open_book(folder, **SETTINGS) as book:
        assert ledger_findings(book.warehouse) == ()
        # The dead holder's lease runs out; nobody has to clear anything away.
        let_leases_run_out(book)
        assert book.grade(DAY).runs[0].status == ("unchanged" if step in COMMITTED else "published")
        assert book.sql("SELECT reason, count(*) FROM grade_revisions GROUP BY 1").rows == [("stat_correction", 4)]
        assert ledger_findings(book.warehouse) == ()
    assert points(folder) == [12] * PLAYERS


@pytest.mark.parametrize("step", LAND_STEPS)
def test_load_killed_at_a_step_is_whole_and_can_be_rerun(folder: Path, step: str) -> None:
    """All four rows of the load are there or none; loading the same again makes it four, once."""
    run_until(folder, "land", LOAD, step)

    sql = "SELECT count(*) FROM player_game_actuals WHERE load_id LIKE 'late%'"
    with open_book(folder) as book:
        assert book.sql(sql).rows == [(PLAYERS if step in COMMITTED else 0,)]
        again = land_actuals(book, 1, PLAYERS, points=11, first_player=100, load_id="late again", content_id="late")
        assert again.already == (step in COMMITTED)
        assert book.sql(sql).rows == [(PLAYERS,)]
        assert ledger_findings(book.warehouse) == ()


def test_files_of_the_dead_are_never_read(folder: Path) -> None:
    """A run killed when its files had their final names leaves three of them; no query and no check sees them."""
    before = files_of(folder)
    run_until(folder, "grade", {"day": DAY}, "commit.pointed")

    left = files_of(folder) - before
    assert sorted(Path(name).parent.name for name in left) == [
        "grade_revisions", "prediction_accuracy", "staging", "system_daily_performance",
    ]  # fmt: skip
    assert not left & live_files(folder)
    with open_book(folder, **SETTINGS) as book:
        assert book.sql("SELECT count(*) FROM grade_revisions").rows == [(0,)]
        let_leases_run_out(book)
        assert book.grade(DAY).worst_error is None
        assert ledger_findings(book.warehouse) == ()
    assert not left & live_files(folder)


def test_collecting_killed_at_a_step_removes_nothing_that_is_read(folder: Path) -> None:
    """Two files of replaced rows and one leftover may go at once; whoever is killed, the next one removes the rest."""
    at_once = {"version_days": 0.0, "leftover_hours": 1e-9}
    with open_book(folder) as book:
        book.grade(DAY)
    for step in (*COLLECT_STEPS, ""):
        copy = Path(shutil.copytree(folder, folder.with_name(step or "undisturbed")))
        (copy / "staging" / "dead.parquet").write_bytes(b"rows")
        assert run_until(copy, "collect", {}, step, **at_once) == ([] if step else COLLECT_STEPS)

        assert points(copy) == [12] * PLAYERS
        with open_book(copy, **at_once) as book:
            left = 2 if step in ("collect.swept", "collect.forgotten") else 0
            assert len(book.gc(apply=True).files) == left
            assert ledger_findings(book.warehouse) == ()
            assert book.sql("SELECT count(*) FROM ledger WHERE kind = 'gc'").rows == [(1,)]
        assert files_of(copy) == live_files(copy)
