"""A backfill on PostgreSQL that grades two chunks at once: killed, interrupted, and beside another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

import gradeonce
from builders import duplicate_keys, land_actuals, land_season, ledger_findings, let_leases_run_out, sums_off
from gradeonce.book import Book
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.schema import ACCURACY
from interrupts import heeding_interrupts
from postgres_book import frozen, postgres, schema, wait_for_waiters, waiters, waiting
from races.child import answer_of, child
from races.crew import Crew, Stand
from servers import Postgres

__all__ = ["postgres", "schema"]

DAYS, PLAYERS = 8, 4
CHUNK_ROWS = DAYS * PLAYERS // 4
PATIENCE_SECONDS = 120.0


@pytest.fixture
def book(postgres: Postgres, schema: str) -> Iterator[Book]:
    """Eight dates graded at 11 points and corrected to 12, to be graded again in four chunks."""
    with gradeonce.open(postgres.url, threads=1, **settings_of(schema)) as book:
        land_season(book, DAYS, PLAYERS)
        book.grade(all_dates=True)
        land_actuals(book, DAYS, PLAYERS, points=12, version=2)
        yield book


def settings_of(schema: str) -> dict[str, Any]:
    return {"wait_seconds": 30.0, "schema": schema, "chunk_rows": CHUNK_ROWS}


def standing(book: Book) -> dict[str, set[int]]:
    """Return the points in the grades of each date; the daily sums must be those of these very grades."""
    assert sums_off(book) == []
    rows = book.sql(
        "SELECT CAST(game_date AS text), CAST(actual_value AS integer), count(*) FROM prediction_accuracy GROUP BY 1, 2"
    ).rows
    assert {count for _, _, count in rows} == {PLAYERS}, rows
    found: dict[str, set[int]] = {}
    for day, points, _ in rows:
        found.setdefault(day, set()).add(points)
    return found


def assert_all_corrected_once(book: Book) -> None:
    """Every date stands at 12 points, with one revision for each grade."""
    assert standing(book) == {f"2026-01-0{day}": {12} for day in range(1, DAYS + 1)}
    assert book.sql("SELECT count(*) FROM grade_revisions").rows == [(DAYS * PLAYERS,)]
    assert duplicate_keys(book, ACCURACY) == 0
    assert ledger_findings(book.warehouse) == ()


@pytest.mark.parametrize(
    "step", ["grade.leased", "publish.staged", "commit.fenced", "commit.removed", "commit.ledgered", "commit.done"]
)
def test_a_backfill_killed_in_one_thread_leaves_each_date_old_or_new(
    postgres: Postgres, book: Book, schema: str, step: str
) -> None:
    """Whatever the other thread was at; run again, it ends at 12 (G2, G4)."""
    with child(
        postgres.url,  # type: ignore[arg-type]
        "backfill",
        {},
        step=step,
        signal_name="SIGKILL",
        settings=settings_of(schema),
    ) as process:
        assert answer_of(process) == {}

    assert all(points in ({11}, {12}) for points in standing(book).values())
    let_leases_run_out(book)
    assert book.grade(all_dates=True).worst_error is None
    assert_all_corrected_once(book)


def test_backfills_of_several_processes_at_once_end_as_one(
    crew: Crew, postgres: Postgres, book: Book, schema: str
) -> None:
    """Eight processes with two threads each want the same leases in the same order: each date is corrected once."""
    settings = settings_of(schema) | {"wait_seconds": 300.0}
    crew.stand_at(Stand(postgres.url, settings=settings))  # type: ignore[arg-type]

    answers = crew.round([("backfill", {})] * crew.size)

    statuses = [answer.get("statuses", str(answer)) for answer in answers]
    assert sorted(map(len, statuses)) == [DAYS] * crew.size, answers
    published = [status for of_one in statuses for status in of_one if status == "published"]
    assert len(published) == DAYS
    assert_all_corrected_once(book)


def test_ctrl_c_ends_both_threads_and_what_the_server_does_for_them(
    postgres: Postgres, book: Book, schema: str
) -> None:
    """Both wait in the server for a table that somebody has locked: exit code 130, no query and no lease is left."""
    with locked(postgres, schema), backfilling(postgres, schema) as process:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE_SECONDS)

        assert (process.returncode, out) == (ExitCode.INTERRUPTED, "")
        assert "canceling" not in errors
        assert "Traceback" not in errors
        assert waiters(postgres) == 0
        assert not any(record.is_held for record in book.leases.records())

    assert_nothing_was_graded(book)
    assert book.grade(all_dates=True).worst_error is None
    assert_all_corrected_once(book)


def test_ctrl_c_ends_a_backfill_for_which_the_server_does_nothing_more(
    postgres: Postgres, book: Book, schema: str
) -> None:
    """Both of its server processes are frozen, and hear of no cancellation: the lines to them are cut."""
    with locked(postgres, schema), backfilling(postgres, schema) as process, frozen(waiting(postgres)):
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE_SECONDS)

        assert (process.returncode, out) == (ExitCode.INTERRUPTED, "")
        assert errors.strip().startswith("interrupted: ")
        assert len(errors.strip().splitlines()) == 1
        assert not any(record.is_held for record in book.leases.records())

    assert book.grade(all_dates=True).worst_error is None
    assert_all_corrected_once(book)


@contextmanager
def locked(postgres: Postgres, schema: str) -> Iterator[None]:
    """Let nobody read or write the grades."""
    with psycopg.connect(postgres.url) as locker:
        locker.execute(f"LOCK TABLE {schema}.{ACCURACY.name} IN ACCESS EXCLUSIVE MODE".encode())
        yield


@contextmanager
def backfilling(postgres: Postgres, schema: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command until two of its threads wait for a lock in the server."""
    with heeding_interrupts():
        process = subprocess.Popen(
            [sys.executable, "-m", "gradeonce", "--book", postgres.url, "grade", "--all", "--json"],
            env={
                **os.environ,
                "GRADEONCE_WAREHOUSE_SCHEMA": schema,
                "GRADEONCE_GRADING_CHUNK_ROWS": str(CHUNK_ROWS),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        wait_for_waiters(postgres, 2)
        yield process
    finally:
        process.kill()
        process.communicate()


def assert_nothing_was_graded(book: Book) -> None:
    """Nothing has changed, and nothing that was asked to stop counts as failed."""
    assert set(map(frozenset, standing(book).values())) == {frozenset({11})}
    assert "failed" not in {entry.draft.status for entry in book.warehouse.entries()}
