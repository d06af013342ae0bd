"""`gradeonce gcp verify`: against the emulators as far as they go, and against a `gcloud` with a project in a file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest

from fake_gcloud import SUBSCRIPTION, FakeProject
from gradeonce.cli.main import run
from gradeonce.clock import FakeClock, SystemClock
from gradeonce.gcp.deploy import Deployment, Gcloud, Shape
from gradeonce.gcp.verify import NAMES, Result, Verdict, verify, warehouse
from gradeonce.gcp.verify.run import DELIVERY, WAREHOUSE, found
from gradeonce.warehouses.bigquery.connection import Connection
from servers import BigQuery, Firestore

Spoil = Callable[[dict[str, Any]], None]


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    """A project in which all stands, and the webhook is in."""
    project = FakeProject(tmp_path / "google")
    monkeypatch.setenv("PATH", project.path)
    monkeypatch.setattr("gradeonce.gcp.deploy.gcloud.subprocess.run", project.run)
    monkeypatch.chdir(tmp_path)
    assert run(["gcp", "deploy", "--project", "my-project", "--json"]) == 0
    state = project.state
    state["versions"] = {"gradeonce-slack-webhook": [{"state": "ENABLED"}]}
    project.state = state
    return project


@pytest.fixture
def door(deployed: FakeProject) -> Iterator[list[int]]:
    """The service answers here; the first number is what it answers a stranger with."""
    answers = [403]

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(answers[0])
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        state = deployed.state
        state["runs"][0]["status"]["url"] = f"http://127.0.0.1:{server.server_port}"
        deployed.state = state
        yield answers
        server.shutdown()
        thread.join()


def results(verdict: Verdict) -> dict[str, Result]:
    return {finding.name: finding.result for finding in verdict.findings}


def test_what_the_emulators_can_show_passes_and_what_they_cannot_fails(
    bigquery: BigQuery, firestore: Firestore, deployed: FakeProject, door: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator of BigQuery counts no bytes: that is found out."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
    deployment = Deployment("my-project", dataset="verify_here")
    connection = Connection(deployment.book)
    connection.execute("CREATE SCHEMA `my-project`.`verify_here`")

    verdict = verify(deployment, Gcloud(), SystemClock())

    left = connection.tables()
    connection.close()
    assert results(verdict) == dict.fromkeys(NAMES, Result.PASSED) | {
        "dry_run": Result.FAILED,
        "bytes_billed": Result.FAILED,
        "tables_elsewhere": Result.NOT_TRIED,
        "end_to_end": Result.NOT_TRIED,
    }
    assert "1 of 2 was told" in next(one.seen for one in verdict.findings if one.name == "conflict")
    assert left == set()


def test_a_transaction_over_two_projects_is_tried(
    bigquery: BigQuery, deployed: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another dataset it passes, and changes no row; in another project the emulator refuses it, which is told."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    seen = []
    for project in ("my-project", "other-project"):
        table = f"{project}.their_grades.accuracy"
        deployment = Deployment("my-project", dataset="verify_two", tables={"prediction_accuracy": table})
        connection = Connection(deployment.book)
        connection.make_dataset()
        connection.execute(f"CREATE SCHEMA `{project}`.`their_grades`")
        options = "PARTITION BY game_date OPTIONS (require_partition_filter = TRUE)"
        connection.execute(f"CREATE TABLE `{project}`.`their_grades`.`accuracy` (game_date DATE) {options}")
        connection.execute(f"INSERT INTO `{project}`.`their_grades`.`accuracy` VALUES (DATE '2026-01-17')")

        (finding,) = verify(deployment, Gcloud(), SystemClock(), only=("tables_elsewhere",)).findings

        rows = f"SELECT COUNT(*) FROM `{project}`.`their_grades`.`accuracy` WHERE game_date = DATE '2026-01-17'"
        assert connection.query(rows, ours=False).rows == [(1,)]
        connection.execute(f"DROP SCHEMA `{project}`.`their_grades` CASCADE")
        connection.delete_dataset()
        connection.close()
        seen.append((finding.result, table in finding.seen))
    assert seen[0] == (Result.PASSED, True)
    assert seen[1][0] is Result.FAILED


class Sessions:
    """Two sessions of which the second is told what `complaint` says when it changes the row."""

    def __init__(self, complaint: str) -> None:
        self.complaint, self.begun, self.texts = complaint, 0, list[str]()

    def job(self, made: warehouse.Scratch, text: str, config: Any) -> Any:
        self.texts.append(text)
        if text.startswith("BEGIN"):
            self.begun += 1
            return SimpleNamespace(session_info=SimpleNamespace(session_id=str(self.begun)))
        session = config.connection_properties[0].value
        if self.complaint and session == "2" and text.startswith("UPDATE"):
            raise BadRequest(self.complaint)
        return None


@pytest.mark.parametrize(
    ("complaint", "result"),
    [
        ("Transaction is aborted due to concurrent update against table my-project:grades.fences.", Result.PASSED),
        ("Resources exceeded during query execution.", Result.FAILED),
        ("", Result.FAILED),
    ],
)
def test_a_conflict_must_happen_and_be_recognised(
    monkeypatch: pytest.MonkeyPatch, complaint: str, result: Result
) -> None:
    """The words of the real one; words that we would not know; and no conflict at all."""
    sessions = Sessions(complaint)
    monkeypatch.setattr(warehouse, "_job", sessions.job)
    made = warehouse.Scratch(Connection("bigquery://my-project/grades"))
    (check,) = [one for one in warehouse.checks(made) if one.name == "conflict"]

    finding = found(check)

    assert finding.result is result
    assert sum(text.startswith("COMMIT") for text in sessions.texts) == (1 if complaint else 2)


SPOILED: dict[str, tuple[Spoil, str]] = {
    "push_token": (
        lambda state: subscription(state).update(pushConfig={}),
        "the token is that of nobody",
    ),
    "deadline": (lambda state: subscription(state).update(ackDeadlineSeconds=10), "it waits 10 s for 540 s of work"),
    "callers": (
        lambda state: state["policies"]["run/gradeonce"][0]["members"].append("allUsers"),
        "allUsers",
    ),
    "schedule": (lambda state: state["jobs"][0].update(state="PAUSED"), "PAUSED"),
    "webhook": (lambda state: state.update(versions={}), "0 versions"),
}


def subscription(state: dict[str, Any]) -> dict[str, Any]:
    """The subscription of the trigger."""
    return next(one for one in state["subscriptions"] if one["name"] == SUBSCRIPTION)


@pytest.mark.parametrize("name", SPOILED)
def test_what_was_spoiled_is_found(
    deployed: FakeProject, door: list[int], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """And nothing else; each says what it saw, and why it matters. The exit code is that of a failure."""
    spoil, told = SPOILED[name]
    state = deployed.state
    spoil(state)
    deployed.state = state
    options = [word for one in DELIVERY for word in ("--only", one)]
    capsys.readouterr()

    code = run(["gcp", "verify", "--project", "my-project", *options, "--json"])

    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert code == 1
    assert [one for one in checks if checks[one]["result"] == "failed"] == [name]
    assert told in checks[name]["seen"]
    assert all(one["why"] and one["question"].endswith("?") for one in checks.values())


def test_a_service_is_asked_about_its_own_subscription(deployed: FakeProject, door: list[int]) -> None:
    """The push of `--as cloud-run`: token, deadline and dead letters are those of ours, not of a trigger."""
    assert run(["gcp", "deploy", "--project", "my-project", "--as", "cloud-run", "--name", "grader", "--json"]) == 0
    deployment = Deployment("my-project", shape=Shape.CLOUD_RUN, name="grader")
    names = ("push_token", "deadline", "callers", "schedule")

    verdict = verify(deployment, Gcloud(), FakeClock(), only=names)
    state = deployed.state
    state["subscriptions"] = [one for one in state["subscriptions"] if not one["name"].endswith("/grader-push")]
    deployed.state = state
    gone = verify(deployment, Gcloud(), FakeClock(), only=names)

    assert results(verdict) == dict.fromkeys(names, Result.PASSED)
    assert results(gone) == results(verdict) | dict.fromkeys(("push_token", "deadline"), Result.FAILED)


def test_a_door_that_lets_strangers_in_is_found(
    deployed: FakeProject, door: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the policy says; and a person reads what was seen."""
    door[0] = 200

    code = run(["gcp", "verify", "--project", "my-project", "--only", "anonymous_caller"])

    out = capsys.readouterr().out
    assert code == 1
    assert "failed    anonymous_caller: Is a caller without a token turned away?" in out
    assert "answered 200" in out
    assert "otherwise: " in out
    assert "0 passed, 1 failed, 0 not tried; BigQuery billed 0 MiB" in out


def test_end_to_end_waits_for_the_announcement_of_the_nightly_message(deployed: FakeProject) -> None:
    """Not for that of somebody else's; the subscription that listened is gone afterwards, also when nothing came."""
    own = {"trigger_source": "scheduler", "target_date": "2026-01-17", "status": "published"}
    others = {"trigger_source": "backfill", "target_date": "2025-12-01", "status": "failed"}
    state = deployed.state
    state["announcements"] = [[], [others], [own]]
    deployed.state = state
    clock = FakeClock()

    verdict = verify(Deployment("my-project"), Gcloud(), clock, only=("end_to_end",), end_to_end=True)
    silent = verify(Deployment("my-project"), Gcloud(), clock, only=("end_to_end",), end_to_end=True)

    assert verdict.findings[0].seen == "2026-01-17 came back published after 10 s"
    assert verdict.findings[0].result is Result.PASSED
    assert silent.findings[0].result is Result.FAILED
    assert "no announcement within 660 s" in silent.findings[0].seen
    assert not [one for one in deployed.state["subscriptions"] if "verify" in one["name"]]
    assert ["scheduler", "jobs", "run", "gradeonce-nightly"] in [call[1:5] for call in deployed.calls]


def test_a_failed_grading_is_no_success(deployed: FakeProject) -> None:
    """It was announced, but it failed."""
    state = deployed.state
    state["announcements"] = [[{"trigger_source": "scheduler", "target_date": "2026-01-17", "status": "failed"}]]
    deployed.state = state

    verdict = verify(Deployment("my-project"), Gcloud(), FakeClock(), only=("end_to_end",), end_to_end=True)

    assert verdict.findings[0].result is Result.FAILED
    assert "came back failed" in verdict.findings[0].seen


def test_what_was_not_tried_is_no_pass(deployed: FakeProject, door: list[int]) -> None:
    """Exit code 2, with the reason."""
    options = [word for one in DELIVERY for word in ("--only", one)]

    assert run(["gcp", "verify", "--project", "my-project", *options]) == 2


def test_a_check_that_is_none_is_named(deployed: FakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    """With those that are."""
    assert run(["gcp", "verify", "--project", "my-project", "--only", "weather"]) == 64
    assert "conflict" in capsys.readouterr().err


def test_a_dataset_that_is_not_there_fails_every_check_of_it(
    bigquery: BigQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is passed over in silence."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    deployment = Deployment("my-project", dataset="nowhere")

    verdict = verify(deployment, Gcloud(), FakeClock(), only=WAREHOUSE)

    assert results(verdict) == dict.fromkeys(WAREHOUSE, Result.FAILED)
