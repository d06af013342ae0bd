"""`gradeonce grade`: which dates, what it prints, and how it waits."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import gradeonce as api
from acceptance.command import Command
from acceptance.season import (
    COMING,
    CORRECTED_BIAS,
    CORRECTED_MAE,
    FIRST_BIAS,
    FIRST_COUNTS,
    FIRST_MAE,
    PLAYED,
    load_correction,
)

RUN_FIELDS = (
    *("partition", "status", "run_id", "token", "predictions", "win", "loss", "push", "no_bet", "void", "ungradable"),
    *("pending", "revised", "mae", "bias", "lock_wait_seconds", "duration_seconds"),
)
COUNTS = ("predictions", "win", "loss", "push", "no_bet", "void", "ungradable", "pending")


@pytest.fixture
def season(loaded_season: Path, tmp_path: Path) -> Command:
    """The season in a folder of its own."""
    shutil.copytree(loaded_season, tmp_path, dirs_exist_ok=True)
    return Command(tmp_path)


def only_run(document: Any) -> dict[str, Any]:
    (run,) = document["runs"]
    return dict(run)


def test_grade_prints_one_object_with_the_agreed_fields(season: Command) -> None:
    """Schema version, runs with every agreed field, and totals; nothing else on stdout, nothing on stderr."""
    found = season("grade", PLAYED, "--json")
    document = found.json()
    run = only_run(document)

    assert document["schema_version"] == 1
    assert set(RUN_FIELDS) <= set(run)
    assert (run["partition"], run["status"], run["revised"]) == (PLAYED, "published", 0)
    assert {name: run[name] for name in COUNTS} == FIRST_COUNTS
    assert (run["mae"], run["bias"], run["n"]) == (FIRST_MAE, FIRST_BIAS, 4)
    assert run["token"] == 1
    assert run["run_id"].startswith("g20")
    assert 0 <= run["lock_wait_seconds"] < 60
    assert 0 < run["duration_seconds"] < 60
    assert run["excluded"] == {"superseded": 1}
    assert {name: document["totals"][name] for name in COUNTS} == FIRST_COUNTS
    assert (document["totals"]["mae"], document["totals"]["bias"]) == (FIRST_MAE, FIRST_BIAS)
    assert found.err == ""


def test_grade_prints_a_line_a_date_for_people(season: Command) -> None:
    """Counts reconcile on screen; missing players are named; several dates get a total."""
    found = season("grade", "--all")

    assert found.out.splitlines() == [
        "2026-01-17  published  5 predictions = 1 win + 2 loss + 1 push + 1 ungradable  MAE 4.50  bias -3.00",
        "            nobodyknown is in no final box score of his game",
        "2026-01-19  pending: no box score is final yet;  1 predictions = 1 pending",
        "            0 of 1 games are final; the others are pending",
        "total       6 predictions = 1 win + 2 loss + 1 push + 1 ungradable + 1 pending  MAE 4.50  bias -3.00",
    ]
    assert found.err == ""


def test_grading_twice_is_unchanged_and_keeps_the_stamps(season: Command) -> None:
    """The second run writes no row: run_id and graded_at are those of the first."""
    first = only_run(season("grade", PLAYED, "--json").json())
    stamps = season.query("SELECT DISTINCT run_id, graded_at FROM prediction_accuracy")

    second = only_run(season("grade", PLAYED, "--json").json())

    assert (second["status"], second["revised"]) == ("unchanged", 0)
    assert {name: second[name] for name in COUNTS} == FIRST_COUNTS
    assert second["run_id"] != first["run_id"]
    assert second["token"] > first["token"]
    assert season.query("SELECT DISTINCT run_id, graded_at FROM prediction_accuracy") == stamps
    assert [row["run_id"] for row in stamps] == [first["run_id"]]


def test_expected_answers_are_statuses_not_errors(season: Command) -> None:
    """Box scores not in: pending. No predictions: nothing to grade. Both exit 0."""
    pending = only_run(season("grade", COMING, "--json").json())
    nothing = only_run(season("grade", "2026-02-01", "--json").json())

    assert (pending["status"], pending["predictions"], pending["pending"]) == ("pending", 1, 1)
    assert (pending["mae"], pending["bias"]) == (None, None)
    assert (nothing["status"], nothing["predictions"]) == ("nothing_to_grade", 0)
    text = season("grade", "2026-02-01").out
    assert text == "2026-02-01  nothing to grade: no predictions that count\n"


def test_range_grades_every_date_of_it(season: Command) -> None:
    """Three dates, one of them without predictions; each has its run."""
    runs = season("grade", "--from", PLAYED, "--to", COMING, "--json").json()["runs"]

    assert [(run["partition"], run["status"]) for run in runs] == [
        (PLAYED, "published"),
        ("2026-01-18", "nothing_to_grade"),
        (COMING, "pending"),
    ]


def test_yesterday_and_today_are_counted_where_the_league_plays(book: Command) -> None:
    """Yesterday in New York, whatever the machine's own zone says."""
    today = datetime.now(ZoneInfo("America/New_York")).date()
    yesterday = (today - timedelta(days=1)).isoformat()
    book.write(
        "picks.csv",
        "system_id,player_name,game_id,game_date,predicted_value,line_value,recommendation\n"
        f"alpha,Luka Doncic,g1,{yesterday},25,22.5,OVER\n"
        f"alpha,Luka Doncic,g2,{today},25,22.5,OVER\n",
    )
    book.write("box.csv", f"player_name,game_id,game_date,points\nLuka Doncic,g1,{yesterday},30\n")
    book.inside("load", "predictions", "picks.csv")
    book.inside("load", "actuals", "box.csv")

    graded = only_run(book("grade", "yesterday", "--json", TZ="Pacific/Kiritimati").json())
    coming = only_run(book("grade", "today", "--json", TZ="Pacific/Kiritimati").json())

    if datetime.now(ZoneInfo("America/New_York")).date() != today:
        pytest.skip("midnight in New York passed while the test ran")
    assert (graded["partition"], graded["status"], graded["win"]) == (yesterday, "published", 1)
    assert (coming["partition"], coming["status"]) == (today.isoformat(), "pending")


def test_dry_run_shows_what_would_change_and_changes_nothing(season: Command) -> None:
    """By outcome, with sample keys; the ledger and the fence stay as they are."""
    before = season.query("SELECT count(*) AS n FROM ledger")

    found = season("grade", PLAYED, "--dry-run")
    document = season("grade", PLAYED, "--dry-run", "--json").json()
    run = only_run(document)

    assert found.out.startswith("2026-01-17  would be published  5 predictions = 1 win + 2 loss")
    assert found.err == "dry run: nothing was changed\n"
    assert document["dry_run"] is True
    assert (run["status"], run["token"]) == ("published", 0)
    changes = {(change["before"], change["after"]): change for change in run["changes"]}
    assert {key: change["rows"] for key, change in changes.items()} == {
        (None, "win"): 1,
        (None, "loss"): 2,
        (None, "push"): 1,
        (None, "ungradable"): 1,
    }
    assert changes[None, "win"]["examples"] == [
        {
            "player_lookup": "lukadoncic",
            "game_id": "20260117_LAL_BOS",
            "system_id": "alpha",
            "market": "points",
            "line_value": 26.5,
        }
    ]
    assert season.query("SELECT count(*) AS n FROM prediction_accuracy") == [{"n": 0}]
    assert season.query("SELECT count(*) AS n FROM ledger") == before
    assert season.query(
        "SELECT count(*) AS n FROM publish_fences WHERE table_name = 'prediction_accuracy' AND seq > 0"
    ) == [{"n": 0}]


def test_dry_run_of_a_correction_tells_old_and_new_outcome(season: Command) -> None:
    """28 points instead of 30: one loss becomes a win, two grades change otherwise."""
    season.inside("grade", PLAYED)
    load_correction(season)

    run = only_run(season("grade", PLAYED, "--dry-run", "--json").json())

    assert {(c["before"], c["after"], c["reason"]): c["rows"] for c in run["changes"]} == {
        ("loss", "win", "stat_correction"): 1,
        ("win", "win", "stat_correction"): 1,
        ("loss", "loss", "stat_correction"): 1,
    }


def test_correction_changes_exactly_its_rows_and_leaves_revisions(season: Command) -> None:
    """Three of five rows change and carry the new run; each has a revision with old, new and why."""
    first = only_run(season("grade", PLAYED, "--json").json())
    load_correction(season)

    run = only_run(season("grade", PLAYED, "--json").json())
    rows = season.query("SELECT prediction_id, outcome, actual_value, run_id FROM prediction_accuracy ORDER BY 1")
    revisions = season("revisions", "--json").json()["revisions"]

    assert (run["status"], run["revised"]) == ("published", 3)
    assert (run["mae"], run["bias"]) == (CORRECTED_MAE, CORRECTED_BIAS)
    assert [(row["prediction_id"], row["outcome"], row["actual_value"], row["run_id"]) for row in rows] == [
        ("p1", "win", 28, run["run_id"]),
        ("p2", "win", 28, run["run_id"]),
        ("p3", "loss", 28, run["run_id"]),
        ("p4", "push", 22, first["run_id"]),
        ("p5", "ungradable", None, first["run_id"]),
    ]
    assert {revision["reason"] for revision in revisions} == {"stat_correction"}
    told = {
        json.loads(r["new_json"])["prediction_id"]: (json.loads(r["old_json"]), json.loads(r["new_json"]))
        for r in revisions
    }
    assert set(told) == {"p1", "p2", "p3"}
    old, new = told["p2"]
    assert (old["outcome"], new["outcome"]) == ("loss", "win")
    assert (float(old["actual_value"]), float(new["actual_value"])) == (30, 28)


def test_prediction_loaded_again_is_withdrawn_or_corrected(season: Command) -> None:
    """p1 is withdrawn, so its older rival p0 counts (UNDER 26.5: loss); p3 now says 29 OVER 26.5: win, error -1."""
    season.write(
        "again.csv",
        "prediction_id,system_id,player_name,game_id,game_date,market,predicted_value,line_value,recommendation,"
        "created_at,is_active\n"
        "p1,alpha,Luka Doncic,20260117_LAL_BOS,2026-01-17,points,27.5,26.5,OVER,2026-01-17T15:00:00Z,false\n"
        "p3,beta,Luka Doncic,20260117_LAL_BOS,2026-01-17,points,29,26.5,OVER,2026-01-17T15:00:00Z,true\n",
    )
    season.inside("grade", PLAYED)
    season.inside("load", "predictions", "again.csv")

    run = only_run(season("grade", PLAYED, "--json").json())
    rows = season.query("SELECT prediction_id, outcome, signed_error FROM prediction_accuracy ORDER BY 1")

    assert run["excluded"] == {"replaced": 2, "inactive": 1}
    assert [(row["prediction_id"], row["outcome"], row["signed_error"]) for row in rows] == [
        ("p0", "loss", -8.5),
        ("p2", "loss", -2.5),
        ("p3", "win", -1),
        ("p4", "push", 3),
        ("p5", "ungradable", None),
    ]


WRONG = [
    ((), "Name one date, or a range with a start, or all dates; exactly one of the three."),
    ((PLAYED, "--all"), "Name one date, or a range with a start, or all dates; exactly one of the three."),
    (("2026-13-01",), "'2026-13-01' is not a date; expected YYYY-MM-DD, today or yesterday."),
    (("tomorrow",), "'tomorrow' is not a date; expected YYYY-MM-DD, today or yesterday."),
    (("--from", COMING, "--to", PLAYED), f"The range runs backwards: from {COMING} to {PLAYED}."),
    (("--to", PLAYED), "A range needs a start."),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_dates_are_wrong_usage(season: Command, arguments: tuple[str, ...], message: str) -> None:
    """Exit code 64, and what was expected."""
    assert season.inside("grade", *arguments, code=64).err.splitlines()[0] == f"error: {message}"


def test_held_lease_exits_3_and_says_who_holds_it(season: Command) -> None:
    """Nothing is published; holder, token and the way out are named; others' dates are graded all the same."""
    with api.open(season.folder / "book") as opened:
        held = opened.leases.try_acquire(f"grading/{PLAYED}", holder="someone@else:1", ttl_seconds=60, floor=0)

    found = season("grade", "--all", "--wait", "0.2", "--json", code=3)
    runs = {run["partition"]: run for run in found.json()["runs"]}

    assert runs[PLAYED]["status"] == "failed"
    assert runs[COMING]["status"] == "pending"
    error = runs[PLAYED]["error"]
    assert f"The lease grading/{PLAYED} is held by someone@else:1" in error
    assert f"gradeonce locks release grading/{PLAYED} --token {held.token}" in error
    assert season.query("SELECT count(*) AS n FROM prediction_accuracy") == [{"n": 0}]


def test_foreign_game_ids_are_an_error_that_names_both_formats(book: Command) -> None:
    """A slate whose ids can meet no box score is not "0 rows graded"."""
    book.write(
        "picks.csv",
        "system_id,player_name,game_id,game_date,predicted_value\nalpha,Luka Doncic,evt-77,2026-01-17,25\n",
    )
    book.write("box.csv", "player_name,game_id,game_date,points\nLuka Doncic,0022500600,2026-01-17,30\n")
    book.inside("load", "predictions", "picks.csv")
    book.inside("load", "actuals", "box.csv")

    found = book("grade", PLAYED, code=1)
    (run,) = book.query("SELECT status, error FROM grading_runs")

    assert "evt-77" in found.out
    assert "0022500600 (the NBA's ten digits)" in found.out
    assert run["status"] == "failed"
    assert "evt-77" in run["error"]


def test_ids_and_markets_that_cannot_meet_are_told_beside_what_could_be_graded(book: Command) -> None:
    """Part of a slate with ids of another kind would wait for ever, and a market nobody counts is never graded."""
    book.write(
        "picks.csv",
        "system_id,player_name,game_id,game_date,market,predicted_value\n"
        "alpha,Luka Doncic,0022500600,2026-01-17,points,25\n"
        "alpha,Luka Doncic,0022500600,2026-01-17,fantasy_score,45\n"
        "beta,Luka Doncic,22500600,2026-01-17,points,25\n",
    )
    book.write("box.csv", "player_name,game_id,game_date,points\nLuka Doncic,0022500600,2026-01-17,30\n")
    book.inside("load", "predictions", "picks.csv")
    book.inside("load", "actuals", "box.csv")

    (run,) = book("grade", PLAYED, "--json").json()["runs"]

    assert (run["status"], run["no_bet"], run["ungradable"], run["pending"]) == ("published", 1, 1, 1)
    assert run["notes"] == [
        "1 of 2 games are final; the others are pending",
        "1 loaded prediction(s) have game ids such as 22500600 (8 characters, 99999999), "
        "as no box score of the date has",
        "fantasy_score: for 1 prediction(s) the final box score names the player, but has no such market",
    ]
