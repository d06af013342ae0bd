"""The plan of a deployment: what must stand, in order, and the commands that see, make, change and remove it."""

from __future__ import annotations

import base64
import hashlib
import json

from gradeonce.gcp.deploy.deployment import (
    ACK_SECONDS,
    DELIVERY_ATTEMPTS,
    LONGEST_RETRY_SECONDS,
    SHORTEST_RETRY_SECONDS,
    Deployment,
    Shape,
)
from gradeonce.gcp.deploy.granting import granting
from gradeonce.gcp.deploy.grants import Kind, grants
from gradeonce.gcp.deploy.steps import MADE_BY, Command, Look, Plan, Step, Wanted

ENTRY_POINT = "grade_on_message"
RUNTIME = "python312"

MESSAGE = json.dumps({"target_date": "yesterday", "trigger_source": "scheduler"}, separators=(",", ":"))
"""What is sent every morning."""

DESCRIPTION = "Made by gradeonce gcp deploy"
"""Marks what cannot carry a label."""

_LABEL = Wanted("labels.made-by", MADE_BY)
_DESCRIBED = Wanted("description", DESCRIPTION)
_LONGEST_RETRY, _SHORTEST_RETRY = f"{LONGEST_RETRY_SECONDS}s", f"{SHORTEST_RETRY_SECONDS}s"


def plan(deployment: Deployment) -> Plan:
    """Return all that must stand, in the order in which it is made."""
    granted = [(grant, granting(deployment, grant)) for grant in grants(deployment)]
    before = [step for grant, step in granted if grant.kind not in (Kind.SERVICE, Kind.SUBSCRIPTION)]
    to_call = [step for grant, step in granted if grant.kind is Kind.SERVICE]
    to_take_off = [step for grant, step in granted if grant.kind is Kind.SUBSCRIPTION]
    code = _function(deployment) if deployment.shape is Shape.FUNCTION else _service(deployment)
    delivery = _trigger(deployment) if deployment.shape is Shape.FUNCTION else _push(deployment)
    steps = [
        _project(deployment),
        *(_api(deployment, name) for name in apis(deployment)),
        *_accounts(deployment),
        *_topics(deployment),
        _dataset(deployment),
        _database(deployment),
        _secret(deployment),
        *before,
        code,
        _traffic(deployment),
        *to_call,
        delivery,
        *to_take_off,
        *([_job(deployment)] if deployment.has_scheduler else []),
    ]
    return Plan(tuple(steps), _found(deployment))


def apis(deployment: Deployment) -> tuple[str, ...]:
    """Return the APIs that must be enabled."""
    by_shape = ("cloudfunctions", "eventarc") if deployment.shape is Shape.FUNCTION else ()
    by_scheduler = ("cloudscheduler",) if deployment.has_scheduler else ()
    names = (
        "artifactregistry",
        "bigquery",
        "cloudbuild",
        *by_shape,
        *by_scheduler,
        "firestore",
        "iam",
        "pubsub",
        "run",
        "secretmanager",
    )
    return tuple(f"{name}.googleapis.com" for name in names)


def revision_label(deployment: Deployment) -> str:
    """Return a text that changes with the code and with whatever it is run with."""
    parts = {
        "code": deployment.fingerprint,
        "environment": deployment.environment,
        "memory": deployment.memory,
        "timeout": deployment.timeout_seconds,
        "instances": deployment.max_instances,
        "accounts": [deployment.runtime, deployment.invoker, deployment.builder],
        "topic": deployment.topic,
        "runtime": RUNTIME,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _found(deployment: Deployment) -> dict[str, Command]:
    here = f"--project={deployment.project}"
    found: dict[str, Command] = {
        "project_number": ("gcloud", "projects", "describe", deployment.project, "--format=value(projectNumber)")
    }
    if deployment.shape is Shape.FUNCTION:
        found["trigger"] = (
            *("gcloud", "functions", "describe", deployment.name, "--v2", f"--region={deployment.region}", here),
            "--format=value(eventTrigger.trigger)",
        )
        found["subscription"] = (
            *("gcloud", "eventarc", "triggers", "describe", "${trigger}", f"--location={deployment.region}", here),
            "--format=value(transport.pubsub.subscription)",
        )
    else:
        found["service_url"] = (
            *("gcloud", "run", "services", "describe", deployment.name, f"--region={deployment.region}", here),
            "--format=value(status.url)",
        )
    return found


def _project(deployment: Deployment) -> Step:
    return Step(
        name=f"project {deployment.project}",
        why="everything lies in it",
        look=Look(
            ("gcloud", "projects", "describe", deployment.project, "--format=json"),
            (Wanted("projectId", deployment.project), Wanted("lifecycleState", "ACTIVE")),
        ),
        hint="Make the project and link it to a billing account first; see the tutorial.",
    )


def _api(deployment: Deployment, name: str) -> Step:
    here = f"--project={deployment.project}"
    return Step(
        name=f"API {name}",
        why="Google's switch for it",
        look=Look(("gcloud", "services", "list", "--enabled", here, "--format=json"), (Wanted("config.name", name),)),
        # It stays enabled: others in the project may use it by now.
        create=("gcloud", "services", "enable", name, here, "--quiet"),
    )


def _accounts(deployment: Deployment) -> list[Step]:
    whys = {
        deployment.runtime: "the code runs as this account",
        deployment.invoker: "Pub/Sub calls the code in its name",
        deployment.builder: "builds the image",
    }
    here = f"--project={deployment.project}"
    return [
        Step(
            name=f"service account {address.partition('@')[0]}",
            why=why,
            look=Look(
                ("gcloud", "iam", "service-accounts", "list", here, "--format=json"), (Wanted("email", address),)
            ),
            create=(
                *("gcloud", "iam", "service-accounts", "create", address.partition("@")[0]),
                *(f"--display-name=gradeonce: {why}", f"--description={DESCRIPTION}", here, "--quiet"),
            ),
            undo=("gcloud", "iam", "service-accounts", "delete", address, here, "--quiet"),
            mark=_DESCRIBED,
        )
        for address, why in whys.items()
        if address != deployment.service_account
    ]


def _topics(deployment: Deployment) -> list[Step]:
    here = f"--project={deployment.project}"
    whys = {
        deployment.topic: "messages that ask for a grading",
        deployment.completion_topic: "announcements of finished gradings",
        deployment.dead_letter_topic: "messages that failed too often",
    }
    steps = [
        Step(
            name=f"topic {topic}",
            why=why,
            look=Look(
                ("gcloud", "pubsub", "topics", "list", here, "--format=json"),
                (Wanted("name", f"projects/{deployment.project}/topics/{topic}"),),
            ),
            create=("gcloud", "pubsub", "topics", "create", topic, f"--labels=made-by={MADE_BY}", here, "--quiet"),
            undo=("gcloud", "pubsub", "topics", "delete", topic, here, "--quiet"),
            mark=_LABEL,
            keeps_data=topic == deployment.dead_letter_topic,
        )
        for topic, why in whys.items()
    ]
    kept = Step(
        name=f"subscription {deployment.dead_letters}",
        why="keeps dead letters until somebody looks; without one they would be gone at once",
        look=_subscription_look(deployment, f"projects/{deployment.project}/subscriptions/{deployment.dead_letters}"),
        create=(
            *("gcloud", "pubsub", "subscriptions", "create", deployment.dead_letters),
            *(
                f"--topic={deployment.dead_letter_topic}",
                "--expiration-period=never",
                "--message-retention-duration=7d",
            ),
            *(f"--labels=made-by={MADE_BY}", here, "--quiet"),
        ),
        undo=("gcloud", "pubsub", "subscriptions", "delete", deployment.dead_letters, here, "--quiet"),
        mark=_LABEL,
        keeps_data=True,
    )
    return [*steps, kept]


def _dataset(deployment: Deployment) -> Step:
    name = f"{deployment.project}:{deployment.dataset}"
    bq = ("bq", "--headless", f"--project_id={deployment.project}")
    return Step(
        name=f"dataset {deployment.dataset}",
        why="the book: predictions, box scores, grades",
        look=Look(
            (*bq, "--format=json", "ls", "--max_results=10000"),
            (Wanted("datasetReference.datasetId", deployment.dataset),),
        ),
        create=(
            *(*bq, f"--location={deployment.dataset_location}", "mk", "--dataset"),
            *(f"--label=made-by:{MADE_BY}", f"--description={DESCRIPTION}", name),
        ),
        wanted=(Wanted("location", deployment.dataset_location),),
        undo=(*bq, "rm", "-r", "-f", "--dataset", name),
        keeps_data=True,
        hint="A dataset cannot move: name the location it has with --dataset-location, or another --dataset.",
    )


def _database(deployment: Deployment) -> Step:
    here = f"--project={deployment.project}"
    return Step(
        name=f"Firestore database {deployment.database}",
        why="the leases",
        look=Look(
            ("gcloud", "firestore", "databases", "list", here, "--format=json"),
            (Wanted("name", f"projects/{deployment.project}/databases/{deployment.database}"),),
        ),
        create=(
            *("gcloud", "firestore", "databases", "create", f"--database={deployment.database}"),
            *(f"--location={deployment.database_location or deployment.region}", "--type=firestore-native"),
            "--delete-protection",
            *(here, "--quiet"),
        ),
        wanted=(
            Wanted("type", "FIRESTORE_NATIVE"),
            *([Wanted("locationId", deployment.database_location)] if deployment.database_location else []),
        ),
        undo=("gcloud", "firestore", "databases", "delete", f"--database={deployment.database}", here),
        keeps_data=True,
        hint="A database in Datastore mode keeps no leases, and none can move: name another one with --database, or "
        "say with --database-location where it is.",
    )


def _secret(deployment: Deployment) -> Step:
    here = f"--project={deployment.project}"
    return Step(
        name=f"secret {deployment.secret}",
        why="an empty place for the URL of the Slack webhook, which you put in",
        # Secrets are listed under the number of the project, not under its id.
        look=Look(
            ("gcloud", "secrets", "list", here, "--format=json"), (Wanted("name", f"*/secrets/{deployment.secret}"),)
        ),
        create=(
            *("gcloud", "secrets", "create", deployment.secret, "--replication-policy=automatic"),
            *(f"--labels=made-by={MADE_BY}", here, "--quiet"),
        ),
        undo=("gcloud", "secrets", "delete", deployment.secret, here),
        mark=_LABEL,
        keeps_data=True,
    )


def _function(deployment: Deployment) -> Step:
    here = (f"--region={deployment.region}", f"--project={deployment.project}", "--quiet")
    deploy: Command = (
        *("gcloud", "functions", "deploy", deployment.name, "--gen2", f"--runtime={RUNTIME}"),
        *(f"--source={deployment.source}", f"--entry-point={ENTRY_POINT}"),
        *(f"--trigger-topic={deployment.topic}", f"--trigger-service-account={deployment.invoker}", "--retry"),
        *_sizes(deployment),
        *(f"--run-service-account={deployment.runtime}", _builder(deployment)),
        *("--no-allow-unauthenticated", "--serve-all-traffic-latest-revision"),
        *(_variables(deployment), f"--update-labels={_labels(deployment)}"),
        *(*here, "--format=none"),
    )
    return Step(
        name=_code_name(deployment),
        why="grades what a message asks for",
        look=Look(
            (
                *("gcloud", "functions", "list", "--v2", f"--regions={deployment.region}"),
                *(f"--project={deployment.project}", "--format=json"),
            ),
            (
                Wanted(
                    "name",
                    f"projects/{deployment.project}/locations/{deployment.region}/functions/{deployment.name}",
                ),
            ),
        ),
        create=deploy,
        wanted=(
            Wanted("state", "ACTIVE"),
            Wanted("labels.deployment", revision_label(deployment)),
            Wanted("serviceConfig.timeoutSeconds", str(deployment.timeout_seconds)),
            Wanted("serviceConfig.maxInstanceCount", str(deployment.max_instances)),
            Wanted("serviceConfig.serviceAccountEmail", deployment.runtime),
            Wanted("eventTrigger.retryPolicy", "RETRY_POLICY_RETRY"),
        ),
        update=deploy,
        undo=("gcloud", "functions", "delete", deployment.name, *here),
        mark=_LABEL,
        refuses_others=True,
        makes_more=True,
    )


def _service(deployment: Deployment) -> Step:
    here = (f"--region={deployment.region}", f"--project={deployment.project}", "--quiet")
    deploy: Command = (
        *("gcloud", "run", "deploy", deployment.name, f"--source={deployment.source}"),
        *(f"--function={ENTRY_POINT}", f"--base-image={RUNTIME}"),
        *_sizes(deployment),
        *(f"--service-account={deployment.runtime}", _builder(deployment), "--no-allow-unauthenticated"),
        *(_variables(deployment), f"--labels={_labels(deployment)}"),
        *(*here, "--format=none"),
    )
    return Step(
        name=_code_name(deployment),
        why="grades what a message asks for",
        look=_service_look(deployment),
        create=deploy,
        wanted=(
            _of_metadata(Wanted("labels.deployment", revision_label(deployment))),
            Wanted("spec.template.spec.timeoutSeconds", str(deployment.timeout_seconds)),
            Wanted("spec.template.spec.serviceAccountName", deployment.runtime),
        ),
        update=deploy,
        undo=("gcloud", "run", "services", "delete", deployment.name, *here),
        mark=_of_metadata(_LABEL),
        refuses_others=True,
        makes_more=True,
    )


def _traffic(deployment: Deployment) -> Step:
    to_latest: Command = (
        *("gcloud", "run", "services", "update-traffic", deployment.name, "--to-latest"),
        *(f"--region={deployment.region}", f"--project={deployment.project}", "--quiet", "--format=none"),
    )
    return Step(
        name="traffic to the latest revision",
        why="after a rollback, a new revision would get none",
        look=_service_look(deployment),
        create=to_latest,
        wanted=(Wanted("status.traffic.0.latestRevision", "true"), Wanted("status.traffic.0.percent", "100")),
        update=to_latest,
        makes_more=True,
        goes_with=_code_name(deployment),
    )


def _trigger(deployment: Deployment) -> Step:
    update: Command = (
        *("gcloud", "pubsub", "subscriptions", "update", "${subscription}"),
        *_delivery(deployment),
        *(f"--project={deployment.project}", "--quiet"),
    )
    return Step(
        name="subscription of the trigger",
        why="made with the function, but with too short a deadline and no place for dead letters",
        look=_subscription_look(deployment, "${subscription}"),
        create=update,
        wanted=_delivered(deployment),
        update=update,
        goes_with=_code_name(deployment),
    )


def _push(deployment: Deployment) -> Step:
    delivery = (
        *("--push-endpoint=${service_url}", f"--push-auth-service-account={deployment.invoker}"),
        *_delivery(deployment),
        "--expiration-period=never",
        *(f"--project={deployment.project}", "--quiet"),
    )
    return Step(
        name=f"subscription {deployment.push}",
        why="pushes messages to the service, each with a signed token",
        look=_subscription_look(deployment, f"projects/{deployment.project}/subscriptions/{deployment.push}"),
        create=(
            *("gcloud", "pubsub", "subscriptions", "create", deployment.push, f"--topic={deployment.topic}"),
            *(f"--labels=made-by={MADE_BY}", *delivery),
        ),
        wanted=(
            *_delivered(deployment),
            Wanted("pushConfig.pushEndpoint", "${service_url}"),
            Wanted("pushConfig.oidcToken.serviceAccountEmail", deployment.invoker),
        ),
        update=("gcloud", "pubsub", "subscriptions", "update", deployment.push, *delivery),
        undo=(
            *("gcloud", "pubsub", "subscriptions", "delete", deployment.push),
            *(f"--project={deployment.project}", "--quiet"),
        ),
        mark=_LABEL,
    )


def _job(deployment: Deployment) -> Step:
    here = (f"--location={deployment.region}", f"--project={deployment.project}")
    what = (
        *(f"--schedule={deployment.schedule}", f"--time-zone={deployment.timezone}"),
        *(f"--topic=projects/{deployment.project}/topics/{deployment.topic}", f"--message-body={MESSAGE}"),
        *(f"--description={DESCRIPTION}", "--max-retry-attempts=3", "--min-backoff=30s"),
        *(*here, "--quiet", "--format=none"),
    )
    return Step(
        name=f"schedule {deployment.job}",
        why=f"asks for yesterday at {deployment.schedule} of {deployment.timezone}",
        look=Look(
            ("gcloud", "scheduler", "jobs", "list", *here, "--format=json"),
            (Wanted("name", f"projects/{deployment.project}/locations/{deployment.region}/jobs/{deployment.job}"),),
        ),
        create=("gcloud", "scheduler", "jobs", "create", "pubsub", deployment.job, *what),
        wanted=(
            Wanted("schedule", deployment.schedule),
            Wanted("timeZone", deployment.timezone),
            Wanted("pubsubTarget.topicName", f"projects/{deployment.project}/topics/{deployment.topic}"),
            Wanted("pubsubTarget.data", base64.b64encode(MESSAGE.encode()).decode()),
        ),
        update=("gcloud", "scheduler", "jobs", "update", "pubsub", deployment.job, *what),
        undo=("gcloud", "scheduler", "jobs", "delete", deployment.job, *here, "--quiet"),
        mark=_DESCRIBED,
    )


def _code_name(deployment: Deployment) -> str:
    return f"{'function' if deployment.shape is Shape.FUNCTION else 'Cloud Run service'} {deployment.name}"


def _sizes(deployment: Deployment) -> Command:
    return (
        *(f"--memory={deployment.memory}", f"--timeout={deployment.timeout_seconds}s"),
        # One message at a time in one instance: two gradings would share its memory.
        *(f"--max-instances={deployment.max_instances}", "--concurrency=1"),
    )


def _builder(deployment: Deployment) -> str:
    return f"--build-service-account=projects/{deployment.project}/serviceAccounts/{deployment.builder}"


def _variables(deployment: Deployment) -> str:
    # A separator of our own: a value may hold a comma.
    return "--set-env-vars=^@@^" + "@@".join(f"{key}={value}" for key, value in deployment.environment.items())


def _labels(deployment: Deployment) -> str:
    return f"made-by={MADE_BY},deployment={revision_label(deployment)}"


def _delivery(deployment: Deployment) -> Command:
    return (
        f"--ack-deadline={ACK_SECONDS}",
        f"--dead-letter-topic=projects/{deployment.project}/topics/{deployment.dead_letter_topic}",
        f"--max-delivery-attempts={DELIVERY_ATTEMPTS}",
        *(f"--min-retry-delay={_SHORTEST_RETRY}", f"--max-retry-delay={_LONGEST_RETRY}"),
    )


def _delivered(deployment: Deployment) -> tuple[Wanted, ...]:
    return (
        Wanted("ackDeadlineSeconds", str(ACK_SECONDS)),
        Wanted(
            "deadLetterPolicy.deadLetterTopic",
            f"projects/{deployment.project}/topics/{deployment.dead_letter_topic}",
        ),
        Wanted("deadLetterPolicy.maxDeliveryAttempts", str(DELIVERY_ATTEMPTS)),
        Wanted("retryPolicy.minimumBackoff", _SHORTEST_RETRY),
    )


def _subscription_look(deployment: Deployment, name: str) -> Look:
    return Look(
        ("gcloud", "pubsub", "subscriptions", "list", f"--project={deployment.project}", "--format=json"),
        (Wanted("name", name),),
    )


def _service_look(deployment: Deployment) -> Look:
    return Look(
        (
            *("gcloud", "run", "services", "list", f"--region={deployment.region}"),
            *(f"--project={deployment.project}", "--format=json"),
        ),
        (Wanted("metadata.name", deployment.name),),
    )


def _of_metadata(wanted: Wanted) -> Wanted:
    return Wanted(f"metadata.{wanted.path}", wanted.value)
