"""Each check over a few planted rows, on both books: it passes, finds the right keys, says when there is no data."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from builders import land_season
from gradeonce.checks import CheckResult, CheckStatus, built_in_checks
from gradeonce.schema import ACCURACY, ACTUALS, PREDICTIONS, STAGED_PREDICTIONS
from gradeonce.warehouses.base import Leftover
from planted_book import MORNING, PlantedBook, PlantedFolder, planted, planted_schema
from servers import postgres
from small_book import DAY

__all__ = ["planted", "planted_schema", "postgres"]

PASSED, WARNED, FAILED, NO_DATA, ERROR = CheckStatus
LEDGER_DAY = "2026-01-01"


def run(planted: PlantedBook, name: str, day: str | None = None, **settings: Any) -> CheckResult:
    """Run one check over a date, or the seven days up to DAY; its query, typed again, finds as much."""
    if settings:
        planted.book.settings = replace(planted.book.settings, **settings)
    (result,) = planted.book.check(day, only=[name]).results
    if result.status not in (NO_DATA, ERROR):
        assert len(planted.book.sql(result.query).rows) == result.found
    return result


def keys(result: CheckResult, *columns: str) -> list[tuple[Any, ...]]:
    """Return these columns of the findings, as texts where they are decimals."""
    return [tuple(str(key[c]) if c == "line_value" else key[c] for c in columns) for key in result.keys]


def before(days: int) -> date:
    """Return the date so many days before DAY."""
    return DAY - timedelta(days=days)


@pytest.mark.parametrize("place", ["empty", "elsewhere"])
def test_without_data_no_check_passes(planted: PlantedBook, place: str) -> None:
    """An empty book; or one whose rows lie far from the range, of which only what looks at all dates can tell."""
    if place == "elsewhere":
        old = {"game_date": before(400), "confidence_score": 2}
        planted.predictions(old)
        planted.actuals({"game_date": before(400)})
        planted.grades({"game_date": before(400)}, {"game_date": before(400)})

    results = {result.name: result for result in planted.book.check().results}

    whole_book = {"freshness"} if place == "elsewhere" else set()
    assert set(results) == {check.name for check in built_in_checks()}
    assert {name for name, result in results.items() if result.status is not NO_DATA} == whole_book
    assert all(result.considered == 0 for name, result in results.items() if name not in whole_book)


def test_duplicate_grades(planted: PlantedBook) -> None:
    """Half-point lines and no line are keys of their own; a copy counts wherever it stands, if one is in the range."""
    planted.grades({}, {"line_value": "22"}, {"line_value": None}, {"game_date": before(9)}, {"game_date": before(9)})
    assert run(planted, "duplicate_grades").status is FAILED  # The key of the first row stands nine days before, twice.

    planted.grades({"line_value": None, "outcome": "no_bet"}, {"line_value": "30.5", "game_date": before(9)})
    result = run(planted, "duplicate_grades")

    assert (result.status, result.found, result.failing) == (FAILED, 2, 2)
    assert keys(result, "game_date", "line_value", "copies", "outcomes_differ") == [
        (before(9), "22.500000000", 3, False),
        (DAY, "None", 2, True),
    ]


def test_grades_without_duplicates_pass(planted: PlantedBook) -> None:
    """One grade a key; duplicates of dates that nobody asked about are not told."""
    old = {"game_date": before(9), "game_id": "0022500501"}
    planted.grades({}, {"line_value": "22"}, {"line_value": None}, {"system_id": "beta"}, old, old)

    result = run(planted, "duplicate_grades")

    assert (result.status, result.considered, result.found) == (PASSED, 4, 0)


def test_duplicate_predictions(planted: PlantedBook) -> None:
    """A tie of the newest is one; it fails when the rivals contradict each other. Withdrawn ones are no rivals."""
    planted.predictions(
        {"prediction_id": "a1"},
        {"prediction_id": "a2"},
        {"prediction_id": "b1", "market": "assists"},
        {"prediction_id": "b2", "market": "assists", "predicted_value": 9},
        {"prediction_id": "c1", "market": "blocks"},
        {"prediction_id": "c2", "market": "blocks", "is_active": False},
    )
    result = run(planted, "duplicate_predictions")

    assert (result.status, result.found, result.failing) == (FAILED, 2, 1)
    assert keys(result, "market", "prediction_id", "counted_prediction_id", "severity") == [
        ("assists", "b1", "b2", "fail"),
        ("points", "a1", "a2", "warn"),
    ]


def test_predictions_that_were_made_one_after_the_other_pass(planted: PlantedBook) -> None:
    """The latest counts: no chance in it. Those it replaces may have been made at one instant."""
    early = {"created_at": datetime(2026, 1, 17, 9)}
    planted.predictions({}, {"prediction_id": "p2", **early}, {"prediction_id": "p3", **early})

    assert run(planted, "duplicate_predictions").status is PASSED


def slate(days_before: int, picks: int, games: int = 2, system: str = "alpha") -> list[dict[str, Any]]:
    """Return the predictions of a system for a date, over so many games."""
    return [
        {
            "prediction_id": f"{system}.{days_before}.{pick}",
            "system_id": system,
            "player_lookup": f"player{pick}",
            "game_date": before(days_before),
            "game_id": f"game{days_before}.{pick % games}",
        }
        for pick in range(picks)
    ]


def test_prediction_volume(planted: PlantedBook) -> None:
    """Eight days of ten predictions for two games; then three for two games, and none where games were played."""
    for days in range(2, 10):
        planted.predictions(*slate(days, 10))
    planted.predictions(*slate(1, 3))
    planted.actuals({"game_id": "g1"}, {"game_id": "g2"})

    result = run(planted, "prediction_volume")

    assert (result.status, result.found, result.failing) == (WARNED, 2, 0)
    assert keys(result, "game_date", "system_id", "predictions", "games", "lowest", "highest") == [
        (before(1), "alpha", 3, 2, 6, 14),
        (DAY, "alpha", 0, 2, 6, 14),
    ]


def test_usual_volume_passes(planted: PlantedBook) -> None:
    """Twice the games, twice the predictions; a system seen for two days is too new to say."""
    for days in range(1, 9):
        planted.predictions(*slate(days, 10))
    planted.predictions(*slate(0, 20, games=4), *slate(0, 40, games=4, system="beta"), *slate(1, 4, system="beta"))

    result = run(planted, "prediction_volume")

    assert (result.status, result.considered) == (PASSED, 2)
    assert result.notes == ("beta: too few days to know its usual volume (1; 7 are needed)",)


def test_volume_bounds_fail(planted: PlantedBook) -> None:
    """Fixed bounds are for a date and all its systems; they need no days before."""
    planted.predictions(*slate(0, 3), *slate(0, 3, system="beta"), *slate(1, 9))

    result = run(planted, "prediction_volume", volume_minimum=7, volume_maximum=8)

    assert (result.status, result.failing) == (FAILED, 2)
    assert keys(result, "game_date", "predictions", "lowest", "highest") == [(before(1), 9, 7, 8), (DAY, 6, 7, 8)]


def test_ungraded_predictions(planted: PlantedBook) -> None:
    """Without a grade, and with one that still waits, though the box score is final; ids of both formats meet."""
    planted.predictions(
        {},
        {"prediction_id": "p2", "market": "assists"},
        {"prediction_id": "p3", "market": "blocks", "game_id": "20260117_POR_LAL"},
        {"prediction_id": "p4", "game_id": "0022500699"},
    )
    planted.actuals({}, {"game_id": "0022500699", "is_final": False, "team_abbr": "BOS", "opponent_team_abbr": "MIA"})
    planted.grades({}, {"market": "assists", "outcome": "pending"})

    result = run(planted, "ungraded_predictions")

    assert (result.status, result.considered) == (FAILED, 3)
    assert keys(result, "prediction_id", "state") == [("p2", "still pending"), ("p3", "not graded")]


def test_graded_predictions_pass(planted: PlantedBook) -> None:
    """One that does not count needs no grade."""
    planted.predictions({}, {"prediction_id": "p2", "market": "assists", "is_active": False})
    planted.actuals({})
    planted.grades({})

    result = run(planted, "ungraded_predictions")

    assert (result.status, result.considered) == (PASSED, 1)


def test_confidence_scale(planted: PlantedBook) -> None:
    """Of a system on two scales the rarer is named, looking back; what is on no scale always is."""
    planted.predictions(
        *[{**row, "confidence_score": "0.6"} for row in slate(10, 3)],
        *[{**row, "confidence_score": 60 + row_number} for row_number, row in enumerate(slate(0, 2))],
        {"prediction_id": "n1", "system_id": "beta", "confidence_score": -1},
        {"prediction_id": "n2", "system_id": "beta", "confidence_score": 101},
    )

    result = run(planted, "confidence_scale")

    assert (result.status, result.considered) == (FAILED, 4)
    assert keys(result, "prediction_id", "problem") == [
        ("alpha.0.0", "percent, where the system mostly says 0 to 1"),
        ("alpha.0.1", "percent, where the system mostly says 0 to 1"),
        ("n1", "outside every scale"),
        ("n2", "outside every scale"),
    ]


def test_one_scale_for_each_system_passes(planted: PlantedBook) -> None:
    """Percent is a scale too; 0 and 1 are on both."""
    shares = [{**row, "confidence_score": score} for row, score in zip(slate(0, 3), ("0.6", 1, 0), strict=True)]
    percents = [
        {**row, "confidence_score": score} for row, score in zip(slate(0, 3, system="b"), (60, 1, 0), strict=True)
    ]
    planted.predictions(*shares, *percents)

    assert run(planted, "confidence_scale").status is PASSED


def fresh(planted: PlantedBook, hours: float) -> None:
    """Plant predictions and box scores of so many hours ago."""
    for table in (PREDICTIONS, ACTUALS):
        planted.plant(table, [{}], published_at=MORNING - timedelta(hours=hours))


def test_freshness(planted: PlantedBook) -> None:
    """Older than the first limit warns, older than the second fails; whatever the range."""
    fresh(planted, 40)

    result = run(planted, "freshness", "2025-12-01", predictions_warn_hours=39.0, actuals_fail_hours=39.5)

    assert (result.status, result.considered, result.failing) == (FAILED, 2, 1)
    assert {(key["kind"], float(key["hours_old"]), key["severity"]) for key in result.keys} == {
        ("predictions", 40.0, "warn"),
        ("box scores", 40.0, "fail"),
    }
    assert result.notes == ("grades: none yet",)


def test_fresh_data_pass(planted: PlantedBook) -> None:
    """An hour old, and graded just now (the ledger's clock may be the server's)."""
    fresh(planted, 1)
    planted.run("2026-01-17")

    result = run(planted, "freshness")

    assert (result.status, result.considered, result.notes) == (PASSED, 3, ())


def test_systems(planted: PlantedBook) -> None:
    """One fell silent after four dates, one is new; one that predicts every second date is not missed after one."""
    for days in range(5):
        planted.predictions(*slate(days + 7, 1), *slate(days, 1, system="steady"), *slate(days + 5, 1, system="steady"))
    planted.predictions(
        *slate(1, 1, system="biweekly"), *slate(3, 1, system="biweekly"), *slate(5, 1, system="biweekly")
    )
    planted.predictions(*slate(7, 1, system="biweekly"), *slate(2, 1, system="fresh"))

    result = run(planted, "systems", "2026-01-17")
    assert keys(result, "system_id", "change", "dates_missed") == [("alpha", "stopped", 7)]

    result = run(planted, "systems")
    assert (result.status, result.considered) == (WARNED, 4)
    assert keys(result, "system_id", "change", "game_date") == [
        ("alpha", "stopped", before(7)),
        ("fresh", "appeared", before(2)),
    ]


def test_systems_that_go_on_pass(planted: PlantedBook) -> None:
    """Also where the first dates of the book are in the range: nobody appeared, all began."""
    for days in range(4):
        planted.predictions(*slate(days, 1), *slate(days, 1, system="beta"))

    result = run(planted, "systems")

    assert (result.status, result.considered) == (PASSED, 2)


def test_recent_duplicates(planted: PlantedBook) -> None:
    """Seven days up to the date asked for; the eighth is out."""
    for days in (6, 7):
        planted.grades(*[{"game_date": before(days), "game_id": f"g{days}"}] * 2)

    result = run(planted, "recent_duplicates", DAY.isoformat())

    assert (result.status, result.failing) == (FAILED, 1)
    assert keys(result, "game_date", "game_id", "copies") == [(before(6), "g6", 2)]


def test_seven_days_without_duplicates_pass(planted: PlantedBook) -> None:
    """The same key on two dates is the other check's."""
    planted.grades({}, {"game_date": before(1)})

    assert run(planted, "recent_duplicates").status is PASSED


def test_grading_coverage(planted: PlantedBook) -> None:
    """Two of five decided fails, four of five warns; ungradable and pending are not decided."""
    for days, decided in ((0, 2), (1, 4), (2, 5)):
        picks = slate(days, 5, games=1)
        planted.predictions(*picks)
        planted.actuals({"game_date": before(days), "game_id": f"game{days}.0", "team_abbr": None})
        for place, pick in enumerate(picks):
            outcome = "win" if place < decided else ("ungradable", "pending")[place % 2]
            if place < 4:
                planted.grades({**{name: pick[name] for name in pick if name != "prediction_id"}, "outcome": outcome})
        if decided == 5:
            planted.grades({**picks[4], "outcome": "void"})

    result = run(planted, "grading_coverage")

    assert (result.status, result.considered, result.failing) == (FAILED, 15, 1)
    assert keys(result, "game_date", "problem", "predictions", "decided", "severity") == [
        (before(1), "coverage", 5, 4, "warn"),
        (DAY, "coverage", 5, 2, "fail"),
    ]


def test_game_ids_that_meet_nothing(planted: PlantedBook) -> None:
    """Ids of one format meet box scores, those of another do not: coverage alone would not say why."""
    planted.predictions(
        {}, {"prediction_id": "p2", "game_id": "event-77"}, {"prediction_id": "p3", "game_id": "event-78"}
    )
    planted.actuals({})
    planted.grades({})

    result = run(planted, "grading_coverage", decided_warn=0.1, decided_fail=0.1)

    assert (result.status, result.found) == (FAILED, 1)
    assert keys(result, "problem", "game_id", "box_score_game_id", "predictions") == [
        ("game ids", "event-77", "0022500601", 2)
    ]


def test_covered_dates_pass(planted: PlantedBook) -> None:
    """All decided, by ids of both formats."""
    planted.predictions({}, {"prediction_id": "p2", "game_id": "20260117_POR_LAL"})
    planted.actuals({})
    planted.grades({}, {"game_id": "20260117_POR_LAL", "outcome": "void"})

    assert run(planted, "grading_coverage").status is PASSED


def test_lock_health_of_runs(planted: PlantedBook) -> None:
    """What the ledger tells of the range: not had, lost, taken over, waited for."""
    planted.run("2026-01-12", error="...", error_kind="LeaseHeld")
    planted.run("2026-01-13", error="...", error_kind="LeaseLost")
    planted.run("2026-01-14", lock_wait_seconds=0.01, took_over=True)
    planted.run("2026-01-15", lock_wait_seconds=61.5)
    planted.run("2026-01-16", lock_wait_seconds=59.5)
    planted.run("2026-01-17", error="...", error_kind="InputError")
    planted.run("2026-01-09", error="...", error_kind="LeaseHeld")

    result = run(planted, "lock_health")

    assert (result.status, result.considered, result.found) == (WARNED, 6, 4)
    assert sorted(keys(result, "lease", "problem")) == [
        ("2026-01-12", "not had in time"),
        ("2026-01-13", "lost during a run"),
        ("2026-01-14", "taken over from a holder that was gone"),
        ("2026-01-15", "waited for too long"),
    ]


def wait_until_run_out(planted: PlantedBook) -> None:
    """Wait until no lease is held, by whichever clock judges."""
    gives_up_at = time.monotonic() + 20
    while any(record.is_held for record in planted.book.leases.records()):
        assert time.monotonic() < gives_up_at
        planted.book.clock.sleep(0.05) if isinstance(planted, PlantedFolder) else time.sleep(0.02)


def test_leases_that_were_left(planted: PlantedBook) -> None:
    """One that ran out was left by a holder that died; one that is held is well until it is held for too long."""
    planted.book.leases.try_acquire("grading/2026-01-10", holder="dead", ttl_seconds=0.05, floor=0)
    wait_until_run_out(planted)
    planted.book.leases.try_acquire("grading/2026-01-11", holder="busy", ttl_seconds=600, floor=0)

    result = run(planted, "lock_health")
    assert keys(result, "lease", "holder", "problem") == [
        ("grading/2026-01-10", "dead", "stuck: never released, and run out")
    ]

    result = run(planted, "lock_health", lease_held_warn_seconds=-1.0)
    assert ("grading/2026-01-11", "busy", "held for too long") in keys(result, "lease", "holder", "problem")


def test_leases_in_order_pass(planted: PlantedBook) -> None:
    """A run that waited a moment, a lease that is held, one that was released."""
    planted.run("2026-01-17", lock_wait_seconds=0.2)
    store = planted.book.leases
    store.try_acquire("a", holder="ann", ttl_seconds=60, floor=0)
    token = store.try_acquire("b", holder="bob", ttl_seconds=60, floor=0).token
    store.release("b", holder="bob", token=token)

    result = run(planted, "lock_health")

    assert (result.status, result.considered) == (PASSED, 2)


def test_gradings_leave_what_lock_health_reads(planted: PlantedBook) -> None:
    """A real run that is refused its lease, and one that takes it over when its holder is gone."""
    land_season(planted.book, 1, 2)
    planted.book.leases.try_acquire(f"grading/{LEDGER_DAY}", holder="ann", ttl_seconds=60, floor=0)
    planted.book.grade(LEDGER_DAY, wait_seconds=0)
    assert keys(run(planted, "lock_health", LEDGER_DAY), "problem") == [("not had in time",)]

    token = next(iter(planted.book.leases.records())).token
    planted.book.leases.break_claim(f"grading/{LEDGER_DAY}", token=token)
    planted.book.leases.try_acquire(f"grading/{LEDGER_DAY}", holder="eve", ttl_seconds=0.05, floor=0)
    wait_until_run_out(planted)
    assert planted.book.grade(LEDGER_DAY).runs[0].status == "published"

    problems = keys(run(planted, "lock_health", LEDGER_DAY), "problem")
    assert ("taken over from a holder that was gone",) in problems


def season_of_figures(planted: PlantedBook, late_wins: int) -> None:
    """Plant 60 picks of 30 wins before the last 14 days, and 30 picks of so many wins in them."""
    rows = []
    for place in range(90):
        is_late = place >= 60
        won = place % 2 == 0 if not is_late else place - 60 < late_wins
        rows.append(
            {
                "system_id": "alpha",
                "player_lookup": f"player{place}",
                "game_date": before(3 if is_late else 40),
                "outcome": "win" if won else "loss",
                "actual": 25 + place % 5,
            }
        )
    planted.grades(*rows, {"system_id": "tiny"})


def test_accuracy_drift(planted: PlantedBook) -> None:
    """30 of 30 after 30 of 60 is no chance; of a system with one pick nothing is said."""
    season_of_figures(planted, late_wins=30)

    result = run(planted, "accuracy_drift", drift_minimum=30)

    assert (result.status, result.considered, result.found) == (WARNED, 2, 1)
    assert keys(result, "system_id", "figure", "n", "n_before", "change") == [("alpha", "win rate", 30, 60, "better")]
    assert result.notes == (
        "tiny: too few to judge its mae (0 of late, 0 before; 30 are needed)",
        "tiny: too few to judge its win rate (1 of late, 0 before; 30 are needed)",
    )


def test_figures_within_their_interval_pass(planted: PlantedBook) -> None:
    """18 of 30 after 30 of 60 may be chance."""
    season_of_figures(planted, late_wins=18)

    assert run(planted, "accuracy_drift", drift_minimum=30).status is PASSED


def test_too_few_picks_are_no_data(planted: PlantedBook) -> None:
    """30 picks where 31 are needed: said, not guessed."""
    season_of_figures(planted, late_wins=30)

    result = run(planted, "accuracy_drift", drift_minimum=31)

    assert result.status is NO_DATA
    assert "alpha: too few to judge its win rate (30 of late, 60 before; 31 are needed)" in result.notes


@pytest.fixture
def ledgered(planted: PlantedBook) -> PlantedBook:
    """Two days that were loaded and graded as they should be."""
    land_season(planted.book, 2, 3)
    planted.book.grade(start=LEDGER_DAY, end="2026-01-02")
    return planted


def test_ledger_agreement(ledgered: PlantedBook) -> None:
    """Untouched it holds; a row slipped in beside the ledger is found, on its own date only."""
    result = run(ledgered, "ledger_agreement", LEDGER_DAY)
    assert (result.status, result.considered) == (PASSED, 4)  # Predictions, box scores, grades and their sums.

    ledgered.grades({"game_date": date(2026, 1, 1), "player_lookup": "stranger"})

    result = run(ledgered, "ledger_agreement", LEDGER_DAY)
    assert result.status is FAILED
    assert any("prediction_accuracy 2026-01-01" in key["finding"] for key in result.keys)
    assert run(ledgered, "ledger_agreement", "2026-01-02").status is PASSED


def test_an_edited_value_is_found(ledgered: PlantedBook) -> None:
    """As many rows as before, and other content."""
    if isinstance(ledgered, PlantedFolder):
        rows = ledgered.book.settings.book_path / "rows" / ACCURACY.name
        path = next(rows.rglob("*.parquet"))
        edited = f"SELECT * REPLACE (CAST(30 AS DECIMAL(18, 9)) AS actual_value) FROM '{path}'"
        duckdb.sql(f"COPY ({edited}) TO '{path}.edited' (FORMAT parquet)")
        path.with_name(f"{path.name}.edited").rename(path)
    else:
        ledgered.connection.execute("UPDATE prediction_accuracy SET actual_value = 30 WHERE player_lookup = 'player1'")

    assert run(ledgered, "ledger_agreement", LEDGER_DAY).status is FAILED


def test_orphaned_staging(planted: PlantedBook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older than a day is one; younger may be a run under way. A batch is as old as its last write."""
    planted.run("2026-01-17")
    found = [Leftover(f"staged{hours}", "file", 10, MORNING - timedelta(hours=hours)) for hours in (23, 25, 30)]
    monkeypatch.setattr(planted.book.warehouse, "leftovers", lambda: found)

    for batch, hours in (("early/ann/1", 40), ("late/ann/1", 40), ("late/bob/2", 2)):
        row = {"staging": batch, "batch": batch.split("/")[0], "worker": "ann"}
        planted.plant(STAGED_PREDICTIONS, [row], published_at=MORNING - timedelta(hours=hours))

    result = run(planted, "orphaned_staging")

    assert (result.status, result.considered) == (WARNED, 1)
    assert [(name, rows, float(hours)) for name, rows, hours in keys(result, "name", "rows", "hours_old")] == [
        ("early", 1, 40.0),
        ("staged30", None, 30.0),
        ("staged25", None, 25.0),
    ]


def test_nothing_staged_passes(ledgered: PlantedBook) -> None:
    """Loads and gradings that ended leave nothing, however late one looks."""
    result = run(ledgered, "orphaned_staging", orphan_hours=-1e9)

    assert (result.status, result.found) == (PASSED, 0)


def test_files_that_nobody_sees_are_leftovers(planted: PlantedBook) -> None:
    """In a folder: staged files, and files of rows without a pointer. A server's temporary tables end by themselves."""
    if not isinstance(planted, PlantedFolder):
        assert planted.book.warehouse.leftovers() == []
        return
    planted.grades({})
    folder = planted.book.settings.book_path
    for name in ("staging/g1.parquet", "rows/prediction_accuracy/lost.parquet"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"rows")
        os.utime(path, (MORNING.timestamp(), MORNING.timestamp()))

    assert planted.book.warehouse.leftovers() == [
        Leftover("rows/prediction_accuracy/lost.parquet", "file of rows that no version points at", 4, MORNING),
        Leftover("staging/g1.parquet", "staged file", 4, MORNING),
    ]


def test_regrade_due(planted: PlantedBook) -> None:
    """A corrected value, corrected minutes, and an absence that was none; a pending grade is another check's."""
    who = [{"player_lookup": name} for name in ("value", "minutes", "absent", "pending", "same")]
    planted.actuals(*[{**one, "actual_value": 25} for one in who[:2] + who[3:]])
    planted.actuals(
        {**who[0], "actual_value": 26, "recorded_at": datetime(2026, 1, 18, 6)},
        {**who[2], "actual_value": 0, "minutes_played": 0, "is_dnp": False},
    )
    planted.grades(
        {**who[0], "actual": 25, "minutes_played": 34},
        {**who[1], "actual": 25, "minutes_played": 33},
        {**who[2], "actual": 0, "minutes_played": 0, "outcome": "void", "void_reason": "dnp_unknown"},
        {**who[3], "outcome": "pending"},
        {**who[4], "actual": 25, "minutes_played": 34},
    )

    result = run(planted, "regrade_due")

    assert (result.status, result.considered) == (WARNED, 4)
    assert [(key["player_lookup"], key["graded_value"], key["box_score_value"]) for key in result.keys] == [
        ("absent", 0, 0),
        ("minutes", 25, 25),
        ("value", 25, 26),
    ]


def test_grades_of_every_kind_need_no_regrade(planted: PlantedBook) -> None:
    """Straight from a grading of played, absent, unknown, valueless and missing players: none of them is due."""
    planted.predictions(*[{"prediction_id": name, "player_lookup": name} for name in ("a", "b", "c", "d", "e")])
    planted.actuals(
        {"player_lookup": "a"},
        {"player_lookup": "b", "is_dnp": True, "actual_value": None, "minutes_played": None},
        {"player_lookup": "c", "actual_value": 0, "minutes_played": 0},
        {"player_lookup": "d", "actual_value": None, "is_dnp": False, "minutes_played": 12},
    )
    run_of_day = planted.book.grade("2026-01-17").runs[0]
    assert (run_of_day.counts["win"], run_of_day.counts["void"], run_of_day.counts["ungradable"]) == (1, 2, 2)

    result = run(planted, "regrade_due")

    assert (result.status, result.considered) == (PASSED, 5)


def voids(planted: PlantedBook, count: int, usual: int = 2) -> None:
    """Plant ten days of 20 players, two of them void, and a day of 20 players of whom so many are."""
    for days in range(11):
        void = usual if days else count
        planted.grades(
            *[
                {
                    "player_lookup": f"player{player}",
                    "market": market,
                    "game_date": before(days),
                    "game_id": f"game{days}",
                    "outcome": "void" if player < void else "win",
                    "void_reason": "dnp_unknown" if player < void else None,
                }
                for player in range(20)
                for market in ("points", "assists")
            ]
        )


def test_void_share(planted: PlantedBook) -> None:
    """Twelve of twenty, where two are usual: players are counted, not their markets."""
    voids(planted, 12)

    result = run(planted, "void_share")

    assert (result.status, result.considered) == (WARNED, 6)
    assert keys(result, "game_date", "void_players", "players", "void_reason") == [(DAY, 12, 20, "dnp_unknown")]
    assert [float(key["share"]) for key in result.keys] == [0.6]


def test_usual_voids_pass(planted: PlantedBook) -> None:
    """Five of twenty may be chance; with fewer players than needed nothing is said."""
    voids(planted, 5)
    assert run(planted, "void_share").status is PASSED

    result = run(planted, "void_share", "2026-01-17", void_minimum=21)
    assert result.status is NO_DATA
    assert result.notes == ("2026-01-17: too few players to judge its voids (20, 200 before; 21 and 105 are needed)",)


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_no_voids_pass(planted: PlantedBook, count: int) -> None:
    """None where there never was any; and one, which is more than none and no sign of anything."""
    voids(planted, count, usual=0)

    assert run(planted, "void_share").status is PASSED


@pytest.fixture
def own_checks(planted: PlantedBook, tmp_path: Path) -> Path:
    """A folder for checks of one's own, named by the settings, over one grade."""
    folder = tmp_path / "checks"
    folder.mkdir()
    planted.book.settings = replace(planted.book.settings, check_folder=str(folder))
    planted.grades({})
    return folder


HEADER = "-- severity: warn\n-- about: A bet has a price.\n-- fix: Load prices.\n"


def test_a_check_of_ones_own(planted: PlantedBook, own_checks: Path) -> None:
    """Its rows are the findings, its range is the one asked for, and it is stored like ours."""
    text = HEADER + "SELECT prediction_id FROM prediction_accuracy WHERE game_date BETWEEN $first_date AND $last_date"
    (own_checks / "priced.sql").write_text(f"{text} AND over_price IS NULL;\n")

    results = {result.name: result for result in planted.book.check().results}
    assert (results["priced"].status, results["priced"].keys) == (WARNED, ({"prediction_id": "p1"},))
    assert run(planted, "priced", "2026-01-16").status is NO_DATA
    assert len(planted.book.sql("SELECT * FROM check_results WHERE check_name = 'priced'").rows) == 2


def test_a_check_that_breaks_is_a_failure_and_no_hindrance(planted: PlantedBook, own_checks: Path) -> None:
    """Its error is its result; the others are run, also on a server whose transaction it spoilt."""
    (own_checks / "a_broken.sql").write_text(HEADER + "SELECT no_such_column FROM prediction_accuracy")
    (own_checks / "b_whole.sql").write_text(HEADER + "SELECT 1 AS one WHERE false")

    report = planted.book.check(only=["a_broken", "b_whole"])

    broken, whole = report.results
    assert (broken.status, whole.status, report.status) == (ERROR, PASSED, FAILED)
    assert "no_such_column" in broken.error
    stored = planted.book.sql("SELECT status, error FROM check_results ORDER BY check_name").rows
    assert [status for status, _ in stored] == ["error", "passed"]
    assert "no_such_column" in stored[0][1]


def test_a_check_cannot_write(planted: PlantedBook, own_checks: Path) -> None:
    """Whatever a file says, nothing is changed."""
    (own_checks / "evil.sql").write_text(HEADER + "DELETE FROM prediction_accuracy")

    assert run(planted, "evil").status is ERROR
    assert planted.book.sql("SELECT count(*) FROM prediction_accuracy").rows == [(1,)]
