"""How a deployment stands: each step looked at, and a few facts that no step is about. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass

from gradeonce.errors import CloudError
from gradeonce.gcp.deploy.apply import Project, StepDone, StepState
from gradeonce.gcp.deploy.deployment import Deployment
from gradeonce.gcp.deploy.gcloud import Gcloud, is_not_there
from gradeonce.gcp.deploy.steps import Document, Plan, Step, value_at


@dataclass(frozen=True)
class Fact:
    """Something to know of a deployment.

    Attributes:
        name: What.
        value: How it is.
        is_fine: Whether it is as it should be.
        hint: What to do if not.
    """

    name: str
    value: str
    is_fine: bool
    hint: str = ""


@dataclass(frozen=True)
class Standing:
    """How a deployment stands.

    Attributes:
        steps: One for each step of the plan: stands, missing or differs.
        facts: What else there is to know.
    """

    steps: tuple[StepDone, ...]
    facts: tuple[Fact, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every step stands as it should."""
        return all(step.state is StepState.STANDS for step in self.steps)

    @property
    def is_fine(self) -> bool:
        """Whether every fact is as it should be."""
        return all(fact.is_fine for fact in self.facts)


def look_around(deployment: Deployment, plan: Plan, gcloud: Gcloud) -> Standing:
    """Look at every step of a plan and at what else matters.

    Raises:
        CloudError: If a command fails for another reason than that something is not there.
    """
    project = Project(plan, gcloud)
    project.look_up(plan.steps)
    steps = tuple(_looked_at(step, project) for step in plan.steps)
    facts = [_webhook(deployment, gcloud), _revision(deployment, gcloud)]
    if deployment.has_scheduler:
        facts.append(_morning(deployment, gcloud))
    return Standing(steps, tuple(facts))


def _looked_at(step: Step, project: Project) -> StepDone:
    try:
        found, differences = project.entry(step)
    except CloudError as error:
        if not is_not_there(error):
            raise
        return StepDone(step.name, StepState.MISSING)
    if found is None:
        return StepDone(step.name, StepState.MISSING)
    return StepDone(step.name, StepState.DIFFERS if differences else StepState.STANDS, differences)


def _webhook(deployment: Deployment, gcloud: Gcloud) -> Fact:
    versions = _asked(
        gcloud,
        (
            *("gcloud", "secrets", "versions", "list", deployment.secret),
            *(f"--project={deployment.project}", "--format=json"),
        ),
    )
    enabled = [one for one in versions if value_at(one, "state") == "ENABLED"] if isinstance(versions, list) else []
    return Fact(
        "Slack webhook",
        "is in the secret" if enabled else "not in the secret yet: Slack is told nothing",
        bool(enabled),
        f"gcloud secrets versions add {deployment.secret} --project={deployment.project} --data-file=-",
    )


def _revision(deployment: Deployment, gcloud: Gcloud) -> Fact:
    service = _asked(
        gcloud,
        (
            *("gcloud", "run", "services", "describe", deployment.name, f"--region={deployment.region}"),
            *(f"--project={deployment.project}", "--format=json"),
        ),
    )
    traffic = value_at(service, "status.traffic")
    shares = [one for one in traffic if value_at(one, "percent")] if isinstance(traffic, list) else []
    text = ", ".join(f"{value_at(one, 'revisionName')} {value_at(one, 'percent')} %" for one in shares)
    is_latest = len(shares) == 1 and value_at(shares[0], "latestRevision") is True
    return Fact(
        "revision",
        (text or "none") + ("" if is_latest or not shares else ", which is not the latest"),
        is_latest,
        "gradeonce gcp deploy",
    )


def _morning(deployment: Deployment, gcloud: Gcloud) -> Fact:
    job = _asked(
        gcloud,
        (
            *("gcloud", "scheduler", "jobs", "describe", deployment.job, f"--location={deployment.region}"),
            *(f"--project={deployment.project}", "--format=json"),
        ),
    )
    state = str(value_at(job, "state") or "none")
    last, code = value_at(job, "lastAttemptTime"), value_at(job, "status.code")
    text = f"{state.lower()}, last sent {last or 'never'}" + (f", with error {code}" if code else "")
    return Fact(
        "nightly message",
        text,
        state == "ENABLED" and not code,
        f"gcloud scheduler jobs describe {deployment.job} --location={deployment.region} "
        f"--project={deployment.project}",
    )


def _asked(gcloud: Gcloud, command: tuple[str, ...]) -> Document:
    try:
        return gcloud.document(command)
    except CloudError as error:
        if is_not_there(error):
            return None
        raise
