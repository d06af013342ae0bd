"""Where a date stands: never "graded" when its inputs moved, never "failed" when its grades are up to date."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from builders import land_actuals, land_predictions, land_season, new_book, open_book
from gradeonce.book import Book
from gradeonce.status import DateState, ungraded_dates

DAY = "2026-01-01"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A day of three picks and their box scores."""
    folder = new_book(tmp_path / "book")
    land_season(folder, 1, 3)
    return folder


@pytest.fixture
def book(folder: Path) -> Iterator[Book]:
    with open_book(folder) as book:
        yield book


def state(book: Book) -> tuple[DateState, tuple[str, ...]]:
    """Return the state of the day, and why."""
    (status,) = book.status()
    return status.state, status.reasons


def test_a_graded_date_becomes_stale_when_its_inputs_move(book: Book) -> None:
    """Ungraded, graded, stale by a correction, graded again."""
    assert state(book) == (DateState.UNGRADED, ("never graded",))
    book.grade(DAY)
    assert state(book) == (DateState.GRADED, ())
    land_actuals(book, 1, 3, points=12, version=2)
    assert state(book) == (DateState.STALE, ("box scores were loaded since",))
    book.grade(DAY)
    assert state(book) == (DateState.GRADED, ())


def test_what_is_loaded_while_a_date_is_graded_makes_it_stale(folder: Path) -> None:
    """A correction and more picks land after the grading has read, before it commits: the grades do not know them."""

    def land_meanwhile(step: str) -> None:
        if step == "publish.staged":
            land_actuals(folder, 1, 3, points=12, version=2)
            land_predictions(folder, 1, 3, 2)

    with open_book(folder, on_step=land_meanwhile) as overtaken:
        assert overtaken.grade(DAY).runs[0].status == "published"

    with open_book(folder) as book:
        assert state(book) == (DateState.STALE, ("predictions were loaded since", "box scores were loaded since"))
        assert [day.isoformat() for day in ungraded_dates(book.warehouse)] == [DAY]


def test_what_is_being_loaded_while_a_date_is_graded_makes_it_stale(folder: Path) -> None:
    """A correction has its instant already, but is not to be seen yet, when the grading reads."""
    is_staged, is_landed = Event(), Event()

    def wait_for_the_load(step: str) -> None:
        if step == "publish.staged":
            is_staged.set()
            assert is_landed.wait(30)

    def grade() -> list[str]:
        with open_book(folder, store="off", on_step=wait_for_the_load) as grading:
            return [run.status for run in grading.grade(DAY).runs]

    with open_book(folder) as book, ThreadPoolExecutor(1) as other:
        book.grade(DAY)
        runs = []

        def grade_meanwhile(step: str) -> None:
            if step == "commit.ledgered":
                runs.append(other.submit(grade))
                assert is_staged.wait(30)

        land_actuals(book, 1, 3, points=12, version=2, on_step=grade_meanwhile)
        is_landed.set()

        assert runs[0].result(30) == ["unchanged"]
        assert state(book) == (DateState.STALE, ("box scores were loaded since",))


def test_a_run_that_was_refused_does_not_spoil_good_grades(book: Book) -> None:
    """Somebody else held the lease: the date is as graded as before; it is failed only if it needed that run."""
    book.grade(DAY)
    book.leases.try_acquire(f"grading/{DAY}", holder="ann", ttl_seconds=60, floor=0)

    book.grade(DAY, wait_seconds=0)
    assert state(book) == (DateState.GRADED, ())

    land_actuals(book, 1, 3, points=12, version=2)
    book.grade(DAY, wait_seconds=0)
    assert state(book)[0] is DateState.FAILED
    assert "is held by ann" in state(book)[1][0]


def test_a_first_run_that_failed_is_failed(book: Book) -> None:
    """Nothing stands, and the reason is told."""
    book.leases.try_acquire(f"grading/{DAY}", holder="ann", ttl_seconds=60, floor=0)
    book.grade(DAY, wait_seconds=0)

    assert state(book)[0] is DateState.FAILED
