"""A book in PostgreSQL under real processes: at once, killed, and made by several."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import gradeonce
from builders import (
    ITEMS,
    SHELVES,
    duplicate_keys,
    land_actuals,
    land_season,
    ledger_findings,
    let_leases_run_out,
    sums_off,
)
from gradeonce.book import Book
from gradeonce.cli.exit_codes import ExitCode
from gradeonce.schema import ACCURACY
from gradeonce.warehouses.postgres import layout
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema
from races.child import answer_of, child, wait_until_stopped
from races.crew import Crew, Stand
from races.test_stopped_holder import LEASED, stopped_while_a_successor_publishes
from receiver import Receiver
from servers import Postgres

__all__ = ["postgres", "schema"]

DAY = "2026-01-01"
PLAYERS = 4
STEPS_OF_INIT = layout.STEPS
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
    with gradeonce.open(postgres.url, schema=schema, threads=1, wait_seconds=30.0) as book:
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
    return {"wait_seconds": 30.0, "schema": book.settings.schema}


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
    let_leases_run_out(book)
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


def shelves_standing(book: Book) -> list[tuple[Any, ...]]:
    return book.sql(
        "SELECT CAST(day AS text), count(*), count(DISTINCT marker) FROM shelf_counts GROUP BY day ORDER BY day"
    ).rows


@pytest.mark.parametrize("store", ["sqlite", "off"])
def test_a_filled_partition_replaced_by_eight_at_once_keeps_every_version(
    crew: Crew, postgres: Postgres, book: Book, store: str
) -> None:
    """Each writer brings rows of its own: every version in the ledger, and the revisions are one chain (G1, G4)."""
    meet_at = "publish.staged" if store == "off" else ""
    crew.stand_at(Stand(postgres.url, meet_at=meet_at, settings={"store": store, "schema": book.settings.schema}))  # type: ignore[arg-type]
    for number in range(4):
        jobs = [
            ("publish_shelf", {"day": DAY, "marker": number * crew.size + w, "run_id": f"{number}.{w}"})
            for w in range(crew.size)
        ]
        assert [answer for answer in crew.round(jobs) if "error" in answer] == []

    assert shelves_standing(book) == [(DAY, ITEMS, 1)]
    assert [entry.draft.seq for entry in book.warehouse.entries()] == list(range(1, 4 * crew.size + 1))
    steps = book.sql(
        "SELECT old_json::json ->> 'marker', new_json::json ->> 'marker', count(*) FROM grade_revisions GROUP BY 1, 2"
    ).rows
    assert {rows for _, _, rows in steps} == {ITEMS}
    # Each version but the last is left once, and each but the first is reached once: one chain, none was lost.
    assert len({old for old, _, _ in steps}) == len({new for _, new, _ in steps}) == len(steps) == 4 * crew.size - 1
    assert ledger_findings(book.warehouse) == ()


def test_readers_never_see_grades_and_daily_sums_disagree(crew: Crew, postgres: Postgres, book: Book) -> None:
    """Corrections and two graders, and two readers who hold both tables side by side all the time (G2)."""
    land_season(book, 2, PLAYERS)
    book.grade(all_dates=True)
    crew.stand_at(Stand(postgres.url, settings={"schema": book.settings.schema}))  # type: ignore[arg-type]
    reader = ("look_over_and_over", {"rows": PLAYERS})
    crew.start(
        [
            ("correct_over_and_over", {"days": 2, "players": PLAYERS, "versions": [12, 13]}),
            ("grade_over_and_over", {"day": None}),
            ("grade_over_and_over", {"day": DAY}),
            *[reader] * 2,
            *[("rest", {})] * 3,
        ]
    )
    corrected = crew.result(0)
    crew.stop.set()
    answers = [crew.result(worker) for worker in range(1, crew.size)]

    assert corrected == {"landed": 2}
    assert [answer for answer in answers if "error" in answer] == []
    for seen in answers[2:4]:
        assert (seen["wrong"], seen["versions"] >= 2) == ([], True)
    assert sums_off(book) == []
    assert ledger_findings(book.warehouse) == ()


def test_neighbours_published_at_once_do_not_get_in_each_others_way(crew: Crew, postgres: Postgres, book: Book) -> None:
    """Eight writers, eight dates, one moment: each is version 1 of its own date, at the first attempt."""
    days = [f"2026-02-{number:02}" for number in range(1, 9)]
    settings = {"store": "off", "schema": book.settings.schema}
    crew.stand_at(Stand(postgres.url, meet_at="commit.begun", settings=settings))  # type: ignore[arg-type]

    answers = crew.round([("publish_shelf", {"day": day, "marker": 1, "run_id": day}) for day in days])

    assert [(answer.get("status"), answer.get("seq")) for answer in answers] == [("published", 1)] * 8
    assert shelves_standing(book) == [(day, ITEMS, 1) for day in days]
    assert ledger_findings(book.warehouse) == ()


def test_without_the_fence_eight_first_writers_are_seen_to_double_a_partition(
    crew: Crew, postgres: Postgres, book: Book
) -> None:
    """The same race on the unfenced build, without the index that would stop it: several sets of rows stand."""
    import psycopg

    book.warehouse.fences(SHELVES, [DAY])
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP INDEX {book.settings.schema}.shelf_counts_key".encode())
    settings = {"store": "off", "schema": book.settings.schema}
    crew.stand_at(Stand(postgres.url, fenced=False, meet_at="commit.removed", settings=settings))  # type: ignore[arg-type]

    crew.round([("publish_shelf", {"day": DAY, "marker": w, "run_id": str(w)}) for w in range(crew.size)])

    assert duplicate_keys(book, SHELVES) == ITEMS
    assert ledger_findings(book.warehouse) != ()


@pytest.mark.parametrize("step", ["publish.staged", "publish.compared", "commit.begun"])
def test_publish_of_a_holder_stopped_past_its_lease_is_refused(postgres: Postgres, schema: str, step: str) -> None:
    """The successor takes over token 3 and publishes 13 points; the stale run of token 2 loses, exit code 4 (G3)."""
    settings = {**LEASED, "schema": schema}
    seen = stopped_while_a_successor_publishes(postgres.url, step, settings=settings)  # type: ignore[arg-type]

    assert (seen["successor"], seen["stale"]["error"]) == ("published", "LeaseLost")
    assert seen["exit_code"] == ExitCode.LEASE_LOST
    assert [row[0] for row in seen["stands"]] == [13]
    assert seen["stands"] == seen["published"]
    assert (seen["fence"].token, seen["fence"].seq) == (3, 2)
    assert seen["ledger"] == ()


def test_without_the_fence_the_stopped_run_is_seen_to_win(postgres: Postgres, schema: str) -> None:
    """The same on the unfenced build: the stale 12 points replace the successor's 13."""
    settings = {**LEASED, "schema": schema}
    seen = stopped_while_a_successor_publishes(postgres.url, "commit.begun", settings=settings, fenced=False)  # type: ignore[arg-type]

    assert (seen["successor"], seen["stale"]["status"]) == ("published", "published")
    assert 12 in [row[0] for row in seen["stands"]]


@pytest.mark.parametrize("step", ["commit.begun", "commit.fenced", "commit.pointed", "commit.ledgered"])
def test_a_server_killed_in_the_middle_of_a_commit_is_waited_for(step: str) -> None:
    """The run stands at a step while its server dies and comes back; continued, it starts again and ends once (G4)."""
    with Postgres() as server:
        PostgresWarehouse.create(server.url)
        settings = {"store": "off"}
        with gradeonce.open(server.url, threads=1, store="off") as book:
            land_season(book, 1, PLAYERS)
            book.grade(DAY)
            land_actuals(book, 1, PLAYERS, points=12, version=2)
            with child(
                server.url,
                "grade",
                {"day": DAY},
                step=step,
                signal_name="SIGSTOP",
                settings=settings,  # type: ignore[arg-type]
            ) as process:
                wait_until_stopped(process)
                server.kill()
                server.start()
                assert standing(book) == [(PLAYERS, 11, 11)]
                os.kill(process.pid, signal.SIGCONT)
                assert answer_of(process)["status"] == "published"
            assert standing(book) == [(PLAYERS, 12, 12)]
            assert book.sql("SELECT count(*) FROM grade_revisions").rows == [(PLAYERS,)]
            assert [entry.draft.seq for entry in book.warehouse.entries() if entry.draft.kind == "grade"] == [1, 2]
            assert ledger_findings(book.warehouse) == ()


def test_a_load_under_way_is_waited_for_or_makes_the_date_stale(postgres: Postgres, book: Book, schema: str) -> None:
    """A load has stamped its fences and not committed: the grading that begins now sees it, because it waits for it."""
    land_season(book, 1, PLAYERS)
    values = {"days": 1, "players": PLAYERS, "first_player": 0, "load_id": "late", "content_id": "late"}
    graded: list[Any] = []

    def grade() -> None:
        with gradeonce.open(postgres.url, schema=schema, threads=1, store="off") as second:
            graded.append(second.grade(DAY).runs[0])

    with child(
        postgres.url,
        "land_twelve",
        values,
        step="commit.pointed",
        signal_name="SIGSTOP",
        settings=settings_of(book),  # type: ignore[arg-type]
    ) as process:
        wait_until_stopped(process)
        thread = threading.Thread(target=grade)
        thread.start()
        _wait_for_a_waiter(postgres)
        os.kill(process.pid, signal.SIGCONT)
        answer_of(process)
        thread.join()

    assert [run.status for run in graded] == ["published"]
    assert standing(book) == [(PLAYERS, 12, 12)]
    assert [status.state for status in book.status()] == ["graded"]


def _wait_for_a_waiter(postgres: Postgres) -> None:
    import psycopg

    with psycopg.connect(postgres.url, autocommit=True) as connection:
        gives_up_at = time.monotonic() + 60
        waiting = (
            b"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%before_reading%'"
        )
        while connection.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < gives_up_at, "nobody waits for the load"
            time.sleep(0.01)


@pytest.mark.parametrize("older", [0, 1, 3], ids=["empty database", "first step only", "three steps"])
def test_eight_machines_may_make_or_migrate_the_same_book(crew: Crew, postgres: Postgres, older: int) -> None:
    """Real processes, all at once: one makes it or brings it up to date, seven find it so, and nobody fails."""
    import psycopg

    name = f"made_at_once_{older}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = postgres.url.rsplit("/", 1)[0] + f"/{name}"
    if older:
        _make_older(url, older)

    crew.stand_at(Stand(url))  # type: ignore[arg-type]
    made = crew.round([("make_book", {"folder": url})] * crew.size)

    assert sorted(answer.get("made", str(answer)) for answer in made) == [False] * 7 + [True]
    assert PostgresWarehouse.missing(url) == []
    with gradeonce.open(url, store="off", threads=1) as book:
        land_season(book, 1, PLAYERS)
        assert book.grade(DAY).worst_error is None
        assert book.sql("SELECT count(*), max(number) FROM schema_steps").rows == [
            (len(STEPS_OF_INIT), len(STEPS_OF_INIT))
        ]


def _make_older(url: str, steps: int) -> None:
    """Make a book as a gradeonce made it that knew only the first steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "STEPS", layout.STEPS[:steps])
        if steps < 2:
            patch.setattr(layout.belt, "tighten", lambda session, table: False)
        PostgresWarehouse.create(url)
