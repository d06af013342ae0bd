"""Copies in tables of the database that are not the book's: the same steps, under a lock, and in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gradeonce
from builders import ledger_findings, new_book, open_book
from gradeonce.book import Book
from gradeonce.errors import RefusedForSafety, UsageError, ValidationFailed
from gradeonce.warehouses.postgres.beside import PostgresBeside
from postgres_book import postgres, schema
from races.child import answer_of, child
from servers import Postgres

__all__ = ["postgres", "schema"]

STEPS = ["beside.locked", "beside.backed_up", "beside.removed", "beside.ledgered", "beside.done"]
BACK_STEPS = ["beside.locked", "beside.taken_out", "beside.ledgered", "beside.done"]


@pytest.fixture
def rows(postgres: Postgres, schema: str) -> Iterator[Any]:
    """A partitioned table of odd types, with copies on two partitions; yields a way to read it."""
    name = f"public.odd_{schema}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:

        def run(text: str) -> Any:
            cursor = connection.execute(text.replace("ODD", name).encode())
            return cursor.fetchall() if cursor.description else None

        run("""
            CREATE TABLE ODD (
                id integer GENERATED ALWAYS AS IDENTITY, day date, who text, ratio double precision, extra jsonb,
                at timestamptz, doubled double precision GENERATED ALWAYS AS (ratio * 2) STORED
            ) PARTITION BY RANGE (day)
        """)
        run("CREATE TABLE ODD_a PARTITION OF ODD FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')")
        run("CREATE TABLE ODD_b PARTITION OF ODD FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')")
        run("""
            INSERT INTO ODD (day, who, ratio, extra, at) VALUES
                ('2026-01-01', 'ann', 0.1, '{"a": 1}', '2026-01-02 08:00Z'),
                ('2026-01-01', 'ann', 0.2, '{"a": 2}', '2026-01-02 09:00Z'),
                ('2026-01-01', 'ann', 0.3, '{"a": 3}', NULL),
                ('2026-01-01', NULL, 0.4, NULL, '2026-01-02 08:00Z'),
                ('2026-02-01', NULL, 0.5, NULL, '2026-02-02 08:00Z'),
                ('2026-02-01', NULL, 0.6, NULL, '2026-02-02 07:00Z'),
                ('2026-02-01', 'bob', 0.7, NULL, '2026-02-02 07:00Z')
        """)
        try:
            yield run
        finally:
            run("DROP TABLE ODD")


@pytest.fixture
def book(postgres: Postgres, schema: str) -> Iterator[Book]:
    with gradeonce.open(postgres.url, schema=schema, threads=1, backup_days=0) as book:
        yield book


def plan_of(book: Book, **options: Any) -> Any:
    return book.dedupe_plan(
        f"public.odd_{book.settings.schema}", **{"key": ["day", "who"], "keep": "latest", "by": "at", **options}
    )


ALL = "SELECT * FROM ODD ORDER BY id"


def test_copies_are_planned_removed_verified_and_brought_back(book: Book, rows: Any) -> None:
    """Null keys are equal, the latest stays, one without an instant does not; ids, generated columns, all as it was."""
    before = rows(ALL)

    plan = plan_of(book)
    assert (plan.keys, plan.rows_deleted) == ({2: 1, 3: 1}, 3)
    assert plan.samples[0].key == {"day": "2026-01-01", "who": "ann"}
    assert rows(ALL) == before

    done = book.dedupe_apply(plan.plan_id)
    assert (done.status, done.rows_deleted, done.table_rows) == ("applied", 3, 4)
    assert rows("SELECT who, ratio FROM ODD ORDER BY id") == [("ann", 0.2), (None, 0.4), (None, 0.5), ("bob", 0.7)]
    assert book.dedupe_apply(plan.plan_id).status == "already_applied"
    assert book.dedupe_verify(plan.plan_id).passed
    assert [(b.name, b.rows, b.verified) for b in book.dedupe_backups()] == [(plan.backup, 5, True)]
    assert ledger_findings(book.warehouse) == ()

    preview = book.dedupe_rollback(plan.plan_id, dry_run=True)
    assert (preview.rows_restored, preview.rows_undone, preview.table_rows) == (3, 0, 7)
    assert len(rows(ALL)) == 4
    assert book.dedupe_rollback(plan.plan_id).table_rows == 7
    assert rows(ALL) == before
    assert ledger_findings(book.warehouse) == ()
    kinds = [e.draft.kind for e in book.warehouse.entries()]
    assert kinds == ["dedupe", "dedupe_rollback"]


def test_a_rollback_undoes_what_was_written_under_these_keys_since(book: Book, rows: Any) -> None:
    """A row that changed since goes, those that stood come back, and other keys are left alone."""
    before = rows(ALL)
    plan = plan_of(book)
    book.dedupe_apply(plan.plan_id)
    rows("UPDATE ODD SET ratio = 9 WHERE who = 'ann'")
    rows("INSERT INTO ODD (day, who, ratio) VALUES ('2026-01-05', 'eve', 1)")

    done = book.dedupe_rollback(plan.plan_id)

    assert (done.rows_restored, done.rows_undone, done.table_rows) == (4, 1, 8)
    assert rows("SELECT * FROM ODD WHERE who IS DISTINCT FROM 'eve' ORDER BY id") == before


def test_a_plan_whose_copies_moved_is_refused(book: Book, rows: Any) -> None:
    """A further copy, or another value in one: nothing is changed."""
    for change in (
        "INSERT INTO ODD (day, who) VALUES ('2026-01-01', 'ann')",
        "UPDATE ODD SET ratio = 9 WHERE ratio = 0.6",
    ):
        plan = plan_of(book)
        rows(change)
        before = rows(ALL)
        with pytest.raises(RefusedForSafety, match="no longer fits"):
            book.dedupe_apply(plan.plan_id)
        assert rows(ALL) == before
    assert list(book.warehouse.entries()) == []


def test_a_damaged_backup_is_not_rolled_back_to_nor_dropped(book: Book, rows: Any) -> None:
    """It is found by verify; whole, it may be dropped when it is old enough."""
    plan = plan_of(book)
    book.dedupe_apply(plan.plan_id)
    backup = f"{book.settings.schema}.{plan.backup}"
    rows(f"CREATE TABLE kept_{book.settings.schema} AS SELECT * FROM {backup}")
    rows(f"UPDATE {backup} SET ratio = 9 WHERE who = 'ann'")
    assert not book.dedupe_verify(plan.plan_id).passed
    with pytest.raises(ValidationFailed, match="not whole"):
        book.dedupe_rollback(plan.plan_id)
    assert len(book.dedupe_drop_expired(dry_run=False).kept) == 1

    rows(f"DELETE FROM {backup}")
    rows(f"INSERT INTO {backup} SELECT * FROM kept_{book.settings.schema}")
    rows(f"DROP TABLE kept_{book.settings.schema}")
    assert len(book.dedupe_drop_expired(dry_run=False).dropped) == 1
    assert book.dedupe_backups() == []
    with pytest.raises(RefusedForSafety, match="was dropped"):
        book.dedupe_rollback(plan.plan_id)
    assert ledger_findings(book.warehouse) == ()


@pytest.mark.parametrize(
    ("job", "step"), [*(("dedupe_apply", s) for s in STEPS), *(("dedupe_rollback", s) for s in BACK_STEPS)]
)
def test_killed_at_a_step_it_happened_or_not(book: Book, rows: Any, job: str, step: str) -> None:
    """The transaction of a dead client is taken back by the server."""
    plan = plan_of(book)
    before = rows(ALL)
    if job == "dedupe_rollback":
        book.dedupe_apply(plan.plan_id)
        before = rows(ALL)

    settings = {"schema": book.settings.schema}
    with child(
        book.settings.book, job, {"plan_id": plan.plan_id}, step=step, signal_name="SIGKILL", settings=settings
    ) as process:  # type: ignore[arg-type]
        assert answer_of(process) == {}

    is_done = step == "beside.done"
    assert (rows(ALL) == before) == (not is_done)
    if job == "dedupe_apply":
        assert book.dedupe_apply(plan.plan_id).status == ("already_applied" if is_done else "applied")
        assert len(rows(ALL)) == 4
    else:
        if not is_done:
            book.dedupe_rollback(plan.plan_id)
        assert len(rows(ALL)) == 7
    assert ledger_findings(book.warehouse) == ()


def test_what_cannot_be_planned_is_told(book: Book, rows: Any, tmp_path: Path) -> None:
    """No such table, no such column, not said what stays, only a part of it; in a folder there are no other tables."""
    with pytest.raises(UsageError, match=r"no table 'public\.nowhere'"):
        book.dedupe_plan("public.nowhere", key=["a"], keep="latest", by="b")
    with pytest.raises(UsageError, match="no column nothing"):
        plan_of(book, by="nothing")
    with pytest.raises(UsageError, match="What is a copy"):
        plan_of(book, keep=None)
    with pytest.raises(UsageError, match="expected earliest, latest"):
        plan_of(book, keep="newest")
    with pytest.raises(UsageError, match="planned as a whole"):
        plan_of(book, partitions=["2026-01-01"])
    assert plan_of(book, key=["day", "who", "ratio"]).plan_id == ""
    with (
        open_book(new_book(tmp_path / "book")) as folder,
        pytest.raises(UsageError, match=r"no table 'public\.nowhere'"),
    ):
        folder.dedupe_plan("public.nowhere", key=["a"], keep="latest", by="b")


def test_two_who_apply_or_drop_at_once_are_both_told_that_it_is_done(
    postgres: Postgres, schema: str, book: Book, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look at the history and the lock on the table, somebody else does the very same."""
    plan_id = plan_of(book).plan_id
    with gradeonce.open(postgres.url, schema=schema, threads=1, backup_days=0) as neighbour:

        def first(name: str, act: Callable[[], object]) -> None:
            method, left = getattr(PostgresBeside, name), [act]

            # Any: what the method takes and returns.
            def after_the_other(*given: Any, **named: Any) -> Any:
                if left:
                    left.pop()()
                return method(*given, **named)

            monkeypatch.setattr(PostgresBeside, name, after_the_other)

        first("remove", lambda: neighbour.dedupe_apply(plan_id))
        assert book.dedupe_apply(plan_id).status == "already_applied"
        assert rows("SELECT count(*) FROM ODD") == [(4,)]

        first("drop", lambda: neighbour.dedupe_drop_expired(dry_run=False))
        assert [one.plan_id for one in book.dedupe_drop_expired(dry_run=False).dropped] == [plan_id]
        assert book.dedupe_backups() == []
        assert ledger_findings(book.warehouse) == ()
