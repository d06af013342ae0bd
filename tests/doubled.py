"""Grades that stand more than once, put there as an incident would leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gradeonce.book import Book
from gradeonce.model import Copies, Query
from gradeonce.publish import publish
from gradeonce.schema import ACCURACY
from gradeonce.statements import quote_identifier

FIRST, SECOND, THIRD = "2026-01-01", "2026-01-02", "2026-01-03"


@dataclass(frozen=True)
class Grade:
    """One row; what it does not name is the same in all of them."""

    day: str
    player: str | None
    hour: int | None = 8
    line: str | None = "20.5"
    outcome: str = "win"
    system: str | None = "alpha"


_TYPES = {
    "text": "VARCHAR", "date": "DATE", "instant": "TIMESTAMP", "decimal": "DECIMAL(18, 9)", "integer": "INTEGER",
    "boolean": "BOOLEAN", "sum": "DECIMAL(38, 18)",
}  # fmt: skip


def grades_sql(grades: Sequence[Grade]) -> str:
    """Return the SELECT of these rows, in every SQL we speak."""
    return " UNION ALL ".join(f"SELECT {_row(grade)}" for grade in grades)


def _row(grade: Grade) -> str:
    values: dict[str, Any] = {
        "game_date": grade.day,
        "system_id": grade.system,
        "player_lookup": grade.player,
        "game_id": "game1",
        "market": "points",
        "line_value": grade.line,
        "prediction_id": f"p-{grade.player}",
        "predicted_value": "22",
        "confidence_score": "0.7",
        "recommendation": "OVER",
        "outcome": grade.outcome,
        "prediction_correct": str(grade.outcome == "win").lower(),
        "is_final_line": "true",
        "is_voided": "false",
        "pre_game_injury_flag": "false",
        "injury_confirmed_postgame": "false",
        "line_source": "ACTUAL_PROP",
        "rules_version": "1",
        "run_id": "theirs",
        "graded_at": None if grade.hour is None else f"{grade.day} {grade.hour:02}:00:00",
    }
    return ", ".join(
        f"CAST({'NULL' if values.get(c.name) is None else repr(values[c.name])} AS {_TYPES[c.type]}) AS {c.name}"
        for c in ACCURACY.columns
    )


def put(book: Book, grades: Sequence[Grade], *, run_id: str = "incident") -> None:
    """Let exactly these rows stand on their dates, copies and all."""
    publish(
        book.warehouse,
        ACCURACY,
        Query(grades_sql(grades)),
        sorted({grade.day for grade in grades}),
        run_id=run_id,
        kind="incident",
        copies=Copies.ALLOWED,
        clock=book.clock,
    )


def standing(book: Book, table: str = ACCURACY.name) -> list[tuple[Any, ...]]:
    """Return every row, all columns, in order."""
    columns = ", ".join(quote_identifier(name) for name in ACCURACY.column_names)
    return sorted(book.sql(f"SELECT {columns} FROM {quote_identifier(table)}").rows, key=repr)


def hours(book: Book) -> list[tuple[str, str | None, int | None]]:
    """Return date, player and hour of grading of every row that stands, in order."""
    rows = book.sql("SELECT CAST(game_date AS VARCHAR), player_lookup, graded_at FROM prediction_accuracy").rows
    return sorted(((day, player, at.hour if at else None) for day, player, at in rows), key=repr)
