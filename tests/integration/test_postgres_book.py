"""A book in PostgreSQL does what a book in a folder does, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gradeonce
from builders import SHELVES, land_actuals, ledger_findings, new_book, open_book, shelf_query
from gradeonce.book import Book
from gradeonce.errors import WarehouseError
from gradeonce.schema import ACCURACY, ACTUALS, DAILY_PERFORMANCE, LINES, PREDICTIONS, SCHEDULE_RUNS, Table
from gradeonce.simulation import simulate_season
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.postgres.connection import Session
from gradeonce.warehouses.postgres.rows import facts_of
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema, wait_for_waiters
from servers import Postgres

__all__ = ["postgres", "schema"]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Files of a small simulated season, with corrections."""
    return simulate_season(tmp_path_factory.mktemp("season"), seed=11, days=30, predictions=1200)


@pytest.fixture
def folder_book(tmp_path: Path) -> Iterator[Book]:
    with open_book(new_book(tmp_path / "book"), store="off") as book:
        yield book


@pytest.fixture
def server_book(postgres: Postgres, schema: str) -> Iterator[Book]:
    with gradeonce.open(postgres.url, schema=schema, store="off", threads=1) as book:
        yield book


def rows_of(book: Book, table: Table) -> list[tuple[Any, ...]]:
    """Return every row without its stamps, in order."""
    columns = ", ".join(f'"{name}"' for name in table.content)
    rows = book.sql(f'SELECT {columns} FROM "{table.name}"').rows
    return sorted(rows, key=repr)


def fences_of(book: Book, table: Table) -> list[tuple[str, int, int, str]]:
    return [(f.partition, f.seq, f.rows, f.content_hash) for f in book.warehouse.all_fences(table)]


def load(book: Book, season: Any, *, corrections: bool) -> None:
    for file in season.files:
        if file.is_correction == corrections:
            book.load(file.kind, file.path)


def test_a_season_is_loaded_graded_corrected_and_reported_the_same(
    season: Any, folder_book: Book, server_book: Book
) -> None:
    """Rows, fences, content hashes, counts, revisions and reports agree after the first grading and a correction."""
    books = (folder_book, server_book)
    for book in books:
        load(book, season, corrections=False)
    for table in (PREDICTIONS, ACTUALS, LINES):
        assert fences_of(folder_book, table) == fences_of(server_book, table)
        assert rows_of(folder_book, table) == rows_of(server_book, table)

    before = [book.report() for book in books]
    assert before[0] == before[1]
    for book in books:
        book.grade(str(book.status()[0].partition), dry_run=True)
        assert [book.warehouse.all_fences(table) for table in (ACCURACY, DAILY_PERFORMANCE)] == [[], []]
    first = [book.grade(all_dates=True) for book in books]
    assert [not report.errors for report in first] == [True, True]
    assert first[0].totals == first[1].totals
    assert fences_of(folder_book, ACCURACY) == fences_of(server_book, ACCURACY)
    assert rows_of(folder_book, ACCURACY) == rows_of(server_book, ACCURACY)

    for book in books:
        load(book, season, corrections=True)
    states = [[(s.partition, s.state, s.pending, s.reasons) for s in book.status()] for book in books]
    assert states[0] == states[1]
    previews = [book.grade(all_dates=True, dry_run=True) for book in books]
    assert [run.changes for run in previews[0].runs] == [run.changes for run in previews[1].runs]
    second = [book.grade(all_dates=True) for book in books]
    assert sum(run.revised for run in second[0].runs) > 0
    assert [run.revised for run in second[0].runs] == [run.revised for run in second[1].runs]
    assert [run.notes for run in second[0].runs] == [run.notes for run in second[1].runs]
    assert rows_of(folder_book, ACCURACY) == rows_of(server_book, ACCURACY)
    revisions = [
        sorted(
            book.sql("SELECT partition, change, reason, key_json, old_json, new_json FROM grade_revisions").rows,
            key=repr,
        )
        for book in books
    ]
    assert [row[:4] for row in revisions[0]] == [row[:4] for row in revisions[1]]
    for by in ("system", "market", "player", "date", "confidence_decile"):
        mine, theirs = (book.report(by=by) for book in books)
        assert [f.outcomes for f in mine.groups] == [f.outcomes for f in theirs.groups]
        assert [(f.label, f.mae, f.win_rate) for f in mine.groups] == [
            (f.label, f.mae, f.win_rate) for f in theirs.groups
        ]
    assert folder_book.calibration().bins == server_book.calibration().bins
    assert ledger_findings(server_book.warehouse) == ()


def test_content_that_somebody_loads_in_the_same_moment_lands_once(
    server_book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We looked before they were done: the key of what was loaded stops us, and we say whose load it was."""
    land_actuals(server_book, 1, 2, points=11, load_id="theirs", content_id="same")
    monkeypatch.setattr(PostgresWarehouse, "find_load", lambda warehouse, content_id: None)

    landed = land_actuals(server_book, 1, 2, points=12, version=2, load_id="ours", content_id="same")

    assert (landed.already, landed.load_id, landed.rows) == (True, "theirs", 0)
    assert server_book.sql(f"SELECT DISTINCT load_id FROM {ACTUALS.name}").rows == [("theirs",)]


@pytest.mark.parametrize("after", ["publish.compared", "commit.removed"])
def test_a_row_that_a_stranger_puts_there_in_mid_publish_takes_the_publish_back(
    postgres: Postgres, schema: str, after: str
) -> None:
    """Nobody has looked at it, and the fence would vouch for it: the version before stands, beside the new row."""
    day = "2026-01-01"
    put: list[str] = []

    def intrude(step: str) -> None:
        if step == after and not put and book.warehouse.fences(SHELVES, [day])[day].seq == 1:
            put.append(step)
            with psycopg.connect(postgres.url, autocommit=True) as stranger:
                stranger.execute(
                    f"INSERT INTO {schema}.{SHELVES.name} VALUES (%s, 'attic', 'hat', 9, 'a stranger')".encode(), (day,)
                )

    with gradeonce.open(postgres.url, schema=schema, store="off", threads=1, on_step=intrude) as book:
        book.publish(SHELVES, shelf_query([day], 1), [day], run_id="first")

        with pytest.raises(WarehouseError, match="would hold 21 rows, not the 20 that were staged"):
            book.publish(SHELVES, shelf_query([day], 2), [day], run_id="second")

        markers = book.sql(f"SELECT marker, count(*) FROM {SHELVES.name} GROUP BY marker ORDER BY marker").rows
        assert markers == [(1, 20), (9, 1)]
        assert book.warehouse.fences(SHELVES, [day])[day].seq == 1


def test_rows_that_are_verified_are_hashed_once(postgres: Postgres, server_book: Book, schema: str) -> None:
    """Not once for each of the 16 bytes that are summed, as the planner would have it."""
    asked: list[str] = []

    class Listening(Session):
        def query(self, sql: str, params: Params | None = None) -> Rows:
            asked.append(sql)
            return super().query(sql, params)

    land_actuals(server_book, 1, 3, points=11)
    with psycopg.connect(postgres.url, options=f"-c search_path={schema}") as connection:
        (fact,) = facts_of(Listening(connection), ACTUALS, ACTUALS.name)
        plan = connection.execute(f"EXPLAIN (VERBOSE, COSTS off) {asked[0]}".encode()).fetchall()

    (fence,) = server_book.warehouse.all_fences(ACTUALS)
    assert (fact.rows, fact.content_hash) == (3, fence.content_hash)
    # In a plan, what a lower step has worked out stands in parentheses of its own: get_byte((decode(...)), 0).
    assert "sum(get_byte((decode(md5(" in str(plan)


def test_a_table_without_rows_is_brought_as_an_empty_one(server_book: Book) -> None:
    """Rows that somebody took away meanwhile leave an empty file, of which nothing can be guessed."""
    with server_book.warehouse.engine() as engine:
        server_book.warehouse.bring(engine, LINES, ["2026-01-17"])

        assert engine.execute(f"SELECT count(*) FROM {LINES.name}").fetchone() == (0,)


def test_small_rows_are_written_in_one_order_by_everybody(postgres: Postgres, schema: str) -> None:
    """One who holds the first of two rows, and wants the second, does not meet another who has begun with that."""
    rows = [{"slot": day, "state": "waiting", "game_date": date(2026, 1, 1)} for day in ("b", "a")]
    with (
        gradeonce.open(postgres.url, schema=schema, store="off", threads=1) as book,
        psycopg.connect(postgres.url) as other,
        ThreadPoolExecutor(1) as aside,
    ):
        book.warehouse.keep(SCHEDULE_RUNS, rows)
        hold = f"UPDATE \"{schema}\".schedule_runs SET state = 'done' WHERE slot = %s"
        other.execute(hold.encode(), ["a"])
        written = aside.submit(book.warehouse.keep, SCHEDULE_RUNS, rows)
        wait_for_waiters(postgres, 1)
        other.execute(hold.encode(), ["b"])
        other.commit()

        assert written.result(30) == 2
        dropped = book.warehouse.drop_kept(SCHEDULE_RUNS, [{"slot": "b"}, {"slot": "a"}])
        assert dropped == 2
