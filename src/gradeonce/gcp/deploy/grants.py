"""Who may do what, where, why, and what breaks without it: the least that works. The docs page is made of this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gradeonce.gcp.deploy.deployment import Deployment, Shape


class Who(StrEnum):
    """An account that is granted something."""

    RUNTIME = "runtime"
    INVOKER = "invoker"
    BUILDER = "build"
    PUBSUB = "Pub/Sub's own"


class Kind(StrEnum):
    """What a role is granted on."""

    PROJECT = "project"
    DATABASE = "Firestore database"
    DATASET = "dataset"
    TABLE = "table"
    TOPIC = "topic"
    SUBSCRIPTION = "subscription"
    SECRET = "secret"
    SERVICE = "Cloud Run service"
    ACCOUNT = "service account"


@dataclass(frozen=True)
class Grant:
    """One role of one account on one thing.

    Attributes:
        who: The account.
        role: As Google names it.
        kind: What it is granted on.
        name: Name of that thing; empty where there is but one.
        why: What it is for.
        without: What breaks without it.
    """

    who: Who
    role: str
    kind: Kind
    name: str
    why: str
    without: str


@dataclass(frozen=True)
class DeployerRole:
    """A role that whoever deploys needs on the project; an owner has them all.

    Attributes:
        role: As Google names it.
        why: What it is for.
        shapes: For which shapes it is needed.
    """

    role: str
    why: str
    shapes: tuple[Shape, ...] = tuple(Shape)


DEPLOYER = (
    DeployerRole("roles/serviceusage.serviceUsageAdmin", "enable APIs"),
    DeployerRole("roles/resourcemanager.projectIamAdmin", "grant roles on the project"),
    DeployerRole("roles/iam.serviceAccountAdmin", "make the service accounts, and grant on the invoker"),
    DeployerRole("roles/iam.serviceAccountUser", "let the code run, be built and be called as these accounts"),
    DeployerRole("roles/pubsub.admin", "topics, subscriptions and grants on them"),
    DeployerRole("roles/bigquery.user", "make the dataset, which is the maker's own, and grant on it"),
    DeployerRole("roles/datastore.owner", "make the Firestore database"),
    DeployerRole("roles/secretmanager.admin", "make the secret, grant on it, put the webhook in"),
    DeployerRole("roles/run.admin", "grant on the service, move its traffic"),
    DeployerRole("roles/cloudfunctions.developer", "deploy the function", (Shape.FUNCTION,)),
    DeployerRole("roles/eventarc.viewer", "find the subscription of the trigger", (Shape.FUNCTION,)),
    DeployerRole("roles/run.sourceDeveloper", "deploy the service from its code", (Shape.CLOUD_RUN,)),
    DeployerRole("roles/cloudscheduler.admin", "make the nightly job"),
)
"""What whoever deploys needs."""


ONLY_READ = ("player_prop_predictions", "player_game_actuals", "injury_reports", "player_prop_lines")
"""Tables that a grading reads; the others are written, too."""


def grants(deployment: Deployment) -> tuple[Grant, ...]:
    """Return every grant of a deployment, in order."""
    return (*_of_accounts(deployment), *_of_delivery(deployment))


def member(deployment: Deployment, who: Who) -> str:
    """Return an account as IAM writes it."""
    addresses = {
        Who.RUNTIME: deployment.runtime,
        Who.INVOKER: deployment.invoker,
        Who.BUILDER: deployment.builder,
        Who.PUBSUB: "service-${project_number}@gcp-sa-pubsub.iam.gserviceaccount.com",
    }
    return f"serviceAccount:{addresses[who]}"


def _of_accounts(deployment: Deployment) -> Iterator[Grant]:
    yield Grant(
        Who.RUNTIME,
        "roles/bigquery.jobUser",
        Kind.PROJECT,
        "",
        "run queries and load jobs; it gives no access to any data",
        'every grading fails with "User does not have bigquery.jobs.create permission"',
    )
    yield Grant(
        Who.RUNTIME,
        "roles/bigquery.dataEditor",
        Kind.DATASET,
        deployment.dataset,
        "read predictions and box scores, make staging tables, publish; in this dataset only",
        'every grading fails with "Access Denied"',
    )
    for name, table in deployment.tables_elsewhere.items():
        is_read = name in ONLY_READ
        yield Grant(
            Who.RUNTIME,
            f"roles/bigquery.{'dataViewer' if is_read else 'dataEditor'}",
            Kind.TABLE,
            table,
            f"{'read' if is_read else 'write'} it as {name}; this table only",
            'every grading fails with "Access Denied"',
        )
    yield Grant(
        Who.RUNTIME,
        "roles/datastore.user",
        Kind.DATABASE,
        deployment.database,
        "take, renew and release leases; a condition keeps it to this database",
        "gradings go on behind the fence alone, with the alert lock_unavailable",
    )
    yield Grant(
        Who.RUNTIME,
        "roles/pubsub.publisher",
        Kind.TOPIC,
        deployment.completion_topic,
        "announce a finished grading",
        "dates are graded, but nobody who waits for the announcement hears of it",
    )
    yield Grant(
        Who.RUNTIME,
        "roles/secretmanager.secretAccessor",
        Kind.SECRET,
        deployment.secret,
        "read the URL of the Slack webhook, and no other secret",
        "dates are graded, but Slack is told nothing; the alerts are kept",
    )
    if deployment.shape is Shape.FUNCTION:
        builds: tuple[tuple[str, str, str], ...] = (
            ("roles/logging.logWriter", "write the log of a build", "deploying fails, or its log is empty"),
            ("roles/artifactregistry.writer", "store the image that was built", "deploying fails after the build"),
            ("roles/storage.objectViewer", "fetch the code that is to be built", "deploying fails before the build"),
        )
    else:
        builds = (("roles/run.builder", "fetch the code, build it, store the image", "deploying fails"),)
    for role, why, without in builds:
        yield Grant(Who.BUILDER, role, Kind.PROJECT, "", why, without)


def _of_delivery(deployment: Deployment) -> Iterator[Grant]:
    yield Grant(
        Who.INVOKER,
        "roles/run.invoker",
        Kind.SERVICE,
        deployment.name,
        "call the code; nobody else may, and no anonymous caller",
        "every message is refused with 403 and ends in the dead-letter topic",
    )
    yield Grant(
        Who.PUBSUB,
        "roles/iam.serviceAccountTokenCreator",
        Kind.ACCOUNT,
        deployment.invoker,
        "sign the token that a push carries; granted on the invoker alone",
        "projects made before April 2021 push without a token: 403",
    )
    yield Grant(
        Who.PUBSUB,
        "roles/pubsub.publisher",
        Kind.TOPIC,
        deployment.dead_letter_topic,
        "put a message aside that failed too often",
        "a message that cannot be handled comes back until it expires",
    )
    yield Grant(
        Who.PUBSUB,
        "roles/pubsub.subscriber",
        Kind.SUBSCRIPTION,
        "${subscription}" if deployment.shape is Shape.FUNCTION else deployment.push,
        "take a message off that was put aside",
        "the same message is put aside again and again",
    )
