"""Moving a table of grades in: what it finds, what it changes, and how what stood differs from what our rules say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gradeonce
from acceptance.command import Command
from builders import ledger_findings, new_book, open_book
from gradeonce.book import Book
from gradeonce.errors import UsageError
from gradeonce.migrate import MigrateOptions, MigrationReport
from gradeonce.warehouses.base import Rows
from gradeonce.warehouses.postgres.warehouse import PostgresReader
from postgres_book import postgres, schema
from servers import Postgres
from their_grades import DAY, GRADED, LATER, POSTGRES_TYPES, RULES, THEIRS, load_inputs, table_sql, write

__all__ = ["postgres", "schema"]

APPLY = MigrateOptions(apply=True)


@pytest.fixture
def theirs(postgres: Postgres, schema: str) -> Iterator[str]:
    """Their table; yields its name."""
    name = f"public.their_grades_{schema}"
    with psycopg.connect(postgres.url, autocommit=True, options="-c TimeZone=UTC") as connection:
        connection.execute(table_sql(name, POSTGRES_TYPES).encode())
        try:
            yield name
        finally:
            connection.execute(f"DROP TABLE {name}".encode())


@pytest.fixture
def book(postgres: Postgres, schema: str, tmp_path: Path) -> Iterator[Book]:
    """A book that knows the predictions and box scores of the first date."""
    with gradeonce.open(postgres.url, schema=schema, threads=1, store="off") as book:
        load_inputs(book, tmp_path)
        yield book


def everything(book: Book, theirs: str) -> list[Any]:
    """Return all rows of all tables of the book, and of theirs."""
    with psycopg.connect(book.settings.book) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY 1",
            (book.settings.schema,),
        ).fetchall()
        found = [f'"{book.settings.schema}"."{name}"' for (name,) in names] + [theirs]
        return [
            (name, connection.execute(f"SELECT ROW(t.*)::text FROM {name} AS t ORDER BY 1".encode()).fetchall())
            for name in found
        ]


def by_rule(report: MigrationReport) -> dict[str, int]:
    return {difference.rule: difference.rows for difference in report.comparison.differences}


def test_a_plan_says_everything_and_changes_nothing(book: Book, theirs: str) -> None:
    """Copies, null keys, two scales, moved lines, rows without a date, differences by rule, dates that must wait."""
    before = everything(book, theirs)

    report = book.migrate(theirs)

    assert everything(book, theirs) == before
    assert report.status == "plan"
    assert (report.to_adopt, report.to_grade) == ((DAY, LATER), (DAY,))
    found = report.findings
    assert (found.grades.rows, found.undated) == (len(THEIRS) - 1, 1)
    assert found.grades.duplicates == {DAY: {3: 1}, LATER: {2: 1}}
    assert found.grades.null_keys == {"player_lookup": 1}
    assert found.grades.two_scales == {"alpha": (14, 1)}
    assert (found.moved_picks, found.moved_rows, found.moved[0].player_lookup) == (1, 2, "moved")
    assert by_rule(report) == RULES
    assert (report.comparison.stood, report.comparison.same) == (11, 2)
    assert report.comparison.held == {LATER: "no predictions are loaded"}
    push = next(one for one in report.comparison.differences if one.rule == "push_counted").samples[0]
    assert (push.player_lookup, push.was["outcome"], push.now["outcome"]) == ("push", "loss", "push")
    assert report.mapped.left_out == ("pace_adjustment",)


def test_a_plan_walks_no_table_for_each_row_of_another(
    book: Book, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server knows nothing of rows that came a moment ago, and would join them in a time that grows as its square.

    It took 14 s for 5,000 rows, and takes half a second.
    """
    plans: list[str] = []
    query = PostgresReader.query

    def explained(self: PostgresReader, sql: str, params: Any = None) -> Rows:
        plans.append("\n".join(line for (line,) in query(self, f"EXPLAIN {sql}", params).rows))
        return query(self, sql, params)

    monkeypatch.setattr(PostgresReader, "query", explained)
    book.migrate(theirs)

    over_theirs = [plan for plan in plans if "their_grades" in plan]
    assert sum("Hash Full Join" in plan for plan in over_theirs) == 1
    assert [plan for plan in over_theirs if "Nested Loop" in plan] == []


def test_an_apply_leaves_a_clean_graded_book(book: Book, theirs: str) -> None:
    """Adopted, backed up, cleaned, graded where it can be; theirs is as it was; done again, it does nothing."""
    report = book.migrate(theirs, APPLY)

    assert report.status == "migrated"
    assert report.adopted is not None
    assert report.removed is not None
    assert (report.adopted.rows, report.removed.rows_deleted) == (15, 3)
    assert by_rule(report) == RULES
    outcomes = f"SELECT outcome, count(*) FROM prediction_accuracy WHERE game_date = DATE '{DAY}' GROUP BY 1"
    assert dict(book.sql(outcomes).rows) == GRADED
    assert book.sql(f"SELECT count(*) FROM prediction_accuracy WHERE game_date = DATE '{LATER}'").rows == [(1,)]
    assert [(s.partition, s.state) for s in book.status()] == [(DAY, "graded"), (LATER, "adopted")]
    assert book.sql(f'SELECT count(*) FROM "{report.removed.backup}"').rows == [(15,)]
    assert ledger_findings(book.warehouse) == ()

    before = everything(book, theirs)
    again = book.migrate(theirs, APPLY)
    assert (again.status, by_rule(again)) == ("already_migrated", RULES)
    assert everything(book, theirs) == before


def test_a_date_waits_for_what_is_not_loaded(book: Book, theirs: str, tmp_path: Path) -> None:
    """A system without predictions, then a game without a final box score: no grade is lost; then it is graded."""
    with psycopg.connect(book.settings.book, autocommit=True) as connection:
        moved = "system_id = 'beta', game_id = '0022500602'"
        connection.execute(f"UPDATE {theirs} SET {moved} WHERE player_lookup = 'sign'".encode())
    graded = f"SELECT count(*) FROM prediction_accuracy WHERE game_date = DATE '{DAY}'"

    report = book.migrate(theirs, APPLY)
    assert report.comparison.held[DAY] == "no prediction of beta is loaded"
    assert (report.graded, book.sql(graded).rows) == (None, [(11,)])

    row = {"system_id": "beta", "player_lookup": "sign", "game_id": "0022500602", "game_date": DAY, "line_value": 22.5}
    write(tmp_path / "beta.csv", [{**row, "predicted_value": 25, "recommendation": "OVER"}])
    book.load("predictions", tmp_path / "beta.csv")
    report = book.migrate(theirs, APPLY)
    assert "1 grades would wait again" in report.comparison.held[DAY]
    assert (report.graded, book.sql(graded).rows) == (None, [(11,)])

    game = {"game_id": "0022500602", "game_date": DAY, "points": 30, "minutes_played": 30}
    write(tmp_path / "game.csv", [{**game, "player_lookup": "sign"}])
    book.load("actuals", tmp_path / "game.csv")
    assert book.migrate(theirs, APPLY).graded is not None
    assert book.sql(graded).rows == [(10,)]


def test_what_is_named_must_be_there(book: Book, theirs: str) -> None:
    """Columns, ours and theirs, and the table; and it must not be the book's own."""
    with pytest.raises(UsageError, match="no column nothing"):
        book.migrate(theirs, MigrateOptions(columns={"actual_value": "nothing"}))
    with pytest.raises(UsageError, match="Did you mean line_value"):
        book.migrate(theirs, MigrateOptions(columns={"lin_value": "current_points_line"}))
    with pytest.raises(UsageError, match="There is no table"):
        book.migrate("public.nothing")
    with pytest.raises(UsageError, match="own table"):
        book.migrate("prediction_accuracy")


def test_the_command_plans_and_takes_over(book: Book, theirs: str, tmp_path: Path) -> None:
    """A table for people, one object for machines, and the codes of what went wrong."""
    command = Command(
        tmp_path,
        GRADEONCE_WAREHOUSE_BOOK=book.settings.book,
        GRADEONCE_WAREHOUSE_SCHEMA=book.settings.schema,
        GRADEONCE_LOCK_STORE="off",
    )
    named = ("migrate", "gcp", "--table", theirs)

    plan = command.inside(*named, "--samples", "1")
    assert "held against our rules on 1 date(s): 11 keys stood, 2 are the same" in plan.out
    assert "push points outcome loss -> push" in " ".join(plan.out.split())
    assert "1 date(s) are not graded (no predictions are loaded): 2026-01-18" in plan.out
    assert "nothing was changed; do it with --apply" in plan.err

    document = command.inside(*named, "--apply", "--json").json()
    assert (document["status"], document["rows_adopted"], document["rows_removed"]) == ("migrated", 15, 3)
    assert {one["rule"]: one["rows"] for one in document["differences"]} == RULES
    assert document["graded"] == [DAY]
    assert "everything was taken over before" in command.inside(*named, "--apply").out

    assert "expected OURS=THEIRS" in command.inside(*named, "--column", "line_value", code=64).err


def test_a_folder_has_no_tables_beside_it(tmp_path: Path) -> None:
    """The message says so, and what to do instead."""
    with open_book(new_book(tmp_path / "book")) as book, pytest.raises(UsageError) as caught:
        book.migrate("their_grades")

    assert "gradeonce adopt" in caught.value.hint
