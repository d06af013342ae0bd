"""Thousands of generated grades with every quirk we know: the same rows on PostgreSQL as in a book in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradeonce
from acceptance.oddities import write_oddities
from builders import ledger_findings, new_book, open_book
from gradeonce.book import Book
from gradeonce.load import LoadOptions
from gradeonce.schema import ACCURACY, ACTUALS, DAILY_PERFORMANCE, INJURIES, OUTCOMES, PREDICTIONS, Table
from postgres_book import postgres, schema
from servers import Postgres

__all__ = ["postgres", "schema"]


def rows_of(book: Book, table: Table) -> list[tuple[Any, ...]]:
    """Return every row but for its stamps, in one order. Any: whatever the columns hold."""
    columns = ", ".join(table.content)
    return sorted(book.sql(f"SELECT {columns} FROM {table.name}").rows, key=repr)


def ledger_of(book: Book) -> list[tuple[Any, ...]]:
    """Return what the ledger says of each partition's grading. Any: texts and numbers."""
    return [
        (
            e.draft.table,
            e.draft.partition,
            e.draft.status,
            e.draft.seq,
            e.draft.rows,
            e.draft.content_hash,
            e.draft.details["counts"],
        )
        for e in book.warehouse.entries()
        if e.draft.kind == "grade"
    ]


def revisions_of(book: Book) -> list[tuple[Any, ...]]:
    """Return the revisions, their texts of JSON read. Any: what JSON holds."""
    found = book.sql("SELECT partition, change, reason, key_json, old_json, new_json FROM grade_revisions").rows
    read = [(*row[:3], *(json.loads(text) if text else None for text in row[3:])) for row in found]
    return sorted(read, key=repr)


def test_generated_oddities_are_graded_the_same_row_by_row(postgres: Postgres, schema: str, tmp_path: Path) -> None:
    """Grades, content hashes, counts, revisions, reports: after the first grading, and after late corrections."""
    files = list(write_oddities(tmp_path))
    with (
        open_book(new_book(tmp_path / "book"), store="off") as folder,
        gradeonce.open(postgres.url, schema=schema, store="off", threads=1) as server,
    ):
        for late in (False, True):
            for book in (folder, server):
                for kind, path, is_correction in files:
                    if is_correction is late:
                        book.load(kind, path, LoadOptions(on_bad_rows="quarantine"))
                assert book.grade(all_dates=True).errors == {}
            for table in (PREDICTIONS, ACTUALS, INJURIES, ACCURACY, DAILY_PERFORMANCE):
                assert rows_of(folder, table) == rows_of(server, table)
            assert ledger_of(folder) == ledger_of(server)
            assert [(group.label, group.outcomes, group.mae, group.win_rate) for group in folder.report().groups] == [
                (group.label, group.outcomes, group.mae, group.win_rate) for group in server.report().groups
            ]

        assert revisions_of(folder) == revisions_of(server)
        assert len(revisions_of(server)) > 300
        total = server.report().total
        assert total.predictions >= 3000
        assert all(getattr(total, outcome) > 0 for outcome in OUTCOMES)
        reasons = {row[0] for row in server.sql("SELECT DISTINCT void_reason FROM prediction_accuracy").rows}
        assert reasons == {None, "dnp_injury_confirmed", "dnp_late_scratch", "dnp_unknown", "game_moved"}
        ties = "SELECT count(*) FROM prediction_accuracy WHERE CAST(absolute_error AS text) LIKE '%5000000'"
        assert server.sql(ties).rows[0][0] > 1000
        assert ledger_findings(server.warehouse) == ledger_findings(folder.warehouse) == ()
