"""Copies of a key are found, removed, verified and brought back: in a folder and in PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import gradeonce
from builders import FakeClock, duplicate_keys, land_season, ledger_findings, new_book, open_book, sums_off
from doubled import FIRST, SECOND, THIRD, Grade, grades_sql, hours, put, standing
from gradeonce.book import Book
from gradeonce.errors import RefusedForSafety, UsageError, ValidationFailed
from gradeonce.model import Copies, Query
from gradeonce.publish import publish
from gradeonce.schema import ACCURACY, Column, ColumnType, Table
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema

__all__ = ["postgres", "schema"]

INCIDENT = [
    Grade(FIRST, "ann", 8),
    Grade(FIRST, "ann", 9),
    Grade(FIRST, "bob", 8, line=None),
    Grade(FIRST, "bob", 7, line=None),
    Grade(FIRST, "cid", 8),
    Grade(SECOND, "ann", 8),
    Grade(THIRD, "dan", 8),
    Grade(THIRD, "dan", 8),
    Grade(THIRD, "dan", 8, outcome="loss"),
    Grade(THIRD, "eve", 8, line="20.5"),
    Grade(THIRD, "eve", 8, line="21"),
]
"""FIRST: two keys of two copies, one with a null part. THIRD: one key of three copies, two of them equal, one not."""


@pytest.fixture(params=["folder", "server"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    """A book in which the incident stands."""
    with _opened(request, tmp_path) as opened:
        put(opened, INCIDENT)
        yield opened


def _opened(request: pytest.FixtureRequest, tmp_path: Path) -> Book:
    settings: dict[str, Any] = {"ttl_seconds": 5.0, "wait_seconds": 0.0}
    if request.param == "folder":
        return open_book(new_book(tmp_path / "book"), **settings)
    server = request.getfixturevalue("postgres")
    return gradeonce.open(server.url, schema=request.getfixturevalue("schema"), threads=1, **settings)


def test_the_plan_says_what_stands_twice_and_what_would_stay(book: Book) -> None:
    """Per date and number of copies, which stays, whether copies differ and in what; nothing is changed."""
    before = standing(book)

    plan = book.dedupe_plan()

    assert [(p.partition, p.rows, dict(p.keys), p.rows_deleted) for p in plan.partitions] == [
        (FIRST, 5, {2: 2}, 2),
        (THIRD, 5, {3: 1}, 2),
    ]
    assert plan.keys == {2: 2, 3: 1}
    assert plan.rows_deleted == 4
    assert [(p.identical, p.same_content, p.differing) for p in plan.partitions] == [(0, 2, 0), (0, 0, 1)]
    assert plan.differing_columns == {"outcome": 1, "prediction_correct": 1, "graded_at": 2}
    first, second, third = plan.samples
    assert (first.key["player_lookup"], first.key["line_value"], first.kept_by) == (
        "ann", "20.500000000", f"{FIRST} 08:00:00",
    )  # fmt: skip
    assert first.removed_by == (f"{FIRST} 09:00:00",)
    assert (second.key["player_lookup"], second.key["line_value"]) == ("bob", None)
    assert len(third.removed_by) == 2
    assert plan.backup == f"prediction_accuracy_backup_{plan.plan_id}"
    assert standing(book) == before
    assert ledger_findings(book.warehouse) == ()


def test_apply_removes_exactly_the_planned_rows_and_backs_them_up(book: Book) -> None:
    """11 rows, 4 go; the earliest of each stays; the backup holds both dates as they stood; all of it in the ledger."""
    before = standing(book)
    plan = book.dedupe_plan()

    done = book.dedupe_apply(plan.plan_id)

    assert (done.status, done.rows_deleted, done.rows_kept, done.table_rows) == ("applied", 4, 6, 7)
    assert duplicate_keys(book, ACCURACY) == 0
    assert hours(book) == [
        (FIRST, "ann", 8), (FIRST, "bob", 7), (FIRST, "cid", 8), (SECOND, "ann", 8), (THIRD, "dan", 8),
        (THIRD, "eve", 8), (THIRD, "eve", 8),
    ]  # fmt: skip
    assert standing(book, plan.backup) == [row for row in before if str(row[0]) in (FIRST, THIRD)]
    assert book.dedupe_verify(plan.plan_id).passed
    removed = book.sql("SELECT partition, reason, count(*) FROM grade_revisions WHERE change = 'removed' GROUP BY 1, 2")
    assert sorted(removed.rows) == [(FIRST, "duplicate_removed", 2), (THIRD, "duplicate_removed", 2)]
    entries = [e.draft for e in book.warehouse.entries() if e.draft.kind == "dedupe"]
    assert [(e.partition, e.rows, e.details["deleted"], e.details["plan"]) for e in entries] == [
        (FIRST, 3, 2, plan.plan_id), (THIRD, 3, 2, plan.plan_id),
    ]  # fmt: skip
    assert ledger_findings(book.warehouse) == ()
    assert book.dedupe_plan().partitions == ()


def test_applying_twice_is_a_no_op_that_says_so(book: Book) -> None:
    """Somebody who died after the commit may simply run it again."""
    plan = book.dedupe_plan()
    book.dedupe_apply(plan.plan_id)
    entries = len(list(book.warehouse.entries()))

    again = book.dedupe_apply(plan.plan_id)

    assert (again.status, again.rows_deleted, again.table_rows) == ("already_applied", 0, 7)
    assert len(list(book.warehouse.entries())) == entries


def test_rollback_brings_back_every_row_as_it_stood_and_apply_goes_again(book: Book) -> None:
    """Rows, stamps and copies, daily sums too; the dry run changes nothing; the same plan can be applied again."""
    # Dates that hold copies get no sums by themselves: they are not touched until somebody says so.
    assert book.add_missing_sums() == [SECOND]
    before = standing(book)
    plan = book.dedupe_plan()
    book.dedupe_apply(plan.plan_id)
    after = standing(book)
    assert sums_off(book) == []

    preview = book.dedupe_rollback(plan.plan_id, dry_run=True)
    assert (preview.rows_restored, preview.rows_undone, preview.table_rows) == (4, 0, 11)
    assert standing(book) == after

    done = book.dedupe_rollback(plan.plan_id)
    assert (done.rows_restored, done.rows_undone, done.later, done.table_rows) == (4, 0, (), 11)
    assert standing(book) == before
    assert sums_off(book) == []
    assert book.dedupe_verify(plan.plan_id).passed
    assert ledger_findings(book.warehouse) == ()
    with pytest.raises(RefusedForSafety, match="rolled back already"):
        book.dedupe_rollback(plan.plan_id)

    assert book.dedupe_apply(plan.plan_id).status == "applied"
    assert standing(book) == after
    assert sums_off(book) == []
    assert book.dedupe_verify(plan.plan_id).passed
    assert ledger_findings(book.warehouse) == ()


def test_the_latest_stays_if_told_so_and_a_row_without_the_instant_goes_first(book: Book) -> None:
    """--keep latest takes hour 9 of ann; a grade without an instant never stays beside one with."""
    put(book, [Grade(SECOND, "ann", None), Grade(SECOND, "ann", 6), Grade(SECOND, "ann", 7)], run_id="more")

    book.dedupe_apply(book.dedupe_plan(keep="latest", by="graded_at", partitions=[FIRST, SECOND]).plan_id)

    assert [row for row in hours(book) if row[0] in (FIRST, SECOND)] == [
        (FIRST, "ann", 9), (FIRST, "bob", 8), (FIRST, "cid", 8), (SECOND, "ann", 7),
    ]  # fmt: skip
    assert [p.partition for p in book.dedupe_plan().partitions] == [THIRD]


def test_identical_copies_are_told_apart_and_one_stays(book: Book) -> None:
    """Three rows equal in every column: two go, one stays."""
    put(book, [Grade(SECOND, "ann", 8)] * 3 + [Grade(SECOND, "bob", 8)], run_id="more")
    plan = book.dedupe_plan(partitions=[SECOND])
    assert [(p.identical, p.same_content, p.differing) for p in plan.partitions] == [(1, 0, 0)]

    book.dedupe_apply(plan.plan_id)

    assert [row for row in hours(book) if row[0] == SECOND] == [(SECOND, "ann", 8), (SECOND, "bob", 8)]
    book.dedupe_rollback(plan.plan_id)
    assert [row for row in hours(book) if row[0] == SECOND] == [(SECOND, "ann", 8)] * 3 + [(SECOND, "bob", 8)]


def test_a_null_in_any_part_of_the_key_is_equal_to_a_null(book: Book) -> None:
    """Two rows without a player are copies of each other; they come back as they stood."""
    rows = [Grade(SECOND, None, 8), Grade(SECOND, None, 9), Grade(SECOND, None, 8, line=None)]
    put(book, rows, run_id="nulls")
    before = standing(book)
    plan = book.dedupe_plan(partitions=[SECOND])
    assert dict(plan.partitions[0].keys) == {2: 1}

    book.dedupe_apply(plan.plan_id)
    assert [row for row in hours(book) if row[0] == SECOND] == [(SECOND, None, 8)] * 2
    book.dedupe_rollback(plan.plan_id)
    assert standing(book) == before
    assert ledger_findings(book.warehouse) == ()


def test_a_plan_whose_rows_move_while_it_is_applied_is_refused(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rival publishes after the fences were read: what is staged is not what was planned, and why is told."""
    plan = book.dedupe_plan()
    rivals: list[str] = []

    def rival(step: str) -> None:
        if step == "publish.based" and not rivals:
            rivals.append(step)
            put(book, [Grade(THIRD, "dan", 8), Grade(THIRD, "dan", 9)], run_id="rival")

    monkeypatch.setattr(book, "_on_step", rival)

    with pytest.raises(RefusedForSafety, match=f"no longer fits. prediction_accuracy {THIRD} has moved"):
        book.dedupe_apply(plan.plan_id)

    assert [(day, hour) for day, _, hour in hours(book) if day == THIRD] == [(THIRD, 8), (THIRD, 9)]
    assert ledger_findings(book.warehouse) == ()


def test_a_plan_whose_rows_moved_is_refused(book: Book) -> None:
    """Somebody published on one of its dates: nothing is changed, the message says what to type."""
    plan = book.dedupe_plan()
    put(book, [Grade(THIRD, "dan", 8), Grade(THIRD, "dan", 8)], run_id="meanwhile")
    before = standing(book)

    with pytest.raises(RefusedForSafety, match=f"no longer fits. prediction_accuracy {THIRD} has moved") as refused:
        book.dedupe_apply(plan.plan_id)

    assert refused.value.exit_code == 6
    assert "gradeonce dedupe plan" in refused.value.hint
    assert standing(book) == before
    assert ledger_findings(book.warehouse) == ()


def test_a_plan_that_would_keep_other_rows_than_it_showed_is_refused(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the choice made otherwise at the apply than in the plan, nothing would be committed."""
    plan = book.dedupe_plan()
    before = standing(book)
    from gradeonce.dedupe.choice import Choice

    kept = Choice.kept
    monkeypatch.setattr(Choice, "kept", lambda self, names: kept(self, names).replace("ASC NULLS", "DESC NULLS"))
    with pytest.raises(ValidationFailed, match=r"without copies: 3 rows that are not the 3 planned"):
        book.dedupe_apply(plan.plan_id)

    monkeypatch.setattr(Choice, "kept", lambda self, names: kept(self, names) + " AND player_lookup <> 'cid'")
    with pytest.raises(ValidationFailed, match="1 keys would appear or disappear"):
        book.dedupe_apply(plan.plan_id)
    assert standing(book) == before
    assert ledger_findings(book.warehouse) == ()


def test_rollback_after_later_gradings_says_what_it_undoes(book: Book) -> None:
    """A date is graded after the cleaning: the rollback names the grading, takes its rows back, and it can be rerun."""
    before = standing(book)
    plan = book.dedupe_plan()
    book.dedupe_apply(plan.plan_id)
    land_season(book, 1, 4)
    assert book.grade(FIRST).worst_error is None
    graded = standing(book)
    assert book.dedupe_verify(plan.plan_id).passed

    preview = book.dedupe_rollback(plan.plan_id, dry_run=True)
    assert [(change.partition, change.kind) for change in preview.later] == [(FIRST, "grade")]
    assert (preview.rows_restored, preview.rows_undone) == (5 + 2, 4)
    assert standing(book) == graded

    assert book.dedupe_rollback(plan.plan_id).rows_undone == 4
    assert standing(book) == before
    assert ledger_findings(book.warehouse) == ()
    assert isinstance(book.grade(FIRST).worst_error, RefusedForSafety)


def test_grading_a_date_that_holds_copies_is_refused_with_the_way_out(book: Book) -> None:
    """What would change cannot be told key by key; once clean, the date is graded as any other."""
    land_season(book, 1, 4)

    error = book.grade(FIRST).worst_error

    assert isinstance(error, RefusedForSafety)
    assert f"2 key(s) of prediction_accuracy {FIRST} stand more than once" in error.message
    assert "gradeonce dedupe plan" in error.hint
    book.dedupe_apply(book.dedupe_plan().plan_id)
    run = book.grade(FIRST).runs[0]
    assert (run.status, run.counts["win"], run.revised) == ("published", 4, 7)
    assert ledger_findings(book.warehouse) == ()


def test_copies_are_never_put_by_a_publish_that_does_not_say_so(book: Book) -> None:
    """Whatever stands, grading and every publish of a user's own keep the promise."""
    with pytest.raises(ValidationFailed, match="key_unique"):
        publish(book.warehouse, ACCURACY, Query(grades_sql(INCIDENT)), [FIRST, SECOND, THIRD], run_id="again")
    with pytest.raises(ValidationFailed, match="key_unique"):
        publish(
            book.warehouse,
            ACCURACY,
            Query(grades_sql(INCIDENT)),
            [FIRST, SECOND, THIRD],
            run_id="again",
            copies=Copies.REMOVED,
        )


def test_backups_are_listed_and_dropped_only_when_old_and_whole(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """30 days later it may go, once verify passes; the table is gone then, and so is the way back."""
    clock = FakeClock()
    with open_book(new_book(tmp_path / "book"), clock=clock) as book:
        put(book, INCIDENT)
        plan = book.dedupe_plan()
        book.dedupe_apply(plan.plan_id)
        (backup,) = book.dedupe_backups()
        assert (backup.name, backup.state, backup.rows, backup.verified) == (plan.backup, "applied", 10, True)
        assert backup.bytes > 0
        assert backup.expires_in_days == 30

        clock.advance(timedelta(days=29).total_seconds())
        assert book.dedupe_drop_expired(dry_run=False).dropped == ()
        clock.advance(timedelta(days=2).total_seconds())
        put(book, [Grade(FIRST, "ann", 8)] * 2, run_id="doubled again")
        refused = book.dedupe_drop_expired(dry_run=False)
        assert ([b.name for b in refused.kept], refused.dropped) == ([plan.backup], ())
        assert "copies of a key" in refused.kept[0].problem
        put(book, [Grade(FIRST, "ann", 8)], run_id="clean again")
        assert [b.name for b in book.dedupe_drop_expired().dropped] == [plan.backup]
        assert len(book.dedupe_backups()) == 1
        assert [b.name for b in book.dedupe_drop_expired(dry_run=False).dropped] == [plan.backup]

        assert book.dedupe_backups() == []
        assert ledger_findings(book.warehouse) == ()
        with pytest.raises(UsageError):
            book.sql(f"SELECT * FROM {plan.backup}")
        with pytest.raises(RefusedForSafety, match="was dropped"):
            book.dedupe_rollback(plan.plan_id)
        assert book.dedupe_verify(plan.plan_id).passed


def test_a_damaged_backup_is_found_and_not_rolled_back_to(postgres: Any, schema: str) -> None:
    """Somebody deletes a row of the backup table: verify fails, rollback refuses, the backup is not dropped."""
    import psycopg

    with gradeonce.open(postgres.url, schema=schema, threads=1, backup_days=0) as book:
        put(book, INCIDENT)
        plan = book.dedupe_plan()
        book.dedupe_apply(plan.plan_id)
        after = standing(book)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"DELETE FROM {schema}.{plan.backup} WHERE player_lookup = 'cid'".encode())

        assert [f.name for f in book.dedupe_verify(plan.plan_id).findings if not f.passed] == ["backup"]
        with pytest.raises(ValidationFailed, match="is not whole"):
            book.dedupe_rollback(plan.plan_id)
        assert len(book.dedupe_drop_expired(dry_run=False).kept) == 1
        assert standing(book) == after


def test_the_index_makes_way_for_copies_and_comes_back_with_the_last_of_them(postgres: Any, schema: str) -> None:
    """While copies stand, `init --check` misses the index; the apply that removes the last of them restores it."""
    with gradeonce.open(postgres.url, schema=schema, threads=1) as book:
        assert PostgresWarehouse.missing(postgres.url, schema=schema) == []
        put(book, INCIDENT)
        missing = PostgresWarehouse.missing(postgres.url, schema=schema)
        assert len(missing) == 1
        assert missing[0].startswith("prediction_accuracy: the unique index over its key is missing")

        book.dedupe_apply(book.dedupe_plan(partitions=[FIRST]).plan_id)
        assert len(PostgresWarehouse.missing(postgres.url, schema=schema)) == 1
        plan = book.dedupe_plan()
        book.dedupe_apply(plan.plan_id)
        assert PostgresWarehouse.missing(postgres.url, schema=schema) == []

        book.dedupe_rollback(plan.plan_id)
        assert len(PostgresWarehouse.missing(postgres.url, schema=schema)) == 1


NOTES = Table(
    name="notes",
    partition="day",
    key=("who", "turn"),
    columns=(Column("day", ColumnType.DATE), Column("who", ColumnType.TEXT), Column("turn", ColumnType.INTEGER)),
)


def test_a_table_in_which_anything_may_be_null_is_cleaned_and_brought_back(book: Book) -> None:
    """A table of the user's own, by another key than its own: of two turns of ann's the last stays, and both return."""
    turns = (("ann", 1), ("ann", 2), ("bob", 1))
    rows = (f"SELECT DATE '{FIRST}' AS day, '{who}' AS who, CAST({turn} AS INTEGER) AS turn" for who, turn in turns)
    book.publish(NOTES, Query(" UNION ALL ".join(rows)), [FIRST], run_id="notes")

    plan = book.dedupe_plan("notes", key=["who"], keep="latest", by="turn")
    book.dedupe_apply(plan.plan_id)
    assert sorted(book.sql("SELECT who, turn FROM notes").rows) == [("ann", 2), ("bob", 1)]

    assert book.dedupe_rollback(plan.plan_id).rows_restored == 1
    assert sorted(book.sql("SELECT who, turn FROM notes").rows) == list(turns)
    assert book.dedupe_verify(plan.plan_id).passed
    assert ledger_findings(book.warehouse) == ()


def test_unknown_plans_tables_and_columns_are_told(book: Book) -> None:
    """Each with what there is instead."""
    plan = book.dedupe_plan()
    with pytest.raises(UsageError, match="no plan 'nonsense'") as unknown:
        book.dedupe_apply("nonsense")
    assert plan.plan_id in unknown.value.hint
    with pytest.raises(UsageError, match="no table 'nowhere'"):
        book.dedupe_plan("nowhere")
    with pytest.raises(UsageError, match="no column nothing"):
        book.dedupe_plan(by="nothing")
    with pytest.raises(RefusedForSafety, match="never applied"):
        book.dedupe_rollback(plan.plan_id)
