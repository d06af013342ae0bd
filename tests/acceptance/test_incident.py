"""The incident, replayed: half a million grades of which 214 stand twice, in a folder and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import duplicate_keys, ledger_findings, new_book, open_book
from gradeonce.alerts import Announced
from gradeonce.book import Book
from gradeonce.schema import ACCURACY
from gradeonce.simulation.incident import Incident, simulate_incident
from postgres_book import postgres, schema

__all__ = ["postgres", "schema"]

ROWS, DOUBLED = 494_797, 214
REDUCED = 20
"""PostgreSQL replays a twentieth of it here, in the same proportions; `benchmarks/incident.py` replays all of it."""


@pytest.fixture
def folder_book(tmp_path: Path) -> Iterator[Book]:
    with open_book(new_book(tmp_path / "book"), store="off", threads=2) as book:
        yield book


def rows_of(book: Book) -> int:
    return int(book.sql("SELECT count(*) FROM prediction_accuracy").rows[0][0])


def fingerprint(book: Book) -> list[tuple[Any, ...]]:
    """Return rows and content hash of every date, and how often each run is named."""
    fences = [(f.partition, f.rows, f.content_hash) for f in book.warehouse.all_fences(ACCURACY)]
    return fences + sorted(book.sql("SELECT run_id, count(*) FROM prediction_accuracy GROUP BY 1").rows)


def duplicates_checked(book: Book, incident: Incident) -> tuple[dict[str, tuple[str, int]], Announced]:
    """Return what the two checks for copies find over all dates up to the last one doubled, and what is announced."""
    days = sorted(incident.doubled)
    report = book.check(start="2025-10-01", end=days[-1], only=["duplicate_grades", "recent_duplicates"], alert=True)
    assert report.alerts is not None
    return {result.name: (result.status.value, result.found) for result in report.results}, report.alerts


def replay(book: Book, incident: Incident) -> None:
    """Adopt, find, plan, apply, verify, roll back, apply again; after each step the ledger holds, row by row."""
    assert book.adopt(incident.path).duplicates == {day: {2: keys} for day, keys in incident.doubled.items()}
    assert rows_of(book) == incident.rows
    before = fingerprint(book)
    removed = sum(incident.doubled.values())
    on_last_date = incident.doubled[max(incident.doubled)]

    found, told = duplicates_checked(book, incident)
    assert found == {"duplicate_grades": ("failed", removed), "recent_duplicates": ("failed", on_last_date)}
    assert len(told.opened) == 1
    again, told = duplicates_checked(book, incident)
    assert (again, told.opened) == (found, ())

    plan = book.dedupe_plan()
    assert {planned.partition: planned.rows_deleted for planned in plan.partitions} == incident.doubled
    assert (plan.keys, plan.rows_deleted) == ({2: removed}, removed)
    assert sum(planned.same_content for planned in plan.partitions) == removed

    applied = book.dedupe_apply(plan.plan_id)
    assert (applied.rows_deleted, applied.table_rows, rows_of(book)) == (removed, incident.keys, incident.keys)
    assert duplicate_keys(book, ACCURACY) == 0
    assert book.sql("SELECT count(*) FROM prediction_accuracy WHERE run_id LIKE '%again'").rows == [(0,)]
    after = fingerprint(book)
    clean, told = duplicates_checked(book, incident)
    assert clean == {"duplicate_grades": ("passed", 0), "recent_duplicates": ("passed", 0)}
    assert len(told.recovered) == 1
    assert book.dedupe_verify(plan.plan_id).passed
    assert ledger_findings(book.warehouse) == ()

    assert book.dedupe_rollback(plan.plan_id).rows_restored == removed
    assert rows_of(book) == incident.rows
    assert fingerprint(book) == before
    assert ledger_findings(book.warehouse) == ()

    assert book.dedupe_apply(plan.plan_id).table_rows == incident.keys
    assert fingerprint(book) == after
    assert book.dedupe_verify(plan.plan_id).passed
    assert ledger_findings(book.warehouse) == ()


def test_the_incident_in_a_folder_at_full_size(folder_book: Book, tmp_path: Path) -> None:
    """494,797 rows, 214 keys twice on three dates (104, 105, 5): 214 go, 494,583 stay, and back, and again."""
    incident = simulate_incident(tmp_path / "incident.parquet")
    assert (incident.rows, sum(incident.doubled.values())) == (ROWS, DOUBLED)

    replay(folder_book, incident)


def test_the_incident_in_postgresql(postgres: Any, schema: str, tmp_path: Path) -> None:
    """The same three dates as they were, beside a twentieth of the other rows."""
    keys = (ROWS - DOUBLED) // REDUCED
    incident = simulate_incident(
        tmp_path / "incident.parquet", keys=keys, dates=keys // 400, places=(10, 11, 25), counts=(104, 105, 5)
    )
    with gradeonce.open(postgres.url, schema=schema, threads=1, store="off") as book:
        replay(book, incident)
