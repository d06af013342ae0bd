"""What a user of a book in PostgreSQL meets: the command, a role that may only read, queries, errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gradeonce
from builders import land_actuals, land_season, ledger_findings
from gradeonce.book import Book
from gradeonce.errors import ConfigError, RefusedForSafety, TransientWarehouseError, UsageError, WarehouseError
from gradeonce.warehouses.postgres.connection import Connections, Session
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema
from servers import Postgres

__all__ = ["postgres", "schema"]

DAY = "2026-01-01"


@pytest.fixture
def book(postgres: Postgres, schema: str) -> Iterator[Book]:
    with gradeonce.open(postgres.url, schema=schema, threads=1) as book:
        yield book


def run(*arguments: str, folder: Path, expected: int = 0) -> Any:
    """Run the command; return what it printed, read as JSON if it is."""
    done = subprocess.run(
        [sys.executable, "-m", "gradeonce", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == expected, done.stderr
    return json.loads(done.stdout) if "--json" in arguments and done.stdout else done.stdout + done.stderr


def test_the_command_does_the_same_with_a_url(postgres: Postgres, tmp_path: Path) -> None:
    """From init to ledger verify; the URL stands in the settings file."""
    (tmp_path / "picks.csv").write_text(
        "system_id,player_name,game_id,game_date,predicted_value,line_value,recommendation,created_at\n"
        f"alpha,Luka Dončić,0022500601,{DAY},30,22.5,OVER,{DAY}T12:00:00Z\n"
        f"alpha,Nobody Known,0022500601,{DAY},30,22.5,OVER,{DAY}T12:00:00Z\n"
    )
    (tmp_path / "box.csv").write_text(
        "player_name,game_id,game_date,points,minutes_played\n"
        f"Luka Dončić,0022500601,{DAY},25,34\nNobody Knowns,0022500601,{DAY},5,10\n"
    )
    (tmp_path / "gradeonce.toml").write_text(f'[warehouse]\nbook = "{postgres.url}"\nschema = "by_command"\n')

    assert run("init", "--check", "--json", folder=tmp_path, expected=1)["missing"] == [
        "the schema by_command does not exist"
    ]
    assert "Made the book" in run("init", folder=tmp_path)
    assert run("init", "--check", "--json", folder=tmp_path)["missing"] == []
    assert "Already there" in run("init", folder=tmp_path)
    run("load", "predictions", "picks.csv", folder=tmp_path)
    assert "was loaded before" in run("load", "predictions", "picks.csv", folder=tmp_path)
    run("load", "actuals", "box.csv", folder=tmp_path)
    graded = run("grade", DAY, "--json", folder=tmp_path)["runs"][0]
    assert (graded["status"], graded["win"], graded["ungradable"]) == ("published", 1, 1)
    assert "nearest: nobodyknowns" in run("grade", DAY, folder=tmp_path)
    assert run("report", "--json", folder=tmp_path)["total"]["predictions"] == 2
    assert "25" in run("explain", "Luka Doncic", DAY, folder=tmp_path)
    assert "the nearest names are Nobody Known" in run("explain", "Nobody Knwn", DAY, folder=tmp_path)
    assert [row["status"] for row in run("runs", DAY, "--json", folder=tmp_path)["runs"]] == ["unchanged", "published"]
    assert run("status", "--json", folder=tmp_path)["dates"][0]["state"] == "graded"
    assert run("revisions", DAY, "--player", "lukadoncic", folder=tmp_path).startswith("no revisions")
    assert "holds" in run("ledger", "verify", "--deep", folder=tmp_path)
    assert "grading/" in run("locks", "list", "--all", folder=tmp_path)


def test_a_role_that_may_only_read_can_report_and_look(postgres: Postgres, book: Book, schema: str) -> None:
    """USAGE on the schema and SELECT on its tables suffice; grading is refused, and nothing is changed."""
    land_season(book, 1, 4)
    book.grade(DAY)
    role = f"reader_of_{schema}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}".encode())
        try:
            url = postgres.url.replace("postgres@", f"{role}@")
            with gradeonce.open(url, schema=schema, store="off") as reading:
                assert reading.report().total.predictions == 4
                assert reading.calibration().bins == book.calibration().bins
                assert [status.state for status in reading.status()] == ["graded"]
                assert reading.explain("player1", DAY).is_found
                assert PostgresWarehouse.missing(url, schema=schema) == []
                failed = reading.grade(DAY).worst_error
                assert isinstance(failed, WarehouseError)
                assert "permission denied" in str(failed)
        finally:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM ledger",
        "COMMIT",
        "SELECT 1; DELETE FROM ledger",
        "SELECT 1; COMMIT; DELETE FROM ledger",
        "WITH gone AS (DELETE FROM ledger RETURNING 1) SELECT * FROM gone",
        "/* SELECT */ DROP TABLE ledger",
        "EXPLAIN ANALYZE DELETE FROM ledger",
        "nonsense",
        "SELECT * FROM nowhere",
    ],
)
def test_a_query_cannot_change_anything(book: Book, text: str) -> None:
    """Whatever is not one SELECT is refused, by us or by the server."""
    land_season(book, 1, 1)

    with pytest.raises((UsageError, WarehouseError)):
        book.sql(text)

    assert book.sql("SELECT count(*) FROM ledger").rows == [(2,)]


def test_a_server_out_of_reach_is_transient(postgres: Postgres) -> None:
    """Exit 5: safe to run again."""
    with gradeonce.open("postgresql://postgres@127.0.0.1:1/postgres", store="off") as book:
        with pytest.raises(TransientWarehouseError, match="out of reach") as failed:
            book.report()
        assert failed.value.exit_code == 5


def test_a_database_without_a_book_says_what_to_type(postgres: Postgres) -> None:
    """The first call tells; opening asks nothing."""
    with (
        gradeonce.open(postgres.url, schema="not_made", store="off") as book,
        pytest.raises(WarehouseError, match="gradeonce init"),
    ):
        book.report()


def test_a_schema_of_a_newer_gradeonce_is_refused(postgres: Postgres, book: Book, schema: str) -> None:
    """init does not touch what it does not know."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"INSERT INTO {schema}.schema_steps (number, name) VALUES (99, 'later')".encode())

    with pytest.raises(RefusedForSafety, match="newer gradeonce"):
        PostgresWarehouse.create(postgres.url, schema=schema)


def test_a_table_of_the_users_own_stands_for_ours(postgres: Postgres) -> None:
    """[tables]: grades go to it, with the index that refuses a second row; a table that lacks columns is refused."""
    names = {"prediction_accuracy": "public.our_grades"}
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(b"CREATE TABLE our_grades (game_date date)")
        with pytest.raises(RefusedForSafety, match="has no column system_id "):
            PostgresWarehouse.create(postgres.url, schema="mapped", names=names)
        connection.execute(b"DROP TABLE our_grades")
        PostgresWarehouse.create(postgres.url, schema="plain")
        connection.execute(b"CREATE TABLE our_grades (LIKE plain.prediction_accuracy, note text)")

        PostgresWarehouse.create(postgres.url, schema="mapped", names=names)
        with gradeonce.open(postgres.url, schema="mapped", store="off") as book:
            land_season(book, 1, 4)
            assert book.grade(DAY).worst_error is None
            assert book.report().total.win == 4
        assert connection.execute(b"SELECT count(*) FROM public.our_grades").fetchone() == (4,)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(b"INSERT INTO our_grades SELECT * FROM our_grades")
        connection.execute(b"DROP SCHEMA mapped CASCADE; DROP SCHEMA plain CASCADE; DROP TABLE our_grades")


LEFT_BEHIND = b"""
SELECT 'setting ' || name FROM pg_settings WHERE source = 'session'
UNION ALL SELECT 'prepared statement ' || name FROM pg_prepared_statements
UNION ALL SELECT 'advisory lock ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'temporary table ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
UNION ALL SELECT 'channel ' || pg_listening_channels()
"""


def test_nothing_is_kept_in_a_session_between_transactions(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler may hand every transaction to another session, and this session to anybody: nothing is left there."""
    left: list[str] = []
    sessions: list[int] = []
    give_back = Connections._give_back

    def look_and_close(self: Connections, connection: psycopg.Connection[Any], session: Session) -> None:
        give_back(self, connection, session)
        if not connection.closed:
            sessions.append(connection.info.backend_pid)
            left.extend(str(row[0]) for row in connection.execute(LEFT_BEHIND).fetchall())
        self.close()

    monkeypatch.setattr(Connections, "_give_back", look_and_close)
    PostgresWarehouse.create(postgres.url, schema="pooled")
    with gradeonce.open(postgres.url, schema="pooled", threads=1) as book:
        land_season(book, 2, 4)
        assert book.grade(all_dates=True).worst_error is None
        land_actuals(book, 1, 2, points=9, version=2)
        assert book.grade(DAY).runs[0].revised == 2
        assert book.report().total.predictions == 8
        assert [status.state for status in book.status()] == ["graded", "graded"]
        assert book.explain("player1", DAY).is_found
        assert ledger_findings(book.warehouse) == ()
    monkeypatch.undo()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(b"DROP SCHEMA pooled CASCADE")

    assert left == []
    assert len(set(sessions)) == len(sessions) > 20


def test_a_server_that_was_restarted_is_asked_again(postgres: Postgres, book: Book) -> None:
    """Connections that wait are dead after a restart: the next call opens new ones and nobody hears of it."""
    land_season(book, 1, 1)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        others = b"FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        assert connection.execute(b"SELECT pg_terminate_backend(pid) " + others).fetchall()

    assert book.grade(DAY).worst_error is None
    assert book.report().total.win == 1


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a book in PostgreSQL needs psycopg."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ConfigError, match=r"pip install 'gradeonce\[postgres\]'"):
        gradeonce.open("postgresql://host/database", store="off")


def test_rows_changed_behind_our_back_are_found(postgres: Postgres, book: Book, schema: str) -> None:
    """Whoever writes beside us is not fenced; `ledger verify --deep` names the partition."""
    land_season(book, 1, 4)
    book.grade(DAY)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(
            f"UPDATE {schema}.prediction_accuracy SET outcome = 'loss' WHERE player_lookup = 'player1'".encode()
        )

    assert ledger_findings(book.warehouse, deep=False) == ()
    (finding,) = ledger_findings(book.warehouse)
    assert finding == f"prediction_accuracy {DAY} holds 4 rows that are not the 4 the ledger recorded"
