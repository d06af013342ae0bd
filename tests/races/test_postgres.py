"""A book in PostgreSQL under real processes: at once, killed, and made by several."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import gradeonce
from builders import ITEMS, SHELVES, duplicate_keys, land_actuals, land_season, ledger_findings, sums_off
from gradeonce.book import Book
from gradeonce.errors import GradeonceError
from gradeonce.schema import ACCURACY, ROW_TABLES
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema
from races.child import answer_of, child
from races.crew import Crew, Stand
from receiver import Receiver
from servers import Postgres

__all__ = ["postgres", "schema"]

DAY = "2026-01-01"
PLAYERS = 4
STEPS = [
    "publish.based",
    "publish.staged",
    "publish.validated",
    "publish.compared",
    "commit.begun",
    "commit.fenced",
    "commit.removed",
    "commit.pointed",
    "commit.ledgered",
    "commit.done",
]
LAND_STEPS = [
    "land.sent",
    "land.locked",
    "land.staged",
    "commit.fenced",
    "commit.pointed",
    "commit.ledgered",
    "commit.done",
]


@pytest.fixture
def book(postgres: Postgres, schema: str) -> Iterator[Book]:
    with gradeonce.open(postgres.url, schema=schema, threads=1, ttl_seconds=0.5, wait_seconds=30.0) as book:
        yield book


def test_of_many_who_see_a_problem_at_once_one_tells(crew: Crew, postgres: Postgres, book: Book, schema: str) -> None:
    """8 processes, 4 new problems and their ends: two messages each, whoever came first."""
    with Receiver() as receiver:
        crew.stand_at(Stand(postgres.url, settings={"schema": schema, "slack": [receiver.url]}))
        for number in range(4):
            name = f"round/{number}"
            answers = crew.round([("tell", {"identities": [name], "scope": []})] * crew.size)
            answers += crew.round([("tell", {"identities": [], "scope": [name]})] * crew.size)
            assert sum(len(answer["opened"]) for answer in answers) == 1, answers
            assert sum(len(answer["recovered"]) for answer in answers) == 1, answers
            assert len(receiver.requests) == 2 * (number + 1)


@pytest.mark.parametrize("store", ["sqlite", "off"])
def test_first_write_of_an_empty_partition_by_eight_at_once_lands_once(
    crew: Crew, postgres: Postgres, book: Book, store: str
) -> None:
    """12 empty partitions, 8 writers each: one set of rows, versions 1 to 8 in the ledger, no key twice (G1)."""
    meet_at = "publish.staged" if store == "off" else ""
    settings = {"store": store, "schema": book.settings.schema}
    crew.stand_at(Stand(postgres.url, meet_at=meet_at, settings=settings))  # type: ignore[arg-type]
    for number in range(1, 13):
        day = f"2026-01-{number:02}"
        jobs = [("publish_shelf", {"day": day, "marker": w, "run_id": f"{day}.{w}"}) for w in range(crew.size)]
        answers = crew.round(jobs)
        assert sorted(answer.get("seq", str(answer)) for answer in answers) == list(range(1, 9))
        assert book.warehouse.fences(SHELVES, [day])[day].rows == ITEMS
        markers = book.sql("SELECT count(*), count(DISTINCT marker) FROM shelf_counts WHERE day = $day", {"day": day})
        assert markers.rows == [(ITEMS, 1)]

    assert duplicate_keys(book, SHELVES) == 0
    assert ledger_findings(book.warehouse) == ()


def settings_of(book: Book) -> dict[str, Any]:
    return {"ttl_seconds": 0.5, "wait_seconds": 30.0, "schema": book.settings.schema}


def standing(book: Book) -> list[tuple[Any, ...]]:
    """Return rows, lowest and highest value of the grades; the daily sums must be those of these very grades."""
    assert sums_off(book) == []
    return book.sql(
        "SELECT count(*), CAST(min(actual_value) AS integer), CAST(max(actual_value) AS integer) "
        "FROM prediction_accuracy"
    ).rows


@pytest.mark.parametrize("step", STEPS)
def test_a_grading_killed_at_a_step_leaves_the_old_version_or_the_new(
    postgres: Postgres, book: Book, step: str
) -> None:
    """11 points are graded and corrected to 12: readers see one or the other; a rerun ends at 12 (G2, G4)."""
    land_season(book, 1, PLAYERS)
    book.grade(DAY)
    land_actuals(book, 1, PLAYERS, points=12, version=2)

    with child(
        postgres.url,
        "grade",
        {"day": DAY},
        step=step,
        signal_name="SIGKILL",
        settings=settings_of(book),  # type: ignore[arg-type]
    ) as process:
        assert answer_of(process) == {}

    assert standing(book) == [(PLAYERS, 12, 12) if step == "commit.done" else (PLAYERS, 11, 11)]
    assert book.grade(DAY).worst_error is None
    assert standing(book) == [(PLAYERS, 12, 12)]
    assert book.sql("SELECT count(*) FROM grade_revisions").rows == [(PLAYERS,)]
    assert duplicate_keys(book, ACCURACY) == 0
    assert ledger_findings(book.warehouse) == ()


@pytest.mark.parametrize("step", LAND_STEPS)
def test_a_load_killed_at_a_step_lands_whole_or_not(postgres: Postgres, book: Book, step: str) -> None:
    """A load of box scores dies; run again it stands once."""
    values = {"days": 1, "players": PLAYERS, "first_player": 100, "load_id": "late", "content_id": "late"}
    with child(
        postgres.url,
        "land",
        values,
        step=step,
        signal_name="SIGKILL",
        settings=settings_of(book),  # type: ignore[arg-type]
    ) as process:
        assert answer_of(process) == {}

    count = "SELECT count(*) FROM player_game_actuals"
    assert book.sql(count).rows == [(PLAYERS if step == "commit.done" else 0,)]
    land_actuals(book, 1, PLAYERS, points=11, first_player=100, load_id="late", content_id="late")
    assert book.sql(count).rows == [(PLAYERS,)]
    assert ledger_findings(book.warehouse) == ()


def test_several_machines_may_make_the_same_book(postgres: Postgres) -> None:
    """Four at once: one makes it, three find it made, nobody fails."""
    import psycopg

    made: list[bool] = []
    errors: list[GradeonceError] = []

    def make() -> None:
        try:
            made.append(PostgresWarehouse.create(postgres.url, schema="made_at_once"))
        except GradeonceError as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(made) == [False, False, False, True]
    assert PostgresWarehouse.missing(postgres.url, schema="made_at_once") == []
    with psycopg.connect(postgres.url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'made_at_once'").fetchone()
        connection.execute("DROP SCHEMA made_at_once CASCADE")
    assert found is not None
    assert found[0] > len(ROW_TABLES)
