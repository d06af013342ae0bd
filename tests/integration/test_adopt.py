"""Grades that somebody else made are brought in as they stand, marked, cleaned and graded: in a folder and a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import gradeonce
from builders import duplicate_keys, land_season, ledger_findings, new_book, open_book
from doubled import FIRST, SECOND, Grade, grades_sql, hours, standing
from gradeonce.adopt import AdoptOptions
from gradeonce.adopted import adopted_partitions
from gradeonce.book import Book
from gradeonce.errors import InputError, RefusedForSafety, UsageError
from gradeonce.schema import ACCURACY
from postgres_book import postgres, schema

__all__ = ["postgres", "schema"]

THEIRS = [
    Grade(FIRST, "ann", 8),
    Grade(FIRST, "ann", 9),
    Grade(FIRST, None, 8),
    Grade(SECOND, "bob", 8, line=None),
]
UTC = AdoptOptions(timezone="UTC")


@pytest.fixture(params=["folder", "server"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    """An empty book."""
    if request.param == "folder":
        opened = open_book(new_book(tmp_path / "book"), store="off")
    else:
        server = request.getfixturevalue("postgres")
        opened = gradeonce.open(server.url, schema=request.getfixturevalue("schema"), threads=1, store="off")
    with opened:
        yield opened


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """Their grades in all of our columns, as Parquet."""
    return write(tmp_path / "dump.parquet", f"SELECT * FROM ({grades_sql(THEIRS)})")


def write(path: Path, select: str) -> Path:
    duckdb.connect().execute(f"COPY ({select}) TO '{path}'")
    return path


def test_a_dump_stands_as_it_was_and_says_what_is_odd_about_it(book: Book, dump: Path) -> None:
    """Copies, nulls in the key and all; fences and ledger know of it; the dates are marked."""
    preview = book.adopt(dump, AdoptOptions(timezone="UTC", dry_run=True))
    assert (preview.status, preview.rows) == ("dry_run", 4)
    assert standing(book) == []

    report = book.adopt(dump, UTC)

    assert (report.status, report.rows, report.partitions) == ("adopted", 4, (FIRST, SECOND))
    assert report.duplicates == {FIRST: {2: 1}}
    assert report.null_keys == {"player_lookup": 1}
    assert report.outcomes == {"win": 4}
    expected = duckdb.connect().execute(f"SELECT * FROM ({grades_sql(THEIRS)})").fetchall()
    assert standing(book) == sorted(expected, key=repr)
    assert [(f.partition, f.seq, f.rows) for f in book.warehouse.all_fences(ACCURACY)] == [
        (FIRST, 1, 3),
        (SECOND, 1, 1),
    ]
    entries = [entry.draft for entry in book.warehouse.entries() if entry.draft.table == ACCURACY.name]
    assert [(e.kind, e.partition, e.rows) for e in entries] == [("adopt", FIRST, 3), ("adopt", SECOND, 1)]
    assert ledger_findings(book.warehouse) == ()

    again = book.adopt(dump, UTC)
    assert (again.status, again.run_id) == ("already_adopted", report.run_id)
    assert len(standing(book)) == 4


def test_adopted_dates_are_marked_until_they_are_graded(book: Book, dump: Path) -> None:
    """Reports and status say so, also after the copies were removed; a date graded by us is ours."""
    book.adopt(dump, UTC)
    assert [(s.partition, s.state) for s in book.status()] == [(FIRST, "adopted"), (SECOND, "adopted")]
    report = book.report()
    assert (report.adopted, report.total.predictions) == ((FIRST, SECOND), 4)
    assert book.report(start=SECOND).adopted == (SECOND,)

    plan = book.dedupe_plan()
    assert [p.is_adopted for p in plan.partitions] == [True]
    book.dedupe_apply(plan.plan_id)
    assert adopted_partitions(book.warehouse) == [FIRST, SECOND]

    land_season(book, 1, 4)
    assert book.grade(FIRST).runs[0].revised == 6
    assert adopted_partitions(book.warehouse) == [SECOND]
    assert [(s.partition, s.state) for s in book.status()] == [(FIRST, "graded"), (SECOND, "adopted")]
    assert book.report().adopted == (SECOND,)

    book.dedupe_rollback(plan.plan_id)
    assert adopted_partitions(book.warehouse) == [FIRST, SECOND]
    assert ledger_findings(book.warehouse) == ()


def test_an_adopted_date_that_holds_copies_is_not_graded(book: Book, dump: Path) -> None:
    """The refusal names the next command, and status shows it beside the mark."""
    book.adopt(dump, UTC)
    land_season(book, 1, 4)

    report = book.grade(FIRST)

    assert isinstance(report.worst_error, RefusedForSafety)
    assert "gradeonce dedupe plan" in report.worst_error.hint
    (status, _) = book.status()
    assert status.state == "adopted"
    assert "stand more than once" in status.reasons[1]


def test_dates_on_which_grades_stand_are_never_overwritten(book: Book, dump: Path, tmp_path: Path) -> None:
    """Neither our own nor adopted ones: nothing of the dump comes in."""
    land_season(book, 1, 4)
    book.grade(FIRST)
    before = standing(book)

    with pytest.raises(RefusedForSafety, match=f"On {FIRST} stand our own grades already"):
        book.adopt(dump, UTC)

    assert standing(book) == before
    second = write(tmp_path / "second.parquet", f"SELECT * FROM ({grades_sql(THEIRS[3:])})")
    book.adopt(second, UTC)
    other = write(tmp_path / "other.parquet", f"SELECT * FROM ({grades_sql(THEIRS[3:] * 2)})")
    with pytest.raises(RefusedForSafety, match=f"On {SECOND} stand adopted grades of another dump"):
        book.adopt(other, UTC)
    assert len(standing(book)) == 5
    assert ledger_findings(book.warehouse) == ()


def test_grades_that_come_while_a_dump_is_read_are_never_overwritten(tmp_path: Path, dump: Path) -> None:
    """Somebody grades the date after it was seen to be free: nothing of the dump comes in, however often we try."""
    folder = new_book(tmp_path / "book")
    land_season(folder, 1, 4)

    def grade_meanwhile(step: str) -> None:
        if step == "publish.based":
            with open_book(folder) as rival:
                rival.grade(FIRST)

    with open_book(folder, on_step=grade_meanwhile) as book, pytest.raises(RefusedForSafety, match="has moved since"):
        book.adopt(dump, UTC)

    with open_book(folder) as book:
        assert adopted_partitions(book.warehouse) == []
        assert [row[:2] for row in book.sql("SELECT outcome, count(*) FROM prediction_accuracy GROUP BY 1").rows] == [
            ("win", 4)
        ]
        assert ledger_findings(book.warehouse) == ()


def test_what_a_file_does_not_say_is_seen_to_be_adopted(book: Book, tmp_path: Path) -> None:
    """A CSV of few columns: ids, run and version are marked; outcomes follow from what there is, and add up."""
    path = tmp_path / "few.csv"
    path.write_text(
        "game_date,system_id,player_name,game_id,line_value,predicted_value,recommendation,actual_value,"
        "prediction_correct,is_voided,confidence_score\n"
        f"{FIRST},alpha,Luka Dončić,g1,22.5,25,OVER,30,true,,0.7\n"
        f"{FIRST},alpha,Ann B,g1,22.5,25,OVER,20,false,,71\n"
        f"{FIRST},alpha,Ann C,g1,22,25,OVER,22,,,0.5\n"
        f"{FIRST},alpha,Ann D,g1,22.5,25,PASS,30,,,\n"
        f"{FIRST},alpha,Ann E,g1,22.5,25,OVER,,,true,\n"
        f"{FIRST},alpha,Ann F,g1,22.5,25,OVER,,,,\n"
    )

    report = book.adopt(path)

    assert report.outcomes == {"win": 1, "loss": 1, "push": 1, "no_bet": 1, "void": 1, "ungradable": 1}
    assert report.two_scales == {"alpha": (2, 1)}
    assert {"prediction_id", "run_id", "graded_at", "outcome"} <= set(report.lacking)
    found = book.sql(
        "SELECT player_lookup, market, left(prediction_id, 8), left(run_id, 8), rules_version, line_source, "
        "ungradable_reason, prediction_correct FROM prediction_accuracy ORDER BY 1"
    ).rows
    assert found[-1] == ("lukadoncic", "points", "adopted-", "adopted-", 0, "ADOPTED", None, True)
    assert found[-2][6] == "adopted_without_outcome"
    assert book.report().total.predictions == 6
    assert ledger_findings(book.warehouse) == ()


def test_files_that_are_no_grades_are_refused_with_what_to_do(book: Book, tmp_path: Path) -> None:
    """An unknown column, a missing one, a value that cannot be read, a bare instant, no file: nothing comes in."""
    good = f"SELECT DATE '{FIRST}' AS game_date, 'ann' AS player_lookup, 22 AS predicted_value"
    cases = [
        (f"SELECT *, 1 AS outcom FROM ({good})", "no column \"outcom\" .did you mean outcome.", "--ignore-extra"),
        ("SELECT 'ann' AS player_lookup", "game_date, predicted_value is missing", "--select"),
        (f"SELECT *, 'x' AS actual_value FROM ({good})", "actual_value: 'x' is not a number", "--select"),
        (f"SELECT * REPLACE (NULL AS game_date) FROM ({good})", "game_date", "--select"),
        (f"SELECT *, TIMESTAMP '{FIRST} 08:00:00' AS graded_at FROM ({good})", "has no UTC offset", "--timezone"),
    ]  # fmt: skip
    for number, (select, message, hint) in enumerate(cases):
        with pytest.raises(InputError, match=message) as refused:
            book.adopt(write(tmp_path / f"case{number}.parquet", select))
        assert hint in refused.value.hint
    with pytest.raises(InputError, match="cannot be read"):
        book.adopt(tmp_path / "missing.parquet")
    assert standing(book) == []


def test_a_mapping_of_the_users_own_is_used(book: Book, tmp_path: Path) -> None:
    """--select maps other columns onto ours."""
    path = write(tmp_path / "theirs.parquet", f"SELECT '{FIRST}' AS d, 'ann' AS who, '22' AS guess, 'alpha' AS model")
    mapping = tmp_path / "map.sql"
    mapping.write_text(
        "SELECT d AS game_date, who AS player_lookup, guess AS predicted_value, model AS system_id, 'g1' AS game_id, "
        "_file, _row FROM {rows}"
    )

    assert book.adopt(path, AdoptOptions(select=mapping)).rows == 1
    assert hours(book)[0][:2] == (FIRST, "ann")


def test_a_table_is_taken_over_where_it_stands(postgres: Any, schema: str) -> None:
    """Rows that others put into the table of grades get fences and a ledger entry; no row is touched."""
    import psycopg

    rows = [grade for grade in THEIRS if grade.player]
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP INDEX {schema}.prediction_accuracy_key".encode())
        connection.execute(f"INSERT INTO {schema}.prediction_accuracy {grades_sql(rows)}".encode())
        places = f"SELECT ctid, xmin FROM {schema}.prediction_accuracy ORDER BY 1".encode()
        before = connection.execute(places).fetchall()
        with gradeonce.open(postgres.url, schema=schema, threads=1) as book:
            with pytest.raises(RefusedForSafety, match="have no fence") as refused:
                book.dedupe_plan()
            assert "gradeonce adopt prediction_accuracy" in refused.value.hint

            report = book.adopt()

            assert (report.status, report.rows, report.duplicates) == ("adopted", 3, {FIRST: {2: 1}})
            assert connection.execute(places).fetchall() == before
            assert ledger_findings(book.warehouse) == ()
            assert adopted_partitions(book.warehouse) == [FIRST, SECOND]
            assert (book.adopt().status, book.adopt().skipped) == ("already_adopted", (FIRST, SECOND))
            # A clean date can be graded while the other one still holds copies and the index is missing.
            land_season(book, 2, 4)
            assert book.grade(SECOND).runs[0].status == "published"
            book.dedupe_apply(book.dedupe_plan().plan_id)
            assert duplicate_keys(book, ACCURACY) == 0
            assert ledger_findings(book.warehouse) == ()
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(
                f"INSERT INTO {schema}.prediction_accuracy SELECT * FROM {schema}.prediction_accuracy".encode()
            )


def test_rows_that_name_no_system_are_counted_too(book: Book, tmp_path: Path) -> None:
    """In reports and daily sums, before and after the copies went: nothing vanishes (G6)."""
    rows = [Grade(FIRST, "ann", 8, system=None), Grade(FIRST, "ann", 9, system=None), Grade(FIRST, "bob", 8)]
    report = book.adopt(write(tmp_path / "nulls.parquet", f"SELECT * FROM ({grades_sql(rows)})"), UTC)
    assert report.null_keys == {"system_id": 2}
    daily = "SELECT system_id, predictions, win FROM system_daily_performance ORDER BY 1"
    assert book.sql(daily).rows == [("(none)", 2, 2), ("alpha", 1, 1)]

    book.dedupe_apply(book.dedupe_plan().plan_id)

    assert book.sql(daily).rows == [("(none)", 1, 1), ("alpha", 1, 1)]
    assert book.report().total.predictions == 2
    assert ledger_findings(book.warehouse) == ()


def test_rows_of_others_are_never_removed_unseen(postgres: Any, schema: str, tmp_path: Path, dump: Path) -> None:
    """On a date where somebody put rows, neither a grading nor a dump takes their place before they are adopted."""
    import psycopg

    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"INSERT INTO {schema}.prediction_accuracy {grades_sql(THEIRS[:1])}".encode())
    with gradeonce.open(postgres.url, schema=schema, threads=1) as book:
        land_season(book, 1, 4)
        before = standing(book)

        refused = book.grade(FIRST).worst_error
        assert isinstance(refused, RefusedForSafety)
        assert "gradeonce adopt prediction_accuracy" in refused.hint
        with pytest.raises(RefusedForSafety, match="1 rows that gradeonce never published"):
            book.adopt(dump, UTC)

        assert standing(book) == before
        book.adopt()
        assert book.grade(FIRST).runs[0].status == "published"
        assert ledger_findings(book.warehouse) == ()


def test_options_for_files_are_refused_for_a_table(tmp_path: Path) -> None:
    """What would be passed over is refused, before anything is asked."""
    with open_book(new_book(tmp_path / "book")) as book, pytest.raises(UsageError, match="are for files"):
        book.adopt(ACCURACY.name, AdoptOptions(timezone="UTC", dry_run=True))


def test_a_book_in_a_folder_has_no_table_to_take_over(tmp_path: Path) -> None:
    """Nobody else can have put rows there."""
    with open_book(new_book(tmp_path / "book")) as book, pytest.raises(UsageError, match="nobody else"):
        book.adopt()
