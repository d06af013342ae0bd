"""`gradeonce grade --alert` and `gradeonce alerts`: what is told, and that telling changes nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from acceptance.command import Command
from acceptance.season import PLAYED
from builders import files_of
from gradeonce.alerts import AlertKind
from receiver import Answer, Receiver, headings, receiver

__all__ = ["receiver"]

HELD = f"🟡 {PLAYED}: the lease was not to be had"


@pytest.fixture
def season(loaded_season: Path, tmp_path: Path, receiver: Receiver) -> Command:
    """The season in a folder of its own, with one Slack channel; a fifth of its predictions is ungradable, which is
    held to be well here.
    """
    shutil.copytree(loaded_season, tmp_path, dirs_exist_ok=True)
    return Command(
        tmp_path,
        GRADEONCE_ALERTS_SLACK=receiver.url,
        GRADEONCE_CHECKS_COVERAGE_WARN="0.7",
        GRADEONCE_LOCK_TTL_SECONDS="600",
    )


def hold_the_lease(season: Command) -> int:
    """Take the lease of the date, as another run would; return its token."""
    import gradeonce

    with gradeonce.open(season.folder / "book") as book:
        claim = book.leases.try_acquire(f"grading/{PLAYED}", holder="other@box:1:abcdef", ttl_seconds=600, floor=0)
        return claim.token


def test_a_held_lease_is_told_and_its_end_too(season: Command, receiver: Receiver) -> None:
    """Exit 3 as without the alert; told once for two tries; the run that gets through recovers it."""
    token = hold_the_lease(season)
    first = season("grade", PLAYED, "--wait", "0", "--alert", code=3)
    season.inside("grade", PLAYED, "--wait", "0", "--alert", code=3)
    season.inside("locks", "release", f"grading/{PLAYED}", "--token", str(token))
    season.inside("grade", PLAYED, "--alert")

    assert headings(receiver.documents) == [HELD, f"🟢 Recovered: {PLAYED}: the lease was not to be had"]
    assert f"alert opened: {PLAYED}: the lease was not to be had" in first.err
    assert "gradeonce locks list" in json.dumps(receiver.documents[0])


def test_without_the_option_nobody_is_told(season: Command, receiver: Receiver) -> None:
    """It takes --alert, or `[alerts] on_grade` for all runs; a dry run tells nobody either way."""
    hold_the_lease(season)
    season.inside("grade", PLAYED, "--wait", "0", code=3)
    season("grade", PLAYED, "--wait", "0", "--no-alert", code=3, GRADEONCE_ALERTS_ON_GRADE="true")
    season.inside("grade", PLAYED, "--dry-run", "--alert")
    assert receiver.requests == []

    season("grade", PLAYED, "--wait", "0", code=3, GRADEONCE_ALERTS_ON_GRADE="true")
    assert headings(receiver.documents) == [HELD]


def test_a_broken_channel_changes_no_exit_code(season: Command, receiver: Receiver) -> None:
    """The run ends as it would have; stderr names the channel; the next run tells what is due."""
    receiver.answer(Answer(404, "no_service"))
    hold_the_lease(season)
    failed = season("grade", PLAYED, "--wait", "0", "--alert", "--json", code=3)
    document = failed.json()["alerts"]

    assert "alert not taken by slack, kept for the next time: The channel answered 404: no_service." in failed.err
    assert [message["status"] for message in document["messages"]] == ["failed"]
    season.inside("alerts", "retry", code=1)
    receiver.answer(Answer())
    assert season.inside("alerts", "retry").out == f"slack: sent: {HELD}\n"
    assert season.inside("alerts", "retry").out == "nothing is due: every channel took what it was told\n"


def test_a_run_that_failed_is_told(season: Command, receiver: Receiver) -> None:
    """With the error, the state of the data, and the command that shows it again."""
    for name in files_of(season.folder / "book"):
        (season.folder / "book" / name).write_bytes(b"no Parquet file")
    failed = season("grade", PLAYED, "--alert", code=5)

    assert headings(receiver.documents) == [f"🔴 {PLAYED}: grading failed"]
    text = json.dumps(receiver.documents[0])
    assert f"gradeonce grade {PLAYED} --dry-run" in text
    assert failed.out.splitlines()[0].split("failed: ")[1][:30] in text


def test_low_coverage_is_told_and_its_end_too(season: Command, receiver: Receiver) -> None:
    """One of five predictions is ungradable: below 0.9 a warning, below 0.85 a failure; with 0.7 it is well again."""
    season("grade", PLAYED, "--alert", GRADEONCE_CHECKS_COVERAGE_WARN="0.9")
    season("grade", PLAYED, "--alert", GRADEONCE_CHECKS_COVERAGE_FAIL="0.85")
    season("grade", PLAYED, "--alert")

    title = f"{PLAYED}: only 80.0% of the predictions came to a result"
    assert headings(receiver.documents) == [f"🟡 {title}", f"🔴 Worse: {title}", f"🟢 Recovered: {title}"]


def test_alerts_are_listed_and_shown(season: Command) -> None:
    """Open ones by default; every step on every channel; the beginning of a name is enough."""
    assert season.inside("alerts", "list").out == "no alert is open\n"
    assert season.inside("alerts", "list", "--all").out == "nothing was ever alerted\n"
    token = hold_the_lease(season)
    season.inside("grade", PLAYED, "--wait", "0", "--alert", code=3)
    (alert,) = season.inside("alerts", "list", "--json").json()["alerts"]
    listed = season.inside("alerts", "list").out
    shown = season.inside("alerts", "show", alert["alert_id"][:4]).out

    assert (alert["kind"], alert["open"], alert["seen"]) == ("lease_not_acquired", True, 1)
    assert "slack sent" in listed
    assert f"problem     grading/{PLAYED}/lease_not_acquired" in shown
    assert "look closer gradeonce locks list" in shown
    assert season.inside("alerts", "show", alert["alert_id"], "--json").json()["alert"] == alert

    season.inside("locks", "release", f"grading/{PLAYED}", "--token", str(token))
    season.inside("grade", PLAYED, "--alert")
    assert season.inside("alerts", "list").out == "no alert is open\n"
    assert "over since" in season.inside("alerts", "list", "--all").out
    assert "No alerts begin with 'zzz'" in season.inside("alerts", "show", "zzz", code=64).err


def test_a_test_sends_one_of_each_kind(season: Command, receiver: Receiver) -> None:
    """To every channel, and keeps nothing; exit 1 if a channel did not take them, 78 if there is none."""
    sent = season.inside("alerts", "test", "--json").json()["messages"]

    assert len(sent) == len(receiver.requests) == len(AlertKind)
    assert all("Test: " in heading for heading in headings(receiver.documents))
    assert season.inside("alerts", "list", "--all").out == "nothing was ever alerted\n"
    receiver.answer(Answer(410, "channel_is_archived"))
    table = season("alerts", "test", code=1, GRADEONCE_ALERTS_WEBHOOK="env:NO_SUCH_HOOK").out
    assert "The channel answered 410: channel_is_archived." in table
    assert "The variable NO_SUCH_HOOK, which holds an address, is not set" in table
    assert len(receiver.requests) == len(AlertKind) + 1
    assert "No channel is set." in season("alerts", "test", code=78, GRADEONCE_ALERTS_SLACK="").err
    assert "there is slack" in season("alerts", "test", "--channel", "pager", code=64).err
