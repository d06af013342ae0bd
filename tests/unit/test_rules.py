"""The grading rules on single rows, straight in the engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from gradeonce.rules import RuleSettings, grading_params, grading_sql
from gradeonce.schema import ACTUALS, INJURIES, PREDICTIONS, Table
from gradeonce.warehouses.engine import DUCKDB_TYPES, open_engine, run

DAY = date(2026, 1, 17)
MADE = datetime(2026, 1, 17, 15)
PREDICTION = {
    "prediction_id": "p1",
    "system_id": "s",
    "player_lookup": "lukadoncic",
    "game_id": "0022500600",
    "game_date": DAY,
    "market": "points",
    "predicted_value": Decimal("30.5"),
    "line_value": Decimal("28.5"),
    "recommendation": "OVER",
    "created_at": MADE,
    "is_active": True,
    "line_source": "ACTUAL_PROP",
    "load_id": "l",
    "load_row": 1,
    "loaded_at": MADE,
}
ACTUAL = {
    "player_lookup": "lukadoncic",
    "game_id": "0022500600",
    "game_date": DAY,
    "market": "points",
    "actual_value": Decimal(29),
    "minutes_played": Decimal(36),
    "team_abbr": "LAL",
    "opponent_team_abbr": "BOS",
    "is_final": True,
    "load_id": "l",
    "load_row": 1,
    "loaded_at": MADE,
}


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_engine(threads=1) as opened:
        for table in (PREDICTIONS, ACTUALS, INJURIES):
            columns = ", ".join(f"{column.name} {DUCKDB_TYPES[column.type]}" for column in table.columns)
            opened.execute(f"CREATE TABLE {table.name} ({columns})")
        yield opened


def put(engine: duckdb.DuckDBPyConnection, table: Table, **values: Any) -> None:
    row = {**{PREDICTIONS: PREDICTION, ACTUALS: ACTUAL}.get(table, {}), **values}
    row["load_row"] = engine.execute(f"SELECT count(*) + 1 FROM {table.name}").fetchone()[0]
    engine.execute(
        f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})", list(row.values())
    )


def graded(engine: duckdb.DuckDBPyConnection, **rules: Any) -> list[dict[str, Any]]:
    sql = grading_sql({"predictions": PREDICTIONS.name, "actuals": ACTUALS.name, "injuries": INJURIES.name})
    params = grading_params(RuleSettings(**rules), [DAY], run_id="r", graded_at=MADE)
    cursor = run(engine, f"{sql} ORDER BY prediction_id", params)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_prediction_without_confidence_has_no_decile(engine: duckdb.DuckDBPyConnection) -> None:
    """No confidence means no decile; it once meant the highest one, because least() passes over nulls."""
    put(engine, PREDICTIONS)
    put(engine, ACTUALS)

    assert graded(engine)[0]["confidence_decile"] is None


@pytest.mark.parametrize(
    ("confidence", "share", "decile"),
    [
        ("0", "0", 1),
        ("0.0999", "0.0999", 1),
        ("0.1", "0.1", 2),
        ("0.95", "0.95", 10),
        ("1", "1", 10),
        ("61", "0.61", 7),
    ],
)
def test_confidence_is_brought_to_a_share_and_a_decile(
    engine: duckdb.DuckDBPyConnection, confidence: str, share: str, decile: int
) -> None:
    """Above 1 confidence is percent; deciles run from 1 to 10, the last one closed."""
    put(engine, PREDICTIONS, confidence_score=Decimal(confidence))
    put(engine, ACTUALS)

    row = graded(engine)[0]

    assert (row["confidence_score"], row["confidence_decile"]) == (Decimal(share), decile)


@pytest.mark.parametrize(
    ("captured", "flag", "reported", "outcome", "reason", "status"),
    [
        (None, None, None, "ungradable", None, None),
        (None, None, "QUESTIONABLE", "ungradable", None, None),
        (None, None, "Out", "void", "dnp_injury_confirmed", "OUT"),
        ("DOUBTFUL", None, None, "void", "dnp_injury_confirmed", "DOUBTFUL"),
        (None, False, "OUT", "void", "dnp_injury_confirmed", "OUT"),
        ("PROBABLE", True, "OUT", "void", "dnp_injury_confirmed", "OUT"),
    ],
)
def test_player_missing_from_final_box_score_is_void_only_if_out_or_doubtful(
    engine: duckdb.DuckDBPyConnection,
    captured: str | None,
    flag: bool | None,
    reported: str | None,
    outcome: str,
    reason: str | None,
    status: str | None,
) -> None:
    """A missing player may be a name that does not meet: only OUT or DOUBTFUL, captured or reported, makes a void."""
    put(engine, PREDICTIONS, injury_status_at_prediction=captured, injury_flag_at_prediction=flag)
    put(engine, ACTUALS, player_lookup="someoneelse")
    if reported:
        put(
            engine,
            INJURIES,
            player_lookup="lukadoncic",
            game_date=DAY,
            status=reported,
            load_id="l",
            loaded_at=MADE,
        )

    row = graded(engine)[0]

    assert (row["outcome"], row["void_reason"], row["pre_game_injury_status"]) == (outcome, reason, status)


def test_missing_player_is_void_when_rosters_are_complete(engine: duckdb.DuckDBPyConnection) -> None:
    """`missing_player = "void"` takes absence from the box score for not playing."""
    put(engine, PREDICTIONS)
    put(engine, ACTUALS, player_lookup="someoneelse")

    row = graded(engine, missing_player="void")[0]

    assert (row["outcome"], row["void_reason"]) == ("void", "dnp_unknown")


@pytest.mark.parametrize(("played", "outcome"), [(date(2026, 1, 18), "win"), (date(2026, 1, 29), "void")])
def test_game_that_moved_far_is_void(engine: duckdb.DuckDBPyConnection, played: date, outcome: str) -> None:
    """A game keeps its id when it moves; played weeks later it is not the event that was predicted."""
    put(engine, PREDICTIONS)
    put(engine, ACTUALS, game_date=played)

    row = graded(engine)[0]

    assert row["outcome"] == outcome
    assert (row["void_reason"] == "game_moved") == (outcome == "void")
    assert (row["absolute_error"] is None) == (outcome == "void")


def test_both_id_formats_meet_through_date_and_teams(engine: duckdb.DuckDBPyConnection) -> None:
    """A prediction for YYYYMMDD_AWAY_HOME finds the box score under the NBA's ten digits."""
    put(engine, PREDICTIONS, game_id="20260117_LAL_BOS")
    put(engine, ACTUALS, team_abbr="BOS", opponent_team_abbr="LAL")

    assert graded(engine)[0]["outcome"] == "win"


def test_same_player_and_date_in_another_game_is_not_paired(engine: duckdb.DuckDBPyConnection) -> None:
    """Pairing is on the game, never on player and date alone."""
    put(engine, PREDICTIONS, game_id="0022500601")
    put(engine, ACTUALS)

    assert graded(engine)[0]["outcome"] == "pending"


def test_later_version_of_an_actual_wins_and_final_beats_provisional(engine: duckdb.DuckDBPyConnection) -> None:
    """Of several versions the latest counts, but a provisional one never beats a final one."""
    put(engine, PREDICTIONS)
    put(engine, ACTUALS, actual_value=Decimal(20), recorded_at=datetime(2026, 1, 18, 1))
    put(engine, ACTUALS, actual_value=Decimal(29), recorded_at=datetime(2026, 1, 18, 5))
    put(engine, ACTUALS, actual_value=Decimal(10), recorded_at=datetime(2026, 1, 18, 9), is_final=False)

    assert graded(engine)[0]["actual_value"] == 29


def test_moved_line_counts_once_in_the_record_and_stays_graded(engine: duckdb.DuckDBPyConnection) -> None:
    """Every line of a pick is graded; only the last one is final."""
    put(engine, PREDICTIONS)
    put(engine, PREDICTIONS, prediction_id="p2", line_value=Decimal("30.5"), created_at=datetime(2026, 1, 17, 18))
    put(engine, ACTUALS)

    rows = graded(engine)

    assert [(row["line_value"], row["outcome"], row["is_final_line"]) for row in rows] == [
        (Decimal("28.5"), "win", False),
        (Decimal("30.5"), "loss", True),
    ]


LATER = datetime(2026, 1, 18, 9)


def test_prediction_loaded_again_as_inactive_is_withdrawn(engine: duckdb.DuckDBPyConnection) -> None:
    """The same prediction loaded again replaces itself, so it can be taken back."""
    put(engine, PREDICTIONS)
    put(engine, PREDICTIONS, is_active=False, loaded_at=LATER)
    put(engine, ACTUALS)

    assert graded(engine) == []


def test_prediction_loaded_again_with_a_line_replaces_the_one_without(engine: duckdb.DuckDBPyConnection) -> None:
    """Lines often come after predictions; the pick must not stand twice, with and without a line."""
    put(engine, PREDICTIONS, line_value=None)
    put(engine, PREDICTIONS, loaded_at=LATER)
    put(engine, ACTUALS)

    assert [(row["line_value"], row["outcome"]) for row in graded(engine)] == [(Decimal("28.5"), "win")]


def test_other_lines_and_other_predictions_are_not_replaced(engine: duckdb.DuckDBPyConnection) -> None:
    """Only the very same prediction replaces one: another line, player or id stands beside it."""
    put(engine, PREDICTIONS)
    put(engine, PREDICTIONS, line_value=Decimal("30.5"), loaded_at=LATER)
    put(engine, PREDICTIONS, prediction_id="p2", line_value=Decimal("20.5"), loaded_at=LATER)
    put(engine, ACTUALS)

    assert sorted(row["line_value"] for row in graded(engine)) == [Decimal("20.5"), Decimal("28.5"), Decimal("30.5")]
