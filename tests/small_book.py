"""A book of a few rows in memory: our tables in the engine, with defaults for what a test does not care about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from gradeonce.schema import ACCURACY, PREDICTIONS, ROW_TABLES, Table
from gradeonce.warehouses.base import Params, Rows
from gradeonce.warehouses.engine import DUCKDB_TYPES

DAY = date(2026, 1, 17)
NOON = datetime.fromisoformat("2026-01-17T12:00:00")
NEXT_MORNING = datetime.fromisoformat("2026-01-18T07:00:00")
LOADED = {"load_id": "load1", "loaded_at": NOON}

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "player_prop_predictions": {
        "prediction_id": "p1", "system_id": "alpha", "player_lookup": "lukadoncic", "player_name": "Luka Dončić",
        "game_id": "0022500601", "game_date": DAY, "market": "points", "predicted_value": 25, "line_value": "22.5",
        "recommendation": "OVER", "created_at": NOON, "is_active": True, "line_source": "ACTUAL_PROP", **LOADED,
    },
    "player_game_actuals": {
        "player_lookup": "lukadoncic", "player_name": "Luka Dončić", "game_id": "0022500601", "game_date": DAY,
        "market": "points", "actual_value": 25, "minutes_played": 34, "is_final": True, "team_abbr": "LAL",
        "opponent_team_abbr": "POR", **LOADED,
    },
    "injury_reports": {"player_lookup": "lukadoncic", "game_date": DAY, "status": "OUT", **LOADED},
    "player_prop_lines": {
        "player_lookup": "lukadoncic", "game_date": DAY, "market": "points", "bookmaker": "acme", "line_value": "22.5",
        **LOADED,
    },
    "prediction_accuracy": {
        "game_date": DAY, "system_id": "alpha", "player_lookup": "lukadoncic", "player_name": "Luka Dončić",
        "game_id": "0022500601", "market": "points", "line_value": "22.5", "prediction_id": "p1", "predicted_value": 25,
        "recommendation": "OVER", "outcome": "win", "is_final_line": True, "is_voided": False,
        "pre_game_injury_flag": False, "injury_confirmed_postgame": False, "line_source": "ACTUAL_PROP",
        "rules_version": 1, "run_id": "run1", "graded_at": NEXT_MORNING,
    },
    "grade_revisions": {
        "partition": DAY.isoformat(), "table_name": "prediction_accuracy", "change": "changed",
        "reason": "stat_correction", "run_id": "run2", "revised_at": NEXT_MORNING,
    },
}  # fmt: skip


def row_of(table: Table, number: int, **values: Any) -> dict[str, Any]:
    """Return a row: what is not given takes a default, or is left out (null)."""
    row = {**_DEFAULTS.get(table.name, _DEFAULTS[PREDICTIONS.name]), **values}
    if "load_row" in table.column_names:
        row.setdefault("load_row", number)
    unknown = set(row) - set(table.column_names)
    assert not unknown, unknown
    return row


def graded_as(outcome: str, *, actual: Any = None, predicted: Any = 25, **values: Any) -> dict[str, Any]:
    """Return the values of a grade whose errors and flags follow from what is given."""
    error = None if actual is None else Decimal(str(predicted)) - Decimal(str(actual))
    return {
        "outcome": outcome,
        "predicted_value": predicted,
        "actual_value": actual,
        "signed_error": error,
        "absolute_error": None if error is None else abs(error),
        "within_3": None if error is None else abs(error) <= 3,
        "within_5": None if error is None else abs(error) <= 5,
        "prediction_correct": {"win": True, "loss": False}.get(outcome),
        "is_voided": outcome == "void",
        **values,
    }


class SmallBook:
    """A Reader over tables of its own. Strict: a value that a statement does not name is an error."""

    def __init__(self) -> None:
        self.engine = duckdb.connect(":memory:")
        self._rows = 0
        for table in ROW_TABLES:
            columns = ", ".join(f'"{column.name}" {DUCKDB_TYPES[column.type]}' for column in table.columns)
            self.engine.execute(f'CREATE TABLE "{table.name}" ({columns})')

    def close(self) -> None:
        self.engine.close()

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """See `Reader.query`."""
        cursor = self.engine.execute(sql, dict(params)) if params else self.engine.execute(sql)
        return Rows(tuple(column[0] for column in cursor.description or ()), cursor.fetchall())

    def add(self, table: Table, **values: Any) -> None:
        """Add a row; what is not given takes a default, or null."""
        self._rows += 1
        row = row_of(table, self._rows, **values)
        names = ", ".join(f'"{name}"' for name in row)
        slots = ", ".join("?" for _ in row)
        self.engine.execute(f'INSERT INTO "{table.name}" ({names}) VALUES ({slots})', list(row.values()))

    def add_grade(self, outcome: str, *, actual: Any = None, predicted: Any = 25, **values: Any) -> None:
        """Add a grade whose errors and flags follow from what is given."""
        self.add(ACCURACY, **graded_as(outcome, actual=actual, predicted=predicted, **values))
