"""`gradeonce gcp deploy`, `status` and `rollback`, run for real against a `gcloud` that keeps a project in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_gcloud import SUBSCRIPTION, FakeProject, empty
from gradeonce._version import __version__
from gradeonce.cli.main import run
from gradeonce.clock import FakeClock
from gradeonce.errors import CloudError
from gradeonce.gcp.deploy import Deployment, Gcloud, deploy, plan, source_files, write_source

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    """An empty project, whose programs are run as programs, and a folder to work in."""
    made = FakeProject(tmp_path / "google")
    monkeypatch.setenv("PATH", made.path)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return made


@pytest.fixture
def project(programs: FakeProject, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    """An empty project that answers without a process for each command: most rules need none."""
    monkeypatch.setattr("gradeonce.gcp.deploy.gcloud.subprocess.run", programs.run)
    return programs


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs a command of `gradeonce gcp`; returns its exit code and what it printed to either."""

    def asked(command: str, *arguments: str) -> tuple[int, str, str]:
        code = run(["gcp", command, "--project", "my-project", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return asked


@pytest.fixture(scope="module")
def deployed_state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a project looks like after a deployment."""
    folder = tmp_path_factory.mktemp("deployed")
    made = FakeProject(folder / "google")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", made.path)
        patch.setattr("gradeonce.gcp.deploy.gcloud.subprocess.run", made.run)
        patch.chdir(folder)
        assert run(["gcp", "deploy", "--project", "my-project", "--json"]) == 0
    return made.state


@pytest.fixture
def deployed(project: FakeProject, deployed_state: dict[str, Any]) -> FakeProject:
    """A project in which all stands."""
    project.state = deployed_state
    return project


def test_the_first_run_makes_everything_and_the_second_nothing(programs: FakeProject, ask: Ask) -> None:
    """And each step that was made says how to undo it, ready to be typed."""
    code, out, err = ask("deploy")
    first = programs.changes
    programs.forget_calls()
    again, told, _ = ask("deploy")

    assert (code, again) == (0, 0)
    assert "2 stands, 35 made, 1 changed" in out
    assert "undo: gcloud pubsub topics delete nba-grading-trigger --project=my-project --quiet" in out
    assert "${" not in out
    # What takes minutes is named before it is done, beside the result.
    assert "... function gradeonce\n" in err
    assert len(first) == 36
    assert "38 stands, 0 made, 0 changed" in told
    assert programs.changes == []


def test_a_service_is_deployed_with_a_push_of_its_own(project: FakeProject, ask: Ask) -> None:
    """Pushed with a token in the invoker's name, for ten minutes, and put aside after twenty failures."""
    code, _, _ = ask("deploy", "--as", "cloud-run")
    project.forget_calls()
    again, told, _ = ask("deploy", "--as", "cloud-run")

    push = next(one for one in project.state["subscriptions"] if one["name"].endswith("/gradeonce-push"))
    assert (code, again) == (0, 0)
    assert push["pushConfig"] == {
        "pushEndpoint": "https://gradeonce-xyz-uc.a.run.app",
        "oidcToken": {"serviceAccountEmail": "gradeonce-invoker@my-project.iam.gserviceaccount.com"},
    }
    assert push["ackDeadlineSeconds"] == 600
    assert push["deadLetterPolicy"]["maxDeliveryAttempts"] == 20
    assert project.changes == []
    assert "0 made, 0 changed" in told


def test_a_failure_says_what_stands_and_the_next_run_goes_on_from_there(project: FakeProject, ask: Ask) -> None:
    """The error is gcloud's own; nothing that was made is made again."""
    project.fail("functions deploy", "ERROR: (gcloud.functions.deploy) OperationError: code=3, message=Build failed")

    code, out, err = ask("deploy")
    made = [call for call in project.changes if "functions" not in call]
    project.forget_calls()
    project.mend()
    again, told, _ = ask("deploy")

    assert code == 5
    assert "Stopped at function gradeonce" in err
    assert "Build failed" in err
    assert "32 of 38 steps stand; made or changed by this run: API artifactregistry" in err
    assert "run the same again" in err
    assert "function gradeonce" not in out
    assert again == 0
    assert "33 stands, 4 made, 1 changed" in told
    assert not [call for call in project.changes if call in made]


def test_what_was_just_made_may_not_be_known_everywhere_yet(project: FakeProject) -> None:
    """A grant to a new account is tried again, each time after twice the wait, and not for ever."""
    project.fail("add-iam-policy-binding bigquery.jobUser", "ERROR: Service account x does not exist.", times=2)
    deployment, clock = Deployment("my-project"), FakeClock()
    write_source(Path(deployment.source), source_files(deployment.version))

    done = deploy(plan(deployment), Gcloud(), clock)
    stubborn = FakeClock()
    project.state = empty()
    project.fail("add-iam-policy-binding bigquery.jobUser", "ERROR: Service account x does not exist.")

    assert clock.slept == [5.0, 10.0]
    assert len(done.steps) == 38
    with pytest.raises(CloudError, match="does not exist"):
        deploy(plan(deployment), Gcloud(), stubborn)
    assert stubborn.slept == [5.0, 10.0, 20.0, 40.0, 80.0]


def test_a_refusal_is_not_tried_again(project: FakeProject) -> None:
    """No permission now is none in a minute."""
    project.fail("topics create", "ERROR: (gcloud.pubsub.topics.create) PERMISSION_DENIED: User not authorized")
    clock = FakeClock()

    with pytest.raises(CloudError, match="PERMISSION_DENIED"):
        deploy(plan(Deployment("my-project")), Gcloud(), clock)
    assert clock.slept == []


def test_a_look_that_fails_is_not_taken_for_nothing_there(deployed: FakeProject, ask: Ask) -> None:
    """Who may not list topics would otherwise make them twice."""
    deployed.fail("topics list", "ERROR: (gcloud.pubsub.topics.list) PERMISSION_DENIED: User not authorized")

    code, _, err = ask("deploy")

    assert code == 5
    assert "PERMISSION_DENIED" in err
    assert deployed.changes == []


def test_what_differs_is_changed_and_nothing_else(deployed: FakeProject, ask: Ask) -> None:
    """Somebody moved the schedule and shortened the deadline; one command for each puts it right."""
    state = deployed.state
    state["jobs"][0]["schedule"] = "0 9 * * *"
    next(one for one in state["subscriptions"] if one["name"] == SUBSCRIPTION)["ackDeadlineSeconds"] = 20
    deployed.state = state

    code, out, _ = ask("deploy")

    assert code == 0
    assert "was schedule: 0 9 * * *, not 0 6 * * *" in out
    assert "was ackDeadlineSeconds: 20, not 600" in out
    assert [call[1:4] for call in deployed.changes] == [
        ["pubsub", "subscriptions", "update"],
        ["scheduler", "jobs", "update"],
    ]


@pytest.mark.parametrize("options", [["--memory", "1Gi"], ["--set", "GRADEONCE_GRADING_LINE_SOURCES=ACTUAL_PROP"]])
def test_another_size_or_variable_is_a_new_revision(deployed: FakeProject, ask: Ask, options: list[str]) -> None:
    """Once; with the same again nothing is built."""
    code, out, _ = ask("deploy", *options)
    changes = deployed.changes
    deployed.forget_calls()
    ask("deploy", *options)

    assert code == 0
    assert "changed  function gradeonce" in out
    assert [call[1:3] for call in changes] == [["functions", "deploy"]]
    assert deployed.changes == []


def test_a_function_of_somebody_else_is_left_alone(project: FakeProject, ask: Ask) -> None:
    """It has our name, but not our label: another --name is asked for."""
    state = project.state
    name = "projects/my-project/locations/us-central1/functions/gradeonce"
    state["functions"] = [{"name": name, "state": "ACTIVE", "labels": {}}]
    project.state = state

    code, _, err = ask("deploy")

    assert code == 6
    assert "gradeonce did not make it" in err
    assert "--name" in err
    assert project.state["functions"] == state["functions"]


def test_a_topic_of_somebody_else_is_used_and_never_removed(project: FakeProject, ask: Ask) -> None:
    """Others may have subscribed to it."""
    state = project.state
    state["topics"] = [{"name": "projects/my-project/topics/nba-grading-complete"}]
    project.state = state

    ask("deploy")
    _, out, _ = ask("rollback", "--everything", "--apply")

    assert "kept             topic nba-grading-complete: gradeonce did not make it" in out
    assert "removed          topic nba-grading-trigger" in out
    assert state["topics"][0] in project.state["topics"]


FOUND = {"name": "projects/my-project/databases/(default)", "type": "FIRESTORE_NATIVE", "locationId": "eur3"}


@pytest.mark.parametrize(
    ("kind", "entry", "options", "hint"),
    [
        ("databases", {**FOUND, "type": "DATASTORE_MODE"}, (), "name another one with --database"),
        ("databases", FOUND, ("--database-location", "nam5"), "say with --database-location where it is"),
        (
            "datasets",
            {"datasetReference": {"projectId": "my-project", "datasetId": "gradeonce"}, "location": "EU"},
            (),
            "--dataset-location",
        ),
    ],
)
def test_what_cannot_be_changed_says_what_to_do(
    project: FakeProject, ask: Ask, kind: str, entry: dict[str, Any], options: tuple[str, ...], hint: str
) -> None:
    """A database in the wrong mode or in another place, a dataset in another place: nothing is forced."""
    project.state = project.state | {kind: [entry]}

    code, _, err = ask("deploy", *options)

    assert code == 5
    assert "differs" in err
    assert hint in err


def test_a_database_that_is_there_is_taken_wherever_it_is(project: FakeProject, ask: Ask) -> None:
    """A project has but one `(default)`, and it cannot move; a new one is made in the region."""
    project.state = project.state | {"databases": [FOUND]}
    assert ask("deploy", "--region", "us-central1")[0] == 0
    assert project.state["databases"] == [FOUND]

    assert ask("deploy", "--region", "us-central1", "--database", "leases")[0] == 0
    assert project.state["databases"][1]["locationId"] == "us-central1"


def test_an_account_of_the_user_is_not_made_and_keeps_its_roles(project: FakeProject, ask: Ask) -> None:
    """It may have had them before us."""
    own = "grader@my-project.iam.gserviceaccount.com"
    project.state = project.state | {"accounts": [{"email": own, "description": "ours"}]}

    ask("deploy", "--service-account", own)
    ask("rollback", "--service-account", own, "--everything", "--apply")

    assert [one["email"] for one in project.state["accounts"]] == [own]
    roles = [one["role"] for one in project.state["policies"]["projects/my-project"]]
    assert roles == ["roles/bigquery.jobUser", "roles/datastore.user"]


def test_going_back_and_forward_again(deployed: FakeProject, ask: Ask) -> None:
    """The revision before gets the messages; nothing is done without --apply; the next deploy goes to the latest."""
    nowhere, _, err = ask("rollback", "--apply")
    ask("deploy", "--memory", "1Gi")
    deployed.forget_calls()
    looked, would, _ = ask("rollback")
    untouched = deployed.changes
    done, told, _ = ask("rollback", "--apply")
    code, shown, _ = ask("status", "--memory", "1Gi")
    ask("deploy", "--memory", "1Gi")
    after, now, _ = ask("status", "--memory", "1Gi")

    assert nowhere == 6
    assert "no earlier revision" in err
    assert (looked, done) == (0, 0)
    assert "gradeonce-00001-abc would get the messages that gradeonce-00002-abc gets" in would
    assert untouched == []
    assert "gradeonce-00001-abc gets the messages that gradeonce-00002-abc got" in told
    assert code == 1
    assert "revision: gradeonce-00001-abc 100 %, which is not the latest" in shown
    assert "revision: gradeonce-00002-abc 100 %\n" in now
    assert after == 2


def test_going_back_to_a_revision_that_never_was(deployed: FakeProject, ask: Ask) -> None:
    """The ones that are there are named."""
    code, _, err = ask("rollback", "--to", "gradeonce-00009-zzz", "--apply")

    assert code == 64
    assert "gradeonce-00001-abc" in err
    assert deployed.changes == []


def test_removing_everything_leaves_data_and_what_holds_it(deployed: FakeProject, ask: Ask) -> None:
    """A look first; then all that was made is gone but what holds data; then there is nothing left to do."""
    _, would, err = ask("rollback", "--everything")
    untouched = deployed.changes
    code, out, _ = ask("rollback", "--everything", "--apply")
    state = deployed.state
    deployed.forget_calls()
    again, told, _ = ask("rollback", "--everything", "--apply")

    assert "would be removed function gradeonce" in would
    assert "nothing was changed; --apply does it" in err
    assert untouched == []
    assert (code, again) == (0, 0)
    assert [state[kind] for kind in ("functions", "runs", "jobs", "accounts")] == [[], [], [], []]
    assert [one["name"].rpartition("/")[2] for one in state["topics"]] == ["nba-grading-dead-letter"]
    assert [one["name"].rpartition("/")[2] for one in state["subscriptions"]] == ["nba-grading-dead-letter-kept"]
    assert [len(state[kind]) for kind in ("datasets", "databases", "secrets")] == [1, 1, 1]
    assert not any(state["policies"].values())
    assert "rm -r -f --dataset my-project:gradeonce" in out
    assert "removed  " not in told
    assert deployed.changes == []


def test_a_removal_that_stopped_goes_on(deployed: FakeProject, ask: Ask) -> None:
    """What is gone already is no error the second time; neither is what hung on it."""
    deployed.fail("topics delete nba-grading-complete", "ERROR: UNAVAILABLE: The service is currently unavailable.")

    code, _, err = ask("rollback", "--everything", "--apply")
    deployed.mend()
    again, out, _ = ask("rollback", "--everything", "--apply")

    assert code == 5
    assert "UNAVAILABLE" in err
    assert again == 0
    assert "not there        function gradeonce" in out
    assert "removed          topic nba-grading-complete" in out
    assert deployed.state["accounts"] == []


def test_after_a_removal_all_can_be_made_again(deployed: FakeProject, ask: Ask) -> None:
    """The data that stayed is taken as it is."""
    ask("rollback", "--everything", "--apply")
    code, out, _ = ask("deploy")

    assert code == 0
    assert "stands   dataset gradeonce" in out
    assert "made     function gradeonce" in out


def test_status_tells_whole_missing_and_worth_a_look(deployed: FakeProject, ask: Ask) -> None:
    """0 when all is well, 2 while the webhook is missing or the schedule paused, 1 when a step does not stand."""
    no_webhook, told, _ = ask("status")
    state = deployed.state
    state["versions"] = {"gradeonce-slack-webhook": [{"name": "1", "state": "ENABLED"}]}
    deployed.state = state
    well, _, _ = ask("status")
    state["jobs"][0]["state"] = "PAUSED"
    deployed.state = state
    paused, shown, _ = ask("status")
    state["functions"] = []
    deployed.state = state
    gone, text, _ = ask("status", "--json")

    assert [no_webhook, well, paused, gone] == [2, 0, 2, 1]
    assert "not in the secret yet" in told
    assert "nightly message: paused" in shown
    steps = {one["name"]: one["state"] for one in json.loads(text)["steps"]}
    assert steps["function gradeonce"] == "missing"
    assert steps["subscription of the trigger"] == "missing"
    assert steps["topic nba-grading-trigger"] == "stands"
    assert deployed.changes == []


def test_status_of_an_empty_project_is_no_error(project: FakeProject, ask: Ask) -> None:
    """Nothing stands but the project."""
    code, out, _ = ask("status")

    assert code == 1
    assert out.count("missing  ") == 37
    assert project.changes == []


def test_no_secret_is_on_a_command_line_or_in_what_is_printed_or_sent(
    project: FakeProject, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of the environment, not of the settings; what goes to Google says where the secret is."""
    webhook = "https://hooks.slack.example/services/T0SECRET/B0SECRET/XSECRET"
    monkeypatch.setenv("GRADEONCE_ALERTS_SLACK", webhook)
    Path("gradeonce.toml").write_text('[alerts]\nwebhook = ["env:HOOK"]\n', encoding="utf-8")

    _, out, err = ask("deploy")

    sent = "".join(path.read_text(encoding="utf-8") for path in Path("gradeonce-cloud").iterdir())
    told = out + err + json.dumps(project.calls) + json.dumps(project.state) + sent
    assert "SECRET" not in told
    assert "GRADEONCE_ALERTS_SLACK=secret://projects/my-project/secrets/gradeonce-slack-webhook" in json.dumps(
        project.calls
    )
    assert "env:HOOK" in sent
    assert "--data-file=-" in out


@pytest.mark.parametrize(
    "value",
    [
        "GRADEONCE_ALERTS_SLACK=https://hooks.slack.example/services/T0SECRET",
        "GRADEONCE_LOCK_STORE=redis://user:SECRET@host/0",
    ],
)
def test_a_secret_given_as_a_variable_is_refused(project: FakeProject, ask: Ask, value: str) -> None:
    """And not repeated in the refusal."""
    code, out, err = ask("deploy", "--set", value)

    assert code == 64
    assert "SECRET" not in out + err
    assert "Secret Manager" in err
    assert project.calls == []


def test_settings_with_a_password_are_not_sent(project: FakeProject, ask: Ask) -> None:
    """The folder goes to Google as it is."""
    Path("gradeonce.toml").write_text('[lock]\nstore = "redis://user:SECRET@host/0"\n', encoding="utf-8")

    code, out, err = ask("deploy")

    assert code == 78
    assert "SECRET" not in out + err
    assert not Path("gradeonce-cloud").exists()
    assert project.calls == []


def test_the_settings_that_init_writes_are_sent(project: FakeProject, ask: Ask) -> None:
    """Their comments show how a URL with a password looks; that is none."""
    assert run(["init"]) == 0

    code, _, _ = ask("deploy")

    assert code == 0
    assert Path("gradeonce-cloud/gradeonce.toml").read_bytes() == Path("gradeonce.toml").read_bytes()


def test_a_folder_that_no_deploy_wrote_is_left_alone(project: FakeProject, ask: Ask) -> None:
    """It may hold somebody's code."""
    Path("gradeonce-cloud").mkdir()
    Path("gradeonce-cloud/main.py").write_text("print('mine')\n", encoding="utf-8")

    code, _, err = ask("deploy")

    assert code == 6
    assert "--source" in err
    assert Path("gradeonce-cloud/main.py").read_text(encoding="utf-8") == "print('mine')\n"
    assert project.calls == []


def test_a_wheel_is_sent_in_place_of_the_release(project: FakeProject, ask: Ask) -> None:
    """Until a version is released; another wheel takes the place of the first."""
    for name in ("gradeonce-0.1.9-py3-none-any.whl", "gradeonce-0.2.0-py3-none-any.whl"):
        Path(name).write_bytes(b"wheel")
        code, _, told = ask("deploy", "--wheel", name)
        assert (code, "is not released" in told) == (0, False)

    sent = {path.name for path in Path("gradeonce-cloud").iterdir()}
    assert sent == {"deployment.json", "main.py", "requirements.txt", "gradeonce-0.2.0-py3-none-any.whl"}
    # Status looks for the code that was sent, wheel and all.
    assert json.loads(ask("status", "--json")[1])["whole"]
    requirement = Path("gradeonce-cloud/requirements.txt").read_text(encoding="utf-8")
    assert requirement == "./gradeonce-0.2.0-py3-none-any.whl[gcp]\n"


def test_a_version_that_google_cannot_install_is_told(project: FakeProject, ask: Ask) -> None:
    """The deploy goes on, for it may be there under another name; a release is no news."""
    code, _, told = ask("deploy", "--dry-run")

    assert (code, "is not released" in told) == (0, ".dev" in __version__)


def test_options_are_remembered(project: FakeProject, ask: Ask) -> None:
    """Who looks after a deployment need not say again what it was made of; what is said wins, name by name."""
    first = ["--region", "europe-west1", "--memory", "1Gi", "--skip-scheduler", "--set", "A=1", "--set", "B=1"]
    ask("deploy", *first)
    _, text, _ = ask("status", "--json")
    project.forget_calls()
    code, _, _ = ask("deploy", "--set", "B=2")

    (call,) = [call for call in project.changes if call[1:3] == ["functions", "deploy"]]
    assert json.loads(text)["whole"]
    assert code == 0
    assert "--region=europe-west1" in call
    assert "--memory=1Gi" in call
    assert any("@@A=1@@B=2" in word for word in call)
    assert project.state["jobs"] == []
    assert ask("deploy", "--with-scheduler")[0] == 0
    assert len(project.state["jobs"]) == 1


def test_another_project_remembers_nothing_of_this_one(
    project: FakeProject, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a file that no deploy wrote is none."""
    ask("deploy", "--memory", "1Gi")
    assert run(["gcp", "deploy", "--project", "their-project", "--dry-run"]) == 0
    assert "--memory=512Mi" in capsys.readouterr().out
    Path("gradeonce-cloud/deployment.json").write_text('{"colour": "red"}', encoding="utf-8")

    code, _, err = ask("status")

    assert code == 78
    assert "deployment.json" in err


def test_tables_elsewhere_are_granted_one_by_one(project: FakeProject, ask: Ask) -> None:
    """To be read or written as it takes; what lies in the book's own dataset needs no more. And taken back again."""
    Path("gradeonce.toml").write_text(
        """[tables]
player_prop_predictions = "their-project.nba.props"
player_game_actuals = "raw.games"
prediction_accuracy = "accuracy.grades"
injury_reports = "gradeonce.injuries"
""",
        encoding="utf-8",
    )
    code, _, _ = ask("deploy")
    granted = {
        name.removeprefix("tables/"): policy[0]["role"]
        for name, policy in project.state["policies"].items()
        if name.startswith("tables/")
    }
    project.forget_calls()
    ask("deploy")
    changes = project.changes
    ask("rollback", "--everything", "--apply")

    assert code == 0
    assert granted == {
        "their-project.nba.props": "roles/bigquery.dataViewer",
        "my-project.raw.games": "roles/bigquery.dataViewer",
        "my-project.accuracy.grades": "roles/bigquery.dataEditor",
    }
    assert changes == []
    assert not any(policy for name, policy in project.state["policies"].items() if name.startswith("tables/"))


def test_the_code_alone_can_be_written(project: FakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    """For Terraform; it imports what is there, and nothing is asked of Google."""
    assert run(["gcp", "source", "--source", "code"]) == 0

    assert capsys.readouterr().out == "wrote code: main.py, requirements.txt\n"
    code: dict[str, Any] = {}
    exec(Path("code/main.py").read_text(encoding="utf-8"), code)
    assert callable(code["grade_on_message"])
    assert project.calls == []


def test_settings_say_where_everything_is(project: FakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    """A book in BigQuery names project, dataset and place; leases in Firestore their collection; options win."""
    Path("gradeonce.toml").write_text(
        '[warehouse]\nbook = "bigquery://my-project/grades?location=EU"\n'
        '[lock]\nstore = "firestore://my-project/leases?database=locks"\n'
        '[league]\ntimezone = "Europe/Madrid"\n[schedule]\nat = "07:05"\n',
        encoding="utf-8",
    )

    assert run(["gcp", "deploy", "--dataset", "others", "--dry-run"]) == 0

    told = capsys.readouterr().out
    assert "GRADEONCE_WAREHOUSE_BOOK=bigquery://my-project/others?location=EU" in told
    assert "GRADEONCE_LOCK_STORE=firestore://my-project/leases?database=locks" in told
    assert "--schedule='5 7 * * *' --time-zone=Europe/Madrid" in told
    assert project.calls == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--timeout", "600"], "expected 60 to 540 seconds"),
        (["--memory", "lots"], "--memory is 'lots'"),
        (["--region", "us-central1; rm -rf /"], "--region is"),
        (["--set", "nonsense"], "NAME=VALUE"),
    ],
)
def test_values_that_google_would_refuse_are_refused_here(
    project: FakeProject, ask: Ask, arguments: list[str], told: str
) -> None:
    """Before anything is asked of Google."""
    code, _, err = ask("deploy", *arguments)

    assert code == 64
    assert told in err
    assert project.calls == []


def test_no_project_and_no_gcloud_are_told_apart(
    project: FakeProject, ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with what to do."""
    unnamed = run(["gcp", "status"])
    without = capsys.readouterr().err
    unknown = run(["gcp", "deploy", "--project", "their-project"])
    strange = capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    code, _, err = ask("status")

    assert (unnamed, unknown, code) == (64, 5, 78)
    assert "--project" in without
    assert "does not have permission" in strange
    assert "Install the Google Cloud CLI" in err
