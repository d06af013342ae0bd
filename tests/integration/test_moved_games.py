"""A game that moves keeps its id: its picks are graded once, whatever date they were made for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import ledger_findings, sums_off
from gradeonce.backfill import GradeReport

PREDICTIONS = "system_id,player_lookup,game_id,game_date,predicted_value,line_value,recommendation,created_at\n"
ACTUALS = "player_lookup,game_id,game_date,points,minutes_played\n"
KEY = "player_lookup, game_id, system_id, market, line_value"


def predict(book: gradeonce.Book, folder: Path, *rows: str) -> None:
    file = folder / "predictions.csv"
    file.write_text(PREDICTIONS + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    book.load("predictions", file)


def play(book: gradeonce.Book, folder: Path, *rows: str) -> None:
    file = folder / "actuals.csv"
    file.write_text(ACTUALS + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    book.load("actuals", file)


def grades(book: gradeonce.Book) -> list[tuple[Any, ...]]:
    """Return date, player and outcome of every grade; the daily sums must be those of these very grades."""
    assert sums_off(book) == []
    return book.sql(
        "SELECT CAST(game_date AS VARCHAR), player_lookup, outcome FROM prediction_accuracy ORDER BY ALL"
    ).rows


def statuses(report: GradeReport) -> dict[str, str]:
    return {run.partition: run.status for run in report.runs}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[gradeonce.Book]:
    """A slate of two games on January 8, of which one (529) was postponed."""
    gradeonce.create(tmp_path / "book")
    with gradeonce.open(tmp_path / "book") as opened:
        predict(
            opened,
            tmp_path,
            "s,played,0022500528,2026-01-08,20,18.5,OVER,2026-01-08T15:00:00Z",
            "s,waiting,0022500529,2026-01-08,20,18.5,OVER,2026-01-08T15:00:00Z",
        )
        play(opened, tmp_path, "played,0022500528,2026-01-08,25,30")
        yield opened


def test_postponed_pick_is_pending_and_then_void(book: gradeonce.Book, tmp_path: Path) -> None:
    """Until the game is played its picks wait; played weeks later it is not the event they were made for."""
    book.grade("2026-01-08")
    assert grades(book) == [("2026-01-08", "played", "win"), ("2026-01-08", "waiting", "pending")]

    play(book, tmp_path, "waiting,0022500529,2026-01-29,30,30")
    book.grade("2026-01-08")

    assert grades(book) == [("2026-01-08", "played", "win"), ("2026-01-08", "waiting", "void")]


def test_pick_made_again_for_the_new_date_has_one_grade(book: gradeonce.Book, tmp_path: Path) -> None:
    """The same key predicted for both dates stands once, at the new date; the old row goes, with a revision."""
    book.grade("2026-01-08")
    predict(book, tmp_path, "s,waiting,0022500529,2026-01-29,21,18.5,OVER,2026-01-29T15:00:00Z")
    play(book, tmp_path, "waiting,0022500529,2026-01-29,30,30")

    report = book.grade("2026-01-29")

    assert statuses(report) == {"2026-01-08": "published", "2026-01-29": "published"}
    assert grades(book) == [("2026-01-08", "played", "win"), ("2026-01-29", "waiting", "win")]
    assert book.sql("SELECT change, reason FROM grade_revisions").rows == [("removed", "row no longer counts")]
    total = book.report().total
    assert (total.predictions, total.pending) == (2, 0)


def test_order_of_grading_the_two_dates_does_not_matter(book: gradeonce.Book, tmp_path: Path) -> None:
    """Graded new date first, the old date's pick does not come back as a second grade."""
    predict(book, tmp_path, "s,waiting,0022500529,2026-01-29,21,18.5,OVER,2026-01-29T15:00:00Z")
    play(book, tmp_path, "waiting,0022500529,2026-01-29,30,30")

    book.grade("2026-01-29")
    book.grade("2026-01-08")
    again = book.grade(all_dates=True)

    assert grades(book) == [("2026-01-08", "played", "win"), ("2026-01-29", "waiting", "win")]
    assert statuses(again) == {"2026-01-08": "unchanged", "2026-01-29": "unchanged"}


def test_two_dates_of_one_game_graded_at_once_hold_no_key_twice(tmp_path: Path) -> None:
    """Both dates graded first at the same time, without leases: the fence keeps the key on one date (8 rounds)."""
    for number in range(8):
        path = tmp_path / f"book{number}"
        gradeonce.create(path)
        with gradeonce.open(path) as book:
            for day in ("08", "29"):
                predict(book, tmp_path, f"s,waiting,0022500529,2026-01-{day},21,18.5,OVER,2026-01-{day}T15:00:00Z")
            play(book, tmp_path, "waiting,0022500529,2026-01-29,30,30")
        workers = [
            subprocess.Popen(
                [sys.executable, "-m", "gradeonce", "--book", str(path), "grade", f"2026-01-{day}"],
                env={**os.environ, "GRADEONCE_LOCK_STORE": "off"},
                stdout=subprocess.DEVNULL,
            )
            for day in ("08", "29")
        ]
        assert [worker.wait(60) for worker in workers] == [0, 0]

        with gradeonce.open(path) as book:
            assert grades(book) == [("2026-01-29", "waiting", "win")]
            assert book.sql(f"SELECT 1 FROM prediction_accuracy GROUP BY {KEY} HAVING count(*) > 1").rows == []


def test_games_that_link_dates_in_a_chain_have_one_grade_each(book: gradeonce.Book, tmp_path: Path) -> None:
    """Grading the first of three dates grades the second with it; the third shares another game with that one."""
    predict(
        book,
        tmp_path,
        "s,moved,0022500528,2026-01-10,20,18.5,OVER,2026-01-10T15:00:00Z",
        "s,played,0022500528,2026-01-10,21,18.5,OVER,2026-01-10T15:00:00Z",
        "s,late,0022500530,2026-01-10,20,18.5,OVER,2026-01-10T15:00:00Z",
        "s,late,0022500530,2026-01-12,20,18.5,OVER,2026-01-12T15:00:00Z",
    )
    play(book, tmp_path, "late,0022500530,2026-01-12,30,30")

    for day in ("2026-01-12", "2026-01-10", "2026-01-08"):
        book.grade(day)

    assert book.sql(f"SELECT 1 FROM prediction_accuracy GROUP BY {KEY} HAVING count(*) > 1").rows == []
    stands = grades(book)
    assert ("2026-01-12", "late", "win") in stands
    assert "published" not in statuses(book.grade(all_dates=True)).values()
    assert grades(book) == stands


@pytest.mark.parametrize("step", ["grade.leased", "publish.compared"])
def test_a_game_that_moves_while_its_date_is_graded_has_one_grade(step: str, tmp_path: Path) -> None:
    """Its picks for the new date come, and are graded, after the first run has looked what else it must grade."""
    path = tmp_path / "book"
    gradeonce.create(path)
    reached: list[str] = []

    def move(name: str) -> None:
        if name == step and not reached:
            reached.append(name)
            with gradeonce.open(path, store="off") as neighbour:
                predict(neighbour, tmp_path, "s,waiting,0022500529,2026-01-29,21,18.5,OVER,2026-01-29T15:00:00Z")
                play(neighbour, tmp_path, "waiting,0022500529,2026-01-29,30,30")
                neighbour.grade("2026-01-29")

    with gradeonce.open(path, store="off", on_step=move) as book:
        predict(
            book,
            tmp_path,
            "s,played,0022500528,2026-01-08,20,18.5,OVER,2026-01-08T15:00:00Z",
            "s,waiting,0022500529,2026-01-08,20,18.5,OVER,2026-01-08T15:00:00Z",
        )
        play(book, tmp_path, "played,0022500528,2026-01-08,25,30")
        book.grade("2026-01-08")

        assert reached == [step]
        assert ledger_findings(book.warehouse) == ()
        assert grades(book) == [("2026-01-08", "played", "win"), ("2026-01-29", "waiting", "win")]
