"""The Terraform says the same as the plan of `gradeonce gcp deploy`, in words that the provider knows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gradeonce.gcp.deploy import Deployment, Shape
from gradeonce.gcp.deploy.deployment import ACK_SECONDS, DELIVERY_ATTEMPTS
from gradeonce.gcp.deploy.granting import DATABASE_CONDITION
from gradeonce.gcp.deploy.grants import Kind, grants
from gradeonce.gcp.deploy.plan import ENTRY_POINT, MESSAGE, RUNTIME, apis
from servers import NOT_TESTED
from terraform_files import FOLDER, arguments, local, resources, variables

PROVIDER = Path(__file__).parent / "expected" / "google_provider_6.50.0.json"
"""Arguments of the resources that we use, `*` before those that must be given; taken from the provider's own schema."""

META = {"count", "for_each", "depends_on", "lifecycle"}
FUNCTION = Deployment("my-project")
PUSHED = Deployment("my-project", shape=Shape.CLOUD_RUN)


@pytest.fixture(scope="module")
def made() -> dict[tuple[str, str], dict[str, Any]]:
    """Every resource with its arguments."""
    return resources(project="my-project")


def only(made: dict[tuple[str, str], dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return made[kind, name]


def test_variables_are_called_and_set_as_in_the_plan() -> None:
    """Whoever moves from one to the other keeps every name."""
    defaults = {**vars(FUNCTION), "database_location": ""}

    assert variables() == {
        name: defaults[name] for name in variables() if name not in ("source_folder", "variables")
    } | {"source_folder": FUNCTION.source, "variables": {}}


def test_grants_are_those_of_the_plan(made: dict[tuple[str, str], dict[str, Any]]) -> None:
    """The same role for the same account on the same thing, and none beside."""
    kinds = {
        "google_project_iam_member": (Kind.PROJECT, "project"),
        "google_bigquery_dataset_iam_member": (Kind.DATASET, "dataset_id"),
        "google_pubsub_topic_iam_member": (Kind.TOPIC, "topic"),
        "google_pubsub_subscription_iam_member": (Kind.SUBSCRIPTION, "subscription"),
        "google_secret_manager_secret_iam_member": (Kind.SECRET, "secret_id"),
        "google_cloud_run_v2_service_iam_member": (Kind.SERVICE, "name"),
        "google_service_account_iam_member": (Kind.ACCOUNT, "service_account_id"),
    }
    found = set()
    for (resource, _), given in made.items():
        if resource.endswith("_iam_member"):
            kind, key = kinds[resource]
            kind = Kind.DATABASE if "condition" in given else kind
            found.add((_who(given["member"]), given["role"], kind, _name(made, given[key]) if key != "project" else ""))

    planned = {
        (grant.who.value, grant.role, grant.kind, _planned_name(grant.kind, grant.name)) for grant in grants(FUNCTION)
    }
    assert found == planned


def _who(text: str) -> str:
    account = re.search(r"google_service_account\.(\w+)\.member", text)
    return account[1] if account else "Pub/Sub's own" if "gcp-sa-pubsub" in text else text


def _name(made: dict[tuple[str, str], dict[str, Any]], text: str) -> str:
    reference = re.fullmatch(r"\$\{(\w+)\.(\w+)\.\w+\}", text)
    assert reference, text
    given = made[reference[1], reference[2]]
    return str(given.get("name") or given.get("dataset_id") or given.get("secret_id") or given.get("account_id"))


def _planned_name(kind: Kind, name: str) -> str:
    if kind in (Kind.PROJECT, Kind.DATABASE):
        return ""
    if kind is Kind.SUBSCRIPTION:
        return PUSHED.push
    return name.partition("@")[0]


def test_the_leases_are_granted_on_their_database_only(made: dict[tuple[str, str], dict[str, Any]]) -> None:
    """By the same condition."""
    (condition,) = only(made, "google_project_iam_member", "runtime_leases")["condition"]

    assert condition["title"] == DATABASE_CONDITION
    assert condition["expression"] == 'resource.name=="projects/my-project/databases/(default)"'


def test_apis_are_those_of_the_plan() -> None:
    """But that of triggers, which are not used here."""
    found = set(re.findall(r"[a-z]+\.googleapis\.com", local("apis")))

    assert found == set(apis(FUNCTION)) - {"eventarc.googleapis.com"}


def test_accounts_topics_and_data_are_those_of_the_plan(made: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Names, places, and that nothing that holds data is destroyed."""
    accounts = {given["account_id"] for (kind, _), given in made.items() if kind == "google_service_account"}
    topics = {given["name"] for (kind, _), given in made.items() if kind == "google_pubsub_topic"}
    dataset = only(made, "google_bigquery_dataset", "book")
    database = only(made, "google_firestore_database", "leases")
    secret = only(made, "google_secret_manager_secret", "slack")
    kept = only(made, "google_pubsub_subscription", "dead_letters")

    assert accounts == {one.partition("@")[0] for one in (FUNCTION.runtime, FUNCTION.invoker, FUNCTION.builder)}
    assert topics == {FUNCTION.topic, FUNCTION.completion_topic, FUNCTION.dead_letter_topic}
    assert (dataset["dataset_id"], dataset["location"]) == (FUNCTION.dataset, FUNCTION.dataset_location)
    assert dataset["delete_contents_on_destroy"] is False
    assert dataset["lifecycle"][0]["prevent_destroy"] is True
    assert secret["secret_id"] == FUNCTION.secret
    assert secret["lifecycle"][0]["prevent_destroy"] is True
    assert (database["name"], database["type"]) == (FUNCTION.database, "FIRESTORE_NATIVE")
    assert (database["deletion_policy"], database["delete_protection_state"]) == (
        "ABANDON",
        "DELETE_PROTECTION_ENABLED",
    )
    assert (kept["name"], kept["message_retention_duration"]) == (FUNCTION.dead_letters, f"{7 * 86400}s")


def test_code_runs_as_in_the_plan(made: dict[tuple[str, str], dict[str, Any]]) -> None:
    """The same runtime, sizes and variables."""
    function = only(made, "google_cloudfunctions2_function", "grader")
    (build,), (service,) = function["build_config"], function["service_config"]
    written = dict(re.findall(r"(GRADEONCE_\w+)\s*=\s*([^,}]+(?:\}[^,}]*)*)", service["environment_variables"]))

    assert (build["runtime"].strip('"'), build["entry_point"].strip('"')) == (RUNTIME, ENTRY_POINT)
    assert service["available_memory"] == FUNCTION.memory
    assert service["timeout_seconds"] == FUNCTION.timeout_seconds
    assert service["max_instance_count"] == FUNCTION.max_instances
    assert service["max_instance_request_concurrency"] == 1
    assert set(written) == set(FUNCTION.environment)


def test_messages_are_delivered_as_in_the_plan(made: dict[tuple[str, str], dict[str, Any]]) -> None:
    """By a push with a token, with the same deadline, attempts and waits; every morning the same question."""
    push = only(made, "google_pubsub_subscription", "push")
    job = only(made, "google_cloud_scheduler_job", "nightly")
    ((dead,), (retry,), (config,)) = push["dead_letter_policy"], push["retry_policy"], push["push_config"]

    assert push["name"] == PUSHED.push
    assert push["ack_deadline_seconds"] == ACK_SECONDS
    assert dead["max_delivery_attempts"] == DELIVERY_ATTEMPTS
    assert (retry["minimum_backoff"], retry["maximum_backoff"]) == ("10s", "600s")
    assert "invoker" in config["oidc_token"][0]["service_account_email"]
    assert (job["schedule"], job["time_zone"]) == (FUNCTION.schedule, FUNCTION.timezone)
    assert local("message").replace("\\", "").strip('"') == MESSAGE
    assert job["retry_config"][0] == {"retry_count": 3, "min_backoff_duration": "30s", "__is_block__": True}


def test_the_provider_knows_every_argument(made: dict[tuple[str, str], dict[str, Any]]) -> None:
    """And none that must be given is left out."""
    known = json.loads(PROVIDER.read_text(encoding="utf-8"))
    wrong = []
    for (kind, name), given in made.items():
        wrong += _unknown(f"{kind}.{name}", arguments(given), known[kind], META)
    assert not wrong, "\n".join(wrong)


def _unknown(where: str, given: dict[str, Any], known: dict[str, Any], allowed: set[str]) -> list[str]:
    names = {name.lstrip("*"): block for name, block in known.items()}
    wrong = [f"{where}: no argument {name}" for name in given if name not in names and name not in allowed]
    wrong += [f"{where}: {name[1:]} is missing" for name in known if name.startswith("*") and name[1:] not in given]
    for name, block in given.items():
        if block and names.get(name):
            wrong += _unknown(f"{where}.{name}", block, names[name], set())
    return wrong


def test_every_reference_leads_somewhere() -> None:
    """To a resource, a value or a variable that is there; and no variable is declared for nothing."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.tf")))
    declared = {f"{kind}.{name}" for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)}
    declared |= {f"data.{kind}.{name}" for kind, name in re.findall(r'^data "(\w+)" "(\w+)"', text, re.MULTILINE)}
    declared |= {f"var.{name}" for name in re.findall(r'^variable "(\w+)"', text, re.MULTILINE)}
    (own,) = re.findall(r"^locals \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    declared |= {f"local.{name}" for name in re.findall(r"^  (\w+) +=", own, re.MULTILINE)}

    used = set(re.findall(r"(?<![\w.])((?:data\.)?google_\w+\.\w+|data\.archive_file\.\w+|var\.\w+|local\.\w+)", text))

    assert used <= declared, used - declared
    assert {name for name in declared if name.startswith(("var.", "local."))} <= used


def test_format_is_terraforms_own() -> None:
    """As `terraform fmt` writes it."""
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip(f"{NOT_TESTED}: no terraform here to check the format of deploy/terraform with")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}

    done = subprocess.run(
        [terraform, "fmt", "-check", "-diff", str(FOLDER)], capture_output=True, text=True, env=environment, check=False
    )

    assert done.returncode == 0, done.stdout


def test_terraform_validates(tmp_path: Path) -> None:
    """With the providers themselves, where somebody has put them."""
    terraform, plugins = shutil.which("terraform"), os.environ.get("GRADEONCE_TERRAFORM_PLUGINS")
    if terraform is None or not plugins:
        pytest.skip(
            f"{NOT_TESTED}: no terraform with GRADEONCE_TERRAFORM_PLUGINS here to validate deploy/terraform with"
        )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    folder = shutil.copytree(FOLDER, tmp_path / "terraform")

    for command in (["init", "-backend=false", f"-plugin-dir={plugins}"], ["validate"]):
        done = subprocess.run(
            [terraform, *command], cwd=folder, capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
