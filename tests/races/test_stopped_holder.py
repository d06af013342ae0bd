"""A holder stopped past its lease and then continued cannot publish over its successor (G3)."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from builders import land_actuals, land_season, ledger_findings, open_book
from gradeonce.book import Book
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.schema import ACCURACY
from races.child import answer_of, child, wait_until_stopped

DAY = "2026-01-01"
PLAYERS = 4
LEASED = {"ttl_seconds": 3.0, "wait_seconds": 60.0}
UNLEASED = {"store": "off"}
STEPS = ["publish.staged", "publish.compared", "seal.written", "seal.prediction_accuracy"]
"""Where the holder has made up its mind from inputs that are old by the time it goes on; the last two are past its
own last look at the lease."""


def stand(book: Book) -> list[tuple[Any, ...]]:
    """Return what stands: actual value, run and instant of every grade."""
    sql = f"SELECT DISTINCT CAST(actual_value AS INTEGER), run_id, graded_at FROM {ACCURACY.name} ORDER BY 1, 2, 3"
    return book.sql(sql).rows


def stopped_while_a_successor_publishes(
    folder: Path, step: str, *, settings: dict[str, Any], fenced: bool = True, successor_changes: bool = True
) -> dict[str, Any]:
    """Stop a grading at a step, let a successor grade newer inputs, continue it, and tell what came of all this.

    Points go from 11 (stands) to 12 (what the stopped run has staged) to 13, or back to 11 if the successor is to
    find nothing changed.
    """
    newest = 13 if successor_changes else 11
    with open_book(folder, **settings) as book:
        land_season(book, 1, PLAYERS)
        book.grade(DAY)
        land_actuals(book, 1, PLAYERS, points=12, version=2)
        with child(
            folder, "grade", {"day": DAY}, step=step, signal_name="SIGSTOP", settings=settings, fenced=fenced
        ) as process:
            wait_until_stopped(process)
            land_actuals(book, 1, PLAYERS, points=newest, version=3)
            successor = book.grade(DAY).runs[0]
            published = stand(book)
            os.kill(process.pid, signal.SIGCONT)
            stale = answer_of(process)
        return {
            "successor": successor.status,
            "published": published,
            "stale": stale,
            "exit_code": process.returncode,
            "stands": stand(book),
            "ledger": ledger_findings(book.warehouse),
            "fence": book.warehouse.fences(ACCURACY, [DAY])[DAY],
        }


@pytest.mark.parametrize("step", STEPS)
def test_publish_of_a_holder_stopped_past_its_lease_is_refused(folder: Path, step: str) -> None:
    """The successor takes over token 3 and publishes 13 points; the stale run of token 2 loses, exit code 4."""
    seen = stopped_while_a_successor_publishes(folder, step, settings=LEASED)

    assert seen["successor"] == "published"
    assert seen["stale"]["error"] == "LeaseLost"
    assert "Nothing of this run was published; what a successor published stands." in seen["stale"]["message"]
    assert seen["exit_code"] == ExitCode.LEASE_LOST
    assert [row[0] for row in seen["stands"]] == [13]
    assert seen["stands"] == seen["published"]
    assert (seen["fence"].token, seen["fence"].seq) == (3, 2)
    assert seen["ledger"] == ()


@pytest.mark.parametrize("step", ["publish.compared", "seal.written"])
def test_publish_is_refused_even_if_the_successor_found_nothing_changed(folder: Path, step: str) -> None:
    """An unchanged publish moves no row, but it moves the fence: the stale run's 12 points never appear."""
    seen = stopped_while_a_successor_publishes(folder, step, settings=LEASED, successor_changes=False)

    assert seen["successor"] == "unchanged"
    assert seen["stale"]["error"] == "LeaseLost"
    assert [row[0] for row in seen["stands"]] == [11]
    assert seen["stands"] == seen["published"]
    assert (seen["fence"].token, seen["fence"].seq) == (3, 2)
    assert seen["ledger"] == ()


@pytest.mark.parametrize("step", ["publish.staged", "seal.written"])
def test_with_leases_off_the_stopped_run_starts_again_from_what_stands(folder: Path, step: str) -> None:
    """No token is stale without leases, but the sequence has moved: it grades afresh and finds nothing to change."""
    seen = stopped_while_a_successor_publishes(folder, step, settings=UNLEASED)

    assert seen["successor"] == "published"
    assert seen["stale"]["status"] == "unchanged"
    assert [row[0] for row in seen["stands"]] == [13]
    assert seen["stands"] == seen["published"]
    assert seen["ledger"] == ()


@pytest.mark.parametrize("settings", [LEASED, UNLEASED], ids=["leased", "off"])
def test_without_the_fence_the_stopped_run_is_seen_to_win(folder: Path, settings: dict[str, Any]) -> None:
    """The same scenario on the unfenced build: the stale 12 points replace the successor's 13, and nobody notices."""
    seen = stopped_while_a_successor_publishes(folder, "seal.written", settings=settings, fenced=False)

    assert seen["successor"] == "published"
    assert seen["stale"]["status"] == "published"
    assert [row[0] for row in seen["stands"]] == [12]
    assert seen["stands"] != seen["published"]
