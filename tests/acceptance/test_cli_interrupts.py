"""Ctrl-C while the engine is at work: the command ends soon, says so, and nobody is told of a failure."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from alert_builders import problem
from builders import land_season, new_book, open_book
from endless import QUERY, at_work, ended, interrupt, start, wait_for_work
from gradeonce.alerts.of_consolidation import consolidation_identity
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.schema import ALERTS_SEEN
from interrupts import heeding_interrupts
from receiver import Receiver, receiver
from staged_files import pick, write_file

__all__ = ["receiver"]

DAY, BATCH = "2026-01-01", "morning"
THREADS = {"GRADEONCE_WAREHOUSE_THREADS": "2"}
"""Where the main thread hears of the signal, another one is at the query."""

INTERRUPTED = "interrupted: what was published before stands, nothing is half-done; run it again to go on\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a book of one date that is not graded, and of one batch that is staged."""
    book = new_book(tmp_path / "book")
    land_season(book, 1, 2)
    file = write_file(tmp_path / "one.csv", [pick("a")])
    with open_book(book) as opened:
        opened.stage_write([file], batch=BATCH, worker="w1")
    return tmp_path


def test_interrupted_grading_is_no_failure(folder: Path, receiver: Receiver) -> None:
    """No alert is opened and none is over; no trace in the ledger, no lease; the next run grades."""
    alerted = {"GRADEONCE_ALERTS_SLACK": receiver.url}
    with open_book(folder / "book") as book:
        book.announce([problem(identity=f"grading/{DAY}/run_failed"), problem(identity="grading/every_date")])
        before = standing(folder)
    with at_work(folder, 1, "grade", "--all", "--alert", **THREADS, **alerted) as process:
        code, out, errors = interrupt(process, signal.SIGINT)

    assert (code, out, errors.strip("\n")) == (ExitCode.INTERRUPTED, "", INTERRUPTED.strip("\n"))
    assert receiver.requests == []
    assert_nothing_came_of_it(folder, before)
    with open_book(folder / "book") as book:
        assert book.grade(DAY).runs[0].status == "published"


def test_interrupted_consolidation_is_no_failure(folder: Path, receiver: Receiver) -> None:
    """Its problem stays as it was, what is staged stays staged, and is merged by the next run."""
    alerted = {"GRADEONCE_ALERTS_SLACK": receiver.url}
    with open_book(folder / "book") as book:
        book.announce([problem(identity=consolidation_identity(BATCH))])
        before = standing(folder)
    with at_work(folder, 1, "stage", "consolidate", "--batch", BATCH, "--alert", **THREADS, **alerted) as process:
        code, out, errors = interrupt(process, signal.SIGINT)

    assert (code, out, errors.strip("\n")) == (ExitCode.INTERRUPTED, "", INTERRUPTED.strip("\n"))
    assert receiver.requests == []
    assert_nothing_came_of_it(folder, before)
    with open_book(folder / "book") as book:
        assert book.stage_consolidate(BATCH).rows == 1


@pytest.mark.parametrize("query", [QUERY, "SELECT i, i % 7 AS j FROM range(1000000000000) AS many (i)"])
def test_interrupted_query_is_told_as_interrupted(folder: Path, query: str) -> None:
    """While the engine works it out, and while its rows are fetched; though another thread is at it."""
    with heeding_interrupts():
        process = start([sys.executable, "-m", "gradeonce", "sql", query], folder, THREADS)
    with ended(process):
        # Twice what it takes to start.
        for _ in range(5):
            wait_for_work(process)
        code, out, errors = interrupt(process, signal.SIGINT)

    assert (code, out, errors.strip("\n")) == (ExitCode.INTERRUPTED, "", INTERRUPTED.strip("\n"))


def standing(folder: Path) -> list[Any]:
    """Return the alerts and the ledger. Any: rows."""
    with open_book(folder / "book") as book:
        return [book.warehouse.kept(ALERTS_SEEN).rows, list(book.warehouse.entries())]


def assert_nothing_came_of_it(folder: Path, before: list[Any]) -> None:
    assert standing(folder) == before
    with open_book(folder / "book") as book:
        assert not any(record.is_held for record in book.leases.records())
