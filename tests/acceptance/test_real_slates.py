"""Real slates, graded end to end through files and the command, against an independent computation.

In a folder first, then in PostgreSQL, which must come to the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from acceptance.command import Command, on_server
from acceptance.slate_checks import TOLERANCE, differences, expected_figures, graded_rows
from acceptance.slates import SLATES, Slate
from postgres_book import postgres
from servers import Postgres

__all__ = ["postgres"]

SHARED = [name for name, slate in SLATES.items() if slate.shares_official]
FENCES = "SELECT partition, rows, content_hash FROM publish_fences WHERE table_name = '{table}' ORDER BY partition"
OUTCOMES = ("win", "loss", "push", "no_bet", "void", "ungradable", "pending")


@dataclass(frozen=True)
class Graded:
    """One slate after its first grading, with the report on it by system."""

    name: str
    slate: Slate
    gradeonce: Command
    first: dict[str, Any]
    ours: pl.DataFrame
    report: dict[str, dict[str, Any]]
    expected: pl.DataFrame


@pytest.fixture(scope="module", params=list(SLATES))
def graded(request: pytest.FixtureRequest, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """Each slate in turn: loaded, graded once, and computed a second time."""
    slate = SLATES[request.param]
    if slate.shares_official:
        gradeonce = request.getfixturevalue("official_book")
    else:
        gradeonce = Command(tmp_path_factory.mktemp(request.param))
        gradeonce("init")
    slate.load(gradeonce, real_data)
    first = gradeonce("grade", "--from", slate.start, "--to", slate.end, "--json").json()
    ours = graded_rows(gradeonce, slate.start, slate.end)
    report = gradeonce("report", "--from", slate.start, "--to", slate.end, "--json").json()
    figures = {group["group"]: group for group in report["groups"]}
    return Graded(request.param, slate, gradeonce, first, ours, figures, slate.expected(real_data))


def test_every_row_has_the_outcome_that_was_computed_independently(graded: Graded) -> None:
    """Row by row: outcome, reasons, line, prices, actual value, errors, final line."""
    if found := differences(graded.ours, graded.expected):
        pytest.fail(found, pytrace=False)


def test_counts_per_outcome_and_system_are_those_computed_independently(graded: Graded) -> None:
    """The report's counts per system, and the totals of the grading."""

    for system, figures in expected_figures(graded.expected).items():
        counts = {outcome: graded.report[system][outcome] for outcome in OUTCOMES}
        assert counts == {outcome: figures.get(outcome, 0) for outcome in OUTCOMES}, system
    outcomes = Counter(graded.expected["outcome"])
    assert {outcome: graded.first["totals"][outcome] for outcome in OUTCOMES} == {o: outcomes[o] for o in OUTCOMES}


def test_errors_win_rates_and_roi_are_those_computed_independently(graded: Graded) -> None:
    """MAE, bias, RMSE, shares within 3 and 5, win rate and ROI, each to 1e-9, with its n."""
    expected = expected_figures(graded.expected)

    assert set(graded.report) == set(expected)
    for system, figures in expected.items():
        for name in ("mae", "bias", "rmse", "within_3", "within_5", "win_rate", "roi"):
            assert graded.report[system][name] == pytest.approx(figures[name], abs=TOLERANCE, rel=0), (system, name)
        for name in ("mae_n", "win_rate_n", "picks", "bets_at_real_price"):
            assert graded.report[system][name] == figures[name], (system, name)


def test_mae_and_bias_of_the_whole_grading_are_those_computed_independently(graded: Graded) -> None:
    """The totals that `grade --json` prints weigh every date by its n."""
    errors = graded.expected.filter(pl.col("outcome") != "void", pl.col("signed_error").is_not_null())
    totals = graded.first["totals"]

    assert totals["n"] == errors.height
    assert totals["mae"] == pytest.approx(errors["absolute_error"].mean(), abs=TOLERANCE, rel=0)
    assert totals["bias"] == pytest.approx(errors["signed_error"].mean(), abs=TOLERANCE, rel=0)


def test_no_business_key_is_graded_twice(graded: Graded) -> None:
    """Guarantee G1, by a null-safe GROUP BY over the five columns of the key."""
    doubled = graded.gradeonce.query(
        "SELECT count(*) AS keys FROM (SELECT 1 FROM prediction_accuracy "
        "GROUP BY player_lookup, game_id, system_id, market, line_value HAVING count(*) > 1)"
    )

    assert doubled == [{"keys": 0}]


def test_outcomes_add_up_to_the_predictions(graded: Graded) -> None:
    """Guarantee G6: on every run, on the totals, and per system on the report."""
    groups = [*graded.first["runs"], graded.first["totals"], *graded.report.values()]

    assert all(sum(group[outcome] for outcome in OUTCOMES) == group["predictions"] for group in groups)
    assert graded.first["totals"]["predictions"] == graded.ours.height


def test_grading_again_changes_nothing(graded: Graded) -> None:
    """Guarantee G5: no row is written, `graded_at` and `run_id` stay."""
    stamps = (
        "SELECT count(*) AS n, bit_xor(hash(player_lookup, game_id, system_id, market, line_value, run_id, graded_at)) "
        f"AS h FROM prediction_accuracy WHERE game_date BETWEEN '{graded.slate.start}' AND '{graded.slate.end}'"
    )
    before = graded.gradeonce.query(stamps)

    again = graded.gradeonce("grade", "--from", graded.slate.start, "--to", graded.slate.end, "--json").json()

    assert {run["status"] for run in again["runs"]} <= {"unchanged", "nothing_to_grade", "pending"}
    assert again["totals"] == graded.first["totals"]
    assert graded.gradeonce.query(stamps) == before
    assert graded.gradeonce.query("SELECT count(*) AS n FROM grade_revisions") == [{"n": 0}]


FACTS = {
    # 28 players x 7 markets of Heat-Bulls, due on 2026-01-08 and played on 2026-01-29; the rest of the absent sat out.
    "prizepicks": {"void": 28 * 7, "push": 155, "ungradable": 10_619, "pending": 0},
    # Rows whose two teams did not meet that day stay pending; every line ends in .5, so there is no push.
    "spring_2024": {"void": 0, "push": 0, "ungradable": 680, "pending": 314},
    # Eight runs, all of players who played: 1,277 to 1,756 picks with a line each.
    "pra": {"void": 0, "push": 0, "ungradable": 0, "pending": 0},
    # The 47 player-days with a line and a row that says "did not play".
    "voids": {"void": 47, "push": 0, "ungradable": 141, "pending": 0},
    # Two games of 2026-01-25 were not played; five players with a line were reported out.
    "injuries": {"void": 5, "push": 0, "ungradable": 13, "pending": 28},
}


def test_known_facts_of_the_slate_are_found(graded: Graded) -> None:
    """What the data's own description tells of each slate."""
    facts = FACTS[graded.name]

    assert {outcome: graded.first["totals"][outcome] for outcome in facts} == facts


@pytest.mark.parametrize("graded", ["prizepicks"], indirect=True)
def test_postponed_game_is_void_and_not_graded_with_the_later_result(graded: Graded) -> None:
    """Predictions for Heat-Bulls of 2026-01-08 keep the game's id; its box score of 2026-01-29 does not grade them."""
    heat_bulls = graded.ours.filter(pl.col("game_id") == "0022500529")

    assert heat_bulls.height == 28 * 7
    assert set(heat_bulls["date"]) == {"2026-01-08"}
    assert set(heat_bulls["void_reason"]) == {"game_moved"}
    assert heat_bulls["actual"].null_count() == heat_bulls.height


@pytest.mark.parametrize("graded", ["pra"], indirect=True)
def test_two_names_for_one_run_have_the_same_figures(graded: Graded) -> None:
    """Two of the PRA runs are identical row for row, and so must be their grades."""

    twins = [graded.report[f"walk_forward_{name}"] for name in ("BASELINE", "advanced_features_2024_25")]

    assert {**twins[0], "group": "", "label": ""} == {**twins[1], "group": "", "label": ""}


@pytest.fixture(scope="module")
def on_postgres(postgres: Postgres, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A book in PostgreSQL with every official box score; the slates share it, as they share the one in a folder."""
    command = on_server(postgres, tmp_path_factory.mktemp("there"), "real_slates")
    command("init")
    command("load", "actuals", real_data / "boxscores_official.csv.gz", "--source", "nba_api.league_game_log")
    return command


@pytest.mark.parametrize("graded", SHARED, indirect=True)
def test_postgresql_grades_the_same(graded: Graded, on_postgres: Command, real_data: Path) -> None:
    """In many chunks, three at once: rows agree with the independent computation, content hashes with the folder's."""
    slate = graded.slate
    slate.load(on_postgres, real_data)
    chunks = {"GRADEONCE_GRADING_CHUNK_ROWS": "700", "GRADEONCE_GRADING_CHUNKS_AT_ONCE": "3"}
    on_postgres("grade", "--from", slate.start, "--to", slate.end, **chunks)

    assert differences(graded_rows(on_postgres, slate.start, slate.end), graded.expected) == ""
    for table in ("player_prop_predictions", "player_game_actuals", "prediction_accuracy", "system_daily_performance"):
        fences = FENCES.format(table=table)
        assert on_postgres.query(fences) == graded.gradeonce.query(fences)
