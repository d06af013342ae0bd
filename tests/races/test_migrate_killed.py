"""A move that is killed between any two steps, and run again, ends as one that nobody disturbed (G4)."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gradeonce
from builders import ledger_findings
from gradeonce.book import Book
from gradeonce.migrate import MigrateOptions
from gradeonce.schema import ACCURACY
from gradeonce.warehouses.bigquery.connection import Connection
from gradeonce.warehouses.bigquery.warehouse import BigQueryWarehouse
from gradeonce.warehouses.postgres.warehouse import PostgresWarehouse
from postgres_book import postgres, schema
from races.child import answer_of, child
from servers import BigQuery, Postgres, only_with_all_bigquery
from their_grades import BIGQUERY_TYPES, POSTGRES_TYPES, load_inputs, table_sql

__all__ = ["postgres", "schema"]

KILLS = (
    ("migrate.looked", 0),
    ("publish.staged", 0),
    ("commit.ledgered", 0),
    ("commit.done", 15),
    ("migrate.planned", 15),
    ("publish.compared", 15),
    ("commit.ledgered", 15),
    ("commit.done", 12),
    ("publish.staged", 12),
    ("commit.ledgered", 12),
    ("commit.done", 10),
)
"""Where one process after the other dies, and the rows that stand then: nothing, all as they stood, without copies, and
with the first date graded. What was done is not done again, so each dies further on than the one before it."""


def killed_on_the_way(book: Book, theirs: str, settings: dict[str, Any]) -> None:
    """Let one process after the other die on the way; each finds what the last one left, whole."""
    for step, rows in KILLS:
        orders: dict[str, Any] = {"step": step, "signal_name": "SIGKILL", "settings": settings}
        with child(book.settings.book, "migrate", {"table": theirs}, **orders) as process:  # type: ignore[arg-type]
            answer = answer_of(process)
        assert process.returncode == -signal.SIGKILL, (step, answer)
        assert book.sql("SELECT count(*) AS n FROM prediction_accuracy").rows == [(rows,)], step
        assert ledger_findings(book.warehouse) == ()


def ended(book: Book) -> list[tuple[Any, ...]]:
    """Return what stands, by content, and what the ledger says was done with it."""
    fences = [(f.partition, f.seq, f.rows, f.content_hash) for f in book.warehouse.all_fences(ACCURACY)]
    done = [
        (entry.draft.kind, entry.draft.partition, entry.draft.rows, entry.draft.content_hash)
        for entry in book.warehouse.entries()
        if entry.draft.table == ACCURACY.name
    ]
    return [*fences, *done]


def test_killed_in_postgresql(postgres: Postgres, schema: str, tmp_path: Path) -> None:
    """Twelve deaths, and the same end as without any."""
    theirs, whole = f"public.their_killed_{schema}", f"{schema}_whole"
    PostgresWarehouse.create(postgres.url, schema=whole)
    with psycopg.connect(postgres.url, autocommit=True, options="-c TimeZone=UTC") as connection:
        connection.execute(table_sql(theirs, POSTGRES_TYPES).encode())
        try:
            ends = []
            for name in (schema, whole):
                settings = {"schema": name, "store": "off", "threads": 1}
                with gradeonce.open(postgres.url, **settings) as book:
                    load_inputs(book, tmp_path)
                    if name == schema:
                        killed_on_the_way(book, theirs, settings)
                    report = book.migrate(theirs, MigrateOptions(apply=True))
                    assert report.status == ("already_migrated" if name == schema else "migrated")
                    ends.append(ended(book))
            assert ends[0] == ends[1]
        finally:
            connection.execute(f'DROP TABLE {theirs}; DROP SCHEMA "{whole}" CASCADE'.encode())


def test_killed_in_bigquery(
    bigquery: BigQuery, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same deaths there."""
    only_with_all_bigquery(pytestconfig)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    ends = []
    for dataset in ("killed_move", "whole_move"):
        url, theirs = f"bigquery://demo/{dataset}", f"demo.{dataset}_theirs.prediction_accuracy"
        BigQueryWarehouse.create(url)
        connection = Connection(url)
        quoted = f"`demo`.`{dataset}_theirs`.`prediction_accuracy`"
        connection.execute(f"CREATE SCHEMA `demo`.`{dataset}_theirs`; {table_sql(quoted, BIGQUERY_TYPES)}")
        connection.close()
        settings = {"store": "off", "threads": 1}
        with gradeonce.open(url, **settings) as book:
            load_inputs(book, tmp_path)
            if dataset == "killed_move":
                killed_on_the_way(book, theirs, settings)
            report = book.migrate(theirs, MigrateOptions(apply=True))
            assert report.status == ("already_migrated" if dataset == "killed_move" else "migrated")
            ends.append(ended(book))
    assert ends[0] == ends[1]
