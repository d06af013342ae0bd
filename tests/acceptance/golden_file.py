"""Reading a table of golden grades whose columns may go by other names, and holding ours against it.

A row is a prediction, what happened, and the grade that must come of it. Predictions and actuals are loaded through the
command; the grade is only compared.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl

from acceptance.command import Command

ALIASES = {
    "system": "system_id",
    "player": "player_lookup",
    "date": "game_date",
    "prediction": "predicted_value",
    "predicted": "predicted_value",
    "predicted_points": "predicted_value",
    "line": "line_value",
    "confidence": "confidence_score",
    "actual": "actual_value",
    "actual_points": "actual_value",
    "points": "actual_value",
    "minutes": "minutes_played",
    "team": "team_abbr",
    "opponent": "opponent_team_abbr",
    "error": "signed_error",
    "within_3_points": "within_3",
    "within_5_points": "within_5",
    "injury_status": "injury_status_at_prediction",
    "injury_flag": "injury_flag_at_prediction",
    "injury_reason": "injury_reason_at_prediction",
}
"""Other names that a column may go by; a name with `expected_` or `golden_` in front is a grade's."""

PREDICTION = (
    *("prediction_id", "system_id", "player_lookup", "player_name", "game_id", "game_date", "tipoff_at", "market"),
    *("predicted_value", "line_value", "recommendation", "confidence_score", "created_at", "is_active"),
    *("model_version", "line_source", "bookmaker", "over_price", "under_price", "has_prop_line"),
    *("estimated_line_value", "is_actionable", "filter_reason", "injury_status_at_prediction"),
    *("injury_flag_at_prediction", "injury_reason_at_prediction", "invalidation_reason"),
)
ACTUAL = (
    *("player_lookup", "player_name", "game_id", "game_date", "market", "actual_value", "minutes_played", "is_dnp"),
    *("team_abbr", "opponent_team_abbr", "is_final", "recorded_at"),
)
NUMBERS = (
    *("predicted_value", "line_value", "actual_value", "minutes_played", "confidence_score", "confidence_decile"),
    *("absolute_error", "signed_error", "predicted_margin", "actual_margin"),
)
FLAGS = (
    *("within_3", "within_5", "prediction_correct", "is_final_line", "is_voided", "pre_game_injury_flag"),
    "injury_confirmed_postgame",
)
TEXTS = ("outcome", "void_reason", "ungradable_reason", "pre_game_injury_status", "recommendation")
KEY = ("player_lookup", "game_id", "system_id", "market", "line_value")
COMPARED = (*NUMBERS, *FLAGS, *TEXTS)
TOLERANCE = Decimal("0.000000001")


def read_golden(path: Path) -> pl.DataFrame:
    """Read the table as text, its columns by our names; a grade's columns carry `expected_`."""
    table = pl.read_csv(path, infer_schema=False)
    renamed = {}
    for column in table.columns:
        bare = column.lower().removeprefix("expected_").removeprefix("golden_")
        name = ALIASES.get(bare, bare)
        of_grade = bare != column.lower() or (name not in PREDICTION and name not in ACTUAL)
        renamed[column] = f"expected_{name}" if of_grade else name
    table = table.rename(renamed)
    return table if "market" in table.columns else table.with_columns(market=pl.lit("points"))


def load_golden(gradeonce: Command, table: pl.DataFrame) -> None:
    """Load the predictions and what happened; `is_dnp` False means "not flagged", which is unknown."""
    predictions = table.select(c for c in PREDICTION if c in table.columns)
    actuals = table.select(c for c in ACTUAL if c in table.columns).unique(maintain_order=True)
    if "is_dnp" in actuals.columns:
        flagged = pl.col("is_dnp").str.to_lowercase().is_in(["true", "1", "t", "yes"])
        actuals = actuals.with_columns(is_dnp=pl.when(flagged).then(pl.lit("true")))
    predictions.write_csv(gradeonce.folder / "golden_predictions.csv")
    actuals.write_csv(gradeonce.folder / "golden_actuals.csv")
    gradeonce("load", "predictions", "golden_predictions.csv", "--timezone", "UTC")
    gradeonce("load", "actuals", "golden_actuals.csv", "--timezone", "UTC")


def golden_differences(gradeonce: Command, table: pl.DataFrame) -> list[str]:
    """Return one line for each value that differs, each row that is missing or too many; empty: zero differences."""
    found = gradeonce("sql", "SELECT * FROM prediction_accuracy", "--csv").rows()
    by_id = "prediction_id" in table.columns
    ours = {(row["prediction_id"],) if by_id else _key(row): row for row in found}
    lines = [] if len(found) == table.height else [f"{len(found)} grades for {table.height} rows"]
    columns = [c for c in table.columns if c.removeprefix("expected_") in COMPARED and c.startswith("expected_")]
    for row in table.iter_rows(named=True):
        key = (row["prediction_id"],) if by_id else _key(row)
        if key not in ours:
            lines.append(f"{key}: no grade")
            continue
        for column in columns:
            name = column.removeprefix("expected_")
            expected = _typed(name, row[column])
            if not _equal(_typed(name, ours[key][name]), expected):
                lines.append(f"{key} {name}: ours {ours[key][name]!r}, golden {row[column]!r}")
    return lines


def _key(row: dict[str, str]) -> tuple[object, ...]:
    return tuple(_typed(name, row.get(name) or "") for name in KEY)


def _typed(name: str, text: str | None) -> object:
    if text is None or text.strip() in ("", "nan", "NaN", "None", "null"):
        return None
    if name in NUMBERS:
        return Decimal(text)
    if name in FLAGS:
        return text.lower() in ("true", "1", "1.0", "t")
    return text.lower() if name == "outcome" else text


def _equal(found: object, expected: object) -> bool:
    if isinstance(found, Decimal) and isinstance(expected, Decimal):
        return abs(found - expected) <= TOLERANCE
    return found == expected
