"""A book in BigQuery under real processes: at once, killed, stopped, and answered late or not at all.

An emulator's request takes a tenth of a second of a processor, so the processes share what they find.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import gradeonce
from bigquery_book import small_book
from builders import ITEMS, SHELVES, duplicate_keys, ledger_findings, shelf_query
from gradeonce.book import Book
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.errors import TransientWarehouseError
from gradeonce.publish import PublishStatus, publish
from gradeonce.torture.bigquery_place import wait_until_idle
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.bigquery import state
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse
from races.child import answer_of, child, wait_until_stopped
from races.crew import Crew, Stand
from servers import ALL_BIGQUERY, BigQuery

OFF = {"store": "off"}


@pytest.fixture(scope="module")
def url(bigquery: BigQuery) -> Iterator[str]:
    """A book for all tests of this file; each has days of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        yield small_book()


@pytest.fixture(scope="module")
def pair(url: str) -> Iterator[Crew]:
    """Two real processes, which know where the emulator is."""
    with Crew(2) as crew:
        yield crew


@pytest.fixture
def book(url: str) -> Iterator[Book]:
    with gradeonce.open(url, threads=1, store="off") as book:
        yield book


def shelves_standing(book: Book, days: list[str]) -> list[tuple[Any, ...]]:
    """Return rows, lowest and highest marker of each of these days."""
    sql = (
        "SELECT CAST(day AS VARCHAR), count(*), min(marker), max(marker) FROM shelf_counts "
        "WHERE CAST(day AS VARCHAR) IN (SELECT unnest(CAST($days AS VARCHAR[]))) GROUP BY day ORDER BY day"
    )
    return book.sql(sql, {"days": days}).rows


def test_first_writes_of_an_empty_partition_at_once_land_once(
    pair: Crew, book: Book, url: str, pytestconfig: pytest.Config
) -> None:
    """Two processes, an empty day, from the same base: versions 1 and 2, and a reader sees nothing else (G1, G2).

    The table and the first fence are made by both at once, too. With --all-bigquery there are seven more days.
    """
    days = [f"2026-01-{number:02}" for number in range(1, 9 if pytestconfig.getoption(ALL_BIGQUERY) else 2)]
    pair.stand_at(Stand(url, meet_at="commit.begun", settings=OFF))  # type: ignore[arg-type]
    seen: set[tuple[Any, ...]] = set()
    for day in days:
        pair.start([("publish_shelf", {"day": day, "marker": w, "run_id": f"{day}.{w}"}) for w in range(pair.size)])
        assert sorted(_watched(pair, book, day, seen)) == [1, 2]
        ((_, rows, lowest, highest),) = shelves_standing(book, [day])
        assert (rows, lowest) == (ITEMS, highest)

    assert seen <= {(ITEMS, 0, 0), (ITEMS, 1, 1)}
    fences = book.sql("SELECT partition, count(*) FROM publish_fences WHERE table_name = 'shelf_counts' GROUP BY 1")
    assert sorted(fences.rows) == [(day, 1) for day in days]
    assert duplicate_keys(book, SHELVES) == 0
    assert ledger_findings(book.warehouse) == ()


@pytest.mark.usefixtures("all_bigquery")
def test_publishes_struck_at_a_step_land_whole_or_not_at_all(book: Book, url: str) -> None:
    """11 becomes 12 on four days at once; three processes are killed, one is stopped until 12 stands (G2, G3, G4).

    One dies with its script on the way, one when BigQuery has it, one before it was told that it had landed.
    """
    blows = {
        "2026-02-01": ("commit.ledgered", "SIGKILL"),
        "2026-02-02": ("commit.sent", "SIGKILL"),
        "2026-02-03": ("commit.done", "SIGKILL"),
        "2026-02-04": ("commit.ledgered", "SIGSTOP"),
    }
    days = list(blows)
    publish(book.warehouse, SHELVES, shelf_query(days, 11), days, run_id="before")
    with ExitStack() as stack:
        struck = {
            day: stack.enter_context(
                child(
                    url,  # type: ignore[arg-type]
                    "publish_shelf_with",
                    {"day": day, "marker": 12, "run_id": day, "token": 1},
                    step=step,
                    signal_name=blow,
                    settings=OFF,
                    struck=True,
                )
            )
            for day, (step, blow) in blows.items()
        }
        stopped = struck.pop(days[3])
        assert [answer_of(process) for process in struck.values()] == [{}, {}, {}]
        wait_until_stopped(stopped)
        # What was killed is dead, but BigQuery has its script.
        wait_until_idle(Connection(url))
        assert [row[1:] for row in shelves_standing(book, days)] == [
            (ITEMS, 11, 11),
            (ITEMS, 12, 12),
            (ITEMS, 12, 12),
            (ITEMS, 11, 11),
        ]

        tokens = dict.fromkeys(days, 2)
        again = publish(book.warehouse, SHELVES, shelf_query(days, 12), days, run_id="again", tokens=tokens)
        os.kill(stopped.pid, signal.SIGCONT)
        late = answer_of(stopped)

    assert [again[day].status for day in days] == ["published", "unchanged", "unchanged", "published"]
    assert (late["error"], stopped.returncode) == ("LeaseLost", ExitCode.LEASE_LOST)
    assert [row[1:] for row in shelves_standing(book, days)] == [(ITEMS, 12, 12)] * 4
    assert book.sql("SELECT count(*) FROM grade_revisions WHERE partition >= '2026-02-01'").rows == [(4 * ITEMS,)]
    assert ledger_findings(book.warehouse) == ()


def _watched(pair: Crew, book: Book, day: str, seen: set[tuple[Any, ...]]) -> list[int]:
    """Look until both have answered; return their versions. One that failed leaves the other waiting: that ends it."""
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < pair.size:
        answers |= {w: pair.result(w) for w in range(pair.size) if w not in answers and pair.has_answered(w)}
        assert not [answer for answer in answers.values() if "error" in answer], answers
        if book.warehouse.all_fences(SHELVES):
            seen.update(row[1:] for row in shelves_standing(book, [day]))
    return [answer["seq"] for answer in answers.values()]


class LateConnection(Connection):
    """A way to BigQuery on which the first commit is long under way: its sender is told of an error meanwhile."""

    def __init__(self, url: str, *, lands_at: str) -> None:
        """Take note of when the script is run: before what is asked with this text in it."""
        super().__init__(url)
        self._lands_at = lands_at
        self._late: tuple[str, Params | None] | None = None
        self._has_lost_one = False

    def query(self, sql: str, params: Params | None = None, *, ours: bool = True) -> Rows:
        self._arrive(sql)
        return super().query(sql, params, ours=ours)

    def execute(self, sql: str, params: Params | None = None) -> int:
        if "COMMIT TRANSACTION" in sql and not self._has_lost_one:
            self._late, self._has_lost_one = (sql, params), True
            raise TransientWarehouseError("The connection broke.")
        self._arrive(sql)
        return super().execute(sql, params)

    @property
    def has_landed(self) -> bool:
        """Whether the commit was given up and came all the same."""
        return self._has_lost_one and self._late is None

    def _arrive(self, sql: str) -> None:
        if self._late is not None and self._lands_at in sql:
            late, self._late = self._late, None
            super().execute(*late)


@pytest.mark.parametrize(
    ("day", "lands_at"), [("2026-03-01", state.sql("fences", moment="")), ("2026-03-02", "COMMIT TRANSACTION")]
)
def test_a_commit_that_was_given_up_and_lands_late_is_told_once(book: Book, url: str, day: str, lands_at: str) -> None:
    """It lands while it is looked for, or while it is sent again: published, as version 1, once in the ledger."""
    warehouse = BigQueryWarehouse(url)
    warehouse._connection = late = LateConnection(url, lands_at=lands_at)

    done = publish(warehouse, SHELVES, shelf_query([day], 1), [day], run_id=day)[day]
    warehouse.close()

    assert late.has_landed
    assert (done.status, done.seq) == (PublishStatus.PUBLISHED, 1)
    told = [(entry.draft.status, entry.draft.seq) for entry in book.warehouse.entries() if entry.draft.run_id == day]
    assert told == [("published", 1)]
    assert shelves_standing(book, [day]) == [(day, ITEMS, 1, 1)]


def test_without_the_fence_two_first_writers_are_seen_to_double_a_partition(pair: Crew, book: Book, url: str) -> None:
    """DELETE by one job and INSERT by another, as many pipelines have it: both sets of rows stand."""
    day = "2026-04-01"
    pair.stand_at(Stand(url, fenced=False, meet_at="commit.removed", settings=OFF))  # type: ignore[arg-type]

    pair.round([("publish_shelf", {"day": day, "marker": w, "run_id": str(w)}) for w in range(pair.size)])

    assert shelves_standing(book, [day]) == [(day, 2 * ITEMS, 0, 1)]
    assert ledger_findings(book.warehouse) != ()
