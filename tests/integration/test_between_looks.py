"""What a neighbour does between two looks of ours: no answer is of two instants, and nothing is done because of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import land_actuals, land_season, ledger_findings, new_book, open_book
from doubled import FIRST, Grade, put
from gradeonce.book import Book
from gradeonce.dedupe import backups
from postgres_book import postgres, schema

__all__ = ["postgres", "schema"]

DAY, NEXT_DAY = "2026-01-01", "2026-01-02"

OpenIt = Callable[..., Book]


@pytest.fixture(params=["embedded", "postgres"])
def open_it(request: pytest.FixtureRequest, tmp_path: Path) -> OpenIt:
    """Open one and the same book, as often as it is called."""
    if request.param == "embedded":
        return partial(open_book, new_book(tmp_path / "book"))
    server, name = request.getfixturevalue("postgres"), request.getfixturevalue("schema")
    return partial(gradeonce.open, server.url, schema=name, threads=1)


@pytest.fixture
def book(open_it: OpenIt) -> Iterator[Book]:
    """An empty book."""
    with open_it() as book:
        yield book


@pytest.fixture
def neighbour(open_it: OpenIt) -> Iterator[Book]:
    """The same book, opened by somebody else."""
    with open_it() as neighbour:
        yield neighbour


def before_each(patch: pytest.MonkeyPatch, owner: object, name: str, *acts: Callable[[], object]) -> list[str]:
    """Have something done before each of the first calls of a method; return a list that says which were made."""
    method, left, done = getattr(owner, name), list(acts), []

    # Any: whatever the method takes and returns.
    def called(*given: Any, **named: Any) -> Any:
        if left:
            act = left.pop(0)
            done.append(name)
            act()
        return method(*given, **named)

    patch.setattr(owner, name, called)
    return done


def nothing() -> None:
    """Stand for a neighbour who does nothing."""


@pytest.mark.parametrize("place", [0, 3])
def test_a_status_is_of_one_instant(place: int, book: Book, neighbour: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A date that is corrected and graded between any two looks is graded: neither stale nor ungraded."""
    land_season(book, 2, 4)
    book.grade(DAY)

    def act() -> None:
        land_actuals(neighbour, 2, 4, points=12, version=2)
        neighbour.grade(all_dates=True)

    done = before_each(monkeypatch, book.warehouse, "all_fences", *[nothing] * place, act)
    found = {one.partition: (one.state.value, one.graded_rows) for one in book.status()}

    assert len(done) == place + 1
    assert found in (
        {DAY: ("graded", 4), NEXT_DAY: ("ungraded", 0)},
        {DAY: ("graded", 4), NEXT_DAY: ("graded", 4)},
    )


def test_a_report_is_of_one_instant(
    book: Book, neighbour: Book, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Grades that are adopted between two of its looks are not in the figures without being named as unverified."""
    land_season(book, 1, 4)
    book.grade(DAY)
    dump = tmp_path / "dump.csv"
    dump.write_text(f"game_date,player_lookup,predicted_value,outcome\n{NEXT_DAY},somebody,20,win\n", encoding="utf-8")

    done = before_each(monkeypatch, book.warehouse, "reader", nothing, nothing, partial(neighbour.adopt, dump))
    report = book.report()

    assert len(done) == 3
    assert (report.total.predictions, report.adopted) in ((4, ()), (5, (NEXT_DAY,)))


COPIES = [Grade(FIRST, "ann", 8), Grade(FIRST, "ann", 9)]


def test_a_plan_that_is_rolled_back_while_it_is_verified_is_as_it_should_be(
    book: Book, neighbour: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are looked at after the history; what somebody brings back in between is no finding."""
    put(book, COPIES)
    plan_id = book.dedupe_plan().plan_id
    book.dedupe_apply(plan_id)

    done = before_each(monkeypatch, book.warehouse, "stage", partial(neighbour.dedupe_rollback, plan_id))
    verified = book.dedupe_verify(plan_id)

    assert done != []
    assert (verified.history.state, verified.passed) == ("rolled_back", True)


@pytest.mark.parametrize("owner", ["find_plan", "publish"])
def test_a_backup_that_somebody_else_drops_first_is_dropped(
    owner: str, open_it: OpenIt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who drop what has expired at once: neither is told of a table that is gone, or of a partition that moved."""
    with open_it(backup_days=0) as book, open_it(backup_days=0) as neighbour:
        put(book, COPIES)
        plan = book.dedupe_plan()
        book.dedupe_apply(plan.plan_id)

        act = partial(neighbour.dedupe_drop_expired, dry_run=False)
        done = before_each(monkeypatch, backups, owner, act)
        dropped = book.dedupe_drop_expired(dry_run=False)

        assert done == [owner]
        assert [one.name for one in dropped.dropped] == [plan.backup]
        assert book.dedupe_backups() == []
        assert ledger_findings(book.warehouse) == ()


def test_files_that_two_adopt_at_once_are_adopted_once(open_it: OpenIt, neighbour: Book, tmp_path: Path) -> None:
    """The second is told that they were, and not that other grades stand on their dates."""
    dump = tmp_path / "dump.csv"
    dump.write_text(f"game_date,player_lookup,predicted_value,outcome\n{DAY},somebody,20,win\n", encoding="utf-8")

    def adopt_meanwhile(step: str) -> None:
        if step == "adopt.read":
            neighbour.adopt(dump)

    with open_it(on_step=adopt_meanwhile) as book:
        assert book.adopt(dump).status == "already_adopted"


def test_what_was_swept_while_it_is_staged_again_is_staged(open_it: OpenIt, neighbour: Book, tmp_path: Path) -> None:
    """The same write comes twice at once, and the first is swept before the second lands: it is not lost."""
    file = tmp_path / "picks.csv"
    file.write_text(
        "system_id,player_lookup,game_id,game_date,predicted_value,line_value,recommendation,created_at\n"
        f"s,somebody,0022500529,{DAY},20,18.5,OVER,{DAY}T15:00:00Z\n",
        encoding="utf-8",
    )
    swept: list[str] = []

    def sweep_meanwhile(step: str) -> None:
        if step == "stage.read" and not swept:
            swept.append(step)
            neighbour.stage_write(file, batch="morning", worker="w1")
            neighbour.stage_sweep("morning", apply=True)

    with open_it(on_step=sweep_meanwhile) as book:
        assert book.stage_write(file, batch="morning", worker="w1").status == "staged"
        assert [(one.batch, one.rows) for one in book.staged()] == [("morning", 1)]
