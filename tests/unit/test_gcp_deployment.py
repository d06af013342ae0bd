"""What a deployment tells its code, and what it grants."""

from __future__ import annotations

import pytest

from gradeonce.alerts.secret_manager import version_name
from gradeonce.config import Settings, load_settings
from gradeonce.errors import UsageError
from gradeonce.gcp.deploy import Deployment, Shape, plan
from gradeonce.gcp.deploy.deployment import DELIVERY_ATTEMPTS, LONGEST_RETRY_SECONDS, SHORTEST_RETRY_SECONDS
from gradeonce.gcp.deploy.grants import Kind, Who, grants
from gradeonce.gcp.deploy.steps import Look, Wanted, value_at
from gradeonce.leases.firestore_store import FirestoreLeases
from gradeonce.warehouses.bigquery.connection import Place


def test_the_code_takes_every_variable_it_is_told() -> None:
    """Each is a setting, and means what was deployed."""
    deployment = Deployment("my-project", dataset="grades", database="locks", timezone="Europe/Madrid")

    settings = load_settings(environment=deployment.environment)

    assert Place.of(settings.book) == Place("my-project", "grades", "US")
    assert settings.store == "firestore://my-project/locks?database=locks"
    FirestoreLeases(settings.store).close()
    assert settings.timezone == "Europe/Madrid"
    assert settings.timeout_seconds == 540
    assert settings.completion_topic == "projects/my-project/topics/nba-grading-complete"
    assert len(settings.slack) == 1
    assert version_name(settings.slack[0]).startswith("projects/my-project/secrets/gradeonce-slack-webhook/versions/")
    assert sum(origin.startswith("GRADEONCE_") for origin in settings.origins.values()) == len(deployment.environment)


def test_a_message_is_not_put_aside_before_somebody_is_alerted() -> None:
    """The waits between deliveries, each twice the one before and none above the longest, outlast the alert by far."""
    waits = [min(SHORTEST_RETRY_SECONDS * 2**number, LONGEST_RETRY_SECONDS) for number in range(DELIVERY_ATTEMPTS - 1)]

    # 10 + 20 + 40 + 80 + 160 + 320 s, then 13 times 600 s.
    assert sum(waits) == 8430
    assert sum(waits) > 4 * Settings().alert_after_seconds


def test_nobody_is_granted_more_than_is_named() -> None:
    """No basic role, no admin; data only where the book, the leases and the webhook are."""
    for shape in Shape:
        for grant in grants(Deployment("my-project", shape=shape)):
            assert grant.role not in ("roles/owner", "roles/editor", "roles/viewer")
            assert "admin" not in grant.role.lower()
            assert grant.why
            assert grant.without
            if grant.who is Who.RUNTIME and grant.kind is Kind.PROJECT:
                assert grant.role == "roles/bigquery.jobUser"


@pytest.mark.parametrize("shape", list(Shape))
def test_every_step_can_be_seen_and_says_what_becomes_of_it(shape: Shape) -> None:
    """It is looked for by name; it can be made, or says what to do; what holds data is never undone by us."""
    steps = plan(Deployment("my-project", shape=shape)).steps

    assert len({step.name for step in steps}) == len(steps)
    for step in steps:
        assert step.look.where
        assert step.create or step.hint
        assert step.why
        if step.wanted and not step.update:
            assert step.hint
    data = {step.name.partition(" ")[0] for step in steps if step.keeps_data}
    assert data == {"dataset", "Firestore", "secret", "topic", "subscription"}


def test_a_look_finds_the_one_that_has_everything() -> None:
    """Of two bindings of a role, that without a condition; a text that ends so; a list that holds it."""
    policy = {
        "bindings": [
            {"role": "roles/x", "members": ["a", "b"], "condition": {"title": "only"}},
            {"role": "roles/x", "members": ["a"]},
        ]
    }
    plain = Look((), (Wanted("role", "roles/x"), Wanted("members", "a"), Wanted("condition.title", "")), "bindings")
    conditional = Look((), (Wanted("role", "roles/x"), Wanted("condition.title", "only")), "bindings")
    stranger = Look((), (Wanted("members", "c"),), "bindings")

    assert plain.find(policy) == policy["bindings"][1]
    assert conditional.find(policy) == policy["bindings"][0]
    assert stranger.find(policy) is None
    assert stranger.find({}) is None
    assert Look((), (Wanted("name", "*/secrets/s"),)).find([{"name": "projects/1/secrets/s"}]) is not None
    assert Look((), (Wanted("name", "*/secrets/s"),)).find(None) is None
    assert value_at({"a": [{"b": 1}]}, "a.0.b") == 1
    assert value_at({"a": []}, "a.0.b") is None


@pytest.mark.parametrize(
    "values",
    [
        {"project": "My-Project"},
        {"project": "p"},
        {"project": "my-project", "timeout_seconds": 541},
        {"project": "my-project", "max_instances": 0},
        {"project": "my-project", "service_account": "me@example.com"},
        {"project": "my-project", "variables": {"lower": "case"}},
        {"project": "my-project", "dataset": "a.b"},
    ],
)
def test_a_name_that_google_takes_nowhere_is_refused(values: dict[str, object]) -> None:
    """Before a command is made of it."""
    with pytest.raises(UsageError):
        Deployment(**values)  # type: ignore[arg-type]
