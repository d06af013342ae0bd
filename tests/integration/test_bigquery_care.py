"""The daily care of a book in BigQuery: an incident and a move from end to end, and every check, on an emulator.

One test does one thing after the other to one book: each request to the emulator takes its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from bigquery_book import small_book
from builders import ledger_findings
from gradeonce.book import Book
from gradeonce.checks import CheckStatus
from gradeonce.migrate import MigrateOptions, MigrationReport
from gradeonce.schema import ACCURACY, ACTUALS, CHECK_RESULTS, DAILY_PERFORMANCE, DEDUPE_PLANS, INJURIES, PREDICTIONS
from gradeonce.warehouses.bigquery import layout, state
from gradeonce.warehouses.bigquery.connection import Connection
from servers import BigQuery
from their_grades import DAY, GRADED, LATER, RULES, load_inputs, table_sql
from their_grades import THEIRS as THEIR_ROWS

TYPES = {
    "date": "DATE", "text": "STRING", "float": "FLOAT64", "decimal": "NUMERIC", "integer": "INT64",
    "boolean": "BOOL", "instant": "TIMESTAMP",
}  # fmt: skip
TABLES = (PREDICTIONS, ACTUALS, INJURIES, ACCURACY, DAILY_PERFORMANCE)
"""Those that are needed: the emulator takes the longer the more there are."""

THEIRS = "demo.old_nba.prediction_accuracy"
QUOTED = "`demo`.`old_nba`.`prediction_accuracy`"
APPLY = MigrateOptions(apply=True)
COPIES = ("duplicate_grades", "recent_duplicates")
"""Checks 1 and 8."""


@pytest.fixture(scope="module")
def dataset(bigquery: BigQuery) -> Iterator[Connection]:
    """A book, and in another dataset a table of grades that somebody else kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        url = small_book()
        connection = Connection(url)
        made = [*map(layout.table_text, TABLES), *map(layout.small_table_text, (CHECK_RESULTS, DEDUPE_PLANS))]
        connection.execute(state.as_script([*made, "CREATE SCHEMA `demo`.`old_nba`", table_sql(QUOTED, TYPES)]))
        yield connection
        connection.close()


class Died(BaseException):
    """Stands for the end of a process: nothing in the house catches it."""


@contextmanager
def opened(dataset: Connection, *, dies_at: str = "") -> Iterator[Book]:
    """Open the book; whoever uses it dies at the step."""

    def on_step(name: str) -> None:
        if name == dies_at:
            raise Died

    url = f"bigquery://{dataset.place.project}/{dataset.place.dataset}"
    with gradeonce.open(url, threads=1, store="off", on_step=on_step) as book:
        yield book


@pytest.fixture
def book(dataset: Connection, tmp_path: Path) -> Iterator[Book]:
    """The book; it knows the predictions and box scores of the first date."""
    with opened(dataset) as book:
        load_inputs(book, tmp_path)
        yield book


def everything(connection: Connection) -> dict[str, list[Any]]:
    """Return all rows of all tables of the book, and of theirs."""
    names = {name: f"`{name}`" for name in connection.tables()}
    days = {table.name for table in TABLES}
    texts = [
        f"SELECT '{name}' AS name, TO_JSON_STRING(t) AS row_text FROM {quoted} AS t "
        f"WHERE {'game_date IS NOT NULL' if name in days or '_backup_' in name else 'TRUE'}"
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


def test_a_move_and_an_incident(dataset: Connection, book: Book) -> None:
    """A plan changes nothing; copies are found, removed, brought back and removed again; then the move ends."""
    before = everything(dataset)
    plan = book.migrate(THEIRS)
    assert everything(dataset) == before
    assert (plan.status, plan.to_adopt, plan.to_grade) == ("plan", (DAY, LATER), (DAY,))
    assert plan.findings.grades.duplicates == {DAY: {3: 1}, LATER: {2: 1}}
    assert (plan.findings.undated, plan.findings.grades.null_keys) == (1, {"player_lookup": 1})
    assert (plan.findings.moved_picks, plan.findings.grades.two_scales) == (1, {"alpha": (14, 1)})
    assert by_rule(plan) == RULES

    with pytest.raises(Died), opened(dataset, dies_at="migrate.adopted") as dying:
        dying.migrate(THEIRS, APPLY)
    dirty = standing(book)
    assert len(dirty) == len(THEIR_ROWS) - 1
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
