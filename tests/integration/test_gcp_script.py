"""What `gradeonce gcp deploy --dry-run` prints: as recorded, as the real gcloud takes it, and as it runs by hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_gcloud import PROJECT, SUBSCRIPTION, TRIGGER, FakeProject
from gradeonce.cli.main import run
from gradeonce.gcp.deploy import Command, Deployment, Plan, Shape, plan, script, source_files, with_fingerprint
from gradeonce.gcp.deploy.script import shown
from gradeonce.gcp.deploy.steps import with_values
from servers import NOT_TESTED

EXPECTED = Path(__file__).parent / "expected"
VALUES = {
    "project_number": "123456789012",
    "trigger": TRIGGER,
    "subscription": SUBSCRIPTION,
    "service_url": "https://gradeonce-xyz-uc.a.run.app",
}


def planned(shape: Shape) -> tuple[Plan, str]:
    """A plan, and the script of it, of a version that does not change."""
    deployment = Deployment(PROJECT, shape=shape, version="0.2.0")
    files = source_files(deployment.version)
    steps = plan(with_fingerprint(deployment, files))
    return steps, script(steps, deployment.source, files)


def commands(steps: Plan) -> Iterator[Command]:
    """Every command of a plan, with values put in."""
    found = [command for step in steps.steps for command in (step.look.command, step.create, step.update, step.undo)]
    for command in (*steps.found.values(), *found):
        if command:
            yield with_values(command, VALUES)


def _verbs(command: Command) -> tuple[str, ...]:
    """The words before the first flag or name; names hold a sign or a place for a value, verbs are plain."""
    words = [word for word in command[1:] if not word.startswith("-")]
    return tuple(
        word
        for word in words
        if re.fullmatch(r"[a-z]+(-[a-z]+)*", word) and not word.startswith(("gradeonce", "nba", "my-"))
    )[:4]


@pytest.mark.parametrize("shape", list(Shape))
def test_the_script_is_as_recorded(shape: Shape) -> None:
    """A change of any command must be seen. To record: RECORD=1 pytest tests/integration/test_gcp_script.py."""
    path = EXPECTED / f"gcp_deploy_{shape.value}.sh"
    if os.environ.get("RECORD"):
        path.write_text(planned(shape)[1], encoding="utf-8")

    assert planned(shape)[1] == path.read_text(encoding="utf-8")


def test_a_dry_run_asks_google_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It works where there is no gcloud, and writes nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")

    assert run(["gcp", "deploy", "--project", PROJECT, "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert run(["gcp", "deploy", "--project", PROJECT, "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert list(tmp_path.iterdir()) == []
    for step in document["steps"]:
        if step["create"] and "$" not in str(step["create"]):
            assert shown(tuple(step["create"])) in text


def test_the_script_run_by_hand_makes_what_deploy_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quoting, values and the code that is sent are right: afterwards `deploy` finds nothing to do."""
    project = FakeProject(tmp_path / "google")
    monkeypatch.setenv("PATH", project.path)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "deploy.sh"
    deployment = Deployment(PROJECT)
    files = source_files(deployment.version)
    path.write_text(script(plan(with_fingerprint(deployment, files)), deployment.source, files), encoding="utf-8")

    done = subprocess.run(["sh", str(path)], capture_output=True, text=True, check=False)
    project.forget_calls()
    monkeypatch.setattr("gradeonce.gcp.deploy.gcloud.subprocess.run", project.run)

    assert done.returncode == 0, done.stderr
    assert run(["gcp", "deploy", "--project", PROJECT, "--json"]) == 0
    assert project.changes == []


def test_the_real_gcloud_takes_every_command(tmp_path: Path) -> None:
    """Its own parser is asked, which needs no project: verbs, flags, values, and which of them go together."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        pytest.skip(f"{NOT_TESTED}: no gcloud here to parse the commands of gcp deploy with")
    told = {
        # One of each kind: the same verbs and flags with another name are parsed alike, and each takes its time.
        (_verbs(command), tuple(word.partition("=")[0] for word in command if word.startswith("-"))): command
        for shape in Shape
        for command in commands(planned(shape)[0])
        if command[0] == "gcloud"
    }
    asked = [{"command_string": shown(command)} for command in told.values()]
    asked.append({"command_string": "gcloud pubsub topics create name --no-such-flag=1"})
    path = tmp_path / "commands.json"
    path.write_text(json.dumps(asked), encoding="utf-8")

    answered = subprocess.run(
        [gcloud, "meta", "lint-gcloud-commands", f"--commands-file={path}"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "CLOUDSDK_CORE_PROJECT": PROJECT,
            "CLOUDSDK_CONFIG": str(tmp_path / "config"),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        },
    )

    assert answered.returncode == 0, answered.stderr[-800:]
    verdicts = json.loads(answered.stdout)
    wrong = [f"{one['command_string']}: {one['error_message']}" for one in verdicts if not one["success"]]
    assert len(verdicts) == len(asked)
    assert len(wrong) == 1, "\n".join(wrong)
    assert "--no-such-flag" in wrong[0]


def test_the_real_bq_knows_every_flag() -> None:
    """As its own source defines them, for each verb; its parser cannot be asked without a project."""
    bq = shutil.which("bq")
    sources = Path(bq).resolve().parents[1] / "platform" / "bq" if bq else Path()
    files = {"get-iam-policy": "iam", "ls": "list", "mk": "make", "query": "query", "rm": "delete", "show": "show"}

    def source_of(name: str) -> Path:
        return sources / "frontend" / (f"commands_{name}.py" if name == "iam" else f"command_{name}.py")

    if not all(source_of(name).is_file() for name in files.values()):
        pytest.skip(f"{NOT_TESTED}: no bq here to look up the flags of gcp deploy in")
    with_tables = plan(Deployment(PROJECT, tables={"player_game_actuals": "their-project.raw.games"}))
    told = {
        command for command in (*commands(planned(Shape.FUNCTION)[0]), *commands(with_tables)) if command[0] == "bq"
    }
    general = (sources / "bq_flags.py").read_text(encoding="utf-8")

    assert any("get-iam-policy" in command for command in told)
    for command in told:
        verb = next(word for word in command[1:] if not word.startswith("-"))
        own = source_of(files[verb]).read_text(encoding="utf-8")
        for place, word in enumerate(command):
            if word.startswith("-"):
                flag = word.lstrip("-").partition("=")[0]
                text = own if place > command.index(verb) else general
                named = rf"DEFINE_\w+\(\s*(name=)?'{flag}'" if len(flag) > 1 else f"short_name='{flag}'"
                assert re.search(named, text), f"bq {verb}: {word}"
