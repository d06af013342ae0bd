"""A table of grades that somebody else kept, with all that a move finds in it; and what a book needs to grade it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradeonce.book import Book

DAY, LATER = "2026-01-17", "2026-01-18"
"""The book knows the predictions and box scores of the first; of the second it knows nothing."""

COLUMNS = {
    "game_date": "date", "player_lookup": "text", "game_id": "text", "system_id": "text", "predicted_points": "float",
    "current_points_line": "decimal", "recommendation": "text", "confidence_score": "float", "actual_points": "integer",
    "prediction_correct": "boolean", "absolute_error": "float", "signed_error": "float", "within_3_points": "boolean",
    "graded_at": "instant", "pace_adjustment": "float",
}  # fmt: skip
"""As many tables call them: four names are not ours, and one column we do not have."""


def grade(player: str | None, predicted: float, line: float | None, actual: int, **values: Any) -> dict[str, Any]:
    """Return a row of theirs as our rules would have it, but for what is given."""
    error = predicted - actual
    correct = None if line is None or actual == line else (actual > line) == (predicted > line)
    return {
        "game_date": DAY, "player_lookup": player, "game_id": "0022500601", "system_id": "alpha",
        "predicted_points": predicted, "current_points_line": line, "actual_points": actual,
        "recommendation": "OVER" if line is not None and predicted > line else "UNDER", "confidence_score": 0.7,
        "prediction_correct": correct, "absolute_error": abs(error), "signed_error": error,
        "within_3_points": abs(error) <= 3, "graded_at": f"{DAY} 23:00:00", "pace_adjustment": 1.5, **values,
    }  # fmt: skip


THEIRS: Sequence[dict[str, Any]] = (
    grade("same", 25, 22.5, 30),
    grade("same", 25, 22.5, 30, graded_at=f"{DAY} 23:04:00"),
    grade("same", 25, 22.5, 30, graded_at=f"{DAY} 23:09:00"),
    grade("push", 25, 20, 20, prediction_correct=False),
    grade("absent", 25, 22.5, 0),
    grade("corrected", 25, 22.5, 18),
    grade("percent", 25, 22.5, 30, confidence_score=70),
    grade("limit", 25, 22.5, 28, within_3_points=False),
    grade("sign", 25, 22.5, 30, signed_error=5),
    grade("moved", 25, 21.5, 30),
    grade("moved", 25, 22.5, 30),
    grade("stranger", 25, 22.5, 30),
    grade(None, 25, 22.5, 30),
    grade("same", 25, 22.5, 30, game_date=None),
    grade("same", 25, 22.5, 30, game_date=LATER, game_id="0022500611"),
    grade("same", 25, 22.5, 30, game_date=LATER, game_id="0022500611", graded_at=f"{LATER} 23:04:00"),
)

RULES = {
    "line_moved": 1, "no_prediction": 2, "not_graded": 1, "void_counted": 1, "box_score_changed": 1, "push_counted": 1,
    "confidence_scale": 1, "error_sign": 1, "tolerance": 1,
}  # fmt: skip
"""By which rules the first date differs; of the eleven keys on it two are the same: `same`, and `moved` at 22.5."""

PREDICTED = ("same", "push", "absent", "corrected", "percent", "limit", "sign", "moved", "new")
GRADED = {"win": 6, "push": 1, "void": 1, "loss": 1}
"""What our rules make of the first date: nine predictions."""


def load_inputs(book: Book, folder: Path) -> None:
    """Load the predictions and box scores of the first date."""
    actuals = {"push": 20, "absent": 0, "corrected": 19, "limit": 28}
    write(
        folder / "predictions.csv",
        [
            {
                "system_id": "alpha", "player_lookup": player, "game_id": "0022500601", "game_date": DAY,
                "predicted_value": 25, "line_value": 20 if player == "push" else 22.5, "recommendation": "OVER",
                "confidence_score": 0.7,
            }
            for player in PREDICTED
        ],
    )  # fmt: skip
    write(
        folder / "actuals.csv",
        [
            {
                "player_lookup": player, "game_id": "0022500601", "game_date": DAY, "points": actuals.get(player, 30),
                "minutes_played": 0 if player == "absent" else 30, "is_dnp": player == "absent",
            }
            for player in PREDICTED
        ],
    )  # fmt: skip
    book.load("predictions", folder / "predictions.csv")
    book.load("actuals", folder / "actuals.csv")


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


POSTGRES_TYPES = {
    "date": "date", "text": "text", "float": "double precision", "decimal": "numeric(6, 1)", "integer": "integer",
    "boolean": "boolean", "instant": "timestamptz",
}  # fmt: skip
BIGQUERY_TYPES = {
    "date": "DATE", "text": "STRING", "float": "FLOAT64", "decimal": "NUMERIC", "integer": "INT64", "boolean": "BOOL",
    "instant": "TIMESTAMP",
}  # fmt: skip


def table_sql(name: str, types: dict[str, str]) -> str:
    """Return what makes their table, of the types that a warehouse has for our seven words and `float`."""
    columns = ", ".join(f"{column} {types[kind]}" for column, kind in COLUMNS.items())
    rows = ", ".join(f"({', '.join(_literal(row[column]) for column in COLUMNS)})" for row in THEIRS)
    return f"CREATE TABLE {name} ({columns}); INSERT INTO {name} ({', '.join(COLUMNS)}) VALUES {rows}"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
