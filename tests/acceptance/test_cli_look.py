"""`report`, `explain`, `status`, `runs`, `revisions`, `locks` and `ledger`: looking at what was graded."""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pytest

import gradeonce as api
from acceptance.command import Command
from acceptance.season import (
    COMING,
    CORRECTED_BIAS,
    CORRECTED_MAE,
    PLAYED,
    load_correction,
)

OUTCOMES = ("win", "loss", "push", "no_bet", "void", "ungradable", "pending")
GROUPS = {
    "system": {"alpha", "beta"},
    "market": {"points"},
    "date": {PLAYED, COMING},
    "player": {"lukadoncic", "jaysontatum", "nobodyknown"},
    "line_source": {"ACTUAL_PROP"},
    "bookmaker": {"fanduel", None},
    "confidence_decile": {"8", "7", "10", None},
    "void_reason": {None},
}


@pytest.fixture(scope="module")
def season(loaded_season: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The season graded, corrected and graded again. Tests only look at it."""
    command = Command(tmp_path_factory.mktemp("graded"))
    shutil.copytree(loaded_season, command.folder, dirs_exist_ok=True)
    command.inside("grade", "--all")
    load_correction(command)
    command.inside("grade", "--all")
    return command


@pytest.fixture
def own_season(season: Command, tmp_path: Path) -> Command:
    """A copy for tests that change something."""
    shutil.copytree(season.folder, tmp_path, dirs_exist_ok=True)
    return Command(tmp_path)


@pytest.mark.parametrize("by", GROUPS)
def test_report_by_every_grouping_reconciles(season: Command, by: str) -> None:
    """Groups add up to the total and outcomes to the predictions, pending ones included; figures carry their n."""
    document = season.inside("report", "--by", by, "--json").json()
    groups, total = document["groups"], document["total"]

    assert (document["schema_version"], document["by"]) == (1, by)
    assert {group["group"] for group in groups} == GROUPS[by]
    for one in [*groups, total]:
        assert sum(one[outcome] for outcome in OUTCOMES) == one["predictions"]
    for name in ("predictions", *OUTCOMES, "picks", "wins", "losses"):
        assert sum(group[name] for group in groups) == total[name]
    assert total["predictions"] == 6


def test_report_has_every_figure_with_its_n(season: Command) -> None:
    """Win rate with interval, MAE, RMSE, bias, within 3 and 5, Brier, ROI, each beside its n; worked out by hand.

    Final lines: p2 won at -110 (+0.909...), p3 lost (-1). Errors 0.5, 0.5, 8 and 3.
    """
    total = season("report", "--json").json()["total"]

    assert (total["wins"], total["losses"], total["pushes"], total["picks"]) == (1, 1, 1, 5)
    assert (total["win_rate"], total["win_rate_n"]) == (0.5, 2)
    assert total["win_rate_low"] == pytest.approx(0.0945, abs=1e-4)
    assert total["win_rate_high"] == pytest.approx(0.9055, abs=1e-4)
    assert (total["mae"], total["bias"], total["mae_n"]) == (CORRECTED_MAE, CORRECTED_BIAS, 4)
    assert total["rmse"] == pytest.approx(((0.25 + 0.25 + 64 + 9) / 4) ** 0.5)
    assert (total["within_3"], total["within_5"], total["within_3_n"]) == (0.75, 0.75, 4)
    assert total["brier_score"] == pytest.approx(((0.6 - 1) ** 2 + 0.9**2) / 2)
    assert total["roi"] == pytest.approx((100 / 110 - 1) / 2)
    assert (total["bets_at_real_price"], total["bets_at_assumed_price"]) == (1, 1)


def test_report_table_reconciles_on_screen(season: Command) -> None:
    """The sum is spelled out, and what is behind the rates is said."""
    text = season("report").out

    assert "6 predictions = 2 win + 1 loss + 1 push + 0 no bet + 0 void + 1 ungradable + 1 pending" in text
    assert "Wilson, 95 %" in text
    assert "1 at their real price, 1 at an assumed -110" in text


def test_report_csv_has_the_figures_of_the_json(season: Command) -> None:
    """One line a group and the total last."""
    rows = list(csv.DictReader(io.StringIO(season("report", "--by", "system", "--csv").out)))
    document = season("report", "--by", "system", "--json").json()

    assert [(row["group"], row["is_total"]) for row in rows] == [("alpha", "false"), ("beta", "false"), ("", "true")]
    for row, group in zip(rows, [*document["groups"], document["total"]], strict=True):
        for name in ("predictions", "win", "mae", "win_rate", "roi"):
            assert float(row[name]) == group[name]


def test_report_filters_by_system_market_and_dates(season: Command) -> None:
    """Each filter leaves out the rest; an empty report is "no data", not nought."""
    beta = season("report", "--system", "beta", "--json").json()["total"]
    played = season("report", "--from", PLAYED, "--to", PLAYED, "--market", "points", "--json").json()["total"]
    nothing = season("report", "--last", "30d", "--json").json()["total"]

    assert (beta["predictions"], beta["mae"]) == (1, 8)
    assert (played["predictions"], played["pending"]) == (5, 0)
    assert (nothing["predictions"], nothing["mae"], nothing["mae_n"], nothing["win_rate"]) == (0, None, 0, None)
    assert season("report", "--last", "30d").out.startswith("no graded predictions between ")
    assert "exclude each other" in season("report", "--last", "30d", "--from", PLAYED, code=64).err
    season("report", "--last", "a while", code=64)


def test_explain_tells_the_whole_story_of_a_pick(season: Command) -> None:
    """What counted, what did not and why, the actual, the rule, the lines and the revisions."""
    text = season("explain", "Luka Dončić", PLAYED).out

    for part in (
        "28 points against a line of 28.5: UNDER wins.",
        "p1 predicts 27.5, OVER",
        "p0 predicts 21.5, UNDER",
        "p1 counts in its place",
        "used: 28 in 36.3 minutes",
        "older: 30 in 36.3 minutes",
        "26.5 at fanduel, over -120, under +100",
        "outcome loss -> win",
    ):
        assert part in text, part


def test_explain_as_json_and_by_prediction_id(season: Command) -> None:
    """The same as one object; a prediction that is still pending has no grade and says so."""
    document = season("explain", "lukadoncic", PLAYED, "--json").json()
    pending = season("explain", "--id", "p6", "--json").json()

    alpha = next(pick for pick in document["picks"] if pick["system_id"] == "alpha")
    lines = {line["line_value"]: line for line in alpha["lines"]}
    assert document["schema_version"] == 1
    assert lines[26.5]["counted"]["prediction_id"] == "p1"
    assert [(rival["prediction_id"], rival["excluded_reason"]) for rival in lines[26.5]["rivals"]] == [
        ("p0", "superseded")
    ]
    assert (lines[26.5]["is_final_line"], lines[28.5]["is_final_line"]) == (False, True)
    assert len(lines[28.5]["revisions"]) == 1
    assert (pending["is_found"], pending["day"]) == (True, COMING)


def test_explain_of_nobody_names_the_nearest(season: Command) -> None:
    """A slip in a name is answered with who may be meant."""
    found = season.run("explain", "Luka Donzic", PLAYED)

    assert found.code in (0, 1)
    assert "lukadoncic" in (found.out + found.err).lower().replace(" ", "")
    season("explain", "Luka Doncic", code=64)


def test_status_tells_graded_pending_and_stale(own_season: Command) -> None:
    """Inputs that moved since the grading make a date stale, and say why."""
    before = {row["partition"]: row for row in own_season("status", "--json").json()["dates"]}
    own_season.write("more.csv", "player_name,game_id,game_date,points\nJayson Tatum,0022500600,2026-01-17,23\n")
    own_season.inside("load", "actuals", "more.csv")
    after = {row["partition"]: row for row in own_season("status", "--json").json()["dates"]}

    assert before[PLAYED]["state"] == "graded"
    assert (before[PLAYED]["prediction_rows"], before[PLAYED]["graded_rows"]) == (6, 5)
    assert before[COMING]["state"] in ("pending", "ungraded")
    assert (after[PLAYED]["state"], after[PLAYED]["reasons"]) == ("stale", ["box scores were loaded since"])
    assert "1 stale" in own_season("status").out


def test_runs_come_newest_first(season: Command) -> None:
    """Two published runs of the date, with tokens that rise and counts that reconcile."""
    runs = season("runs", PLAYED, "--json").json()["runs"]

    assert [run["status"] for run in runs] == ["published", "published"]
    assert [run["revised"] for run in runs] == [3, 0]
    assert runs[0]["token"] > runs[1]["token"]
    for run in runs:
        assert sum(run[outcome] for outcome in OUTCOMES) == run["predictions"] == 5
    assert len(season("runs", "--last", "1", "--json").json()["runs"]) == 1
    assert season("runs").out.splitlines()[0].split()[:2] == ["graded", "at"]


def test_revisions_tell_old_new_and_why(season: Command) -> None:
    """The table names the fields that differ; --player and the date filter."""
    text = season("revisions", PLAYED, "--player", "lukadoncic").out

    assert text.count("stat correction") == 3
    assert "outcome loss -> win" in text
    assert season("revisions", "--player", "jaysontatum").out == "no revisions: no published grade has changed\n"
    assert season("revisions", COMING, "--json").json() == {"schema_version": 1, "revisions": []}


def test_lock_can_be_seen_and_released_only_with_its_token(own_season: Command) -> None:
    """`list` says who holds it; a wrong token is refused; the right one releases it and leaves a trace."""
    key = f"grading/{PLAYED}"
    with api.open(own_season.folder / "book") as opened:
        token = opened.leases.try_acquire(key, holder="gone@host:7", ttl_seconds=600, floor=0).token

    (lease,) = own_season("locks", "list", "--json").json()["leases"]
    refused = own_season("locks", "release", key, "--token", str(token + 1), code=6)
    missing = own_season("locks", "release", key, code=64)
    released = own_season("locks", "release", key, "--token", str(token), "--reason", "host is gone")
    traces = own_season.query("SELECT kind, token, holder, details FROM ledger WHERE kind = 'lease_broken'")

    assert (lease["key"], lease["holder"], lease["token"], lease["held"]) == (key, "gone@host:7", token, True)
    assert 0 < lease["expires_in_seconds"] <= 600
    assert f"was not released: it now carries token {token}, not token {token + 1}" in refused.err
    assert "--token" in missing.err
    assert (
        released.out == f"released {key}, which gone@host:7 held with token {token}; the ledger has a line about it\n"
    )
    assert [(trace["token"], trace["holder"]) for trace in traces] == [(token, "gone@host:7")]
    assert "host is gone" in str(traces[0]["details"])
    assert own_season("locks", "list").out == "no lease is held\n"
    assert own_season("locks", "list", "--all").out.count("grading/") >= 1
    own_season("ledger", "verify")


def test_lease_that_was_broken_does_not_stop_the_next_run(own_season: Command) -> None:
    """After the release the date is graded at once, with a higher token."""
    key = f"grading/{PLAYED}"
    with api.open(own_season.folder / "book") as opened:
        token = opened.leases.try_acquire(key, holder="gone@host:7", ttl_seconds=60, floor=0).token
    own_season("locks", "release", key, "--token", str(token))

    (run,) = own_season("grade", PLAYED, "--wait", "0", "--json").json()["runs"]

    assert run["status"] == "unchanged"
    assert run["token"] > token


def test_ledger_of_an_honest_book_holds(season: Command) -> None:
    """Every load and grading is an entry; head and deep check agree."""
    document = season("ledger", "verify", "--json").json()
    deep = season("ledger", "verify", "--deep", "--json").json()
    head = season("ledger", "head", "--json").json()["head"]

    assert (document["holds"], document["schema_version"]) == (True, 1)
    assert document["entries"] == season.query("SELECT count(*) AS n FROM ledger")[0]["n"] >= 6
    assert document["head"] == deep["head"] == head["entry_hash"]
    season("ledger", "verify", "--head", document["head"])
    season("ledger", "verify", "--head", "0" * 64, code=1)


def test_ledger_finds_an_edited_entry(own_season: Command) -> None:
    """Somebody turns a loss into a win in the ledger's counts: exit code 1, the entry is named."""
    _edit(own_season, "UPDATE ledger SET details = replace(details, '\"win\":2', '\"win\":3')")

    found = own_season("ledger", "verify", code=1)

    assert "entry" in found.err.lower()


def test_ledger_finds_a_dropped_entry(own_season: Command) -> None:
    """An entry taken out of the middle breaks the chain."""
    _edit(own_season, "DELETE FROM ledger WHERE number = 4")

    own_season("ledger", "verify", code=1)


def test_ledger_finds_edited_grades(own_season: Command) -> None:
    """The file of the published grades is exchanged for one that says "win" throughout."""
    (file,) = own_season.query(
        "SELECT DISTINCT version FROM publish_fences WHERE table_name = 'prediction_accuracy' "
        f"AND partition = '{PLAYED}'"
    )
    path = next((own_season.folder / "book").rglob(f"prediction_accuracy/*{file['version']}*.parquet"))

    rows = pl.read_parquet(path)
    rows.with_columns(outcome=pl.lit("win")).write_parquet(path)

    found = own_season("ledger", "verify", code=1)

    assert path.name in found.err


def _edit(command: Command, sql: str) -> None:
    """Change the catalog behind the program's back."""
    connection = sqlite3.connect(command.folder / "book" / "catalog.sqlite")
    try:
        with connection:
            assert connection.execute(sql).rowcount > 0
    finally:
        connection.close()
