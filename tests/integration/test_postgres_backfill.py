"""A backfill on PostgreSQL grades several chunks at once, and ends as if it had graded one after the other."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gradeonce
from builders import duplicate_keys, land_season, ledger_findings, new_book, open_book, sums_off
from gradeonce import backfill
from gradeonce.backfill import Progress
from gradeonce.book import Book
from gradeonce.chunks import cut
from gradeonce.grading import PartitionRun
from gradeonce.leases import LeaseRecord, MemoryLeases
from gradeonce.schema import ACCURACY
from gradeonce.side_by_side import Stopped
from gradeonce.simulation import simulate_season
from gradeonce.warehouses.postgres import connection
from gradeonce.warehouses.postgres.connection import Connections
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from integration.test_postgres_book import fences_of, load, rows_of
from postgres_book import frozen, postgres, schema, wait_for_waiters, wait_until_gone, waiters
from servers import Postgres

__all__ = ["postgres", "schema"]

PATIENCE_SECONDS = 30.0
DAYS, PLAYERS = 8, 3
TWO_CHUNKS = DAYS * PLAYERS // 2


@contextmanager
def opened(postgres: Postgres | Reached, schema: str, **settings: Any) -> Iterator[Book]:
    """Open the book, to be graded in two chunks. Any: each setting has its own type."""
    with gradeonce.open(
        postgres.url, schema=schema, threads=1, **{"chunk_rows": TWO_CHUNKS, "wait_seconds": 0.0, **settings}
    ) as book:
        yield book


def grades(book: Book) -> list[tuple[Any, ...]]:
    """Return how many grades there are, by outcome."""
    return book.sql(f"SELECT outcome, count(*) FROM {ACCURACY.name} GROUP BY outcome ORDER BY outcome").rows


def assert_all_graded_once(book: Book) -> None:
    """Every pick won, on one date, and the daily sums and the ledger agree."""
    assert grades(book) == [("win", DAYS * PLAYERS)]
    assert duplicate_keys(book, ACCURACY) == 0
    assert sums_off(book) == []
    assert ledger_findings(book.warehouse) == ()


def test_two_chunks_are_graded_at_once(postgres: Postgres, schema: str) -> None:
    """Each waits, with its rows staged, for the other to have staged its own."""
    meeting = threading.Barrier(2)

    def meet(step: str) -> None:
        if step == "publish.staged":
            meeting.wait(PATIENCE_SECONDS)

    told: list[tuple[Progress, int]] = []

    def on_progress(progress: Progress, runs: Sequence[PartitionRun]) -> None:
        told.append((progress, len(runs)))

    with opened(postgres, schema, on_step=meet) as book:
        land_season(book, DAYS, PLAYERS)
        report = book.grade(all_dates=True, on_progress=on_progress)

        assert {run.status for run in report.runs} == {"published"}
        assert [(p.dates_done, p.rows_done, n) for p, n in told] == [(4, 12, 4), (8, 24, 4)]
        assert_all_graded_once(book)


def test_one_after_the_other_if_the_settings_say_so(postgres: Postgres, schema: str) -> None:
    """No thread but the caller's reaches a step."""
    threads = set()
    with opened(
        postgres, schema, chunks_at_once=1, on_step=lambda step: threads.add(threading.current_thread())
    ) as book:
        land_season(book, DAYS, PLAYERS)
        book.grade(all_dates=True)

        assert threads == {threading.main_thread()}
        assert_all_graded_once(book)


def test_a_season_ends_as_in_a_folder(postgres: Postgres, schema: str, tmp_path: Path) -> None:
    """1,200 predictions in twelve chunks and more, three at once; rows, fences and totals are those of the folder."""
    season = simulate_season(tmp_path / "season", seed=12, days=30, predictions=1200)
    with (
        open_book(new_book(tmp_path / "book"), store="off") as folder_book,
        opened(postgres, schema, chunk_rows=100, chunks_at_once=3) as server_book,
    ):
        for corrections in (False, True):
            totals = []
            for book in (folder_book, server_book):
                load(book, season, corrections=corrections)
                report = book.grade(all_dates=True)
                assert not report.errors
                totals.append((report.totals, [(run.partition, run.status, run.revised) for run in report.runs]))
            assert totals[0] == totals[1]
        assert fences_of(folder_book, ACCURACY) == fences_of(server_book, ACCURACY)
        assert rows_of(folder_book, ACCURACY) == rows_of(server_book, ACCURACY)
        assert ledger_findings(server_book.warehouse) == ()


def test_a_date_that_somebody_holds_fails_alone(postgres: Postgres, schema: str) -> None:
    """Its chunk is done again date by date, when the other chunk has ended."""
    leases = MemoryLeases()
    with opened(postgres, schema, leases=leases) as book:
        land_season(book, DAYS, PLAYERS)
        leases.try_acquire("grading/2026-01-02", holder="somebody", ttl_seconds=60.0, floor=0)
        report = book.grade(all_dates=True)

        assert Counter(run.status for run in report.runs) == {"published": DAYS - 1, "failed": 1}
        assert list(report.errors) == ["2026-01-02"]
        assert ledger_findings(book.warehouse) == ()


def test_a_chunk_for_which_there_was_no_connection_is_graded_whole_after_the_others(
    postgres: Postgres, schema: str
) -> None:
    """The role may have one: one thread goes without, and its chunks are graded when the other has ended."""
    with opened(postgres, schema) as book:
        land_season(book, DAYS, PLAYERS)
    with role_with_one_connection(postgres, schema) as url, opened(Reached(url), schema, leases=MemoryLeases()) as book:
        report = book.grade(all_dates=True)

        assert report.errors == {}
        assert len({run.run_id for run in report.runs}) == 2
        assert_all_graded_once(book)


def test_a_chunk_that_lost_a_lease_beside_others_is_graded_whole_after_them(postgres: Postgres, schema: str) -> None:
    """Both have staged when somebody breaks a lease and a rival grades that date; the other chunk is not disturbed."""
    meeting, parting = threading.Barrier(2), threading.Barrier(2)
    leases, lost = MemoryLeases(), f"2026-01-0{DAYS}"

    def lose_one(step: str) -> None:
        if step == "publish.staged" and not meeting.broken:
            if meeting.wait(PATIENCE_SECONDS) == 0:
                claim = next(record for record in leases.records() if record.key == f"grading/{lost}")
                assert leases.break_claim(claim.key, token=claim.token)
                assert rival.grade(lost).errors == {}
            parting.wait(PATIENCE_SECONDS)
            meeting.abort()

    with (
        opened(postgres, schema, leases=leases) as rival,
        opened(postgres, schema, leases=leases, on_step=lose_one) as book,
    ):
        land_season(book, DAYS, PLAYERS)
        report = book.grade(all_dates=True)

        assert report.errors == {}
        assert Counter(run.status for run in report.runs) == {"published": DAYS - 1, "unchanged": 1}
        assert len({run.run_id for run in report.runs}) == 2
        assert_all_graded_once(book)


@dataclass(frozen=True)
class Reached:
    """The server, as somebody reaches it."""

    url: str


@contextmanager
def role_with_one_connection(postgres: Postgres, schema: str) -> Iterator[str]:
    """Make a role that may do everything in a schema, over one connection; yield its URL."""
    name = f"lonely_{schema}"
    with psycopg.connect(postgres.url, autocommit=True) as owner:
        for statement in (
            f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 1",
            f"GRANT ALL ON SCHEMA {schema} TO {name}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {name}",
        ):
            owner.execute(statement.encode())
        try:
            yield postgres.url.replace("postgres@", f"{name}@")
        finally:
            owner.execute(f"DROP OWNED BY {name}".encode())
            owner.execute(f"DROP ROLE {name}".encode())


class Refusing(MemoryLeases):
    """Leases that say when somebody was refused one."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = threading.Event()

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        record = super().try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=floor)
        if not record.is_granted:
            self.refused.set()
        return record


def move_a_game(book: Book, folder: Path) -> None:
    """Predict a game of the first date for the last date, too, for one player."""
    file = folder / "again.csv"
    file.write_text(
        "system_id,player_lookup,game_id,game_date,predicted_value,line_value,recommendation,created_at\n"
        f"system0,player0,game0,2026-01-0{DAYS},20,10.5,OVER,2026-02-01T15:00:00Z\n",
        encoding="utf-8",
    )
    book.load("predictions", file)


def test_dates_that_share_a_game_are_graded_in_one_chunk(postgres: Postgres, schema: str, tmp_path: Path) -> None:
    """The first and the last: both chunks have all their leases at once, and nobody was refused one."""
    leases, meeting = Refusing(), threading.Barrier(2)

    def meet(step: str) -> None:
        if step == "grade.leased":
            meeting.wait(PATIENCE_SECONDS)

    with opened(postgres, schema, leases=leases, on_step=meet, chunk_rows=TWO_CHUNKS + 1) as book:
        land_season(book, DAYS, PLAYERS)
        move_a_game(book, tmp_path)
        report = book.grade(all_dates=True)

        assert report.errors == {}
        assert not leases.refused.is_set()
        assert report.runs[0].run_id == report.runs[-1].run_id != report.runs[-2].run_id


@pytest.mark.parametrize("chunk_rows", [TWO_CHUNKS, PLAYERS], ids=["dates", "date"])
def test_a_chunk_that_needs_a_lease_of_another_thread_of_ours_is_graded_after_it(
    postgres: Postgres, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_rows: int
) -> None:
    """A game was moved from the first date to the last after the chunks were cut, and nobody waits for a lease."""
    leases = Refusing()

    def wait_for_the_other(step: str) -> None:
        if step == "grade.leased" and not leases.refused.is_set():
            assert leases.refused.wait(PATIENCE_SECONDS)

    def cut_as_if_nothing_was_linked(days: Sequence[date], rows: Any, size: int, linked: Any) -> list[list[date]]:
        return cut(days, rows, size)

    with opened(
        postgres, schema, leases=leases, on_step=wait_for_the_other, chunk_rows=chunk_rows, chunks_at_once=8
    ) as book:
        land_season(book, DAYS, PLAYERS)
        move_a_game(book, tmp_path)
        monkeypatch.setattr(backfill, "cut_apart", cut_as_if_nothing_was_linked)
        report = book.grade(all_dates=True)

        assert leases.refused.is_set()
        assert report.errors == {}
        # The pick made last is for a date on which the game was not played.
        assert grades(book) == [("void", 1), ("win", DAYS * PLAYERS - 1)]
        assert book.sql(
            "SELECT count(*) FROM (SELECT 1 FROM prediction_accuracy GROUP BY player_lookup, game_id, "
            "system_id, market, line_value HAVING count(*) > 1) AS twice"
        ).rows == [(0,)]
        assert ledger_findings(book.warehouse) == ()


def test_a_connection_whose_statements_were_cancelled_is_not_used_again(postgres: Postgres, schema: str) -> None:
    """The server may hear of it late, and then end somebody else's statement."""
    connections = Connections(postgres.url, schema)

    def served_by() -> int:
        with connections.transaction() as session:
            return int(session.query("SELECT pg_backend_pid()").rows[0][0])

    assert served_by() == served_by()
    before = served_by()
    with connections.transaction():
        connections.cancel()
    assert served_by() != before
    connections.close()


def test_what_was_cut_is_not_asked_again_on_another_connection(
    postgres: Postgres, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the server had been restarted: a line that has ended by itself since it was used is replaced."""
    monkeypatch.setattr(connection, "CANCEL_SECONDS", 0.1)
    connections = Connections(postgres.url, schema)
    process = connections.read("SELECT pg_backend_pid()").rows[0][0]

    with frozen([process]), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(connections.read, "SELECT 1")
        while not wait([asked], timeout=0.05).done:
            connections.cancel()

    assert isinstance(asked.exception(), Stopped)
    connections.close()


def test_a_connection_on_which_ctrl_c_came_while_it_was_given_back_is_closed(
    postgres: Postgres, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction would stay open in the server, with all its locks."""
    execute = psycopg.Connection.execute

    def interrupted(session: Any, query: Any, *arguments: Any) -> Any:
        if query == "ROLLBACK":
            raise KeyboardInterrupt
        return execute(session, query, *arguments)

    connections = Connections(postgres.url, schema)
    with ExitStack() as ends:
        session = ends.enter_context(connections.transaction())
        process = session.query("SELECT pg_backend_pid()").rows[0][0]
        monkeypatch.setattr(psycopg.Connection, "execute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ends.close()
    monkeypatch.undo()

    wait_until_gone(postgres, process)
    connections.close()


def test_a_thread_that_waits_for_a_lease_stops_waiting(postgres: Postgres, schema: str) -> None:
    """One chunk is done, the other waits for somebody's lease, for minutes if need be."""
    leases = Refusing()

    def stop(progress: Progress, runs: Sequence[PartitionRun]) -> None:
        assert leases.refused.wait(PATIENCE_SECONDS)
        raise KeyboardInterrupt

    with opened(postgres, schema, leases=leases, wait_seconds=3 * PATIENCE_SECONDS) as book:
        land_season(book, DAYS, PLAYERS)
        leases.try_acquire(
            f"grading/2026-01-0{DAYS}", holder="somebody", ttl_seconds=book.settings.ttl_seconds, floor=0
        )
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            book.grade(all_dates=True, on_progress=stop)

        assert time.monotonic() - started < 2 * PATIENCE_SECONDS
        assert [record.holder for record in leases.records() if record.is_held] == ["somebody"]


def test_a_thread_that_is_between_two_steps_stops_at_the_next(
    postgres: Postgres, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One chunk is done, the other stands staged, and the server has nothing to cancel: it is not committed."""
    is_first, stopping = threading.Semaphore(1), threading.Event()

    def one_first(step: str) -> None:
        if step == "publish.staged" and not is_first.acquire(blocking=False):
            assert stopping.wait(PATIENCE_SECONDS)

    def stop(progress: Progress, runs: Sequence[PartitionRun]) -> None:
        raise ValueError("enough")

    with opened(postgres, schema, on_step=one_first) as book:
        land_season(book, DAYS, PLAYERS)
        monkeypatch.setattr(PostgresWarehouse, "cancel", lambda warehouse: stopping.set())
        with pytest.raises(ValueError, match="enough"):
            book.grade(all_dates=True, on_progress=stop)

        assert grades(book) == [("win", TWO_CHUNKS)]


def test_whatever_ends_a_backfill_ends_its_threads_and_their_queries(
    postgres: Postgres, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One chunk is done, the other waits in the server for a table that somebody has locked: at once it does not."""
    is_first = threading.Semaphore(1)

    def one_first(step: str) -> None:
        if step == "commit.begun" and not is_first.acquire(blocking=False):
            assert told.wait(PATIENCE_SECONDS)

    told = threading.Event()
    lock = ExitStack()

    def on_progress(progress: Progress, runs: Sequence[PartitionRun]) -> None:
        locker = lock.enter_context(psycopg.connect(postgres.url))
        locker.execute(f"LOCK TABLE {schema}.{ACCURACY.name} IN ACCESS EXCLUSIVE MODE".encode())
        told.set()
        wait_for_waiters(postgres, 1)
        raise KeyboardInterrupt

    leases = MemoryLeases()
    with opened(postgres, schema, leases=leases, on_step=one_first) as book, lock:
        land_season(book, DAYS, PLAYERS)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            book.grade(all_dates=True, on_progress=on_progress)

        assert time.monotonic() - started < PATIENCE_SECONDS
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("gradeonce")] == []
        assert not any(record.is_held for record in leases.records())
        assert waiters(postgres) == 0
        assert [record.message for record in caplog.records if record.name.startswith("gradeonce")] == []
        lock.close()
        # The half that was committed stands, the other does not; nothing failed, and the same book goes on.
        assert grades(book) == [("win", TWO_CHUNKS)]
        assert "failed" not in {entry.draft.status for entry in book.warehouse.entries()}
        told.set()
        assert book.grade(all_dates=True).errors == {}
        assert_all_graded_once(book)
