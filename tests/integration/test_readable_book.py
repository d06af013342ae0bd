"""Asking a book changes nothing in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from builders import land_season, new_book, open_book
from doubled import FIRST, Grade, put
from gradeonce.book import Book
from gradeonce.errors import UsageError
from gradeonce.readable_book import ReadableBook
from gradeonce.warehouses.embedded.catalog import CATALOG_FILE


def _look_at_costs(book: Book, plan_id: str) -> None:
    with pytest.raises(UsageError, match="costs nothing"):
        book.estimate(all_dates=True)


def _open_reader(book: Book, plan_id: str) -> None:
    with book.reader() as reader:
        reader.query("SELECT 1")


QUESTIONS: dict[str, Callable[[Book, str], object]] = {
    "alerts": lambda book, plan_id: book.alerts(),
    "calibration": lambda book, plan_id: book.calibration(),
    "check_history": lambda book, plan_id: book.check_history(),
    "compare": lambda book, plan_id: book.compare("system0", "system1"),
    "dedupe_backups": lambda book, plan_id: book.dedupe_backups(),
    "dedupe_verify": lambda book, plan_id: book.dedupe_verify(plan_id),
    "estimate": _look_at_costs,
    "explain": lambda book, plan_id: book.explain("player0", "2026-01-01"),
    "leases": lambda book, plan_id: book.leases.records(),
    "reader": _open_reader,
    "ready": lambda book, plan_id: book.ready("2026-01-02"),
    "report": lambda book, plan_id: book.report(),
    "sql": lambda book, plan_id: book.sql("SELECT count(*) FROM player_prop_predictions"),
    "staged": lambda book, plan_id: book.staged(),
    "status": lambda book, plan_id: book.status(),
}


def test_asking_changes_neither_a_file_nor_what_the_book_remembers(tmp_path: Path) -> None:
    """Every public method of what can be asked, on a book with grades, a new date, copies removed and a backup."""
    folder = new_book(tmp_path / "book")
    with open_book(folder) as book:
        put(book, [Grade(FIRST, "ann", 8), Grade(FIRST, "ann", 9)])
        plan = book.dedupe_plan()
        book.dedupe_apply(plan.plan_id)
        land_season(book, days=2, players=2, systems=2)
        book.grade("2026-01-01")
        book.check("2026-01-01")
        before = _everything(folder)

        for name, ask in QUESTIONS.items():
            ask(book, plan.plan_id)
            assert _everything(folder) == before, name

    public = {name for name in vars(ReadableBook) if not name.startswith("_")}
    assert public - {"close"} == set(QUESTIONS), "a new question belongs into the list above"


def _everything(folder: Path) -> tuple[list[str], list[str]]:
    """Return every row of the catalog, and every other file by name."""
    with closing(sqlite3.connect(folder / CATALOG_FILE)) as catalog:
        rows = list(catalog.iterdump())
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if CATALOG_FILE not in path.name]
    return rows, sorted(path for path in files if (folder / path).is_file())
