"""Tables of the user's own that stand for ours: under other names, of other types, with columns missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import gradeonce
from builders import land_actuals, land_season, ledger_findings
from gradeonce.book import Book
from gradeonce.errors import RefusedForSafety
from gradeonce.schema import ACCURACY
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema
from servers import Postgres

__all__ = ["postgres", "schema"]

DAY = "2026-01-01"

PIPELINE = """
CREATE TABLE {s}.predictions (
    system_id varchar(20) NOT NULL, player_lookup varchar(40) NOT NULL, game_id text NOT NULL, game_date date NOT NULL,
    predicted_points double precision NOT NULL, current_points_line numeric(5, 1), recommendation text,
    confidence real, made_at timestamptz, run_number bigint GENERATED ALWAYS AS IDENTITY
);
CREATE TABLE {s}.box (
    player_lookup text NOT NULL, game_id text NOT NULL, game_date date NOT NULL, points integer, minutes numeric,
    is_dnp boolean, seen_at timestamptz
);
INSERT INTO {s}.predictions (system_id, player_lookup, game_id, game_date, predicted_points, current_points_line,
    recommendation, confidence, made_at) VALUES
    ('alpha', 'anna', 'game0', '2026-01-01', 20.25, 10.5, 'OVER', 0.75, '2026-01-01 12:00-05'),
    ('alpha', 'anna', 'game0', '2026-01-01', 21.5, 10.5, 'OVER', 0.75, '2026-01-01 13:00-05'),
    ('alpha', 'bert', 'game0', '2026-01-01', 20, NULL, 'PASS', NULL, '2026-01-01 12:00-05'),
    ('alpha', 'carl', 'game0', '2026-01-01', 20, 11, 'UNDER', 0.5, NULL),
    ('alpha', 'dora', 'game0', '2026-01-01', 20, 11, 'UNDER', 0.5, NULL);
INSERT INTO {s}.box VALUES ('anna', 'game0', '2026-01-01', 11, 30, NULL, '2026-01-02 05:00+00'),
    ('bert', 'game0', '2026-01-01', 11, 30, NULL, NULL), ('carl', 'game0', '2026-01-01', 11, 30, false, NULL),
    ('dora', 'game0', '2026-01-01', 0, NULL, NULL, NULL)
"""

NAMES = {"player_prop_predictions": "{s}.predictions", "player_game_actuals": "{s}.box"}
COLUMNS = {
    "player_prop_predictions": {
        "predicted_value": "predicted_points",
        "line_value": "current_points_line",
        "confidence_score": "confidence",
        "created_at": "made_at",
    },
    "player_game_actuals": {"actual_value": "points", "minutes_played": "minutes", "recorded_at": "seen_at"},
}


@pytest.fixture
def theirs(postgres: Postgres, schema: str) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """A schema of the user's own, and a connection of his. Any: rows of any kind."""
    name = f"{schema}_theirs"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        yield name, connection
        connection.execute(f"DROP SCHEMA IF EXISTS {name}_book CASCADE; DROP SCHEMA {name} CASCADE".encode())


def create(postgres: Postgres, name: str, names: dict[str, str], columns: dict[str, dict[str, str]]) -> bool:
    physical = {ours: named.format(s=name) for ours, named in names.items()}
    return PostgresWarehouse.create(postgres.url, schema=f"{name}_book", names=physical, columns=columns)


def missing(postgres: Postgres, name: str, names: dict[str, str], columns: dict[str, dict[str, str]]) -> list[str]:
    physical = {ours: named.format(s=name) for ours, named in names.items()}
    return PostgresWarehouse.missing(postgres.url, schema=f"{name}_book", names=physical, columns=columns)


def open_mapped(postgres: Postgres, name: str) -> Book:
    return gradeonce.open(postgres.url, schema=f"{name}_book", store="off", threads=1)


def outcomes(book: Book) -> list[tuple[Any, ...]]:
    return book.sql(
        "SELECT player_lookup, outcome, CAST(line_value AS text), CAST(absolute_error AS text), confidence_decile "
        "FROM prediction_accuracy ORDER BY player_lookup"
    ).rows


def test_predictions_that_a_pipeline_writes_are_graded_where_they_are(
    postgres: Postgres, theirs: tuple[str, psycopg.Connection[Any]]
) -> None:
    """Other names, other types, and columns of ours missing; nothing is loaded, and what moves is noticed."""
    name, connection = theirs
    connection.execute(PIPELINE.format(s=name).encode())

    assert create(postgres, name, NAMES, COLUMNS) is True
    assert create(postgres, name, NAMES, COLUMNS) is False
    assert missing(postgres, name, NAMES, COLUMNS) == []
    with open_mapped(postgres, name) as book:
        assert book.grade(all_dates=True).worst_error is None
        # 21.5 was predicted last; dora has 0 points and no minutes.
        assert outcomes(book) == [
            ("anna", "win", "10.500000000", "10.500000000", 8),
            ("bert", "no_bet", None, "9.000000000", None),
            ("carl", "push", "11.000000000", "9.000000000", 6),
            ("dora", "void", "11.000000000", "20.000000000", 6),
        ]
        assert [(status.state, status.prediction_rows) for status in book.status()] == [("graded", 5)]
        assert book.grade(DAY).runs[0].status == "unchanged"
        assert ledger_findings(book.warehouse) == ()

        connection.execute(
            f"UPDATE {name}.box SET points = 12, seen_at = clock_timestamp() WHERE player_lookup = 'carl'".encode()
        )
        assert [status.reasons for status in book.status()] == [("box scores were loaded since",)]
        assert book.grade(DAY).runs[0].revised == 1
        assert outcomes(book)[2][1] == "loss"
        with pytest.raises(
            RefusedForSafety, match="Something else fills the table that stands for player_game_actuals"
        ):
            land_actuals(book, 1, 1, points=3)
        assert ledger_findings(book.warehouse) == ()


def test_check_says_what_a_table_lacks_and_what_is_mistyped(
    postgres: Postgres, theirs: tuple[str, psycopg.Connection[Any]]
) -> None:
    """One line each, with what to type; init refuses with the same."""
    name, connection = theirs
    connection.execute(
        f"CREATE TABLE {name}.predictions "
        "(system_id text, player_lookup text, game_id text, game_date text, guess text)".encode()
    )
    names = {"player_prop_predictions": "{s}.predictions", "player_game_actuals": "{s}.nowhere"}
    columns = {"player_prop_predictions": {"predicted_value": "guess", "line_value": "the_line"}}
    PostgresWarehouse.create(postgres.url, schema=f"{name}_book")

    assert missing(postgres, name, names, columns) == [
        f"player_prop_predictions: the column game_date of {name}.predictions is text; game_date needs date",
        f"player_prop_predictions: the column guess of {name}.predictions is text; predicted_value needs numeric or "
        "int2 or int4 or int8 or float4 or float8",
        f"player_prop_predictions: {name}.predictions has no column the_line, which [columns] names for line_value",
        f"player_game_actuals: {name}.nowhere is not in the database",
    ]
    with pytest.raises(RefusedForSafety, match="predicted_value needs numeric"):
        create(postgres, name, names, columns)


def test_grades_go_to_a_table_of_the_users_under_his_names(
    postgres: Postgres, theirs: tuple[str, psycopg.Connection[Any]], schema: str
) -> None:
    """First grading, correction, ledger: all in the user's table, whose index refuses a second row of a key."""
    name, connection = theirs
    names, columns = {"prediction_accuracy": "{s}.grades"}, {"prediction_accuracy": {"line_value": "prop_line"}}
    connection.execute(
        f"CREATE TABLE {name}.grades (LIKE {schema}.prediction_accuracy, note text);"
        f"ALTER TABLE {name}.grades RENAME line_value TO prop_line;"
        f"ALTER TABLE {name}.grades DROP COLUMN filter_reason".encode()
    )
    with pytest.raises(RefusedForSafety, match=r'has no column filter_reason .*ADD COLUMN "filter_reason" text'):
        create(postgres, name, names, columns)
    connection.execute(f'ALTER TABLE {name}.grades ADD COLUMN "filter_reason" text'.encode())

    create(postgres, name, names, columns)
    with open_mapped(postgres, name) as book:
        land_season(book, 1, 4)
        assert book.grade(DAY).worst_error is None
        land_actuals(book, 1, 2, points=9, version=2)
        assert book.grade(DAY).runs[0].revised == 2
        assert ledger_findings(book.warehouse) == ()
    found = connection.execute(f"SELECT outcome, prop_line FROM {name}.grades ORDER BY outcome".encode()).fetchall()
    assert [(outcome, str(line)) for outcome, line in found] == [("loss", "10.500000000")] * 2 + [
        ("win", "10.500000000")
    ] * 2
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(f"INSERT INTO {name}.grades SELECT * FROM {name}.grades".encode())


def test_a_table_that_holds_copies_gets_everything_but_the_index(
    postgres: Postgres, theirs: tuple[str, psycopg.Connection[Any]], schema: str
) -> None:
    """init goes on, check says how many keys are doubled, and a later init makes the index; old rows are left alone."""
    name, connection = theirs
    names = {"prediction_accuracy": "{s}.grades"}
    with gradeonce.open(postgres.url, schema=schema, store="off", threads=1) as book:
        land_season(book, 1, 4)
        assert book.grade(DAY).worst_error is None
    connection.execute(f"CREATE TABLE {name}.grades AS SELECT * FROM {schema}.prediction_accuracy".encode())
    connection.execute(
        f"INSERT INTO {name}.grades SELECT * FROM {name}.grades WHERE player_lookup < 'player2'".encode()
    )

    assert create(postgres, name, names, {}) is True
    assert missing(postgres, name, names, {}) == [
        "prediction_accuracy: the unique index over its key is missing, because 2 keys stand more than once; look at "
        "them with `gradeonce dedupe plan`, and make it with `gradeonce init` when they are gone"
    ]
    assert create(postgres, name, names, {}) is False
    with open_mapped(postgres, name) as book:
        land_season(book, 2, 4)
        refused = book.grade(DAY).worst_error
        assert isinstance(refused, RefusedForSafety)
        assert "6 rows of prediction_accuracy stand on these dates that gradeonce never published" in refused.message
        assert book.grade("2026-01-02").worst_error is None

    connection.execute(
        f"DELETE FROM {name}.grades g WHERE ctid > (SELECT min(ctid) FROM {name}.grades f "
        "WHERE f.player_lookup = g.player_lookup AND f.game_date = g.game_date)".encode()
    )
    assert create(postgres, name, names, {}) is True
    assert missing(postgres, name, names, {}) == []
    counted = connection.execute(f"SELECT count(*) FROM {name}.grades".encode()).fetchone()
    assert counted == (8,)


def test_a_role_that_may_only_read_sees_mapped_tables(
    postgres: Postgres, theirs: tuple[str, psycopg.Connection[Any]]
) -> None:
    """Rights on the book's schema suffice for report, status, explain and sql: the views read the user's tables."""
    name, connection = theirs
    connection.execute(PIPELINE.format(s=name).encode())
    create(postgres, name, NAMES, COLUMNS)
    with open_mapped(postgres, name) as book:
        assert book.grade(DAY).worst_error is None
    role = f"reader_of_{name}"
    connection.execute(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {name}_book TO {role}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {name}_book TO {role}".encode()
    )
    try:
        url = postgres.url.replace("postgres@", f"{role}@")
        with gradeonce.open(url, schema=f"{name}_book", store="off") as reading:
            assert reading.report().total.predictions == 4
            assert [status.state for status in reading.status()] == ["graded"]
            assert reading.explain("anna", DAY).is_found
            assert reading.sql(f"SELECT count(*) FROM {ACCURACY.name}").rows == [(4,)]
    finally:
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
