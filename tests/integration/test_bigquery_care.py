"""The daily care of a book in BigQuery: every check, copies, and a table of grades moved in, on an emulator.

All tests share one book, since a table takes its time to be made, and each empties it first. What takes minutes (the
same incident and the same move on whole grades, from end to end) runs only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from bigquery_book import small_book
from builders import FakeClock, ledger_findings, new_book, open_book
from doubled import FIRST, SECOND, Grade, grades_sql, hours
from gradeonce.book import Book
from gradeonce.checks import CheckStatus
from gradeonce.errors import RefusedForSafety
from gradeonce.leases import MemoryLeases
from gradeonce.migrate import MigrateOptions, MigrationReport
from gradeonce.model import Copies, EntryDraft, Query
from gradeonce.publish import publish
from gradeonce.schema import (
    ACCURACY,
    ACTUALS,
    CHECK_RESULTS,
    DAILY_PERFORMANCE,
    DEDUPE_PLANS,
    INJURIES,
    PREDICTIONS,
    REVISIONS,
    STAGED_PREDICTIONS,
    Column,
    ColumnType,
    Table,
)
from gradeonce.warehouses.bigquery import layout, state
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.rows import columns_of
from gradeonce.warehouses.bigquery.rows import everything as everything_in
from gradeonce.warehouses.bigquery.spelling import spelled
from planted_book import MORNING, PlantedBook, PlantedDataset, PlantedFolder
from servers import BigQuery, only_with_all_bigquery
from their_grades import BIGQUERY_TYPES, DAY, GRADED, LATER, PREDICTED, RULES, load_inputs, table_sql, write

TABLES = (PREDICTIONS, STAGED_PREDICTIONS, ACTUALS, INJURIES, ACCURACY, DAILY_PERFORMANCE)
"""Those that are needed: the emulator takes the longer the more there are."""

SMALL = (CHECK_RESULTS, DEDUPE_PLANS)
THEIRS = "demo.old_nba.prediction_accuracy"
QUOTED = "`demo`.`old_nba`.`prediction_accuracy`"
APPLY = MigrateOptions(apply=True)
WEIGHTS = Table(
    name="weights",
    partition="day",
    key=("item",),
    stamps=("weighed_at",),
    columns=(
        Column("day", ColumnType.DATE, required=True),
        Column("item", ColumnType.TEXT),
        Column("kg", ColumnType.DECIMAL),
        Column("weighed_at", ColumnType.INSTANT),
    ),
)
"""A table of few columns: an emulator takes the longer for a statement the longer it is."""

LAST = date(2026, 1, 17)
LOST = {"error": "...", "error_kind": "LeaseLost"}
COPIES = ("duplicate_grades", "recent_duplicates")
"""Checks 1 and 8."""


@pytest.fixture(scope="module")
def shared(bigquery: BigQuery) -> Iterator[Connection]:
    """A book, and in another dataset a table of grades that somebody else kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        connection = Connection(small_book())
        small = map(layout.small_table_text, SMALL)
        theirs = ["CREATE SCHEMA `demo`.`old_nba`", table_sql(QUOTED, BIGQUERY_TYPES)]
        connection.execute(state.as_script([*map(layout.table_text, TABLES), *small, *theirs]))
        yield connection
        connection.close()


@pytest.fixture(scope="module")
def made(shared: Connection) -> set[str]:
    """The tables of the book as it was made."""
    return shared.tables()


@pytest.fixture
def dataset(shared: Connection, made: set[str]) -> Connection:
    """The same, and nothing in the book."""
    rows = [f"DELETE FROM `{table.name}` WHERE {everything_in(table)}" for table in TABLES]
    filled = ("publish_fences", "row_tables", "ledger", "loaded_contents", REVISIONS.name, *(t.name for t in SMALL))
    texts = [*rows, *(f"DELETE FROM `{name}` WHERE TRUE" for name in filled)]
    texts += [f"DROP TABLE `{name}`" for name in sorted(shared.tables() - made)]
    texts.append("UPDATE ledger_head SET number = 0, entry_hash = REPEAT('0', 64) WHERE TRUE")
    shared.execute(state.as_script(texts))
    return shared


class Died(BaseException):
    """Stands for the end of a process: nothing in the house catches it."""


@contextmanager
def opened(dataset: Connection, *, dies_at: str = "", **given: Any) -> Iterator[Book]:
    """Open the book; whoever uses it dies at the step. Any: what `gradeonce.open` takes."""

    def on_step(name: str) -> None:
        if name == dies_at:
            raise Died

    url = f"bigquery://{dataset.place.project}/{dataset.place.dataset}"
    with gradeonce.open(url, **{"threads": 1, "store": "off", "on_step": on_step, **given}) as book:
        yield book


def everything(connection: Connection) -> dict[str, list[Any]]:
    """Return all rows of all tables of the book, and of theirs."""
    names = {name: f"`{name}`" for name in connection.tables()}
    limits = {table.name: everything_in(table) for table in TABLES}
    texts = [
        f"SELECT '{name}' AS name, TO_JSON_STRING(t) AS row_text FROM {quoted} AS t WHERE {limits.get(name, 'TRUE')}"
        for name, quoted in {**names, "theirs": QUOTED}.items()
    ]
    found: dict[str, list[Any]] = {name: [] for name in names}
    for name, row in connection.query(f"{' UNION ALL '.join(texts)} ORDER BY 1, 2", ours=False).rows:
        found.setdefault(name, []).append(row)
    return found


def by_rule(report: MigrationReport) -> dict[str, int]:
    return {difference.rule: difference.rows for difference in report.comparison.differences}


def standing(book: Book) -> list[Any]:
    """Return day, player and instant of every grade, in order."""
    rows = book.sql("SELECT game_date, player_lookup, line_value, graded_at FROM prediction_accuracy").rows
    return sorted(rows, key=repr)


def test_a_plan_of_a_move_changes_nothing(dataset: Connection) -> None:
    """It says what their table holds and how it differs, by rule; every row of every table is as it was."""
    with opened(dataset, clock=FakeClock(MORNING)) as book:
        planted = PlantedDataset(book)
        plant_inputs(planted)
        planted.settle()
        before = everything(dataset)

        plan = book.migrate(THEIRS)

    assert everything(dataset) == before
    assert (plan.status, plan.to_adopt, plan.to_grade) == ("plan", (DAY, LATER), (DAY,))
    assert plan.findings.grades.duplicates == {DAY: {3: 1}, LATER: {2: 1}}
    assert (plan.findings.undated, plan.findings.grades.null_keys) == (1, {"player_lookup": 1})
    assert (plan.findings.moved_picks, plan.findings.grades.two_scales) == (1, {"alpha": (14, 1)})
    assert by_rule(plan) == RULES


@pytest.mark.usefixtures("all_bigquery")
def test_copies_are_removed_and_brought_back(dataset: Connection) -> None:
    """Planned, applied, verified, rolled back, applied again; a backup holds what stood, and the ledger holds."""
    with opened(dataset) as book:
        rows = [
            ("nut", "1.5", 9),
            ("nut", "1.6", 8),
            ("nut", "1.5", 9),
            ("bolt", "2", 7),
            ("bolt", "2", 8),
            ("pin", "3", 7),
        ]
        select = " UNION ALL ".join(
            f"SELECT DATE '{DAY}' AS day, '{item}' AS item, CAST({kg} AS DECIMAL(18, 9)) AS kg, "
            f"CAST('{DAY} 0{hour}:00:00' AS TIMESTAMP) AS weighed_at"
            for item, kg, hour in rows
        )
        publish(book.warehouse, WEIGHTS, Query(select), [DAY], run_id="incident", copies=Copies.ALLOWED)
        dirty = [("bolt", 7), ("bolt", 8), ("nut", 8), ("nut", 9), ("nut", 9), ("pin", 7)]
        clean = [("bolt", 7), ("nut", 8), ("pin", 7)]
        assert weights(book) == dirty

        plan = book.dedupe_plan("weights", keep="earliest", by="weighed_at")
        assert (plan.keys, plan.rows_deleted) == ({2: 1, 3: 1}, 3)
        assert plan.backup.startswith("weights_backup_20")
        assert book.dedupe_apply(plan.plan_id).rows_deleted == 3
        assert weights(book) == clean
        assert book.dedupe_verify(plan.plan_id).passed
        assert book.dedupe_rollback(plan.plan_id).rows_restored == 3
        assert weights(book) == dirty
        assert book.dedupe_apply(plan.plan_id).status == "applied"
        assert weights(book) == clean


def weights(book: Book) -> list[tuple[str, int]]:
    """Return item and hour of every row, in order."""
    return sorted((item, at.hour) for item, at in book.sql("SELECT item, weighed_at FROM weights").rows)


def test_a_move_and_an_incident(dataset: Connection, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """Copies of grades are found by both checks, removed, brought back and removed again; then the move ends."""
    only_with_all_bigquery(pytestconfig)
    with opened(dataset) as book:
        load_inputs(book, tmp_path)
        incident(dataset, book)


def incident(dataset: Connection, book: Book) -> None:
    """See the test."""
    unreadable = MigrateOptions(columns={"minutes_played": "recommendation"}, apply=True)
    with pytest.raises(RefusedForSafety, match="16 of minutes_played"):
        book.migrate(THEIRS, unreadable)
    assert book.warehouse.all_fences(ACCURACY) == []
    with pytest.raises(Died), opened(dataset, dies_at="migrate.adopted") as dying:
        dying.migrate(THEIRS, APPLY)
    dirty = standing(book)
    assert len(dirty) == 15
    checked = book.check(start=DAY, end=LATER, only=COPIES).results
    assert [(one.name, one.status, one.found) for one in checked] == [(name, CheckStatus.FAILED, 2) for name in COPIES]

    planned = book.dedupe_plan()
    assert (planned.keys, planned.rows_deleted) == ({2: 1, 3: 1}, 3)
    assert planned.backup.startswith("prediction_accuracy_backup_20")
    applied = book.dedupe_apply(planned.plan_id)
    assert (applied.rows_deleted, applied.table_rows) == (3, 12)
    clean = standing(book)
    assert len(clean) == 12
    assert book.dedupe_verify(planned.plan_id).passed
    assert [(one.name, one.rows) for one in book.dedupe_backups()] == [(planned.backup, 15)]
    assert book.dedupe_rollback(planned.plan_id).rows_restored == 3
    assert standing(book) == dirty
    assert book.dedupe_apply(planned.plan_id).status == "applied"
    assert standing(book) == clean

    moved = book.migrate(THEIRS, APPLY)
    assert (moved.status, moved.adopted, moved.removed) == ("migrated", None, None)
    assert by_rule(moved) == RULES
    outcomes = f"SELECT outcome, COUNT(*) AS n FROM prediction_accuracy WHERE game_date = DATE '{DAY}' GROUP BY 1"
    assert dict(book.sql(outcomes).rows) == GRADED
    assert ledger_findings(book.warehouse) == ()
    assert book.migrate(THEIRS, APPLY).status == "already_migrated"
    assert all(one.status is CheckStatus.PASSED for one in book.check(start=DAY, end=LATER, only=COPIES).results)


def plant_inputs(planted: PlantedBook) -> None:
    """Plant what `load_inputs` loads."""
    actuals = {"push": 20, "absent": 0, "corrected": 19, "limit": 28}
    planted.predictions(
        *[
            {"prediction_id": player, "player_lookup": player, "line_value": 20 if player == "push" else 22.5,
             "confidence_score": 0.7}
            for player in PREDICTED
        ]
    )  # fmt: skip
    planted.actuals(
        *[
            {"player_lookup": player, "actual_value": actuals.get(player, 30), "is_dnp": player == "absent",
             "minutes_played": 0 if player == "absent" else 30}
            for player in PREDICTED
        ]
    )  # fmt: skip


def before(days: int) -> date:
    """Return the date so many days before the last one that is checked."""
    return LAST - timedelta(days=days)


def plant_problems(planted: PlantedBook) -> None:
    """Plant something for every check to find, but for the ledger: it knows of none of these rows."""
    steady = [
        {"prediction_id": f"{system}{day}{pick}", "system_id": system, "player_lookup": f"p{pick}",
         "game_id": f"g{day}", "game_date": before(day), "confidence_score": "0.6",
         "created_at": datetime(2026, 1, 1, 9)}
        for day in range(1, 10) for system in ("alpha", "beta") for pick in range(4)
        if (system, day) not in (("beta", 1), ("beta", 2), ("beta", 3))
    ]  # fmt: skip
    planted.predictions(
        *steady,
        {"prediction_id": "new1", "system_id": "gamma", "confidence_score": 0.5},
        {"prediction_id": "new2", "system_id": "gamma", "predicted_value": 9, "confidence_score": 0.5},
        {"prediction_id": "odd", "confidence_score": 61, "market": "assists"},
        {"prediction_id": "nowhere", "game_id": "event-77", "market": "blocks"},
    )
    planted.actuals({"actual_value": 26}, {"market": "assists", "actual_value": 9})
    rows = [
        {"player_lookup": f"p{place}", "game_date": before(day), "game_id": f"g{day}", "actual": 25,
         "outcome": "void" if day == 1 and place < 5 else ("win" if day < 5 else "loss"),
         "void_reason": "dnp_unknown" if day == 1 and place < 5 else None}
        for day in (1, 2, 3, 16, 17, 18) for place in range(6)
    ]  # fmt: skip
    planted.grades(*rows, {"actual": 25, "minutes_played": 34}, {"actual": 25, "minutes_played": 34})
    batch = {"staging": "late/ann/1", "batch": "late", "worker": "ann"}
    planted.plant(STAGED_PREDICTIONS, [batch], published_at=MORNING - timedelta(hours=40))


def found_by(book: Book) -> dict[str, tuple[Any, ...]]:
    """Run every check; return what each found, keys and notes included."""
    book.settings = replace(book.settings, drift_minimum=5, void_minimum=4, predictions_warn_hours=-1.0)
    book.leases.try_acquire("grading/2026-01-10", holder="busy", ttl_seconds=7200, floor=0)
    book.settings = replace(book.settings, lease_held_warn_seconds=-1.0)
    book.warehouse.append_entries([EntryDraft("grade", "r1", ACCURACY.name, str(LAST), status="failed", details=LOST)])
    report = book.check(start=before(6), end=LAST)
    return {
        one.name: (
            one.status,
            one.considered,
            one.found,
            one.failing,
            one.first_found,
            sorted((plain(k) for k in one.keys), key=repr),
            one.notes,
        )
        for one in report.results
    }


def plain(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return a finding as it is told, but for instants, which are of two clocks."""
    return {
        name: float(value) if isinstance(value, Decimal | float | int) else value
        for name, value in key.items()
        if name not in ("at", "seconds", "newest_at", "hours_old")
    }


def test_every_check_finds_what_it_finds_in_a_folder(dataset: Connection, tmp_path: Path) -> None:
    """The same rows in both books: status, counts, keys and notes of all fifteen."""
    with open_book(new_book(tmp_path / "book"), clock=FakeClock(MORNING), leases=MemoryLeases()) as book:
        plant_problems(PlantedFolder(book))
        here = found_by(book)
    with opened(dataset, clock=FakeClock(MORNING), leases=MemoryLeases(), store="sqlite") as book:
        planted = PlantedDataset(book)
        plant_problems(planted)
        planted.settle()
        there = found_by(book)

    assert len(here) == 15
    problems = {name for name, result in here.items() if result[0] in (CheckStatus.FAILED, CheckStatus.WARNED)}
    assert set(here) - problems == set()
    for name, result in here.items():
        assert there[name][0] == result[0], name
        if name != "ledger_agreement":
            # The ledger of a folder also tells of its files.
            assert there[name][1:] == result[1:], name


def test_copies_in_a_table_that_is_not_the_books(dataset: Connection, pytestconfig: pytest.Config) -> None:
    """Planned, removed, verified, brought back; null keys are equal, the latest stays; what came since is undone."""
    only_with_all_bigquery(pytestconfig)
    dataset.execute(
        "CREATE TABLE `demo`.`old_nba`.`notes` (who STRING, at TIMESTAMP, ratio FLOAT64);"
        "INSERT INTO `demo`.`old_nba`.`notes` VALUES ('ann', TIMESTAMP '2026-01-02 08:00:00+00', 0.1), "
        "('ann', TIMESTAMP '2026-01-02 09:00:00+00', 0.2), (NULL, NULL, 0.3), (NULL, NULL, 0.3), ('bob', NULL, 0.5)"
    )

    def notes() -> list[Any]:
        return sorted(dataset.query("SELECT who, ratio FROM `demo`.`old_nba`.`notes`", ours=False).rows, key=repr)

    with opened(dataset) as book:
        before = notes()
        plan = book.dedupe_plan("demo.old_nba.notes", key=["who"], keep="latest", by="at")
        assert (plan.keys, plan.rows_deleted) == ({2: 2}, 2)
        assert book.dedupe_apply(plan.plan_id).table_rows == 3
        assert notes() == sorted([("ann", 0.2), (None, 0.3), ("bob", 0.5)], key=repr)
        assert book.dedupe_verify(plan.plan_id).passed
        dataset.execute("INSERT INTO `demo`.`old_nba`.`notes` VALUES ('ann', NULL, 0.9)")
        restored = book.dedupe_rollback(plan.plan_id)
        assert (restored.rows_restored, restored.rows_undone, restored.table_rows) == (2, 1, 5)
        assert notes() == before
        dataset.execute("INSERT INTO `demo`.`old_nba`.`notes` VALUES ('bob', NULL, 0.6)")
        with pytest.raises(RefusedForSafety, match="no longer fits"):
            book.dedupe_apply(plan.plan_id)


def test_rows_are_adopted_where_they_stand(dataset: Connection, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """No row moves; fence and ledger know of them from then on. So does a dump, nulls in keys and all."""
    only_with_all_bigquery(pytestconfig)
    rows = spelled(grades_sql([Grade(FIRST, "ann", 8), Grade(FIRST, "ann", 9)]))
    dataset.execute(f"INSERT INTO prediction_accuracy ({columns_of(ACCURACY)}) {rows}")
    with opened(dataset) as book:
        before = hours(book)

        report = book.adopt("prediction_accuracy")

        assert (report.status, report.rows, report.duplicates) == ("adopted", 2, {FIRST: {2: 1}})
        assert hours(book) == before
        assert ledger_findings(book.warehouse) == ()
        assert book.adopt("prediction_accuracy").status == "already_adopted"

        grade = {"game_date": SECOND, "system_id": "alpha", "game_id": "g1", "line_value": 22.5, "predicted_value": 25}
        write(
            tmp_path / "dump.csv", [{**grade, "player_lookup": name, "outcome": "win"} for name in ("ann", "ann", "")]
        )
        dump = book.adopt(tmp_path / "dump.csv")

        assert (dump.status, dump.rows, dump.null_keys) == ("adopted", 3, {"player_lookup": 1})
        assert ledger_findings(book.warehouse) == ()
        assert book.adopt(tmp_path / "dump.csv").status == "already_adopted"


def test_what_workers_staged_is_merged(dataset: Connection, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """Of two workers' rows with one key the latest counts, once; nothing stays staged."""
    only_with_all_bigquery(pytestconfig)
    row = {"system_id": "alpha", "player_lookup": "ann", "game_id": "g1", "game_date": DAY, "line_value": 19.5}
    with opened(dataset) as book:
        for worker, predicted, hour in (("ann", 20, 10), ("bob", 22, 11)):
            path = tmp_path / f"{worker}.csv"
            write(path, [{**row, "predicted_value": predicted, "created_at": f"{DAY}T{hour}:00:00Z"}])
            book.stage_write(path, batch="morning", worker=worker)

        report = book.stage_consolidate("morning")

        assert (report.staged, report.rows, report.outdone) == (2, 1, 1)
        assert book.sql("SELECT predicted_value FROM player_prop_predictions").rows == [(Decimal(22),)]
        assert book.staged() == []
